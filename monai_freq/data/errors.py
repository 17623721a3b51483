"""The one error that readers raise about a user's files, and how it quotes them."""

__all__ = ["DataError", "shown"]

MOST = 80  # characters


class DataError(ValueError):
    """Something is wrong with the data on disk; the message names the file and says what to do.

    It is a :class:`ValueError`, so callers need not know it; entry points catch it to end with its two or three lines
    instead of a traceback.

    >>> raise DataError("labelsTr/la_003.nii.gz is missing. Unpack the archive again.")
    Traceback (most recent call last):
    ...
    monai_freq.data.errors.DataError: labelsTr/la_003.nii.gz is missing. Unpack the archive again.
    """


def shown(text: str) -> str:
    """What a file says, as a message may show it: short, in characters that neither break lines nor steer terminals.

    Args:
        text: From the file.

    >>> shown("os.system"), shown("a\\nb"), len(shown("x" * 10**6))
    ('os.system', 'a\\\\nb', 80)
    """
    printable = "".join(each if each.isprintable() else repr(each)[1:-1] for each in text[:MOST])
    return printable if len(text) <= MOST and len(printable) <= MOST else f"{printable[: MOST - 3]}..."
