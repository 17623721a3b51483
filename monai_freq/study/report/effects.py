"""How far a shortcut lowers the O.O.D. AUC, whether that counts, and how the sources differ in it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

from .statistics import ENOUGH_POINTS, Correlation, Estimate, Key, estimate, spearman
from .transfer_study import NO_ARTIFACT, Repeats, Setting, TransferStudy

__all__ = [
    "AS_ACCURATE",
    "LEARNED",
    "ROUNDING",
    "WHEN",
    "Agreement",
    "AucDrop",
    "Control",
    "Difference",
    "Effects",
    "effects_of",
]

#: AUC without the shortcut, I.I.D. and O.O.D., from which on a drop of it means something
LEARNED = 0.75
#: most by which the accuracies of sources may differ that are compared
AS_ACCURATE = 0.05
#: error of means, which is no shortfall
ROUNDING = 1e-9
#: when a learning priority is taken, before fine-tuning or after it without the artifact
WHEN = ("before", "after")
#: what settings are where they are not named
_PLAIN = {"fusion": "none", "training cases": "all"}


@dataclass(frozen=True)
class Control:
    """What fine-tunings without the shortcut, p = 0, reach.

    Args:
        setting: setting of the fine-tunings.
        source: source of the fine-tunings.
        iid: mean AUC over folds, NaN without a control.
        ood: mean AUC over folds with the artifact on the negatives of the test set, NaN without a control.

    Example:
        >>> Control(Setting("lodopab_transfer", "photon_noise"), "imagenet", iid=0.9, ood=0.88).counts
        True
        >>> Control(Setting("lodopab_transfer", "photon_noise"), "random", 0.62, 0.8).verdict
        'inconclusive: AUC_iid(0) 0.62 < 0.75'
    """

    setting: Setting
    source: str
    iid: float
    ood: float

    @property
    def there(self) -> bool:
        """Whether both AUCs are known."""
        return not (math.isnan(self.iid) or math.isnan(self.ood))

    @property
    def counts(self) -> bool:
        """Whether an AUC drop from here says anything of the source."""
        return self.there and min(self.iid, self.ood) >= LEARNED - ROUNDING

    @property
    def verdict(self) -> str:
        """Whether it counts, in words."""
        if self.counts or not self.there:
            return "counts" if self.counts else "inconclusive: no p = 0 control"
        low = [(name, auc) for name, auc in (("iid", self.iid), ("ood", self.ood)) if auc < LEARNED - ROUNDING]
        # two decimals that are not rounded up to the border
        floors = [f"AUC_{name}(0) {math.floor(100 * (auc + ROUNDING)) / 100:.2f} < {LEARNED}" for name, auc in low]
        return f"inconclusive: {', '.join(floors)}"


@dataclass(frozen=True)
class AucDrop:
    """delta_ood(p) = AUC_ood(0) - AUC_ood(p), of each fold and seed that has both.

    Args:
        control: fine-tunings without the shortcut.
        fraction: fraction p with the artifact.
        values: drop of each fold and seed.
        overlaps: mean overlap of the control's learning priority with the artifact, by ``WHEN``; NaN where unknown.

    Example:
        >>> control = Control(Setting("lodopab_transfer", "photon_noise"), "imagenet", iid=0.9, ood=0.88)
        >>> AucDrop(control, 0.5, {(0, 0): 0.4, (1, 0): 0.2}).estimate.mean
        0.30000000000000004
    """

    control: Control
    fraction: float
    values: Mapping[Key, float]
    overlaps: Mapping[str, float] = field(default_factory=dict)

    @property
    def estimate(self) -> Estimate:
        """Mean and interval over folds."""
        return estimate(self.values)


@dataclass(frozen=True)
class Difference:
    """By how much more the AUC of the first drops than that of the second, of each fold and seed that both have.

    Example:
        >>> setting = Setting("lodopab_transfer", "photon_noise")
        >>> first, second = Control(setting, "imagenet", 0.9, 0.88), Control(setting, "random", 0.7, 0.7)
        >>> difference = Difference(first, second, 0.5, {(0, 0): 0.25, (1, 0): 0.75})
        >>> difference.label, difference.estimate.mean, difference.doubts
        ('imagenet − random', 0.5, ['random'])
    """

    first: Control
    second: Control
    fraction: float
    values: Mapping[Key, float]

    @property
    def estimate(self) -> Estimate:
        """Mean and interval over folds."""
        return estimate(self.values)

    @property
    def label(self) -> str:
        """What is subtracted from what."""
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


class Agreement(NamedTuple):
    """Rank correlation of overlap and delta_ood over the sources of all settings, at one fraction.

    Args:
        when: time of the measurement, one of ``WHEN``.
        fraction: fraction with the artifact.
        counting: correlation over the sources that count.
        every: correlation over all of them.

    Example:
        >>> Agreement("before", 0.5, Correlation(math.nan, math.nan, 3), Correlation(0.5, 0.4, 6)).verdict
        'too few to tell'
    """

    when: str
    fraction: float
    counting: Correlation
    every: Correlation

    @property
    def verdict(self) -> str:
        """What the correlation says, in words; nothing where it is significant."""
        if self.counting.n < ENOUGH_POINTS:
            return "too few to tell"
        if math.isnan(self.counting.rho):
            return "all alike"
        return "" if self.counting.p < 0.05 else "no significant correlation"


class Effects(NamedTuple):
    """Controls, AUC drops and their differences, and rank correlations of a study.

    Example:
        >>> control = Control(Setting("lodopab_transfer", "photon_noise"), "random", 0.62, 0.8)
        >>> Effects([control], [], [], []).control_of(control.setting, "random").counts
        False
    """

    controls: Sequence[Control]
    drops: Sequence[AucDrop]
    differences: Sequence[Difference]
    agreements: Sequence[Agreement]

    def control_of(self, setting: Setting, source: str) -> Control | None:
        """Control of a source in a setting, where there is an artifact."""
        return next((one for one in self.controls if (one.setting, one.source) == (setting, source)), None)


def effects_of(study: TransferStudy) -> Effects:
    """What the shortcut costs each source in each setting, paired by fold and seed.

    A control belongs to each setting with an artifact and each of its sources, an AUC drop to each control and fraction
    above 0. Differences are those between the sources of a setting, and between the settings of a source, target and
    artifact. What has no pair of a fold and seed is left out. An agreement belongs to each learning priority, before
    fine-tuning and after it, and each fraction above 0.

    Args:
        study: transfer study.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.report.long_table import study_of
        >>> from monai_freq.study.report.transfer_study import transfer_study_of
        >>> effects = effects_of(transfer_study_of(study_of(phantom_transfer())))
        >>> for drop in effects.drops[:2]:
        ...     print(drop.control.source, drop.control.verdict, drop.fraction, round(drop.estimate.mean, 3))
        imagenet counts 0.5 0.255
        radimagenet counts 0.5 0.068
        >>> effects.differences[0].label, round(effects.differences[0].estimate.mean, 4)
        ('imagenet − radimagenet', 0.1875)
        >>> for one in effects.agreements:
        ...     print(one.when, one.fraction, round(one.counting.rho, 2), round(one.counting.p, 4), one.counting.n)
        before 0.5 1.0 0.0167 5
        after 0.5 1.0 0.0167 5
    """
    controls: list[Control] = []
    drops: list[AucDrop] = []
    for setting in (one for one in study.settings if one.artifact != NO_ARTIFACT):
        for source in study.sources_of(setting):
            tunings = study.of(setting, source)
            without = next((one for one in tunings if one.fraction == 0), None)
            iid, ood = (without.estimate(name).mean if without else math.nan for name in ("iid", "ood"))
            controls.append(Control(setting, source, iid, ood))
            drops += _drops(controls[-1], without, tunings) if without else []
    found = ((one, other, _minus(one.values, other.values)) for one, other in _pairs(drops))
    differences = [
        Difference(one.control, other.control, one.fraction, values) for one, other, values in found if values
    ]
    return Effects(controls, drops, differences, list(_agreements(drops)))


def _drops(control: Control, without: Repeats, tunings: Sequence[Repeats]) -> Iterator[AucDrop]:
    overlaps = {when: without.overlap(when).mean for when in WHEN}
    for tuning in tunings:
        if tuning.fraction > 0 and (values := _minus(without.values("ood"), tuning.values("ood"))):
            yield AucDrop(control, tuning.fraction, values, overlaps)


def _pairs(drops: Sequence[AucDrop]) -> Iterator[tuple[AucDrop, AucDrop]]:
    alike = [pair for pair in combinations(drops, 2) if pair[0].fraction == pair[1].fraction]
    yield from (pair for pair in alike if pair[0].control.setting == pair[1].control.setting)
    for first, second in alike:
        one, other = first.control, second.control
        if one.source == other.source and one.setting != other.setting and one.setting[:2] == other.setting[:2]:
            yield first, second


def _minus(first: Mapping[Key, float], second: Mapping[Key, float]) -> dict[Key, float]:
    return {key: first[key] - second[key] for key in sorted(first.keys() & second.keys())}


def _agreements(drops: Sequence[AucDrop]) -> Iterator[Agreement]:
    for when in WHEN:
        known = [drop for drop in drops if math.isfinite(drop.overlaps[when])]
        for fraction in sorted({drop.fraction for drop in known}):
            every = [drop for drop in known if drop.fraction == fraction]
            counting = [drop for drop in every if drop.control.counts]
            yield Agreement(when, fraction, _correlation(counting, when), _correlation(every, when))


def _correlation(drops: Sequence[AucDrop], when: str) -> Correlation:
    return spearman([drop.overlaps[when] for drop in drops], [drop.estimate.mean for drop in drops])
