"""Files that are either whole or not there."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = ["replacing", "set_aside", "write_files"]

_log = logging.getLogger(__name__)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Path beside ``path`` to write to, which takes its place when the block ends: the old file stays whole until then.

    The folder is made if need be. When the block fails, what it wrote is removed and the old file is left alone.

    Args:
        path: where the file is in the end.

    Raises:
        OSError: the disk is full, or the folder cannot be written to.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "summary.json")
        >>> with replacing(path) as aside:
        ...     _ = aside.write_text("{}")
        >>> [file.name for file in path.parent.iterdir()]
        ['summary.json']
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield aside
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


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
