"""The result of one run: a JSON file that is either whole or not there."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from ...errors import UsageError
from ...files import replacing
from ...json_files import read_json
from ...quoting import named, reason_of, shown
from .spec import run_name

__all__ = [
    "BUNDLE",
    "VERSION",
    "OtherVersion",
    "Result",
    "as_settings",
    "asked_for",
    "note_asked_for",
    "read_result",
    "read_results",
    "result_file",
    "write_result",
]

#: of the file format
VERSION = 2
#: name of the bundle's version among those of the packages
BUNDLE = "bundle"

#: a line for each run that a study was asked for
_ASKED_FOR = "runs.txt"
#: what the settings that name a run may be; the first two are in all of them
_SETTINGS: Mapping[str, tuple[type, ...]] = {
    "fusion": (str,),
    "seed": (int,),
    "train_size": (int, type(None)),
    "draw": (int,),
    "fold": (int,),
}
#: entries of a file of version 1 that are settings now
_EARLIER = ("arm", "size", "draw", "seed", "overrides")


class OtherVersion(UsageError):
    """A result file of another version of the format.

    Args:
        message: text for the user.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "n8_draw0_early_seed0.json")
        >>> _ = path.write_text('{"version": 0}')
        >>> read_result(path)
        Traceback (most recent call last):
        monai_freq.study.run.results.OtherVersion: ... has version 0 of the format; versions 1 and 2 are read.
    """


@dataclass(frozen=True, kw_only=True)
class Result:
    """A training and its evaluation.

    Args:
        bundle: name of the bundle.
        status: ``"finished"`` or ``"failed"``.
        settings: settings that tell the run from the others of its study, see :class:`monai_freq.study.run.spec.Run`:
            ``"fusion"`` and ``"seed"`` in all of them, ``"train_size"`` and ``"draw"`` of a segmentation, ``"source"``
            of a classifier, ``"fold"``, ``"artifact"`` and ``"fraction"`` of a fine-tuning, and further ones.
        classes: class number -> name, foreground only.
        recorded: settings that the bundle recorded of its training.
        versions: package -> version; the bundle's, under ``"bundle"``.
        git_commit: commit of the working directory's repository; None outside of one.
        seconds: seconds of the ``"train"`` and the ``"evaluate"`` workflow.
        peak_memory_bytes: peak memory of the training or the evaluation; None if unknown.
        validation: ``"epochs"`` and, of each, ``"val_mean_dice"`` or a classifier's ``"val_auc"``; may be empty.
        cases: a mapping per test case: ``"case"`` and its metrics by name; empty for a classifier.
        measures: measures of a classifier, see :func:`monai_freq.study.run.evaluations.read_measures`; empty for a
            segmentation.
        configs: hash of the bundle's configuration files that a finished run was made with.
        error: last lines of a failed run's log.

    Example:
        >>> settings = {"fusion": "early", "train_size": 8, "draw": 0, "seed": 0}
        >>> Result(bundle="heart_fd", status="failed", settings=settings, error="killed").name
        'heart_fd/n8_draw0_early_seed0'
    """

    bundle: str
    status: str
    settings: Mapping[str, Any]
    classes: Mapping[str, str] = field(default_factory=dict)
    recorded: Mapping[str, Any] = field(default_factory=dict)
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
        """Name of the run, and of its files."""
        return run_name(self.bundle, self.settings)

    @property
    def finished(self) -> bool:
        """Whether the run was trained and evaluated to the end."""
        return self.status == "finished"


def result_file(folder: str | os.PathLike[str], name: str) -> Path:
    """Where the result of a run is.

    Args:
        folder: folder of the study.
        name: name of the run.

    Example:
        >>> result_file("out", "heart_fd/n8_draw0_early_seed0").as_posix()
        'out/results/heart_fd/n8_draw0_early_seed0.json'
    """
    return Path(folder) / "results" / f"{name}.json"


def write_result(folder: str | os.PathLike[str], result: Result) -> Path:
    """Write the result of a run, in place of an earlier one; the file is whole at any moment.

    Args:
        folder: folder of the study.
        result: result of the run.

    Returns:
        The file.

    Raises:
        OSError: the folder cannot be written to.

    Example:
        >>> import tempfile
        >>> settings = {"fusion": "early", "train_size": 8, "draw": 0, "seed": 0}
        >>> result = Result(bundle="heart_fd", status="finished", settings=settings)
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
        folder: folder of the study.

    Returns:
        The results, and a line of text for each file that cannot be read.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> for draw in (0, 1):
        ...     settings = {"fusion": "early", "train_size": 8, "draw": draw, "seed": 0}
        ...     _ = write_result(folder, Result(bundle="heart_fd", status="finished", settings=settings))
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
    """Read the result of one run, of this version of the format or of the one before.

    Args:
        path: file of the result.

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
    if content["version"] not in (1, VERSION):
        version = shown(content["version"])
        raise OtherVersion(f"{named(path)} has version {version} of the format; versions 1 and {VERSION} are read.")
    try:
        return Result(**_entries(_of_version_1(content) if content["version"] == 1 else content))
    except ValueError as error:
        raise ValueError(f"{named(path)} is not the result of a run: {error}.") from error


def as_settings(*, arm: str, size: int | None, draw: int, seed: int, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a run from the entries that name it in files of version 1 of the format.

    Args:
        arm: fusion.
        size: number of training cases; None for all.
        draw: number of the random subset; of a fine-tuning, number of the fold.
        seed: seed of the training.
        overrides: further settings; a classifier has a ``source``, a fine-tuning also a ``fraction``.

    Example:
        >>> as_settings(arm="none", size=None, draw=2, seed=0, overrides={"source": "imagenet", "fraction": 0.5})
        {'fusion': 'none', 'fold': 2, 'seed': 0, 'source': 'imagenet', 'fraction': 0.5}
        >>> as_settings(arm="none", size=4, draw=2, seed=0, overrides={})
        {'fusion': 'none', 'train_size': 4, 'draw': 2, 'seed': 0}
    """
    division: dict[str, int | None] = {"train_size": size, "draw": draw}
    if "fraction" in overrides:
        division = {"fold": draw}
    elif "source" in overrides:
        division = {}
    return {"fusion": arm, **division, "seed": seed, **overrides}


def note_asked_for(folder: str | os.PathLike[str], names: Iterable[str]) -> None:
    """Write down which runs a study consists of, besides those that it was asked for before.

    Args:
        folder: folder of the study.
        names: names of the runs.

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
    lines = "".join(f"{name}\n" for name in dict.fromkeys([*asked_for(folder), *names]))
    with replacing(Path(folder) / _ASKED_FOR) as aside:
        aside.write_text(lines, encoding="utf-8")


def asked_for(folder: str | os.PathLike[str]) -> list[str]:
    """Names of the runs that a study consists of, as far as they were written down.

    Args:
        folder: folder of the study.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> before = asked_for(folder)
        >>> note_asked_for(folder, ["heart_fd/n4_draw0_none_seed0"])
        >>> before, asked_for(folder)
        ([], ['heart_fd/n4_draw0_none_seed0'])
    """
    path = Path(folder) / _ASKED_FOR
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []
    return [line for line in lines if re.search(r"/n\w+_draw\d+_", line)]


def _of_version_1(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content as it would be written now."""
    _entry(content, "overrides", (dict,))
    settings = as_settings(**{name: _entry(content, name, (object,)) for name in _EARLIER})
    return {**content, "recorded": _entry(content, "settings", (dict,)), "settings": settings}


def _entries(content: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a result; entries that it does not know are left out."""
    hints = get_type_hints(Result)
    late = {"measures", "configs"} - content.keys()  # of files from before there were these
    names = [entry.name for entry in fields(Result) if entry.name not in late]
    entries = {name: _entry(content, name, _kinds(hints[name])) for name in names}
    if entries["status"] not in ("finished", "failed"):
        raise ValueError(f"its 'status' is {entries['status']!r:.60}")
    for name, kinds in _SETTINGS.items():
        if name in ("fusion", "seed") or name in entries["settings"]:
            _entry(entries["settings"], name, kinds)
    return entries


def _entry(content: Mapping[str, Any], name: str, kinds: tuple[type, ...]) -> Any:
    if name not in content:
        raise ValueError(f"it has no '{name}'")
    if not isinstance(content[name], kinds) or isinstance(content[name], bool):
        raise ValueError(f"its '{name}' is {content[name]!r:.60}")
    return content[name]


def _kinds(hint: Any) -> tuple[type, ...]:
    """Types of the values that an annotation allows, as in ``int | None`` and ``Mapping[str, Any]``."""
    origin = get_origin(hint)
    return get_args(hint) if origin is not None and type(None) in get_args(hint) else (origin or hint,)
