"""Tables of a transfer study: for reading, and for computing."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from ...documents import Table
from ...documents.texts import ABSENT, as_csv, p_value, plain, signed
from .effects import AS_ACCURATE, ROUNDING, WHEN, Agreement, Control, Difference, Effects
from .statistics import Correlation, Estimate, by_seed
from .transfer_study import CONDITIONS, Setting, TransferStudy

__all__ = ["csv_files", "tables_of"]

Rows = Iterator[list[object]]

#: after the name of a source that does not count
_MARK = " †"
#: after the names of two sources whose accuracies differ too much
_UNEVEN = " ‡"
_METRICS = ("auc", "accuracy", "calibration_error")
_PLACE = ["target", "artifact", "settings", "source"]
_ESTIMATE = ["mean", "sd_over_folds", "interval_low", "interval_high", "folds", "seeds"]
_WHEN = {"before": "before fine-tuning", "after": "after it, without the artifact"}


def tables_of(study: TransferStudy, effects: Effects) -> dict[str, list[Table]]:
    """Tables for reading; those without a row are left out.

    ``sources``: how good the pre-trained networks are at their own task, and where their learning priority lies.
    ``drops``: delta_ood of each source against the fraction, for each setting. ``differences``: the paired ones of it.
    ``priorities``: centroids before and after fine-tuning, and overlaps with the artifact. ``agreements``: Spearman's
    rho of overlap and delta_ood. ``aucs``: every AUC, mean and SD over folds, and means of accuracy and calibration
    error.

    Args:
        study: transfer study.
        effects: controls, AUC drops, differences and rank correlations of the study.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.report.effects import effects_of
        >>> from monai_freq.study.report.long_table import study_of
        >>> from monai_freq.study.report.transfer_study import transfer_study_of
        >>> study = transfer_study_of(study_of(phantom_transfer()))
        >>> tables = tables_of(study, effects_of(study))
        >>> [table] = tables["drops"]
        >>> table.header
        ['kneemri, photon noise', 'AUC(0), I.I.D.', 'O.O.D.', 'p = 0.5']
        >>> table.rows[0]
        ['imagenet', '0.90', '0.90', '+.26 (.19, .32)']
        >>> tables["aucs"][0].rows[1][1:7]
        ['imagenet', '0.5', '2 (2 × 1)', '0.900 ± 0.000', '0.950 ± 0.000', '0.645 ± 0.007']
    """
    found = {
        "sources": [_sources(study)],
        "drops": [_drops(effects, setting) for setting in dict.fromkeys(one.setting for one in effects.controls)],
        "differences": list(_differences(study, effects.differences)),
        "priorities": [_priorities(study, effects)],
        "agreements": [_agreements(effects.agreements)],
        "aucs": [_aucs(study, effects)],
    }
    return {name: [table for table in tables if table.rows] for name, tables in found.items()}


def csv_files(study: TransferStudy, effects: Effects) -> Mapping[str, str]:
    """Tables for computing: every figure, exactly.

    Args:
        study: transfer study.
        effects: controls, AUC drops, differences and rank correlations of the study.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.report.effects import effects_of
        >>> from monai_freq.study.report.long_table import study_of
        >>> from monai_freq.study.report.transfer_study import transfer_study_of
        >>> study = transfer_study_of(study_of(phantom_transfer()))
        >>> for line in csv_files(study, effects_of(study))["sources"].splitlines()[:2]:
        ...     print(line)
        source,seed,auc,accuracy,calibration_error,centroid
        imagenet,0,0.9,0.8,0.05,0.372406417
    """
    figures = ["points", "rho", "p", "points_with_inconclusive", "rho_of_these", "p_of_these"]
    sides = [f"{side}_{name}" for side in ("first", "second") for name in ("settings", "source")]
    return {
        "sources": as_csv(["source", "seed", *_METRICS, "centroid"], _source_rows(study)),
        "runs": as_csv([*_PLACE, "fraction", "fold", "seed", "condition", *_METRICS], _run_rows(study)),
        "auc": as_csv([*_PLACE, "fraction", "condition", "metric", *_ESTIMATE], _auc_rows(study)),
        "delta_ood": as_csv(
            [*_PLACE, "fraction", *_ESTIMATE, "auc_iid_0", "auc_ood_0", "verdict"], _drop_rows(effects)
        ),
        "differences": as_csv(
            [*_PLACE[:2], *sides, "fraction", *_ESTIMATE, "by_seed", "inconclusive"],
            map(_difference_row, effects.differences),
        ),
        "learning_priorities": as_csv([*_PLACE, "fraction", "when", "measure", *_ESTIMATE], _priority_rows(study)),
        "overlap": as_csv(
            ["when", "fraction", *figures, "verdict"],
            ([one.when, str(one.fraction), *_correlation_row(one), one.verdict] for one in effects.agreements),
        ),
    }


def _sources(study: TransferStudy) -> Table:
    rows = []
    for source, runs in study.pretrainings.items():
        auc, accuracy, error = (pd.Series(runs.measured("all", metric)) for metric in _METRICS)
        shown = [text for one in (accuracy, auc) for text in (plain(one.mean()), _range(one.dropna()))]
        rows.append([source, str(len(runs.keys)), *shown, plain(error.mean()), plain(runs.centroid("after").mean)])
    header = ["source", "seeds", "accuracy", "over seeds", "AUC", "over seeds", "calibration error"]
    return Table([*header, "centroid of the learning priority (cycles/voxel)"], rows)


def _drops(effects: Effects, setting: Setting) -> Table:
    own = {(one.control.source, one.fraction): one for one in effects.drops if one.control.setting == setting}
    fractions = sorted({fraction for _, fraction in own})
    rows = []
    for control in (one for one in effects.controls if one.setting == setting):
        shown = [own.get((control.source, fraction)) for fraction in fractions]
        deltas = [_with_interval(one.estimate) if one else ABSENT for one in shown]
        rows.append([_marked(control.source, control), plain(control.iid, 2), plain(control.ood, 2), *deltas])
    return Table([setting.title, "AUC(0), I.I.D.", "O.O.D.", *map(_at, fractions)], rows)


def _differences(study: TransferStudy, differences: Sequence[Difference]) -> Iterator[Table]:
    """A table for each target and artifact or setting."""
    found: dict[Setting, dict[str, dict[float, Difference]]] = {}
    for one in differences:
        found.setdefault(one.place, {}).setdefault(one.label, {})[one.fraction] = one
    for place in sorted(found):
        every = [one for ones in found[place].values() for one in ones.values()]
        fractions, seeds = sorted({one.fraction for one in every}), max(one.estimate.seeds for one in every)
        rows = []
        for label, ones in found[place].items():
            shown = [_with_interval(ones[p].estimate) if p in ones else ABSENT for p in fractions]
            alike = " ".join(str(_alike(ones[p])) if p in ones else ABSENT for p in fractions)
            rows.append([label + _marks(study, next(iter(ones.values()))), *shown, *([alike] if seeds > 1 else [])])
        yield Table([place.title, *map(_at, fractions), *([f"seeds alike, of {seeds}"] if seeds > 1 else [])], rows)


def _priorities(study: TransferStudy, effects: Effects) -> Table:
    fractions = sorted({one.fraction for one in study.tunings if one.centroid("after").folds})
    rows = []
    for setting in study.settings:
        for source in study.sources_of(setting):
            first, *_ = study.of(setting, source)
            at = {one.fraction: one for one in study.of(setting, source)}
            found = [first.centroid("before").mean]
            found += [at[p].centroid("after").mean if p in at else math.nan for p in fractions]
            found += [at[0].overlap(when).mean if 0 in at else math.nan for when in WHEN]
            rows.append([setting.title, _marked(source, effects.control_of(setting, source)), *map(plain, found)])
    header = ["target and artifact", "source", "centroid before", *(f"after, p = {one:g}" for one in fractions)]
    return Table([*header, "overlap before", "overlap after, p = 0"], rows if fractions else [], 1, 2)


def _agreements(agreements: Sequence[Agreement]) -> Table:
    figures = ["rho", "points", "permutation p"]
    header = ["learning priority", "p", *figures, *(f"{text}, with {_MARK.strip()}" for text in figures), "verdict"]
    rows = [
        [_WHEN[one.when], f"{one.fraction:g}", *_correlation(one.counting), *_correlation(one.every), one.verdict]
        for one in agreements
    ]
    return Table(header, rows, 1, 2)


def _aucs(study: TransferStudy, effects: Effects) -> Table:
    rows = []
    for one in study.tunings:
        folds, seeds = (len({*ones}) for ones in (one.runs["draw"], one.runs["seed"]))
        aucs = [one.estimate(condition) for condition in CONDITIONS]
        shown = [plain(auc.mean) if math.isnan(auc.sd) else f"{plain(auc.mean)} ± {plain(auc.sd)}" for auc in aucs]
        others = [" / ".join(plain(one.estimate(c, metric).mean, 2) for c in CONDITIONS) for metric in _METRICS[1:]]
        name = _marked(one.source, effects.control_of(one.setting, one.source))
        counts = f"{len(one.runs)} ({folds} × {seeds})"
        rows.append([one.setting.title, name, f"{one.fraction:g}", counts, *shown, *others])
    header = ["target and artifact", "source", "p", "runs (folds × seeds)", "AUC, clean", "AUC, I.I.D.", "AUC, O.O.D."]
    tests = "clean / I.I.D. / O.O.D."
    return Table([*header, f"accuracy, {tests}", f"calibration error, {tests}"], rows, 2, 2)


def _source_rows(study: TransferStudy) -> Rows:
    for source, runs in study.pretrainings.items():
        figures = zip(*(runs.measured("all", metric) for metric in _METRICS), strict=True)
        for place, ((_, seed), found) in enumerate(zip(runs.keys, figures, strict=True)):
            alone = replace(runs, runs=runs.runs.iloc[[place]])
            yield [source, seed, *found, alone.centroid("after").mean]


def _run_rows(study: TransferStudy) -> Rows:
    for one in study.tunings:
        for (fold, seed), scores in zip(one.keys, one.runs["scores"], strict=True):
            for condition in CONDITIONS:
                figures = [scores.get((condition, metric), math.nan) for metric in _METRICS]
                yield [*_place(one.setting, one.source), str(one.fraction), fold, seed, condition, *figures]


def _auc_rows(study: TransferStudy) -> Rows:
    for one in study.tunings:
        for condition in CONDITIONS:
            for metric in _METRICS:
                found = one.estimate(condition, metric)
                yield [*_place(one.setting, one.source), str(one.fraction), condition, metric, *found]


def _drop_rows(effects: Effects) -> Rows:
    for control in effects.controls:
        place, end = _place(control.setting, control.source), [control.iid, control.ood, control.verdict]
        own = [one for one in effects.drops if one.control == control]
        for one in own:
            yield [*place, str(one.fraction), *one.estimate, *end]
        if not own:
            yield [*place, "", *([""] * 4), 0, 0, *end]


def _difference_row(one: Difference) -> list[object]:
    ends = [text for side in (one.first, one.second) for text in _place(side.setting, side.source)[2:]]
    seeds = " ".join(f"{seed}:{value:.6g}" for seed, value in by_seed(one.values).items())
    return [*one.first.setting[:2], *ends, str(one.fraction), *one.estimate, seeds, " and ".join(one.doubts)]


def _priority_rows(study: TransferStudy) -> Rows:
    for one in study.tunings:
        for when in WHEN:
            found = {"centroid": one.centroid(when), "overlap": one.overlap(when)}
            for name, figures in found.items():
                if figures.folds:
                    yield [*_place(one.setting, one.source), str(one.fraction), when, name, *figures]


def _correlation_row(one: Agreement) -> list[object]:
    return [part for found in (one.counting, one.every) for part in (found.n, found.rho, found.p)]


def _place(setting: Setting, source: str) -> list[object]:
    return [setting.bundle, setting.artifact, " ".join(f"{key}={value}" for key, value in setting.others), source]


def _marked(source: str, control: Control | None) -> str:
    """Name of a source, with a dagger when it does not count."""
    return source if control is None or control.counts else source + _MARK


def _marks(study: TransferStudy, one: Difference) -> str:
    first, second = study.accuracy(one.first.source), study.accuracy(one.second.source)
    return (_MARK if one.doubts else "") + (_UNEVEN if abs(first - second) > AS_ACCURATE + ROUNDING else "")


def _with_interval(found: Estimate) -> str:
    ends = (found.mean, found.low, found.high)
    mean, low, high = (re.sub(r"(?<!\d)0\.", ".", signed(one)) for one in ends)
    return mean if math.isnan(found.low) else f"{mean} ({low.lstrip('+')}, {high.lstrip('+')})"


def _at(fraction: float) -> str:
    return f"p = {fraction:g}"


def _alike(one: Difference) -> int:
    """Number of seeds that each for itself has the sign of the mean."""
    return int(np.sum(np.array([*by_seed(one.values).values()]) * one.estimate.mean > 0))


def _correlation(found: Correlation) -> list[str]:
    return [signed(found.rho), str(found.n), p_value(found.p)]


def _range(values: pd.Series) -> str:
    return f"{plain(values.min())} … {plain(values.max())}" if len(values) > 1 else ABSENT
