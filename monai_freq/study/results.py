"""The result of one run: a JSON file that is either whole or not there."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..files import replacing
from ..json_files import read_json
from ..quoting import named, reason_of, shown

__all__ = [
    "BUNDLE",
    "VERSION",
    "OtherVersion",
    "Result",
    "asked_for",
    "note_asked_for",
    "read_result",
    "read_results",
    "result_file",
    "run_name",
    "write_result",
]

#: of the file format
VERSION = 1
#: name of the bundle's version among those of the packages
BUNDLE = "bundle"

#: a line for each run that a study was asked for
_ASKED_FOR = "runs.txt"
#: characters in the name of a run
_LONGEST = 200

#: what each entry of the file may be
_TYPES: dict[str, tuple[type, ...]] = {
    "bundle": (str,),
    "status": (str,),
    "arm": (str,),
    "size": (int, type(None)),
    "draw": (int,),
    "seed": (int,),
    "overrides": (dict,),
    "classes": (dict,),
    "settings": (dict,),
    "versions": (dict,),
    "git_commit": (str, type(None)),
    "seconds": (dict,),
    "peak_memory_bytes": (int, type(None)),
    "validation": (dict,),
    "cases": (list,),
    "measures": (dict,),
    "configs": (str,),
    "error": (str, type(None)),
}


class OtherVersion(ValueError):
    """A result file of another version of the format.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "n8_draw0_early_seed0.json")
        >>> _ = path.write_text('{"version": 0}')
        >>> read_result(path)
        Traceback (most recent call last):
        monai_freq.study.results.OtherVersion: ... has version 0 of the format; this is read: 1.
    """


@dataclass(frozen=True, kw_only=True)
class Result:
    """A training and its evaluation.

    Args:
        bundle: name of the bundle.
        status: ``"finished"`` or ``"failed"``.
        arm: ``"none"``, ``"early"`` or ``"late"`` fusion.
        size: number of training cases; None for all.
        draw: which random subset of that size; seeds the training too.
        seed: of the training.
        overrides: further settings that differ from the bundle's.
        classes: class number -> name, foreground only.
        settings: what the bundle recorded of its training.
        versions: package -> version; the bundle's, under ``"bundle"``.
        git_commit: of the working directory's repository; None outside of one.
        seconds: ``"train"`` and ``"evaluate"``.
        peak_memory_bytes: most memory that the training or the evaluation held; None if unknown.
        validation: ``"epochs"`` and, of each, ``"val_mean_dice"`` or a classifier's ``"val_auc"``; may be empty.
        cases: a mapping per test case: ``"case"`` and its metrics by name; empty for a classifier.
        measures: of a classifier, see :func:`monai_freq.study.evaluations.read_measures`; empty for a segmenter.
        configs: hash of the bundle's configuration files that a finished run was made with.
        error: last lines of a failed run's log.

    Example:
        >>> result = Result(bundle="heart_fd", status="failed", arm="early", size=8, draw=0, seed=0, error="killed")
        >>> result.name
        'heart_fd/n8_draw0_early_seed0'
    """

    bundle: str
    status: str
    arm: str
    size: int | None
    draw: int
    seed: int
    overrides: Mapping[str, Any] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    git_commit: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    peak_memory_bytes: int | None = None
    validation: Mapping[str, list[float]] = field(default_factory=dict)
    cases: list[dict[str, Any]] = field(default_factory=list)
    measures: Mapping[str, Any] = field(default_factory=dict)
    configs: str = ""
    error: str | None = None

    @property
    def name(self) -> str:
        """Of the run, and of its files."""
        return run_name(self.bundle, self.size, self.draw, self.arm, self.overrides, self.seed)

    @property
    def finished(self) -> bool:
        """Whether the run was trained and evaluated to the end."""
        return self.status == "finished"


def run_name(
    bundle: str, size: int | None, draw: int, arm: str, overrides: Mapping[str, Any] | None = None, seed: int = 0
) -> str:
    """Name of a run: ``<bundle>/n<size>_draw<draw>_<arm>[_<key>=<value>...]_seed<seed>``.

    Args:
        bundle: name of the bundle.
        size: number of training cases; None for all.
        draw: which random subset.
        arm: fusion.
        overrides: further settings, which appear in the order of their names.
        seed: of the training.

    Example:
        >>> run_name("heart_fd", 8, 0, "early", {"theta": 0.2, "image_size": [32, 32, 16]})
        'heart_fd/n8_draw0_early_image_size=32-32-16_theta=0.2_seed0'
        >>> run_name("heart_fd", None, 2, "none")
        'heart_fd/nall_draw2_none_seed0'
    """
    changed = [f"{key}={_text(value)}" for key, value in sorted((overrides or {}).items())]
    parts = [f"n{'all' if size is None else size}", f"draw{draw}", arm, *changed, f"seed{seed}"]
    return f"{_plain(bundle)}/{_short(_plain('_'.join(parts)))}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _plain(text: str) -> str:
    """Text as part of a file's name anywhere."""
    return re.sub(r"[^A-Za-z0-9._=-]+", "-", text).replace("_-", "_").replace("=-", "=").replace("-_", "_")


def _short(text: str) -> str:
    """Text that a file system takes with an ending."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 9]}-{sha256(text.encode()).hexdigest()[:8]}"


def result_file(folder: str | os.PathLike[str], name: str) -> Path:
    """Where the result of a run is.

    Args:
        folder: of the study.
        name: of the run.

    Example:
        >>> result_file("out", "heart_fd/n8_draw0_early_seed0").as_posix()
        'out/results/heart_fd/n8_draw0_early_seed0.json'
    """
    return Path(folder) / "results" / f"{name}.json"


def write_result(folder: str | os.PathLike[str], result: Result) -> Path:
    """Write the result of a run, in place of an earlier one; the file is whole at any moment.

    Args:
        folder: of the study.
        result: of the run.

    Returns:
        The file.

    Raises:
        OSError: the folder cannot be written to.

    Example:
        >>> import tempfile
        >>> result = Result(bundle="heart_fd", status="finished", arm="early", size=8, draw=0, seed=0)
        >>> file = write_result(tempfile.mkdtemp(), result)
        >>> read_result(file) == result
        True
    """
    path = result_file(folder, result.name)
    with replacing(path) as aside:
        aside.write_text(json.dumps({"version": VERSION} | asdict(result), indent=2) + "\n", encoding="utf-8")
    return path


def read_results(folder: str | os.PathLike[str]) -> tuple[list[Result], list[str]]:
    """Read all results of a study, in the order of their names.

    Args:
        folder: of the study.

    Returns:
        The results, and a line of text for each file that cannot be read.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> for draw in (0, 1):
        ...     run = Result(bundle="heart_fd", status="finished", arm="early", size=8, draw=draw, seed=0)
        ...     _ = write_result(folder, run)
        >>> results, problems = read_results(folder)
        >>> [result.name for result in results], problems
        (['heart_fd/n8_draw0_early_seed0', 'heart_fd/n8_draw1_early_seed0'], [])
    """
    results, problems = [], []
    for path in sorted((Path(folder) / "results").glob("*/*.json")):
        try:
            results.append(read_result(path))
        except ValueError as error:
            problems.append(str(error))
    return results, problems


def read_result(path: str | os.PathLike[str]) -> Result:
    """Read the result of one run.

    Args:
        path: the file.

    Raises:
        OtherVersion: it is of another version of the format.
        ValueError: it is truncated, damaged, or no result.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "n8_draw0_early_seed0.json")
        >>> _ = path.write_text('{"version": 1, "bundle": "heart_fd", "sta')
        >>> read_result(path)
        Traceback (most recent call last):
        ValueError: ...n8_draw0_early_seed0.json is truncated or damaged: Unterminated string ...
    """
    try:
        content = read_json(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{named(path)} is truncated or damaged: {reason_of(error)}.") from error
    if not isinstance(content, dict) or "version" not in content:
        raise ValueError(f"{named(path)} is not the result of a run: it has no 'version'.")
    if content["version"] != VERSION:
        raise OtherVersion(
            f"{named(path)} has version {shown(content['version'])} of the format; this is read: {VERSION}."
        )
    return Result(**_checked(path, content))


def note_asked_for(folder: str | os.PathLike[str], names: Iterable[str]) -> None:
    """Write down which runs a study consists of, besides those that it was asked for before.

    Args:
        folder: of the study.
        names: of the runs.

    Raises:
        OSError: the folder cannot be written to.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> note_asked_for(folder, ["heart_fd/n4_draw0_none_seed0"])
        >>> note_asked_for(folder, ["heart_fd/n4_draw0_early_seed0", "heart_fd/n4_draw0_none_seed0"])
        >>> asked_for(folder)
        ['heart_fd/n4_draw0_none_seed0', 'heart_fd/n4_draw0_early_seed0']
    """
    before = asked_for(folder)
    lines = "".join(f"{name}\n" for name in dict.fromkeys([*before, *names]))
    with replacing(Path(folder) / _ASKED_FOR) as aside:
        aside.write_text(lines, encoding="utf-8")


def asked_for(folder: str | os.PathLike[str]) -> list[str]:
    """Names of the runs that a study consists of, as far as they were written down.

    Args:
        folder: of the study.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> note_asked_for(folder, ["heart_fd/n4_draw0_none_seed0", "heart_fd/n4_draw0_early_seed0"])
        >>> asked_for(folder)
        ['heart_fd/n4_draw0_none_seed0', 'heart_fd/n4_draw0_early_seed0']
    """
    path = Path(folder) / _ASKED_FOR
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return [line for line in lines if re.search(r"/n\w+_draw\d+_", line)]


def _checked(path: str | os.PathLike[str], content: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a result; entries that it does not know are left out."""
    entries = {}
    for entry in fields(Result):
        if entry.name in ("measures", "configs") and entry.name not in content:
            continue  # files of studies before there were these
        if entry.name not in content:
            raise ValueError(f"{named(path)} is not the result of a run: it has no '{entry.name}'.")
        value = content[entry.name]
        if not isinstance(value, _TYPES[entry.name]) or isinstance(value, bool):
            raise ValueError(f"{named(path)} is not the result of a run: its '{entry.name}' is {value!r:.60}.")
        entries[entry.name] = value
    if entries["status"] not in ("finished", "failed"):
        raise ValueError(f"{named(path)} is not the result of a run: its 'status' is {entries['status']!r:.60}.")
    return entries
