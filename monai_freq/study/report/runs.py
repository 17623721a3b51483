"""What every report says of its runs: their data, what they have in common, and which are missing."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pandas as pd

from ...documents import Block, Heading, Notes, Paragraph, Table
from ...documents.texts import ABSENT
from ..run.results import BUNDLE
from ..run.spec import RANDOM
from .long_table import Study

__all__ = ["about_the_data", "about_what_is_missing", "missing_runs", "named_runs", "remarks_on_runs"]

_PARTS = {"train": "training", "val": "validation", "test": "test"}
#: most numbers of images that are listed one by one
_LISTED = 4


def about_the_data(study: Study) -> Iterator[Block]:
    """Section with the data set of each bundle, its number of images, and the version of the bundle.

    Args:
        study: tables of the study.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> from monai_freq.study.report.long_table import study_of
        >>> _, table = about_the_data(study_of(phantom_study()))
        >>> table.rows
        [['hippocampus_fd', 'generated', '–', '–', '–', '–']]
    """
    found: dict[tuple[str, str], list[Any]] = {}
    for run in study.runs.itertuples():
        if run.recorded:
            source = run.recorded.get("source")  # a bundle that pre-trains has the data of several
            name = run.bundle if source is None else f"{run.bundle}: {source}"
            found.setdefault((name, _data(run.recorded)), []).append(run)
    rows = [[*key, *(_images(runs, part) for part in _PARTS), _versions(runs)] for key, runs in sorted(found.items())]
    rows += [[*names, *([ABSENT] * (len(_PARTS) + 1))] for names in sorted(_weights(study.runs))]
    if rows:
        yield Heading("The data")
        yield Table(["bundle", "data", *_PARTS.values(), "bundle's version"], rows, texts=2)


def about_what_is_missing(lines: list[str]) -> Iterator[Block]:
    """Section that names what is missing.

    Args:
        lines: line for each thing that is missing.

    Example:
        >>> heading, notes = about_what_is_missing(["Absent: draw 3"])
        >>> heading.text, notes.lines
        ('What is missing', ['Absent: draw 3'])
    """
    yield Heading("What is missing")
    yield Notes(lines) if lines else Paragraph("Nothing that was asked for.")


def missing_runs(study: Study) -> Iterator[str]:
    """Runs that failed, files that cannot be read, and runs that were asked for and not made.

    Args:
        study: tables of the study.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> from monai_freq.study.report.long_table import study_of
        >>> asked = [f"hippocampus_fd/n4_draw{draw}_none_seed0" for draw in range(3)]
        >>> list(missing_runs(study_of(phantom_study(draws=1), ["results/a.json is truncated."], asked)))
        ['Not read: results/a.json is truncated.', 'Not made yet: hippocampus_fd/n4_none_seed0: draws 1, 2']
    """
    for run in study.runs[~study.runs["finished"].astype(bool)].itertuples():
        lines = [line.strip() for line in (run.error or "").splitlines() if line.strip()]
        yield f"Failed: {run.name}" + (f": {lines[-1]}" if lines else "")
    yield from (f"Not read: {problem}" for problem in study.problems)
    made = set(study.runs["name"])
    draws: dict[str, list[str]] = {}  # of runs that are alike otherwise
    for name in study.asked:
        if name not in made:
            bundle, _, rest = name.partition("/")
            draw = re.search(r"_draw(\d+)", rest)
            alike = f"{bundle}/{re.sub(r'_draw[0-9]+', '', rest, count=1)}"
            draws.setdefault(alike, []).append(draw[1] if draw else "")
    for name, of_name in draws.items():
        yield f"Not made yet: {name}: draw{'s' if len(of_name) > 1 else ''} {', '.join(of_name)}"


def named_runs(repeat: str, runs: Collection[tuple[int, int]], all_runs: Collection[tuple[int, int]]) -> str:
    """Draws or folds in words, with their seeds where these differ.

    Args:
        repeat: kind of repetition, ``"draw"`` or ``"fold"``.
        runs: draw or fold, and seed, of each.
        all_runs: draw or fold, and seed, of all runs of the condition.

    Example:
        >>> named_runs("fold", [(0, 1), (2, 1)], [(0, 0), (0, 1), (2, 1)])
        'folds 0 (seed 1), 2 (seed 1)'
    """
    several = len({seed for _, seed in all_runs}) > 1
    names = [f"{place} (seed {seed})" if several else str(place) for place, seed in runs]
    return f"{repeat}{'s' if len(names) > 1 else ''} {', '.join(names)}"


def remarks_on_runs(study: Study, of_phantoms: str) -> Iterator[str]:
    """Phantoms, versions and commits: what the runs have in common, or should have.

    Args:
        study: tables of the study.
        of_phantoms: end of the sentence on what the figures of phantoms do not say.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_study
        >>> from monai_freq.study.report.long_table import study_of
        >>> list(remarks_on_runs(study_of(phantom_study()), "the patients."))
        ['Generated phantoms, no patients: hippocampus_fd. Their figures say nothing of the patients.']
    """
    runs = study.runs
    phantoms = {run.bundle for run in runs.itertuples() if run.recorded and run.recorded.get("dataset_dir", "") is None}
    if phantoms:
        named = ", ".join(sorted(phantoms))
        yield f"Generated phantoms, no patients: {named}. Their figures say nothing of {of_phantoms}"
    known = [
        sorted((name, one) for name, one in found.items() if name != BUNDLE) for found in runs["versions"] if found
    ]
    versions = {" ".join(f"{name} {one}" for name, one in found) for found in known}
    commits = {str(commit)[:10] for commit in runs["commit"] if commit}
    for what, found in (("versions", sorted(versions)), ("commits", sorted(commits))):
        if len(found) > 1:
            yield f"The runs are of {len(found)} different {what}: {'; '.join(found)}."


def _data(recorded: Mapping[str, Any]) -> str:
    if recorded.get("dataset_dir") is not None:
        return str(recorded["dataset_dir"])
    phantom = recorded.get("phantom")
    if not isinstance(phantom, Mapping) or not phantom:
        return "generated"
    sizes = {key: "x".join(map(str, one)) if isinstance(one, list | tuple) else one for key, one in phantom.items()}
    rest = [f"{key} {one}" for key, one in sizes.items() if key != "task"]
    return f"generated: {', '.join([str(phantom.get('task', 'phantom')), *rest])}"


def _images(runs: list[Any], part: str) -> str:
    known = [run.recorded.get("images") for run in runs]
    counts = sorted({one[part] for one in known if isinstance(one, Mapping) and isinstance(one.get(part), int)})
    shown = ", ".join(map(str, counts)) or ABSENT
    return shown if len(counts) <= _LISTED else f"{counts[0]} to {counts[-1]}"


def _versions(runs: list[Any]) -> str:
    return ", ".join(sorted({run.versions[BUNDLE] for run in runs if BUNDLE in run.versions})) or ABSENT


def _weights(runs: pd.DataFrame) -> set[tuple[str, str]]:
    """Sources that were not trained here, and the files of their weights."""
    trained = {str(settings.get("source")) for settings in runs["settings"] if "fraction" not in settings}
    return {
        (f"source: {settings['source']}", f"weights in {recorded['init']}")
        for settings, recorded in zip(runs["settings"], runs["recorded"], strict=True)
        if recorded.get("init", RANDOM) != RANDOM and settings.get("source") not in {None, *trained}
    }
