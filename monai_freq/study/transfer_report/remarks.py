"""What a reader must know before the figures of a transfer study: what they cannot show."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

from .. import remarks as of_any_study
from ..results import Result
from ..texts import listed, plain
from .accuracies import accuracy_gap, source_accuracy
from .cells import NO_ARTIFACT, Setting, TransferStudy, number
from .effects import AS_ACCURATE, LEARNED, ROUNDING, Control
from .statistics import estimate

__all__ = ["remarks", "warnings_of"]

#: by how much the artifact alone, which no training has seen, may lower the AUC
_TOO_STRONG = 0.05
#: AUC on clean images below which a network has hardly learned its task
_HARDLY_LEARNED = 0.6
_FOLDS = 3


def warnings_of(study: TransferStudy, controls: Sequence[Control]) -> list[str]:
    """Why a reader should not conclude yet.

    Args:
        study: the runs.
        controls: of the study.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> from monai_freq.study.transfer_report.effects import controls_of
        >>> study = study_of(phantom_transfer())
        >>> for warning in warnings_of(study, controls_of(study)):
        ...     print(warning)
        Fewer than 3 folds, of which neither an SD nor an interval ...
        One pre-training only: imagenet, radimagenet. ...
    """
    return [
        *_inconclusive(controls),
        *_no_control(study, controls),
        *_too_strong(controls),
        *_accuracies(study),
        *_hardly_learned(study),
        *_groups(study),
        *_few_folds(study),
        *_one_pretraining(study),
    ]


def remarks(study: TransferStudy, results: Sequence[Result]) -> list[str]:
    """What the runs have in common, or should have.

    Args:
        study: the runs.
        results: of all runs, failed ones too.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> runs = phantom_transfer()
        >>> for line in remarks(study_of(runs), runs):
        ...     print(line)
        Generated phantoms, no patients: kneemri_transfer, source_pretrain. Their figures ...
    """
    shared = [(key.replace("_", " "), value) for key, value in study.shared]
    lines = [f"All fine-tunings: {', '.join(f'{key} {value}' for key, value in shared)}."] if shared else []
    phantoms = {run.bundle for run in results if run.settings and run.settings.get("dataset_dir", "") is None}
    if phantoms:
        lines.append(
            f"Generated phantoms, no patients: {', '.join(sorted(phantoms))}. Their figures say nothing of the data "
            "that they stand in for."
        )
    # versions and commits alone: what is said of phantoms there is about the segmentation paper's figures
    return [*lines, *of_any_study.remarks([replace(run, settings={}) for run in results], [])]


def _inconclusive(controls: Sequence[Control]) -> Iterator[str]:
    found = [one for one in controls if one.there and not one.counts]
    if found:
        yield (
            f"Inconclusive, as the AUC without the shortcut is below {LEARNED}: "
            f"{listed(_by_setting((one.setting, one.source) for one in found))}. Where little is learned, little can "
            "be lost: that such a source 'resists' means nothing. It is marked with † in tables and hollow in figures."
        )


def _no_control(study: TransferStudy, controls: Sequence[Control]) -> Iterator[str]:
    without = [one for one in controls if not one.there]
    if without:
        yield (
            "No p = 0 control, so no delta_ood and nothing that counts: "
            f"{listed(_by_setting((one.setting, one.source) for one in without))}. With an artifact on the test images "
            "alone the O.O.D. AUC can be anything."
        )


def _too_strong(controls: Sequence[Control]) -> Iterator[str]:
    found = [one for one in controls if one.ood < one.iid - _TOO_STRONG - ROUNDING]
    if found:
        shown = ((one.setting, f"{one.source} ({one.ood:.2f}, I.I.D. {one.iid:.2f})") for one in found)
        yield (
            f"The artifact is too strong: networks that have never seen it already have an O.O.D. AUC that is more "
            f"than {_TOO_STRONG} below the I.I.D. one, in {listed(_by_setting(shown))}. It hides what it lies on, so "
            "that the AUC falls without any shortcut."
        )


def _accuracies(study: TransferStudy) -> Iterator[str]:
    known = {source: source_accuracy(study, source) for source in study.pretrainings}
    sources = [source for source, accuracy in known.items() if not math.isnan(accuracy)]
    apart = [pair for pair in combinations(sources, 2) if accuracy_gap(study, *pair) > AS_ACCURATE + ROUNDING]
    if apart:
        shown = [f"{source} {plain(known[source])}" for source in sources]
        yield (
            f"The sources are not learned equally well: accuracies differ by more than {AS_ACCURATE} in {len(apart)} "
            f"of {len(sources) * (len(sources) - 1) // 2} pairs ({'; '.join(shown)}). A difference of delta_ood may be "
            "of how far the pre-training got."
        )


def _hardly_learned(study: TransferStudy) -> Iterator[str]:
    found = []
    for cell in study.cells:
        auc = estimate(cell.values("clean")).mean
        if auc < _HARDLY_LEARNED and (cell.fraction == 0 or cell.setting.artifact == NO_ARTIFACT):
            found.append((cell.setting, f"{cell.source} ({auc:.2f})"))
    if found:
        yield (
            f"Hardly learned: without the artifact, the AUC on clean test images is below {_HARDLY_LEARNED} in "
            f"{listed(_by_setting(found))}."
        )


def _groups(study: TransferStudy) -> Iterator[str]:
    most: dict[str, int] = {}
    for cell in study.cells:
        for run in cell.runs:
            count = number(run.measures.get("overlapping_groups"))
            if count > 0:
                most[run.bundle] = max(int(count), most.get(run.bundle, 0))
    for bundle, count in most.items():
        verb = "patient or exam is" if count == 1 else "patients or exams are"
        yield f"{count} {verb} in two parts of {bundle}: its test results are not of unseen patients."


def _few_folds(study: TransferStudy) -> Iterator[str]:
    folds = [(cell, len({run.draw for run in cell.runs})) for cell in study.cells]
    few = [(cell.setting, f"{cell.source} ({count})") for cell, count in folds if count < _FOLDS]
    if few:
        everywhere = len(few) == len(folds) and len({count for _, count in folds}) == 1
        where = f"{folds[0][1]} everywhere" if everywhere else listed(_by_setting(dict.fromkeys(few)))
        yield f"Fewer than {_FOLDS} folds, of which neither an SD nor an interval says much: {where}."


def _one_pretraining(study: TransferStudy) -> Iterator[str]:
    once = [source for source in study.sources if len(study.pretrainings.get(source, ())) == 1]
    if once:
        yield (
            f"One pre-training only: {', '.join(once)}. What is of the source cannot be told from what is of that one "
            "training of it."
        )


def _by_setting(places: Iterable[tuple[Setting, str]]) -> list[str]:
    """A text for each setting, with all that is to be said of it."""
    found: dict[str, list[str]] = {}
    for setting, text in places:
        found.setdefault(setting.title, []).append(text)
    return [f"{title}: {', '.join(texts)}" for title, texts in found.items()]
