"""A generated data set of any format: its settings, and its folder, which is complete or not there at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, UsageError
from ..files import replacing
from ..json_files import read_json
from ..quoting import named, reason_of, written

__all__ = ["RECORD", "Phantom", "stream", "write_complete_folder"]

RECORD = "phantom.json"  # no real data set has it: it tells a phantom from one, and one phantom from another


@dataclass(frozen=True)
class Phantom:
    """Generated data set of one format.

    Args:
        folder: name of its folder.
        defaults: settings with their defaults, ``seed`` among them.
        least: lowest values of settings; that of ``seed`` is 0.
        fill: function that writes the files into the empty folder whose path it gets, with the settings by name.
        record: function from the settings to all that the files depend on, as JSON gives it back; it raises a
            UsageError for settings that cannot be.
        choices: values that a setting may have.

    Example:
        >>> import tempfile
        >>> def fill(folder, *, letter, seed):
        ...     (folder / "a.txt").write_text(letter)
        >>> letters = Phantom("letters", {"letter": "a", "seed": 0}, {}, fill, dict)
        >>> with tempfile.TemporaryDirectory() as root:
        ...     (letters.write(root, letter="b") / "a.txt").read_text()
        'b'
    """

    folder: str
    defaults: Mapping[str, Any]
    least: Mapping[str, int]
    fill: Callable[..., None]
    record: Callable[[dict[str, Any]], dict[str, Any]]
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def write(self, root: str | os.PathLike[str], **settings: Any) -> Path:
        """Write the data set, or find it there; see :func:`~monai_freq.phantoms.write_phantom`."""
        chosen = {**self.defaults, **settings}
        if unknown := chosen.keys() - self.defaults.keys():
            names = ", ".join(self.defaults)
            raise UsageError(f"The phantom {self.folder} has no setting {written(min(unknown))}, but {names}.")
        for name, least in {**self.least, "seed": 0}.items():
            if chosen[name] < least:
                raise UsageError(f"'{name}' must be at least {least}, got {chosen[name]}.")
        for name, known in self.choices.items():
            if chosen[name] not in known:
                raise UsageError(f"'{name}' must be one of {', '.join(known)}, got {written(chosen[name])}.")
        record = self.record(chosen)
        return write_complete_folder(Path(root) / self.folder, record, lambda folder: self.fill(folder, **chosen))


def write_complete_folder(
    folder: str | os.PathLike[str], settings: Mapping[str, Any], fill: Callable[[Path], None]
) -> Path:
    """Have ``folder`` filled, unless it is there already with the same settings.

    The files are written to a hidden folder beside it, flushed to the disk, and renamed: any number of processes may
    call this at once, and one that is killed leaves no folder of that name. ``phantom.json`` holds the settings and the
    names of the files.

    Args:
        folder: folder to write; its parents are made when missing.
        settings: settings that the files depend on, as JSON gives them back; the same ones must give the same files.
        fill: function that writes the files into the empty folder whose path it gets.

    Returns:
        The absolute path of ``folder``.

    Raises:
        DataError: the folder holds something else or cannot be written.

    Example:
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


def stream(seed: int | tuple[int, ...], *place: int) -> np.random.Generator:
    """Make the generator of one part of a data set, independent of those of all other parts.

    Args:
        seed: seed of the data set, or several numbers that are one together; at least 0.
        place: numbers of the part, e.g. patient and slice.

    Example:
        >>> bool(stream(0, 3).random() == stream(0, 3).random() != stream(0, 4).random())
        True
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=place))
