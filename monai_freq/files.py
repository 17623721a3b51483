"""Files and folders that are either whole or not there."""

from __future__ import annotations

import logging
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = ["replacing", "set_aside", "write_files"]

_log = logging.getLogger(__name__)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Path beside ``path`` to write to, which takes its place when the block ends: the old file stays whole until then.

    What is written may be a folder as well, where there is none of that name yet. The folder that holds it is made if
    need be. When the block fails, what it wrote is removed and the old file is left alone.

    Args:
        path: where the file or folder is in the end.

    Raises:
        OSError: the disk is full, the folder cannot be written to, or a folder of that name is there.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "summary.json")
        >>> with replacing(path) as aside:
        ...     _ = aside.write_text("{}")
        >>> [file.name for file in path.parent.iterdir()]
        ['summary.json']
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        yield aside
        for written in (aside, *aside.rglob("*")):
            _sync(written)
        os.replace(aside, path)
    finally:
        if aside.is_dir():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk."""
    if path.is_dir() and os.name == "nt":  # where a folder cannot be opened
        return
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_files(folder: Path, contents: Mapping[str, bytes]) -> list[Path]:
    """Write files one after another, each aside and then renamed.

    Args:
        folder: of the files; it is made if need be.
        contents: name -> content.

    Returns:
        The files.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.

    Example:
        >>> import tempfile
        >>> [file.name for file in write_files(Path(tempfile.mkdtemp()), {"scores.csv": b"1", "report.md": b"2"})]
        ['scores.csv', 'report.md']
    """
    for name, content in contents.items():
        with replacing(folder / name) as aside:
            aside.write_bytes(content)
    return [folder / name for name in contents]


def set_aside(folder: Path, names: Iterable[str]) -> None:
    """Move what an earlier run left in a folder to ``previous/<n>``, with one log line.

    Args:
        folder: folder of the run.
        names: files and folders in it; those that do not exist are passed over.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "model.pt").write_text("weights")
        >>> set_aside(folder, ["model.pt", "last.pt"])
        >>> (folder / "previous" / "1" / "model.pt").read_text()
        'weights'
    """
    found = [folder / name for name in names if (folder / name).exists()]
    if not found:
        return
    number = 1
    while (kept := folder / "previous" / str(number)).exists():
        number += 1
    kept.mkdir(parents=True)
    for path in found:
        path.rename(kept / path.name)
    _log.info(f"The results of an earlier run are now in {kept}.")
