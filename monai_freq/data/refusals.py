"""What all readers do: name the file at fault, read no more than is sensible, look at many items at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from ..errors import DataError
from ..quoting import named, reason_of

__all__ = ["read_at_most", "refuse_first", "refusing"]

T = TypeVar("T")
R = TypeVar("R")


@contextmanager
def refusing(
    file: str | os.PathLike[str], remedy: str, *errors: type[Exception], what: str = "cannot be read"
) -> Iterator[None]:
    """Errors of other libraries within the block become a :class:`DataError` that names the file.

    Args:
        file: file that is read or written.
        remedy: advice to the user.
        errors: types of the errors; by default all but MemoryError, as libraries raise a dozen on damaged files.
        what: beginning of the message, before the reason.

    Raises:
        DataError: the block raised one of the errors.

    Example:
        >>> with refusing("7.pck", "Copy it again.", what="is refused"):
        ...     raise EOFError("it ends early")
        Traceback (most recent call last):
        monai_freq.errors.DataError: 7.pck is refused: it ends early.
        Copy it again.
    """
    refused = errors or (Exception,)
    try:
        yield
    except (MemoryError, DataError):
        raise
    except refused as error:
        raise DataError(f"{named(file)} {what}: {reason_of(error)}.\n{remedy}") from error


def read_at_most(file: str | os.PathLike[str], most: int) -> bytes:
    """Content of a file that must not be larger than it can sensibly be.

    Args:
        file: file to read.
        most: largest size in bytes.

    Raises:
        OSError: the file cannot be opened, or is no file: a device or a pipe could be read for ever.
        ValueError: the file is larger.

    Example:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as file:
        ...     _ = file.write(b"1234"), file.flush()
        ...     read_at_most(file.name, 4)
        b'1234'
    """
    if not os.path.isfile(file):
        raise OSError("it is missing or not a file")
    with Path(file).open("rb") as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it is larger than {most} bytes")
    return content


def refuse_first(look: Callable[[T], R], items: Sequence[T], kind: str, num_workers: int | None = None) -> list[R]:
    """Look at all items, and refuse the first faulty one, in their order, with the number of the others.

    Args:
        look: function that raises a :class:`DataError` for a faulty item.
        items: items to look at.
        kind: name of the items, in the plural.
        num_workers: number of threads (default: up to 4). Each holds one item at a time.

    Returns:
        The results of ``look``.

    Raises:
        ValueError: ``num_workers`` is less than 1.
        DataError: an item is faulty.

    Example:
        >>> def look(number):
        ...     if number > 1:
        ...         raise DataError(f"{number} is too large.")
        >>> refuse_first(look, [1, 2, 3], "numbers")
        Traceback (most recent call last):
        monai_freq.errors.DataError: 2 is too large.
        1 more of the 3 numbers are faulty too.
    """
    workers = min(4, os.cpu_count() or 1) if num_workers is None else num_workers
    if workers < 1:
        raise ValueError(f"'num_workers' must be at least 1, got {workers}.")

    def attempt(item: T) -> R | DataError:
        try:
            return look(item)
        except DataError as error:
            return error

    with ThreadPoolExecutor(workers) as pool:
        found = list(pool.map(attempt, items))
    faults = [result for result in found if isinstance(result, DataError)]
    if faults:
        others = f"\n{len(faults) - 1} more of the {len(items)} {kind} are faulty too." if len(faults) > 1 else ""
        raise DataError(f"{faults[0]}{others}")
    return [result for result in found if not isinstance(result, DataError)]
