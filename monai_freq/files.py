"""Files and folders that are either complete or absent, and folders that only one run at a time writes to."""

from __future__ import annotations

import logging
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # on Windows, where every claim succeeds
    fcntl = None  # type: ignore[assignment]

__all__ = ["claim", "release", "replacing", "set_aside", "write_files"]

_log = logging.getLogger(__name__)
_claimed: dict[Path, int] = {}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Temporary path beside ``path``, renamed to ``path`` when the block ends: the old file stays whole until then.

    The block may also write a folder, if ``path`` does not exist. Parent folders are made if needed. If the block
    fails, its output is removed and the old file stays.

    Args:
        path: final path of the file or folder.

    Raises:
        OSError: the disk is full, the folder cannot be written to, or ``path`` is a folder.

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
    """Flush a file, or the names in a folder, to the disk."""
    if path.is_dir() and os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_files(folder: Path, contents: Mapping[str, bytes]) -> list[Path]:
    """Write files one after another, each to a temporary name and then renamed.

    Args:
        folder: folder of the files, made if needed.
        contents: name of a file -> content.

    Returns:
        Paths of the files.

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
    """Move the results of an earlier run in a folder to ``previous/<n>``, with one log line.

    Args:
        folder: folder of the run.
        names: names of files and folders in it; those that do not exist are skipped.

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


def claim(folder: Path) -> bool:
    """Keep other processes from claiming a folder, until :func:`release` or the end of this process, even a crash.

    No file is left in the folder. On systems and file systems without locks, every claim succeeds.

    Args:
        folder: folder to claim, made if needed.

    Returns:
        Whether this process has the claim now.

    Raises:
        OSError: the folder cannot be made, or cannot be written to.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> claim(folder), claim(folder)
        (True, True)
        >>> release(folder)
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK):
        raise PermissionError("it is read-only")
    if fcntl is None or folder.resolve() in _claimed:
        return True
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return False
    except OSError:  # some network file systems
        os.close(descriptor)
        return True
    _claimed[folder.resolve()] = descriptor
    return True


def release(folder: Path) -> None:
    """Let other processes claim a folder again.

    Args:
        folder: folder, claimed or not.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> claim(folder), folder.resolve() in _claimed
        (True, True)
        >>> release(folder)
        >>> folder.resolve() in _claimed
        False
    """
    descriptor = _claimed.pop(folder.resolve(), None)
    if descriptor is not None:
        os.close(descriptor)


def _forget() -> None:
    """Drop the parent's claims in a forked worker: else they would last as long as the worker."""
    while _claimed:
        os.close(_claimed.popitem()[1])


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
