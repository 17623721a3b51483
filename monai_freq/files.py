"""Files that are either whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["replacing"]


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
