"""Write a generated data set of any format as a folder that is complete or not there at all."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..data import DataError
from ..files import replacing
from ..json_files import read_json
from ..quoting import named, reason_of

__all__ = ["RECORD", "refuse_below", "stream", "write_complete_folder"]

RECORD = "phantom.json"  # no real data set has it: it tells a phantom from one, and one phantom from another


def write_complete_folder(
    folder: str | os.PathLike[str], settings: Mapping[str, Any], fill: Callable[[Path], None]
) -> Path:
    """Have ``folder`` filled, unless it is there already with the same settings.

    The files are written to a hidden folder beside it, flushed to the disk, and renamed: any number of processes may
    call this at once, and one that is killed leaves no folder of that name. ``phantom.json`` holds the settings and the
    names of the files.

    Args:
        folder: What to write; its parents are made when missing.
        settings: All that the files depend on, as JSON would give it back; the same settings must give the same files.
        fill: Writes the files into the empty folder whose path it gets.

    Returns:
        The absolute path of ``folder``.

    Raises:
        DataError: The folder holds something else or cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     fill = lambda folder: (folder / "a.txt").write_text("42")
    ...     sorted(path.name for path in write_complete_folder(root + "/new", {"seed": 0}, fill).iterdir())
    ['a.txt', 'phantom.json']
    """
    target = Path(os.path.abspath(Path(folder).expanduser()))
    if not target.exists():
        try:
            with replacing(target) as aside:
                aside.mkdir()
                fill(aside)
                files = sorted(path.relative_to(aside).as_posix() for path in aside.rglob("*") if path.is_file())
                record = json.dumps({"phantom": dict(settings), "files": files})
                (aside / RECORD).write_text(record + "\n", encoding="utf-8")
        except OSError as error:
            # Else another process was first; it drew the same, or its settings are refused below.
            if not target.exists():
                raise DataError(
                    f"The phantom {named(target)} cannot be written: {reason_of(error)}.\n"
                    "Let $MONAI_FREQ_CACHE name a folder with room that you may write to."
                ) from error
    _refuse_other(target, dict(settings))
    return target


def refuse_below(least: int, **settings: int) -> None:
    """Refuse settings smaller than they may be.

    Args:
        least: The smallest value allowed.
        settings: Values by their names.

    Raises:
        ValueError: One of them is smaller.

    >>> refuse_below(1, train=0)
    Traceback (most recent call last):
    ...
    ValueError: 'train' must be at least 1, got 0.
    """
    for name, value in settings.items():
        if value < least:
            raise ValueError(f"'{name}' must be at least {least}, got {value}.")


def stream(seed: int | tuple[int, ...], *place: int) -> np.random.Generator:
    """Make the generator of one part of a data set, independent of those of all other parts.

    Args:
        seed: Seed of the data set, or several numbers that are one together; at least 0.
        place: Numbers of the part, e.g. patient and slice.

    >>> bool(stream(0, 3).random() == stream(0, 3).random() != stream(0, 4).random())
    True
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=place))


def _refuse_other(target: Path, settings: dict[str, Any]) -> None:
    try:
        record = read_json(target / RECORD)
    except (OSError, ValueError):
        record = {}
    found = record.get("phantom") if isinstance(record, dict) else None
    if found != settings:
        raise DataError(
            f"{target} holds {f'a phantom with other settings ({found})' if found else 'something else'}, not "
            f"the one asked for ({settings}).\nDelete or move that folder, or write this one elsewhere."
        )
    missing = [name for name in record["files"] if not (target / name).is_file()]
    if missing:
        raise DataError(f"{missing[0]} is missing in the phantom {target}.\nDelete that folder to have it drawn again.")
