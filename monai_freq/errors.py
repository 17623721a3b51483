"""Errors that a user can correct, and how a command ends with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .quoting import harmless

__all__ = ["DataError", "UsageError", "ending_readably"]


class UsageError(ValueError):
    """A setting, an argument or a file is wrong; the message names it and says what to do, in two or three lines.

    Functions raise it. It is a :class:`ValueError`, so a caller need not know it. A command shows the message in place
    of a traceback, see :func:`ending_readably`. Characters that control a terminal are escaped, since the name of a
    file may contain them.

    Args:
        message: text for the user.

    Example:
        >>> raise UsageError("'epochs' must be at least 1, got 0.")
        Traceback (most recent call last):
        ...
        monai_freq.errors.UsageError: 'epochs' must be at least 1, got 0.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(harmless(message))


class DataError(UsageError):
    """Something is wrong with the data on disk; the message names the file.

    Args:
        message: text for the user.

    Example:
        >>> raise DataError("labelsTr/la_003.nii.gz holds the label value 2. Correct the label.")
        Traceback (most recent call last):
        ...
        monai_freq.errors.DataError: labelsTr/la_003.nii.gz holds the label value 2. Correct the label.
    """


@contextmanager
def ending_readably() -> Iterator[None]:
    """End the program with the message of a :class:`UsageError`, without a traceback.

    Only two places use it: a command's ``main``, and the functions that the ``initialize`` section of a bundle calls.

    Raises:
        SystemExit: the block raised a :class:`UsageError`.

    Example:
        >>> with ending_readably():
        ...     raise UsageError("'epochs' must be at least 1, got 0.")
        Traceback (most recent call last):
        SystemExit: 'epochs' must be at least 1, got 0.
    """
    try:
        yield
    except UsageError as error:
        raise SystemExit(str(error)) from error
