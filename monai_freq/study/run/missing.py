"""Which runs of a study are still missing, and whether what is there was made of the same bundles, data and sources."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...files import replacing, set_aside
from ...json_files import parse_json, read_json
from ...quoting import named, reason_of
from .results import OtherVersion, Result, read_result, result_file
from .spec import RANDOM, Run

__all__ = ["is_transfer", "missing", "note_sources", "trains_the_same"]

#: what each label of a transfer study stands for
_SOURCES = "sources.json"
#: groups of fingerprints of the shipped bundles' files, by bundle and workflows: those of a group train the same
_FINGERPRINTS = Path(__file__).with_name("fingerprints.json")


def missing(runs: Iterable[Run], folder: Path) -> Iterator[Run]:
    """Runs that have no finished result yet; a result that cannot be read is put aside.

    Args:
        runs: runs as planned.
        folder: folder of the study.

    Raises:
        UsageError: a result was written in another version of the format, or with another bundle or other data.

    Example:
        >>> import tempfile
        >>> from monai_freq.study.run.plan import plan
        >>> from monai_freq.study.run.results import write_result
        >>> runs = plan({"heart_fd": "bundles/heart_fd"}, sizes=[4], arms=["none", "early"])
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = write_result(folder, Result(bundle="heart_fd", status="finished", settings=runs[0].settings))
        >>> [run.name for run in missing(runs, folder)]
        ['heart_fd/n4_draw0_early_seed0']
    """
    for run in runs:
        file = result_file(folder, run.name)
        if not file.exists():
            yield run
            continue
        try:
            result = read_result(file)
        except OtherVersion as error:
            raise UsageError(f"{error}\nChoose another --output_dir.") from error
        except ValueError as error:
            set_aside(file.parent, [file.name])
            print(f"{error} It is now in {file.parent / 'previous'}, and the run is made again.")
            yield run
            continue
        if not result.finished:
            yield run
        else:
            _require_same(run, result, file)


def _require_same(run: Run, result: Result, file: Path) -> None:
    made_with = result.recorded.get("dataset_dir")
    wanted = run.dataset_dir and str(Path(run.dataset_dir).resolve())
    for what, one, other in (
        ("the data set", made_with, wanted),
        ("the settings", dict(result.settings), dict(run.settings)),
    ):
        if one != other:
            raise UsageError(f"{file} was made with {what} {one}, not {other}.\nChoose another --output_dir.")
    if result.configs and not trains_the_same(result.configs, run.fingerprint("train", "evaluate")):
        raise UsageError(
            f"{file} was made with other files than those in {run.folder}/configs.\n"
            "Restore them, or choose another --output_dir: one table is of one network."
        )


def trains_the_same(fingerprint: str, other: str) -> bool:
    """Whether two fingerprints are of the same files, or of files of a shipped bundle that differ in form alone.

    Args:
        fingerprint: hash of configuration files, from :meth:`monai_freq.study.run.spec.Run.fingerprint`.
        other: hash of other ones.

    Example:
        >>> trains_the_same("0" * 64, "0" * 64), trains_the_same("0" * 64, "1" * 64)
        (True, False)
    """
    return fingerprint == other or any({fingerprint, other} <= set(group) for group in _groups())


@cache
def _groups() -> list[list[str]]:
    return list(read_json(_FINGERPRINTS).values())


def note_sources(runs: Iterable[Run], folder: Path) -> None:
    """Write down what each source of a transfer study stands for: runs are named after it.

    Args:
        runs: runs as planned; those of segmentations have no source.
        folder: folder of the study.

    Raises:
        UsageError: a label has stood for another source before, or what was written down is not readable.

    Example:
        >>> import tempfile
        >>> settings = {"fusion": "none", "seed": 0, "fold": 0, "source": "clinic", "fraction": 0.5}
        >>> own = {"bundle": "kneemri_transfer", "folder": "bundles/kneemri_transfer", "settings": settings}
        >>> folder = Path(tempfile.mkdtemp())
        >>> note_sources([Run(**own, given={"init": "weights.pt"})], folder)
        >>> note_sources([Run(**own, given={"init": "others.pt"})], folder)
        Traceback (most recent call last):
        monai_freq.errors.UsageError: In ..., the source 'clinic' was {...}, not {...}.
        Choose another --output_dir.
    """
    found = [(run.settings["source"], _meaning(run)) for run in runs if run.classifies]
    if not found:
        return
    file = folder / _SOURCES
    try:
        known = read_json(file) if file.is_file() else {}
    except ValueError as error:
        raise UsageError(
            f"{named(file)} is not readable: {reason_of(error)}.\nRestore it, or choose another --output_dir."
        ) from error
    for label, meaning in found:
        if known.setdefault(label, meaning) != meaning:
            raise UsageError(
                f"In {folder}, the source '{label}' was {known[label]}, not {meaning}.\nChoose another --output_dir."
            )
    with replacing(file) as aside:
        aside.write_text(json.dumps(known, indent=2) + "\n")


def _meaning(run: Run) -> Any:
    """What the source of a run stands for, as the file holds it."""
    origin = run.after or run
    init = origin.given.get("init")
    meaning: dict[str, Any] = {
        "settings": {} if init else dict(origin.given),
        "checkpoint": None if init == RANDOM else init,
        "dataset_dir": None if init else origin.dataset_dir,
        "overrides": {} if init else {key: origin.settings[key] for key in origin.settings if key not in _NAMED},
    }
    if "normalization" in origin.given:
        meaning["normalization"] = origin.given["normalization"]
    return parse_json(json.dumps(meaning))


#: settings of a pre-training that do not belong to its source
_NAMED: Sequence[str] = ("fusion", "seed")


def is_transfer(folder: Path) -> bool:
    """Whether a transfer study was started in a folder.

    Args:
        folder: folder of a study.

    Example:
        >>> import tempfile
        >>> folder, settings = Path(tempfile.mkdtemp()), {"fusion": "none", "seed": 0, "source": "random"}
        >>> before = is_transfer(folder)
        >>> note_sources([Run(bundle="kneemri_transfer", folder="", settings=settings)], folder)
        >>> before, is_transfer(folder)
        (False, True)
    """
    return (folder / _SOURCES).is_file()
