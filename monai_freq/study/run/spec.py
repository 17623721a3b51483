"""What a run is: a bundle, and the settings that tell this run from the others of its study."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from ...places import weights_of

__all__ = ["ARMS", "RANDOM", "Run", "run_folder", "run_name"]

#: fusions, the baseline first, as in the paper's tables
ARMS = ("none", "early", "late")
#: source of a network that has learned nothing before
RANDOM = "random"

#: settings of the study alone; a bundle gets what they stand for
_OF_STUDY = ("steps", "overlay", "source")
#: settings with a place of their own in the name of a run
_PLACED = ("fusion", "train_size", "draw", "fold", "seed")
#: settings that no data depend on, but for the number of training cases
_OF_TRAINING = ("fusion", "train_size", "draw", "seed")
#: characters in the name of a run
_LONGEST = 200


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training and its evaluation.

    Args:
        bundle: name of the bundle.
        folder: folder of the bundle.
        settings: settings of the bundle that tell this run from the others of its study: ``"fusion"`` and ``"seed"``
            in all of them, ``"train_size"`` (None for all cases) and ``"draw"`` of a segmentation, ``"fold"``,
            ``"artifact"`` and ``"fraction"`` of a fine-tuning, and further ones, as ``"theta"``. Three belong to the
            study: ``"steps"``, number of optimiser steps; ``"overlay"``, name of a further configuration file of the
            bundle; and a classifier's ``"source"``, label of the data that it is pre-trained on.
        given: further settings of the bundle, which follow from those, as ``"init"`` from the source.
        dataset_dir: folder of the user's data set; None for the bundle's phantom.
        after: run whose weights this one starts from.
        classes: class number -> name, foreground only.
        noted: entries of a classifier's measures that are known before its training.

    Example:
        >>> settings = {"fusion": "late", "train_size": 4, "draw": 1, "seed": 0, "theta": 0.2}
        >>> run = Run(bundle="heart_fd", folder="bundles/heart_fd", settings=settings)
        >>> run.name, run.key_metric
        ('heart_fd/n4_draw1_late_theta=0.2_seed0', 'val_mean_dice')
    """

    bundle: str
    folder: str
    settings: Mapping[str, Any]
    given: Mapping[str, Any] = field(default_factory=dict)
    dataset_dir: str | None = None
    after: Run | None = None
    classes: Mapping[str, str] = field(default_factory=dict)
    noted: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the run's folder and result."""
        return run_name(self.bundle, self.settings)

    @property
    def classifies(self) -> bool:
        """Whether its network is a classifier, which has a source."""
        return "source" in self.settings

    @property
    def key_metric(self) -> str:
        """Metric that picks the weights."""
        return "val_auc" if self.classifies else "val_mean_dice"

    @property
    def data_options(self) -> dict[str, Any]:
        """Options of the bundle that its data depend on; the weights to start from need not be there."""
        options = {key: value for key, value in self._options.items() if key not in _OF_TRAINING}
        return options | ({"init": RANDOM} if self.after or "init" in self.given else {})

    @property
    def _options(self) -> dict[str, Any]:
        return {key: value for key, value in self.settings.items() if key not in _OF_STUDY} | dict(self.given)

    def held_up(self, failed: Collection[str]) -> bool:
        """Whether it cannot start, as the run that it starts from has failed.

        Args:
            failed: names of runs.
        """
        return self.after is not None and self.after.name in failed

    def options(self, study: Path) -> dict[str, Any]:
        """Options of the bundle, all but where its results go.

        Args:
            study: folder of the study, where the weights to start from are.
        """
        data = {} if self.dataset_dir is None else {"dataset_dir": self.dataset_dir}
        init = {} if self.after is None else {"init": str(weights_of(run_folder(study, self.after.name)))}
        return self._options | data | init

    def configs(self, workflow: str) -> list[Path]:
        """Configuration files of ``"train"`` or ``"evaluate"``."""
        overlay = [self.settings["overlay"]] if "overlay" in self.settings else []
        return [Path(self.folder) / "configs" / f"{name}.json" for name in (workflow, *overlay)]

    def fingerprint(self, *workflows: str) -> str:
        """Hash of the configuration files of workflows: another one when somebody has edited the bundle."""
        content = [file.read_bytes() for workflow in workflows for file in self.configs(workflow)]
        return sha256(b"\0".join(content)).hexdigest()


def run_name(bundle: str, settings: Mapping[str, Any]) -> str:
    """Name of a run: ``<bundle>/n<train_size>_draw<draw>_<fusion>[_<key>=<value>...]_seed<seed>``.

    Args:
        bundle: name of the bundle.
        settings: settings of the run. A ``fold`` takes the place of the ``draw``; further settings appear in the order
            of their names.

    Example:
        >>> settings = {"fusion": "early", "train_size": 8, "draw": 0, "seed": 0}
        >>> run_name("heart_fd", settings | {"theta": 0.2, "image_size": [32, 32, 16]})
        'heart_fd/n8_draw0_early_image_size=32-32-16_theta=0.2_seed0'
        >>> run_name("heart_fd", settings | {"theta": [0.1, 0.2]})
        'heart_fd/n8_draw0_early_theta=0.1-0.2_seed0'
        >>> run_name("lodopab_transfer", {"fusion": "none", "fold": 2, "seed": 0, "source": "random"})
        'lodopab_transfer/nall_draw2_none_source=random_seed0'
    """
    size, draw = settings.get("train_size"), settings.get("draw", settings.get("fold", 0))
    further = [f"{key}={_text(value)}" for key, value in sorted(settings.items()) if key not in _PLACED]
    parts = [
        f"n{'all' if size is None else size}",
        f"draw{draw}",
        settings["fusion"],
        *further,
        f"seed{settings['seed']}",
    ]
    return f"{_plain(bundle)}/{_short(_plain('_'.join(parts)))}"


def run_folder(study: Path, name: str) -> Path:
    """Where the weights, logs and figures of a run are.

    Args:
        study: folder of the study.
        name: name of the run.

    Example:
        >>> run_folder(Path("out"), "heart_fd/n8_draw0_early_seed0").as_posix()
        'out/runs/heart_fd/n8_draw0_early_seed0'
    """
    return study / "runs" / name


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _plain(text: str) -> str:
    """Text as part of a file's name anywhere."""
    return re.sub(r"[^A-Za-z0-9._=-]+", "-", text).replace("_-", "_").replace("=-", "=").replace("-_", "_")


def _short(text: str) -> str:
    """Text that a file system takes with an ending."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 9]}-{sha256(text.encode()).hexdigest()[:8]}"
