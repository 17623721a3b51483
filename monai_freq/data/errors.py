"""The one error that readers raise about a user's files."""

from monai_freq.quoting import harmless

__all__ = ["DataError"]


class DataError(ValueError):
    """Something is wrong with the data on disk; the message names the file and says what to do.

    It is a :class:`ValueError`, so callers need not know it; entry points catch it to end with its two or three lines
    instead of a traceback. Characters that steer terminals, as a file's name may have them, are written out.

    >>> raise DataError("labelsTr/la_003.nii.gz holds the label value 2. Correct the label.")
    Traceback (most recent call last):
    ...
    monai_freq.data.errors.DataError: labelsTr/la_003.nii.gz holds the label value 2. Correct the label.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(harmless(message))
