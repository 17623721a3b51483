"""The one error that readers raise about a user's files."""

__all__ = ["DataError"]


class DataError(ValueError):
    """Something is wrong with the data on disk; the message names the file and says what to do.

    It is a :class:`ValueError`, so callers need not know it; entry points catch it to end with its two or three lines
    instead of a traceback.

    >>> raise DataError("labelsTr/la_003.nii.gz is missing. Unpack the archive again.")
    Traceback (most recent call last):
    ...
    monai_freq.data.errors.DataError: labelsTr/la_003.nii.gz is missing. Unpack the archive again.
    """
