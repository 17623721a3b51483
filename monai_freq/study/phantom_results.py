"""Results of studies that nobody has run: what is planted in them is known, to try reports, tables and figures on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .run.results import Result

__all__ = ["phantom_study", "phantom_transfer"]

_CLASSES = {"1": "Anterior", "2": "Posterior"}
_FREQUENCIES = [0.0, 0.125, 0.25, 0.375, 0.5]
#: source -> AUC lost O.O.D. at a fraction of 1, and where its learning priority lies, in cycles per voxel
_SOURCES = {
    "imagenet": (0.5, 0.375),
    "radimagenet": (0.125, 0.125),
    "random": (0.25, 0.25),
    "imagenet lowpass": (0.1875, 0.1875),
    "radimagenet whiten": (0.375, 0.3125),
}
#: source -> AUC of the network that is pre-trained on it
_PRETRAINED = {"imagenet": 0.9, "radimagenet": 0.85}
_PARTS: Mapping[str, Any] = {"status": "finished", "recorded": {"dataset_dir": None}}


def phantom_study(gain: float = 0.05, *, draws: int = 3, cases: int = 6) -> list[Result]:
    """Runs of ``hippocampus_fd`` on four cases, without fusion and with early fusion.

    Args:
        gain: mean gain in Dice of early fusion; every other case gains more.
        draws: number of runs of each fusion.
        cases: number of test cases.

    Example:
        >>> none, early = phantom_study(gain=0.05, draws=1, cases=2)
        >>> [round(case["dice_Anterior"], 2) for case in none.cases + early.cases]
        [0.8, 0.81, 0.84, 0.87]
    """
    planted = {"none": 0.0, "early": gain}
    return [_segmenter(arm, draw, planted[arm], cases) for arm in planted for draw in range(draws)]


def phantom_transfer(folds: int = 2) -> list[Result]:
    """Pre-trainings on two sources, and fine-tunings of ``kneemri_transfer`` from these, two edited ones and none.

    Photon noise is the shortcut of none or half of the positives. The nearer its frequencies are to those that a source
    has taught a network, the more is lost O.O.D. of an AUC of .9: from .0625 with RadImageNet to .25 with ImageNet.

    Args:
        folds: number of fine-tunings of each source and fraction.

    Example:
        >>> run = phantom_transfer(folds=1)[3]
        >>> run.settings
        {'fusion': 'none', 'fold': 0, 'seed': 0, 'source': 'imagenet', 'artifact': 'photon_noise', 'fraction': 0.5}
        >>> {name: round(one["auc"], 2) for name, one in run.measures["conditions"].items()}
        {'clean': 0.9, 'iid': 0.95, 'ood': 0.65}
    """
    pretrained = [_pretrained(source) for source in _PRETRAINED]
    return pretrained + [
        _tuned(source, fraction, fold) for source in _SOURCES for fraction in (0.0, 0.5) for fold in range(folds)
    ]


def _segmenter(arm: str, draw: int, gain: float, cases: int) -> Result:
    rows: list[dict[str, Any]] = []
    for case in range(cases):
        dice = 0.8 + 0.01 * case + 0.01 * draw + gain * (0.8 + 0.4 * (case % 2))
        rows.append({"case": f"case_{case}"})
        for name in _CLASSES.values():
            rows[-1] |= {f"dice_{name}": dice, f"hd95_mm_{name}": 20 * (1 - dice)}
    level = sum(row["dice_Anterior"] for row in rows) / cases
    curve = [level * (1 - 0.5**epoch) for epoch in range(1, 13)]
    return Result(
        **_PARTS,
        bundle="hippocampus_fd",
        settings={"fusion": arm, "train_size": 4, "draw": draw, "seed": 0},
        classes=_CLASSES,
        seconds={"train": 40.0 + draw, "evaluate": 3.0},
        peak_memory_bytes=800_000_000,
        validation={"epochs": [*range(1, len(curve) + 1)], "val_mean_dice": curve},
        cases=rows,
    )


def _pretrained(source: str) -> Result:
    conditions, densities = {"all": _figures(_PRETRAINED[source])}, _densities(after=_SOURCES[source][1])
    settings = {"fusion": "none", "seed": 0, "source": source}
    return _classifier("source_pretrain", settings, conditions, densities)


def _tuned(source: str, fraction: float, fold: int) -> Result:
    lost, center = _SOURCES[source]
    aucs = {"clean": 0.9, "iid": 0.9 + 0.1 * fraction, "ood": 0.9 - (lost + 0.02 * fold) * fraction}
    conditions = {name: _figures(auc) for name, auc in aucs.items()}
    densities = _densities(before=center, after=0.5 * (center + 0.375), artifact=0.375)
    settings = {"fusion": "none", "fold": fold, "seed": 0, "source": source}
    settings |= {"artifact": "photon_noise", "fraction": fraction}
    return _classifier("kneemri_transfer", settings, conditions, densities)


def _classifier(bundle: str, settings: Mapping[str, Any], conditions: Any, densities: Any) -> Result:
    measures = {"conditions": conditions, "densities": densities}
    return Result(**_PARTS, bundle=bundle, settings=settings, measures=measures)


def _figures(auc: float) -> dict[str, float]:
    return {"samples": 100, "auc": auc, "accuracy": auc - 0.1, "calibration_error": 0.05}


def _densities(**centers: float) -> dict[str, list[float]]:
    """Densities around some frequencies, in cycles per voxel, with those of images beside them."""
    found = {"frequencies": _FREQUENCIES, "images": [1 / (0.02 + frequency) for frequency in _FREQUENCIES]}
    for name, center in centers.items():
        density = [math.exp(-(((frequency - center) / 0.125) ** 2)) for frequency in _FREQUENCIES]
        lowest, highest = min(density), max(density)
        found[name] = [(value - lowest) / (highest - lowest) for value in density]
    return found
