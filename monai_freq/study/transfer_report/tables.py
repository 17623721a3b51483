"""Tables of a transfer study, for reading."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from ..pages import Table
from ..source_labels import in_order
from ..texts import ABSENT, plain, signed
from .accuracies import accuracy_gap, mean_of
from .cells import CONDITIONS, Cell, Setting, TransferStudy, measure
from .effects import AS_ACCURATE, ROUNDING, Control, Difference, Fall
from .priorities import Agreement, centroid_of, overlap_of
from .statistics import Correlation, Estimate, by_seed, estimate

__all__ = [
    "MARK",
    "UNEVEN",
    "agreement_table",
    "auc_table",
    "difference_tables",
    "fall_tables",
    "marked",
    "priority_table",
    "source_table",
]

Rows = list[list[str]]

#: after the name of a source that does not count
MARK = " †"
#: after the names of two sources whose accuracies differ too much
UNEVEN = " ‡"


def source_table(study: TransferStudy) -> Table:
    """How good the pre-trained networks are at their own task, and where their learning priority lies.

    Args:
        study: the runs.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> table = source_table(study_of(phantom_transfer()))
        >>> for row in [table.header, *table.rows]:
        ...     print(row[0], row[2], row[4], sep=" | ")
        source | accuracy | AUC
        imagenet | 0.800 | 0.900
        radimagenet | 0.750 | 0.850
    """
    rows = []
    for source, runs in study.pretrainings.items():
        found = [_over_runs([measure(run, "all", metric) for run in runs]) for metric in ("accuracy", "auc")]
        error = _over_runs([measure(run, "all", "calibration_error") for run in runs])[0]
        shown = [text for pair in found for text in pair]
        rows.append([source, str(len(runs)), *shown, error, plain(centroid_of(runs, "after").mean)])
    header = ["source", "seeds", "accuracy", "over seeds", "AUC", "over seeds", "calibration error"]
    return Table([*header, "centroid of the learning priority (cycles/voxel)"], rows)


def fall_tables(controls: Sequence[Control], falls: Sequence[Fall]) -> list[Table]:
    """delta_ood of each source against the fraction, a table for each setting.

    Args:
        controls: of the study.
        falls: of the study.

    Example:
        >>> control = Control(Setting("kneemri_transfer", "photon_noise"), "random", 0.91, 0.9)
        >>> [table] = fall_tables([control], [Fall(control, 0.5, {(0, 0): 0.25, (1, 0): 0.27})])
        >>> table.header
        ['kneemri, photon noise', 'AUC(0), I.I.D.', 'O.O.D.', 'p = 0.5']
        >>> table.rows
        [['random', '0.91', '0.90', '+.26 (.13, .39)']]
    """
    tables = []
    for setting in dict.fromkeys(control.setting for control in controls):
        own = {(fall.control.source, fall.fraction): fall for fall in falls if fall.control.setting == setting}
        fractions = sorted({fraction for _, fraction in own})
        rows: Rows = []
        for control in (one for one in controls if one.setting == setting):
            shown = [own.get((control.source, fraction)) for fraction in fractions]
            deltas = [_with_interval(fall.estimate) if fall else ABSENT for fall in shown]
            rows.append([marked(control.source, control), plain(control.iid, 2), plain(control.ood, 2), *deltas])
        tables.append(Table([setting.title, "AUC(0), I.I.D.", "O.O.D.", *map(_at, fractions)], rows))
    return tables


def difference_tables(study: TransferStudy, differences: Sequence[Difference]) -> list[Table]:
    """Paired differences of delta_ood against the fraction, a table for each target and artifact or setting.

    Args:
        study: the runs.
        differences: of the study.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> from monai_freq.study.transfer_report.effects import controls_of, differences_of, falls_of
        >>> study = study_of(phantom_transfer())
        >>> [table] = difference_tables(study, differences_of(falls_of(study, controls_of(study))))
        >>> table.header, table.rows[0]
        (['kneemri, photon noise', 'p = 0.5'], ['imagenet − radimagenet', '+.19 (.19, .19)'])
    """
    found: dict[Setting, dict[str, dict[float, Difference]]] = {}
    for one in differences:
        found.setdefault(one.place, {}).setdefault(one.label, {})[one.fraction] = one
    tables = []
    for place in sorted(found):
        fractions = sorted({fraction for ones in found[place].values() for fraction in ones})
        seeds = max(one.estimate.seeds for ones in found[place].values() for one in ones.values())
        header = [place.title, *map(_at, fractions), *([f"seeds alike, of {seeds}"] if seeds > 1 else [])]
        rows = []
        for label, ones in found[place].items():
            shown = [_with_interval(ones[p].estimate) if p in ones else ABSENT for p in fractions]
            alike = " ".join(str(_alike(ones[p])) if p in ones else ABSENT for p in fractions)
            rows.append([label + _marks(study, next(iter(ones.values()))), *shown, *([alike] if seeds > 1 else [])])
        tables.append(Table(header, rows))
    return tables


def priority_table(study: TransferStudy, controls: Sequence[Control]) -> Table:
    """Centroids of the learning priority before and after fine-tuning, and its overlap with the artifact.

    Args:
        study: the runs.
        controls: of the study.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> table = priority_table(study_of(phantom_transfer()), [])
        >>> for row in [table.header, *table.rows[:2]]:
        ...     print(row[1], row[2], row[-2], sep=" | ")
        source | centroid before | overlap before
        imagenet | 0.372 | 1.000
        radimagenet | 0.161 | 0.230
    """
    fractions = sorted({cell.fraction for cell in study.cells if centroid_of(cell.runs, "after").folds})
    rows = []
    for setting in study.settings:
        for source in in_order(cell.source for cell in study.of(setting)):
            cells = study.of(setting, source)
            control = next((one for one in controls if (one.setting, one.source) == (setting, source)), None)
            rows.append([setting.title, marked(source, control), *_priorities(cells, fractions)])
    header = ["target and artifact", "source", "centroid before", *(f"after, p = {one:g}" for one in fractions)]
    if not fractions:
        return Table(header, [], 1, 2)
    return Table([*header, "overlap before", "overlap after, p = 0"], rows, 1, 2)


def agreement_table(agreements: Sequence[Agreement]) -> Table:
    """Spearman's rho of overlap and delta_ood.

    Args:
        agreements: of the study.

    Example:
        >>> from monai_freq.study.transfer_report.priorities import Agreement
        >>> agreement = Agreement("before", 0.5, Correlation(0.9, 0.01, 6), Correlation(0.8, 0.02, 8))
        >>> agreement_table([agreement]).rows
        [['before fine-tuning', '0.5', '+0.90', '6', '0.010', '+0.80', '8', '0.020', '']]
    """
    header = ["learning priority", "p", "rho", "points", "permutation p", "rho", "points", "permutation p"]
    header = [*header[:2], *header[2:5], *(f"{text}, with {MARK.strip()}" for text in header[5:]), "verdict"]
    names = {"before": "before fine-tuning", "after": "after it, without the artifact"}
    rows = [
        [names[one.when], f"{one.fraction:g}", *_correlation(one.counting), *_correlation(one.every), one.verdict]
        for one in agreements
    ]
    return Table(header, rows, 1, 2)


def auc_table(study: TransferStudy, controls: Sequence[Control]) -> Table:
    """AUC of each cell on each test set, mean and SD over folds; means of accuracy and calibration error.

    Args:
        study: the runs.
        controls: of the study.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> from monai_freq.study.transfer_report.effects import controls_of
        >>> study = study_of(phantom_transfer())
        >>> auc_table(study, controls_of(study)).rows[1][1:7]
        ['imagenet', '0.5', '2 (2 × 1)', '0.900 ± 0.000', '0.950 ± 0.000', '0.645 ± 0.007']
    """
    verdicts = {(control.setting, control.source): control for control in controls}
    rows = []
    for cell in study.cells:
        folds, seeds = ({run.draw for run in cell.runs}, {run.seed for run in cell.runs})
        counts = f"{len(cell.runs)} ({len(folds)} × {len(seeds)})"
        aucs = [_with_sd(estimate(cell.values(condition))) for condition in CONDITIONS]
        others = [_means(cell, metric) for metric in ("accuracy", "calibration_error")]
        name = marked(cell.source, verdicts.get((cell.setting, cell.source)))
        rows.append([cell.setting.title, name, f"{cell.fraction:g}", counts, *aucs, *others])
    header = ["target and artifact", "source", "p", "runs (folds × seeds)", "AUC, clean", "AUC, I.I.D.", "AUC, O.O.D."]
    tests = "clean / I.I.D. / O.O.D."
    return Table([*header, f"accuracy, {tests}", f"calibration error, {tests}"], rows, 2, 2)


def marked(source: str, control: Control | None) -> str:
    """Name of a source, with a dagger when it does not count.

    Args:
        source: its label.
        control: of it, where there is an artifact.

    Example:
        >>> marked("random", Control(Setting("kneemri_transfer", "photon_noise"), "random", 0.5, 0.5))
        'random †'
    """
    return source if control is None or control.counts else source + MARK


def _with_sd(found: Estimate) -> str:
    return plain(found.mean) if math.isnan(found.sd) else f"{plain(found.mean)} ± {plain(found.sd)}"


def _with_interval(found: Estimate) -> str:
    ends = (found.mean, found.low, found.high)
    mean, low, high = (re.sub(r"(?<!\d)0\.", ".", signed(one)) for one in ends)
    return mean if math.isnan(found.low) else f"{mean} ({low.lstrip('+')}, {high.lstrip('+')})"


def _at(fraction: float) -> str:
    return f"p = {fraction:g}"


def _alike(one: Difference) -> int:
    """Number of seeds that each for itself has the sign of the mean."""
    mean = one.estimate.mean
    return sum(value * mean > 0 for value in by_seed(one.values).values())


def _marks(study: TransferStudy, one: Difference) -> str:
    uneven = accuracy_gap(study, one.first.source, one.second.source) > AS_ACCURATE + ROUNDING
    return (MARK if one.doubts else "") + (UNEVEN if uneven else "")


def _priorities(cells: Sequence[Cell], fractions: Sequence[float]) -> list[str]:
    runs = {cell.fraction: cell.runs for cell in cells}
    first = cells[0].runs if cells else ()
    after = [centroid_of(runs.get(fraction, ()), "after") for fraction in fractions]
    overlaps = [overlap_of(runs.get(0.0, ()), when) for when in ("before", "after")]
    return [plain(one.mean) for one in [centroid_of(first, "before"), *after, *overlaps]]


def _correlation(found: Correlation) -> list[str]:
    if math.isnan(found.rho):
        return [ABSENT, str(found.n), ABSENT]
    return [signed(found.rho), str(found.n), "<0.001" if found.p < 0.001 else f"{found.p:.3f}"]


def _means(cell: Cell, metric: str) -> str:
    return " / ".join(plain(estimate(cell.values(condition, metric)).mean, 2) for condition in CONDITIONS)


def _over_runs(values: Iterable[float]) -> tuple[str, str]:
    known = [value for value in values if math.isfinite(value)]
    spread = f"{plain(min(known))} … {plain(max(known))}" if len(known) > 1 else ABSENT
    return plain(mean_of(known)), spread
