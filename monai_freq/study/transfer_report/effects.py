"""How far a shortcut makes the O.O.D. AUC fall, whether that counts, and how the sources differ in it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from ..source_labels import in_order
from .cells import NO_ARTIFACT, Cell, Key, Setting, TransferStudy
from .statistics import Estimate, estimate

__all__ = [
    "AS_ACCURATE",
    "LEARNED",
    "ROUNDING",
    "Control",
    "Difference",
    "Fall",
    "controls_of",
    "differences_of",
    "falls_of",
]

#: AUC without the shortcut, I.I.D. and O.O.D., from which on a fall of it means something
LEARNED = 0.75
#: most by which the accuracies of sources may differ that are compared
AS_ACCURATE = 0.05
#: of means, which is no shortfall
ROUNDING = 1e-9
#: what settings are where they are not named
_PLAIN = {"fusion": "none", "training cases": "all"}


@dataclass(frozen=True)
class Control:
    """What fine-tunings without the shortcut, p = 0, reach.

    Args:
        setting: of the fine-tunings.
        source: of the fine-tunings.
        iid: mean AUC over folds, NaN without a control.
        ood: mean AUC over folds with the artifact on the negatives of the test set, NaN without a control.

    Example:
        >>> Control(Setting("lodopab_transfer", "photon_noise"), "imagenet", iid=0.9, ood=0.88).counts
        True
    """

    setting: Setting
    source: str
    iid: float
    ood: float

    @property
    def there(self) -> bool:
        """Whether both are known."""
        return not (math.isnan(self.iid) or math.isnan(self.ood))

    @property
    def counts(self) -> bool:
        """Whether a fall from here says anything of the source."""
        return min(self.iid, self.ood) >= LEARNED - ROUNDING and self.there

    @property
    def verdict(self) -> str:
        """In words.

        Example:
            >>> Control(Setting("lodopab_transfer", "photon_noise"), "random", 0.62, 0.8).verdict
            'inconclusive: AUC_iid(0) 0.62 < 0.75'
        """
        if self.counts:
            return "counts"
        if not self.there:
            return "inconclusive: no p = 0 control"
        low = [
            (name, value) for name, value in (("iid", self.iid), ("ood", self.ood)) if not value >= LEARNED - ROUNDING
        ]
        return "inconclusive: " + ", ".join(f"AUC_{name}(0) {_floor(value)} < {LEARNED}" for name, value in low)


@dataclass(frozen=True)
class Fall:
    """delta_ood(p) = AUC_ood(0) - AUC_ood(p), of each fold and seed that has both.

    Example:
        >>> control = Control(Setting("lodopab_transfer", "photon_noise"), "imagenet", iid=0.9, ood=0.88)
        >>> Fall(control, 0.5, {(0, 0): 0.4, (1, 0): 0.2}).estimate.mean
        0.30000000000000004
    """

    control: Control
    fraction: float
    values: Mapping[Key, float]

    @property
    def estimate(self) -> Estimate:
        """Over folds."""
        return estimate(self.values)


@dataclass(frozen=True)
class Difference:
    """By how much more the first falls than the second, of each fold and seed that both have.

    Example:
        >>> setting = Setting("lodopab_transfer", "photon_noise")
        >>> first, second = Control(setting, "imagenet", 0.9, 0.88), Control(setting, "random", 0.7, 0.7)
        >>> Difference(first, second, 0.5, {(0, 0): 0.25, (1, 0): 0.75}).estimate.mean
        0.5
    """

    first: Control
    second: Control
    fraction: float
    values: Mapping[Key, float]

    @property
    def estimate(self) -> Estimate:
        """Over folds."""
        return estimate(self.values)

    @property
    def label(self) -> str:
        """What is subtracted from what.

        Example:
            >>> plain = Control(Setting("lodopab_transfer", "none"), "imagenet", 1, 1)
            >>> other = Control(Setting("lodopab_transfer", "none"), "random", 1, 1)
            >>> Difference(plain, other, 0.5, {}).label
            'imagenet − random'
        """
        if self.first.setting == self.second.setting:
            return f"{self.first.source} − {self.second.source}"
        first, second = (dict(one.setting.others) for one in (self.first, self.second))
        changed = [key for key in sorted(first | second) if first.get(key) != second.get(key)]
        texts = [
            ", ".join(f"{key} {one.get(key, _PLAIN.get(key, 'default'))}" for key in changed) for one in (first, second)
        ]
        return f"{self.first.source}: {texts[0]} − {texts[1]}"

    @property
    def place(self) -> Setting:
        """Setting of both; of two settings, what they have in common."""
        first, second = self.first.setting, self.second.setting
        return first._replace(others=tuple(one for one in first.others if one in second.others))

    @property
    def doubts(self) -> list[str]:
        """Those of the two that do not count."""
        unsure = [one for one in (self.first, self.second) if not one.counts]
        apart = self.first.setting != self.second.setting
        return list(dict.fromkeys("one of the two" if apart and len(unsure) < 2 else one.source for one in unsure))


def controls_of(study: TransferStudy) -> list[Control]:
    """Of each setting with an artifact and each of its sources.

    Args:
        study: the runs.

    Example:
        >>> from monai_freq.study.results import Result
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> run = Result(bundle="kneemri_transfer", status="finished", arm="none", size=None, draw=0, seed=0,
        ...              overrides={"source": "imagenet", "artifact": "photon_noise", "fraction": 0},
        ...              measures={"conditions": {"iid": {"auc": 0.9}, "ood": {"auc": 0.7}}})
        >>> [control.verdict for control in controls_of(study_of([run]))]
        ['inconclusive: AUC_ood(0) 0.70 < 0.75']
    """
    found = []
    for setting in study.settings:
        if setting.artifact != NO_ARTIFACT:
            for source in in_order(cell.source for cell in study.of(setting)):
                without = _without(study.of(setting, source))
                iid, ood = (estimate(without.values(name)).mean if without else math.nan for name in ("iid", "ood"))
                found.append(Control(setting, source, iid, ood))
    return found


def falls_of(study: TransferStudy, controls: Sequence[Control]) -> list[Fall]:
    """Of each control and fraction above 0, paired by fold and seed; those without a pair are left out.

    Args:
        study: the runs.
        controls: of the study.

    Example:
        >>> from monai_freq.study.results import Result
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> def run(fraction, ood):
        ...     settings = {"source": "imagenet", "artifact": "photon_noise", "fraction": fraction}
        ...     measures = {"conditions": {"iid": {"auc": 0.9}, "ood": {"auc": ood}}}
        ...     return Result(bundle="kneemri_transfer", status="finished", arm="none", size=None, draw=0, seed=0,
        ...                   overrides=settings, measures=measures)
        >>> study = study_of([run(0, 0.875), run(0.5, 0.5)])
        >>> [(fall.fraction, fall.values) for fall in falls_of(study, controls_of(study))]
        [(0.5, {(0, 0): 0.375})]
    """
    found = []
    for control in controls:
        cells = study.of(control.setting, control.source)
        without = _without(cells)
        for cell in cells if without else []:
            values = _minus(without.values("ood"), cell.values("ood")) if without and cell.fraction > 0 else {}
            if values:
                found.append(Fall(control, cell.fraction, values))
    return found


def differences_of(falls: Sequence[Fall]) -> list[Difference]:
    """Between the sources of a setting, and between the settings of a source, target and artifact.

    Args:
        falls: of the study.

    Example:
        >>> setting = Setting("kneemri_transfer", "photon_noise")
        >>> first = Fall(Control(setting, "imagenet", 0.9, 0.9), 0.5, {(0, 0): 0.75, (1, 0): 0.5})
        >>> second = Fall(Control(setting, "random", 0.8, 0.8), 0.5, {(0, 0): 0.25})  # of the first fold alone
        >>> [(difference.label, difference.values) for difference in differences_of([first, second])]
        [('imagenet − random', {(0, 0): 0.5})]
    """
    found = []
    for first, second in _pairs(falls):
        values = _minus(first.values, second.values)
        if values:
            found.append(Difference(first.control, second.control, first.fraction, values))
    return found


def _pairs(falls: Sequence[Fall]) -> Iterator[tuple[Fall, Fall]]:
    alike = [pair for pair in combinations(falls, 2) if pair[0].fraction == pair[1].fraction]
    for first, second in alike:
        if first.control.setting == second.control.setting:
            yield first, second
    for first, second in alike:
        one, other = first.control, second.control
        if one.source == other.source and one.setting != other.setting and one.setting[:2] == other.setting[:2]:
            yield first, second


def _without(cells: Sequence[Cell]) -> Cell | None:
    """The control, with no artifact in training."""
    return next((cell for cell in cells if cell.fraction == 0), None)


def _minus(first: Mapping[Key, float], second: Mapping[Key, float]) -> dict[Key, float]:
    return {key: first[key] - second[key] for key in sorted(first.keys() & second.keys())}


def _floor(value: float) -> str:
    """Two decimals that are not rounded up to the border."""
    return f"{math.floor(100 * (value + ROUNDING)) / 100:.2f}"
