"""The data of a study: where they are, or how they were generated, and how many images each part has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .pages import Table
from .results import BUNDLE, Result
from .source_labels import RANDOM
from .texts import ABSENT

__all__ = ["data_table"]

_PARTS = {"train": "training", "val": "validation", "test": "test"}
#: most numbers of images that are listed one by one
_LISTED = 4


def data_table(results: Sequence[Result]) -> Table:
    """Data set of each bundle with its number of images, and the version of the bundle.

    Args:
        results: of the runs, as far as they were trained.

    Example:
        >>> phantom = {"task": "heart", "cases": 20, "size": [64, 64, 32]}
        >>> settings = {"dataset_dir": None, "phantom": phantom, "images": {"train": 12, "val": 4, "test": 4}}
        >>> run = Result(bundle="heart_fd", status="finished", arm="none", size=4, draw=0, seed=0, settings=settings)
        >>> data_table([run]).rows
        [['heart_fd', 'generated: heart, cases 20, size 64x64x32', '12', '4', '4', '–']]
    """
    rows: dict[tuple[str, str], list[Result]] = {}
    for run in results:
        if run.settings:
            rows.setdefault((_name(run), _data(run.settings)), []).append(run)
    header = ["bundle", "data", *_PARTS.values(), "bundle's version"]
    shown = [
        [*key, *(_numbers(_counts(runs, part)) for part in _PARTS), _versions(runs)]
        for key, runs in sorted(rows.items())
    ]
    return Table(header, shown + _weights(results), texts=2)


def _name(run: Result) -> str:
    """A bundle that pre-trains has the data of several sources."""
    source = run.settings.get("source")
    return run.bundle if source is None else f"{run.bundle}: {source}"


def _data(settings: Mapping[str, Any]) -> str:
    if settings.get("dataset_dir") is not None:
        return str(settings["dataset_dir"])
    phantom = settings.get("phantom")
    if not isinstance(phantom, Mapping) or not phantom:
        return "generated"
    rest = [f"{key} {_text(value)}" for key, value in phantom.items() if key != "task"]
    return f"generated: {', '.join([str(phantom.get('task', 'phantom')), *rest])}"


def _text(value: object) -> str:
    return "x".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _counts(runs: Iterable[Result], part: str) -> set[int]:
    counts = [run.settings.get("images") for run in runs]
    return {found[part] for found in counts if isinstance(found, Mapping) and isinstance(found.get(part), int)}


def _numbers(counts: set[int]) -> str:
    if len(counts) > _LISTED:
        return f"{min(counts)} to {max(counts)}"
    return ", ".join(map(str, sorted(counts))) or ABSENT


def _versions(runs: Iterable[Result]) -> str:
    return ", ".join(sorted({run.versions[BUNDLE] for run in runs if BUNDLE in run.versions})) or ABSENT


def _weights(results: Sequence[Result]) -> list[list[str]]:
    """Sources that were not trained here."""
    trained = {str(run.overrides.get("source")) for run in results if "fraction" not in run.overrides}
    files = {
        (f"source: {run.overrides['source']}", f"weights in {run.settings['init']}")
        for run in results
        if run.settings.get("init", RANDOM) != RANDOM and run.overrides.get("source") not in {None, *trained}
    }
    return [[*names, *([ABSENT] * (len(_PARTS) + 1))] for names in sorted(files)]
