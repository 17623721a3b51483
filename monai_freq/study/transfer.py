"""A transfer study: first the pre-trainings, then the fine-tunings that start from them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files import replacing
from ..json_files import parse_json, read_json
from ..quoting import named, reason_of
from .plan import Run
from .results import Result, note_asked_for, read_result, result_file
from .runner import run_study
from .transfer_plan import ClassifierRun, Source

__all__ = ["is_transfer", "run_transfer"]

#: what each label of the study stands for
_SOURCES = "sources.json"


def run_transfer(
    sources: Sequence[Source],
    pretraining: Mapping[tuple[str, int], ClassifierRun],
    transfers: Callable[[Mapping[tuple[str, int], str]], Sequence[ClassifierRun]],
    output_dir: str | os.PathLike[str],
    **where: Any,
) -> tuple[int, int, list[Result]]:
    """Make the runs that have no finished result yet: pre-trainings, then the fine-tunings from those that are there.

    Args:
        sources: of the study.
        pretraining: what :func:`~monai_freq.study.transfer_plan.plan_pretraining` has planned.
        transfers: from the weights that the pre-trainings give, by label and seed, to the fine-tunings.
        output_dir: of the study.
        where: see :func:`~monai_freq.study.runner.run_study`.

    Returns:
        The number of runs, that of fine-tunings that wait for a pre-training, and the results of the runs that were
        made now.

    Raises:
        SystemExit: something that can be known before stands in the way, as a label that stood for another source.

    Example:
        >>> import tempfile
        >>> from monai_freq.study.results import Result, write_result
        >>> place = {"bundle": "kneemri_transfer", "arm": "none", "overrides": {"source": "random", "fraction": 0.5}}
        >>> run, folder = ClassifierRun(folder="bundles/kneemri_transfer", **place), tempfile.mkdtemp()
        >>> _ = write_result(folder, Result(status="finished", size=None, draw=0, seed=0, **place))
        >>> run_transfer([Source(label="random")], {}, lambda weights: [run], folder)  # one run, which is there
        (1, 0, [])
    """
    folder = Path(output_dir).resolve()
    weights = {key: str(folder / "runs" / run.name / "model.pt") for key, run in pretraining.items()}
    planned = list(transfers(weights))
    _require_same_sources(folder, sources, pretraining)
    note_asked_for(folder, (run.name for run in (*pretraining.values(), *planned)))
    results = run_study(list(pretraining.values()), folder, **where)
    there = {key for key, run in pretraining.items() if _finished(folder, run)}
    possible = [run for run in planned if _source(run) in there or _source(run) not in weights]
    waiting = len(planned) - len(possible)
    return len(pretraining) + len(planned), waiting, results + run_study(possible, folder, **where)


def is_transfer(folder: str | os.PathLike[str]) -> bool:
    """Whether a transfer study was started in a folder.

    Args:
        folder: of a study.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> is_transfer(folder)
        False
        >>> _ = run_transfer([Source(label="random")], {}, lambda weights: [], folder)
        >>> is_transfer(folder)
        True
    """
    return (Path(folder) / _SOURCES).is_file()


def _source(run: Run) -> tuple[str, int]:
    """Label and seed of the pre-training that a fine-tuning starts from."""
    return str(run.overrides["source"]), run.seed


def _finished(folder: Path, run: Run) -> bool:
    try:
        return read_result(result_file(folder, run.name)).finished
    except ValueError:
        return False


def _require_same_sources(
    folder: Path, sources: Sequence[Source], pretraining: Mapping[tuple[str, int], ClassifierRun]
) -> None:
    """A label stands for one thing in all of a study, as the fine-tunings are named after it."""
    file = folder / _SOURCES
    try:
        known = read_json(file) if file.is_file() else {}
    except ValueError as error:
        raise SystemExit(
            f"{named(file)} is not readable: {reason_of(error)}.\nRestore it, or choose another --output_dir."
        ) from error
    for source in sources:
        own = {"settings": dict(source.settings), "checkpoint": source.checkpoint, "dataset_dir": source.dataset_dir}
        if source.normalization is not None:  # an entry that studies of earlier versions lack
            own["normalization"] = source.normalization
        trained = [run.overrides for (name, _), run in pretraining.items() if name == source.label]
        meaning = parse_json(json.dumps(own | {"overrides": dict(trained[0]) if trained else {}}))
        if known.setdefault(source.label, meaning) != meaning:
            raise SystemExit(
                f"In {folder}, the source '{source.label}' was {known[source.label]}, not {meaning}.\n"
                "Choose another --output_dir."
            )
    with replacing(file) as aside:
        aside.write_text(json.dumps(known, indent=2) + "\n")
