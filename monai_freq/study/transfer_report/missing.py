"""What a transfer study lacks: runs, and values of the runs that there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..absent import absent
from ..results import Result
from ..source_labels import RANDOM
from .cells import CONDITIONS, NO_ARTIFACT, Cell, TransferStudy
from .priorities import density_of

__all__ = ["missing"]

_MOST = 60  # lines


def missing(
    study: TransferStudy, results: Sequence[Result], problems: Sequence[str], asked: Sequence[str]
) -> list[str]:
    """What is not there: failed runs, files that cannot be read, runs and values.

    Args:
        study: the runs.
        results: of all runs.
        problems: a line for each file that cannot be read.
        asked: names of the runs that the study was asked for; empty where that is not known, and what runs of the one
            source there are tells what there should be of the other.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> runs = phantom_transfer()[:-1]  # without the last fine-tuning
        >>> for line in missing(study_of(runs), runs, ["results/a.json is truncated."], []):
        ...     print(line)
        Not read: results/a.json is truncated.
        Absent: kneemri, photon noise, radimagenet whiten, p = 0.5: fold 1
        No pre-training of imagenet lowpass, radimagenet whiten is in this study: ...
    """
    lines = [
        *absent(results, problems, asked, [], []),
        *study.unusable,
        *([] if asked else _absent_runs(study)),
        *_pretrainings(study),
        *_values(study),
    ]
    return lines if len(lines) <= _MOST else [*lines[: _MOST - 1], f"… and {len(lines) - _MOST + 1} more"]


def _absent_runs(study: TransferStudy) -> Iterator[str]:
    """Folds and seeds that other sources and fractions of the setting have."""
    for setting in study.settings:
        cells = {(cell.source, cell.fraction): cell for cell in study.of(setting)}
        asked = {(run.draw, run.seed) for cell in cells.values() for run in cell.runs}
        seeds = len({seed for _, seed in asked}) > 1
        for source in dict.fromkeys(source for source, _ in cells):
            for fraction in sorted({fraction for _, fraction in cells}):
                cell = cells.get((source, fraction))
                place = f"{setting.title}, {source}, p = {fraction:g}"
                if cell is None:
                    yield f"Absent: {place}"
                elif lacking := sorted(asked - {(run.draw, run.seed) for run in cell.runs}):
                    names = [f"{fold} (seed {seed})" if seeds else str(fold) for fold, seed in lacking]
                    yield f"Absent: {place}: fold{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _pretrainings(study: TransferStudy) -> Iterator[str]:
    unknown = [source for source in study.sources if source != RANDOM and source not in study.pretrainings]
    if unknown:
        yield f"No pre-training of {', '.join(unknown)} is in this study: their accuracy is not known."


def _values(study: TransferStudy) -> Iterator[str]:
    for cell in study.cells:
        place = f"{cell.setting.title}, {cell.source}, p = {cell.fraction:g}"
        for condition in CONDITIONS:
            if lost := len(cell.runs) - len(cell.values(condition)):
                yield f"Absent: {place}: {condition} AUC of {lost} of {len(cell.runs)} runs"
        for name in _wanted(cell):
            if lost := sum(density_of(run, name) is None for run in cell.runs):
                yield f"Absent: {place}: {_NAMES[name]} of {lost} of {len(cell.runs)} runs"


_NAMES = {
    "before": "learning priority before fine-tuning",
    "after": "learning priority after it",
    "artifact": "density of the artifact",
}


def _wanted(cell: Cell) -> list[str]:
    return [name for name in _NAMES if name != "artifact" or cell.setting.artifact != NO_ARTIFACT]
