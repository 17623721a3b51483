"""Networks of MONAI bundles and of runs, with their own preprocessing."""

from __future__ import annotations

import copy
import functools
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isnan, log
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.transforms import Compose, Invertd, LoadImaged
from torch import Tensor, nn

from ...bundle.parsing import readably
from ...bundle.shipped_bundles import list_bundles, shipped_folder
from ...errors import DataError, UsageError
from ...json_files import read_json
from ...networks.predictions import Task
from ...places import RECORD, weights_of
from ...quoting import named, reason_of, shown
from ...transforms.load_slice import LoadSliced
from ...transforms.load_volume import LoadVolumed
from .network_files import FoundNetwork, Inferred, with_weights
from .preparing import plain

__all__ = ["BundlePreprocess", "bundle_of", "is_bundle", "is_run", "open_bundle", "open_run"]

#: names of configurations, and what MONAI's bundles call their parts
_CONFIGS = ("inference", "evaluate", "train")
_NETWORK = ("network_def", "network", "net")
_PREPROCESSING = ("preprocessing", "validate#preprocessing", "val_preprocessing", "dataset#transform")
_INFERER = ("inferer", "validate#inferer")
#: transforms whose work is done where images are loaded
_FIRST = {"EnsureChannelFirstd", "AddChanneld", "AsChannelFirstd"}
#: what white may be
_WHITES = (1.0, 255.0, 65535.0)


def is_bundle(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is that of a MONAI bundle.

    Args:
        folder: path of the folder.

    Example:
        >>> is_bundle("/tmp")
        False
    """
    return Path(folder, "configs").is_dir() and any(_config(Path(folder), name) for name in _CONFIGS)


def is_run(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder is that of a run: with the settings of a training, and weights.

    Args:
        folder: path of the folder.

    Example:
        >>> is_run("/tmp")
        False
    """
    return Path(folder, RECORD).is_file() and weights_of(folder).is_file()


def open_bundle(
    folder: str | os.PathLike[str], weights: str | os.PathLike[str] | None = None, **overrides: Any
) -> FoundNetwork:
    """Network, preprocessing and inferer of a bundle's ``inference``, ``evaluate`` or ``train`` configuration.

    A configuration is code: open bundles of people whom you trust.

    Args:
        folder: folder of the bundle.
        weights: file of the weights; None for the one in ``models``.
        overrides: items of the configuration to replace.

    Raises:
        DataError: there are no weights, or they are of another network.
        UsageError: the configuration has no network by a standard name, or cannot be built.

    Example:
        >>> from monai_freq.bundle.shipped_bundles import copy_bundle
        >>> import tempfile
        >>> folder = copy_bundle("heart_fd", Path(tempfile.mkdtemp(), "heart"))
        >>> open_bundle(folder)
        Traceback (most recent call last):
        ...
        monai_freq.errors.DataError: There are no weights in .../heart/models, or several.
        Train the bundle, or name the folder of one run or a file of weights.
    """
    bundle = Path(folder).expanduser().resolve()
    file = Path(weights) if weights is not None else _weights(bundle)
    # settings of the training are recorded beside weights of ours
    config = _parsed(bundle, {"bundle_root": str(bundle), "checkpoint": str(file), **overrides})
    network = _built(config, _NETWORK, "network", bundle)
    if not isinstance(network, nn.Module):
        raise UsageError(f"The network of {named(bundle)} is a {type(network).__name__}.\nName it 'network_def'.")
    transforms = _built(config, _PREPROCESSING, None, bundle)
    inferer = _built(config, _INFERER, None, bundle)
    network = with_weights(network, file)
    build = functools.partial(_network_of, bundle, {"checkpoint": str(file), **overrides})
    metadata = _metadata(bundle)
    forward: Callable[[Tensor], Any] = network if inferer is None else Inferred(network, inferer)
    preprocess = None if transforms is None else BundlePreprocess(transforms)
    return FoundNetwork(forward, "bundle", network, build, preprocess, _classes(config, metadata), _task(metadata))


def open_run(folder: str | os.PathLike[str], bundle: str | os.PathLike[str] | None = None) -> FoundNetwork:
    """Network of the folder of a run, as its bundle's ``inference`` configuration opens it.

    Args:
        folder: folder of the run.
        bundle: folder or shipped name of the bundle; None finds it above the folder, or by the phantom that the run was
            trained on.

    Raises:
        UsageError: no bundle is named, and none is found; or as of :func:`open_bundle`.
        DataError: as of :func:`open_bundle`.

    Example:
        >>> import tempfile
        >>> run = Path(tempfile.mkdtemp())
        >>> _ = (run / "settings.json").write_text('{"phantom": null}')
        >>> open_run(run)
        Traceback (most recent call last):
        ...
        monai_freq.errors.UsageError: ... does not say which bundle trained it.
        Name it, as in --bundle heart_fd.
    """
    run = Path(folder).expanduser().resolve()
    place = bundle_of(run, bundle)
    found = open_bundle(place, weights_of(run))
    return FoundNetwork(**{**vars(found), "kind": "run"})


class BundlePreprocess:
    """A bundle's preprocessing for images that are loaded already.

    Transforms that load and bring channels to the front are left out. Where MONAI's reader would have turned a picture,
    it is turned. Where a picture's white is asked for and unknown, it is 1, 255 or 65535, whichever is nearest to the
    maximum by ratio.

    Args:
        transforms: the preprocessing of dictionaries.

    Example:
        >>> from monai.transforms import ScaleIntensityd
        >>> prepare = BundlePreprocess(Compose([LoadImaged("image"), ScaleIntensityd("image")]))
        >>> prepare(MetaTensor(torch.tensor([[[0.0, 4.0], [2.0, 4.0]]])))[0].tolist()
        [[0.0, 0.5], [1.0, 1.0]]
    """

    def __init__(self, transforms: Any) -> None:
        parts = list(_flat(transforms))
        kept = [part for part in parts if not (_loads(part) or type(part).__name__ in _FIRST)]
        loaders = [part for part in parts if _loads(part)]
        for part in kept:
            if hasattr(part, "allow_missing_keys"):
                part.allow_missing_keys = True  # a label is not there
        self.key = next((str(part.keys[0]) for part in parts if getattr(part, "keys", None)), "image")
        self.turns = any(_turns(loader) for loader in loaders)
        self._channels = next((loader.transform.channels for loader in loaders if _is_slice(loader)), 1)
        self._compose = Compose(kept)
        self._back = Invertd("pred", self._compose, orig_keys=self.key, nearest_interp=False)

    def __call__(self, image: MetaTensor) -> Tensor:
        """Prepare one image ``(C, *spatial)``."""
        known = {key: value for key, value in image.meta.items() if key != "affine"}
        image = MetaTensor(plain(image).clone(), image.affine.clone(), meta=known)
        if self.turns and image.ndim == 3:
            image = _turned(image)
        if len(image) == 1 and self._channels > 1:
            image = image.repeat(self._channels, *[1] * (image.ndim - 1))  # type: ignore[assignment]
        image.meta.setdefault("filename_or_obj", "image")
        if isnan(image.meta.get("full_scale", float("nan"))):
            image.meta["full_scale"] = _white(float(image.max()))
        image.meta.setdefault("spatial_shape", torch.tensor(image.shape[1:]).numpy())
        image.meta.setdefault("original_affine", image.affine)
        prepared = self._compose({self.key: image})
        if isinstance(prepared, Sequence):
            raise DataError("The preprocessing makes several patches of an image.\nPass one that keeps it whole.")
        found: Tensor = prepared[self.key]
        return found

    def inverse(self, prediction: Tensor, prepared: Tensor) -> Tensor:
        """Bring a segmentation back to the grid of the image.

        Args:
            prediction: probabilities ``(classes, *spatial)`` on the grid of the prepared image.
            prepared: the prepared image.
        """
        if not isinstance(prepared, MetaTensor):
            return prediction
        pred = MetaTensor(prediction, prepared.affine.clone())
        back: Tensor = self._back({"pred": pred, self.key: copy.copy(prepared)})["pred"]
        return back.transpose(-1, -2) if self.turns and prepared.ndim == 3 else back


def _is_slice(part: Any) -> bool:
    return isinstance(part, LoadSliced)


def _loads(part: Any) -> bool:
    return isinstance(part, (LoadImaged, LoadSliced, LoadVolumed))


def _turns(loader: Any) -> bool:
    """Whether a loader swaps the axes of a picture, as MONAI's readers do unless told not to."""
    readers = getattr(getattr(loader, "_loader", None), "readers", [])
    pillow = [reader for reader in readers if type(reader).__name__ == "PILReader"]
    return isinstance(loader, LoadImaged) and bool(getattr(pillow[-1], "reverse_indexing", True) if pillow else True)


def _turned(image: MetaTensor) -> MetaTensor:
    """With the axes of a picture swapped, and the sizes of its voxels."""
    steps = image.affine[:2, :2].norm(dim=0).flip(0)
    affine = torch.diag(torch.tensor([*steps.tolist(), 1.0], dtype=torch.float64))
    known = {key: value for key, value in image.meta.items() if key != "affine"}
    return MetaTensor(plain(image).transpose(-1, -2).contiguous(), affine, meta=known)


def _white(highest: float) -> float:
    return min(_WHITES, key=lambda white: abs(log(max(highest, 1e-3) / white)))


def _flat(transforms: Any) -> Iterator[Any]:
    """Transforms one after another, whatever they are composed of."""
    if isinstance(transforms, Compose):
        transforms = transforms.transforms
    if isinstance(transforms, Sequence):
        for part in transforms:
            yield from _flat(part)
    elif transforms is not None:
        yield transforms


def _config(bundle: Path, name: str) -> Path | None:
    files = (bundle / "configs" / f"{name}.{ending}" for ending in ("json", "yaml", "yml"))
    return next((file for file in files if file.is_file()), None)


def _parsed(bundle: Path, overrides: Mapping[str, Any]) -> ConfigParser:
    """The first configuration that names a network."""
    refused = None
    for name in _CONFIGS:
        file = _config(bundle, name)
        if file is None:
            continue
        try:
            config = ConfigParser()
            config.read_config(str(file))
        except Exception as error:  # of JSON or YAML
            refused = f"{named(file)} cannot be read: {reason_of(error)}."
            continue
        metadata = bundle / "configs" / "metadata.json"
        if metadata.is_file():
            config.read_meta(str(metadata))
        if any(name in config for name in _NETWORK):
            config.update({key: copy.deepcopy(value) for key, value in overrides.items()})
            return config
    raise UsageError(
        f"{refused or f'No configuration of {named(bundle)} has an item network_def.'}\n"
        "Name the network's item 'network_def', as MONAI's specification of bundles has it."
    )


def _built(config: ConfigParser, names: Sequence[str], wanted: str | None, bundle: Path) -> Any:
    """The first of several items; None where none is wanted and there is none."""
    for name in names:
        if name in config:
            try:
                with readably(), _importing(bundle):
                    return config.get_parsed_content(name)
            except UsageError:
                raise
            except Exception as error:  # of the configuration's own code
                raise UsageError(
                    f"'{name}' of {named(bundle)} cannot be built: {shown(_first(error), 200)}.\n"
                    "Correct the configuration, or install what it asks for."
                ) from error
    if wanted is None:
        return None
    raise UsageError(f"{named(bundle)} has no {wanted}.\nName it {names[0]}.")


@contextmanager
def _importing(bundle: Path) -> Iterator[None]:
    """Modules of the bundle's own ``scripts`` can be imported, as where MONAI runs it from its folder."""
    sys.path.insert(0, str(bundle))
    try:
        yield
    finally:
        sys.path.remove(str(bundle))


def _network_of(bundle: Path, overrides: Mapping[str, Any]) -> nn.Module:
    network: nn.Module = _built(_parsed(bundle, {"bundle_root": str(bundle), **overrides}), _NETWORK, "network", bundle)
    return network.eval()


def _first(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return reason_of(error)


def _weights(bundle: Path) -> Path:
    """In ``models``, where bundles have them, or of the only run of a bundle of ours."""
    for pattern in ("models/model.pt", "models/model.pth", "models/*.pt", "runs/*/models/model.pt"):
        files = sorted(bundle.glob(pattern))
        if len(files) == 1:
            return files[0]
    raise DataError(
        f"There are no weights in {named(bundle / 'models')}, or several.\n"
        "Train the bundle, or name the folder of one run or a file of weights."
    )


def _metadata(bundle: Path) -> dict[str, Any]:
    try:
        found = read_json(bundle / "configs" / "metadata.json")
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _output(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        found = metadata["network_data_format"]["outputs"]["pred"]
    except (KeyError, TypeError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _classes(config: ConfigParser, metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """Of ours in the run's configuration; of others in the metadata."""
    names = None
    if "classes" in config:
        try:
            names = config.get_parsed_content("classes")
        except Exception:  # an item of this name may be anything
            names = None
    if not isinstance(names, (Mapping, list, tuple)):
        names = _output(metadata).get("channel_def")
    values = names.values() if isinstance(names, Mapping) else names if isinstance(names, (list, tuple)) else ()
    return tuple(map(str, values))


def _task(metadata: Mapping[str, Any]) -> Task | None:
    output = _output(metadata)
    words = " ".join(str(output.get(name, "")) for name in ("type", "format")) + f" {metadata.get('task', '')}"
    if "segment" in words.lower():
        return "segmentation"
    return "classification" if "class" in words.lower() or output.get("spatial_shape") == [] else None


def bundle_of(run: Path, bundle: str | os.PathLike[str] | None) -> Path:
    """Folder of the bundle of a run: the one above it, or the shipped one of the phantom that it was trained on.

    Args:
        run: folder of the run.
        bundle: folder or shipped name of the bundle, if it is known.

    Raises:
        UsageError: there is no such bundle, or none is found.
        DataError: the run's settings cannot be read.

    Example:
        >>> bundle_of(Path("run"), "heart_fd").name
        'heart_fd'
    """
    shipped = list_bundles()
    if bundle is not None:
        if is_bundle(bundle):
            return Path(bundle)
        if str(bundle) not in shipped:
            raise UsageError(f"There is no bundle {shown(bundle)}.\nName its folder, or one of {', '.join(shipped)}.")
        return shipped_folder(str(bundle))
    above = next((folder for folder in run.parents if is_bundle(folder)), None)
    if above is not None:
        return above
    try:
        phantom = read_json(run / RECORD).get("phantom") or {}
        task = str(phantom.get("task"))
    except (OSError, ValueError, AttributeError) as error:
        raise DataError(f"{named(run / RECORD)} cannot be read: {reason_of(error)}.\nCopy the run again.") from error
    named_so = [name for name in shipped if name.rsplit("_", 1)[0] == task]
    if not named_so:
        raise UsageError(f"{named(run)} does not say which bundle trained it.\nName it, as in --bundle heart_fd.")
    return shipped_folder(named_so[0])
