"""A remedy tried: a short training of a bundle with it and one without, judged alike."""

from __future__ import annotations

import copy
import dataclasses
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser, ConfigWorkflow
from monai.transforms import Compose, Randomizable
from torch import Tensor, nn

from ..bundle.parsing import readably
from ..errors import DataError, UsageError
from ..files import replacing, write_files
from ..json_files import parse_json
from ..quoting import named, reason_of, shown
from ..transforms import AlignedResized
from .model.models import AuditModel, load_model
from .remedies import Remedy

__all__ = ["Trial", "try_remedy", "with_remedy"]

#: where MONAI's transforms that change the grid are
_GRID = ("monai.transforms.spatial", "monai.transforms.croppad")
_WEIGHTS = Path("models", "model.pt")


@dataclass(frozen=True)
class Trial:
    """What a remedy did.

    Args:
        title: title of the remedy.
        before: what was found of a network that was trained as the bundle has it.
        after: what was found of one that was trained as long, with the remedy.

    Example:
        >>> Trial("Cut off what leaks", {"auc": 0.99}, {"auc": 0.97}).after
        {'auc': 0.97}
    """

    title: str
    before: Any
    after: Any


def try_remedy(
    bundle: str | os.PathLike[str],
    remedy: Remedy,
    judge: Callable[[AuditModel], Any],
    output_dir: str | os.PathLike[str],
    **overrides: Any,
) -> Trial:
    """Train a bundle twice, as it is and with a remedy, and judge both networks.

    A transform comes before the first one that changes the grid of an image or draws; one that does not draw is applied
    in validation and by the judged network, too. A loss takes the place of the bundle's. The bundle itself stays as it
    is. A configuration is code: try bundles of people whom you trust.

    Args:
        bundle: folder of a bundle whose ``train`` configuration has ``train#dataset#transform``, ``network_def`` and
            ``loss`` or ``loss_function``.
        remedy: the remedy, see :func:`~monai_freq.audit.remedies.remedies`.
        judge: function of a trained network to what is found of it, such as its metric on clean images, its reliance
            and the counterfactual.
        output_dir: folder of both trainings.
        overrides: items of the configuration to replace, such as ``epochs``.

    Raises:
        UsageError: the configuration is missing, has no place for the remedy, or its training fails.

    Example:
        >>> try_remedy("nowhere", Remedy("t", "w", "", "{}"), lambda model: None, "out")
        Traceback (most recent call last):
        ...
        monai_freq.errors.UsageError: There is no configs/train.json in nowhere.
        Name the folder of a bundle.
    """
    place = Path(bundle).expanduser().resolve()
    file = place / "configs" / "train.json"
    if not file.is_file():
        raise UsageError(f"There is no configs/train.json in {named(bundle)}.\nName the folder of a bundle.")
    config = ConfigParser.load_config_file(str(file))
    cured, part = _cured(config, remedy, place)
    found = []
    for name, one in (("as_it_is", config), ("with_remedy", cured)):
        folder = Path(output_dir).expanduser().resolve() / name
        _train(one, place, folder, overrides)
        model = load_model(place, weights=folder / _WEIGHTS)
        if one is cured and part is not None and not _draws(part):
            model = dataclasses.replace(model, preprocess=_Prepared(part, model.preprocess))
        found.append(judge(model))
    return Trial(remedy.title, *found)


def with_remedy(transform: Any, remedy: Any) -> Compose:
    """Transforms with one more, before the first that changes the grid of an image or draws.

    Args:
        transform: a transform, or several composed.
        remedy: the one more.

    Example:
        >>> from monai.transforms import RandFlipd, ScaleIntensityd
        >>> from monai_freq.transforms import FourierLowPassd
        >>> chain = with_remedy(Compose([ScaleIntensityd("image"), RandFlipd("image")]), FourierLowPassd("image", 0.2))
        >>> [type(part).__name__ for part in chain.transforms]
        ['ScaleIntensityd', 'FourierLowPassd', 'RandFlipd']
    """
    parts = list(_flat(transform))
    place = next((k for k, part in enumerate(parts) if _turns(part) or _draws(part)), len(parts))
    return Compose([*parts[:place], remedy, *parts[place:]])


def _cured(config: dict[str, Any], remedy: Remedy, bundle: Path) -> tuple[dict[str, Any], Any]:
    """Configuration with the remedy, and its transform; None for a loss."""
    entry = parse_json(remedy.config)
    part = ConfigParser({"remedy": entry}).get_parsed_content("remedy")
    cured = copy.deepcopy(config)
    if isinstance(part, nn.Module):
        name = next((name for name in ("loss", "loss_function") if name in cured), None)
        if name is None:
            raise UsageError(f"The training of {named(bundle)} has no loss.\nName it 'loss'.")
        cured[name] = entry
        return cured, None
    for section in ("train",) if _draws(part) else ("train", "validate"):
        dataset = cured.get(section, {}).get("dataset")
        if not isinstance(dataset, dict) or "transform" not in dataset:
            raise UsageError(
                f"The training of {named(bundle)} has no {shown(section)}#dataset#transform.\n"
                "Name its transforms so, as MONAI's specification of bundles has it."
            )
        dataset["transform"] = {
            "_target_": f"{__name__}.{with_remedy.__name__}",
            "transform": dataset["transform"],
            "remedy": entry,
        }
    return cured, part


def _train(config: dict[str, Any], bundle: Path, folder: Path, overrides: dict[str, Any]) -> None:
    """Run a training, and leave its weights where bundles have them."""
    folder.mkdir(parents=True, exist_ok=True)
    (file,) = write_files(folder, {"train.json": json.dumps(config, indent=4).encode()})
    settings = {"bundle_root": str(bundle), "output_dir": str(folder), "logging_file": False, **overrides}
    metadata = bundle / "configs" / "metadata.json"
    meta_file = str(metadata) if metadata.is_file() else None
    workflow = ConfigWorkflow(str(file), meta_file, workflow_type="train", **settings)
    try:
        with readably():
            workflow.initialize()
            workflow.run()
            workflow.finalize()
    except (UsageError, DataError):
        raise
    except Exception as error:  # of anybody's configuration
        raise UsageError(
            f"The training of {named(bundle)} failed: {shown(_first(error), 300)}.\n"
            "Run it by itself, or replace items of its configuration."
        ) from error
    weights = folder / _WEIGHTS
    if not weights.is_file():  # of a bundle that keeps them elsewhere
        network: nn.Module = workflow.parser.get_parsed_content("network_def")
        weights.parent.mkdir(exist_ok=True)
        with replacing(weights) as aside:
            torch.save(network.state_dict(), aside)


def _first(error: BaseException) -> str:
    """What an error that libraries have wrapped began with."""
    while error.__cause__ is not None:
        error = error.__cause__
    return reason_of(error)


class _Prepared:
    """A remedy before the preprocessing of a network."""

    def __init__(self, remedy: Any, preprocess: Callable[[Any], Tensor] | None) -> None:
        self._remedy, self._preprocess = remedy, preprocess

    def __call__(self, image: Any) -> Tensor:
        key = self._remedy.keys[0]
        cured: Tensor = self._remedy({key: image})[key]
        return cured if self._preprocess is None else self._preprocess(cured)


def _flat(transform: Any) -> Iterator[Any]:
    if isinstance(transform, Compose):
        for part in transform.transforms:
            yield from _flat(part)
    else:
        yield transform


def _turns(part: Any) -> bool:
    return isinstance(part, AlignedResized) or type(part).__module__.startswith(_GRID)


def _draws(part: Any) -> bool:
    return isinstance(part, Randomizable)
