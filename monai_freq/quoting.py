"""Quotations in messages: names and values in files, arguments of users, and errors of other libraries."""

from __future__ import annotations

import os
import re
from numbers import Number

__all__ = ["harmless", "named", "reason_of", "shown", "written"]

MOST = 80  # largest number of characters of a quotation
MOST_OF_REASON = 200
_MOST_ITEMS = 10
_MOST_BITS = 10_000  # Python writes no integer of more than 4300 digits

_ADDRESS = re.compile(r" ?(?:\bat )?\(?\b0x[0-9a-fA-F]{6,}\b\)?")
_SENTENCE_END = re.compile(r"(?<=[.!?]) +|\n")
_REFUSED_CODE = re.compile(r"(?:Unsupported global:|unsupported) GLOBAL (\S+)")
#: words of unsafe advice: to run a stranger's code, or to read a file that was refused for a reason
_UNSAFE = re.compile(
    r"weights.?only|safe_globals|allow_pickle|arbitrary code|unsafe|trust|two options|recommended steps"
    r"|MAX_IMAGE_PIXELS|LOAD_TRUNCATED|https?://",
    re.IGNORECASE,
)


def shown(text: object, most: int | None = MOST) -> str:
    """Text from a file, safe in a message: short, without line breaks and characters that control a terminal.

    Args:
        text: text or path from the file.
        most: largest number of characters; None for all.

    Example:
        >>> shown("os.system"), shown("a\\nb"), len(shown("x" * 10**6))
        ('os.system', 'a\\\\nb', 80)
        >>> print(shown("scan\\x1b[2J.png", most=None))
        scan\\x1b[2J.png
    """
    full = os.fspath(text) if isinstance(text, os.PathLike) else str(text)
    part = full if most is None else full[:most]
    printable = "".join(each if each.isprintable() else repr(each)[1:-1] for each in part)
    if most is None or (len(full) <= most and len(printable) <= most):
        return printable
    return f"{printable[: most - 3]}..."


def named(path: str | os.PathLike[str]) -> str:
    """A path in full, safe in a message.

    Args:
        path: path, which need not exist.

    Example:
        >>> named("scans/a.png"), named("scans/a\\nb.png")
        ('scans/a.png', 'scans/a\\\\nb.png')
    """
    return shown(path, most=None)


def harmless(message: str) -> str:
    """A message of several lines, without characters that control a terminal.

    Args:
        message: text, whose line breaks are kept.

    Example:
        >>> print(harmless("It is\\x1b[31m damaged.\\nCopy it again."))
        It is\\x1b[31m damaged.
        Copy it again.
    """
    return "\n".join(shown(line, most=None) for line in message.split("\n"))


def written(value: object) -> str:
    """Argument of a user, safe in a message: as written in Python, or its type alone.

    Args:
        value: any value. An object is shown by its type, since its own text can be long or hold an address in memory.

    Example:
        >>> written("early"), written([0.5, None]), written(print)
        ("'early'", '[0.5, None]', 'a builtin_function_or_method')
        >>> written([print, 1]), written({"theta": 0.1}), written(int)
        ('[a builtin_function_or_method, 1]', 'a dict', 'the class int')
    """
    if isinstance(value, (list, tuple)):
        return shown(_items(value))
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return "a very large integer"
    if value is None or isinstance(value, (str, bytes, Number)):
        return shown(repr(value))
    if isinstance(value, type):
        return f"the class {shown(value.__name__)}"
    if isinstance(value, os.PathLike):
        return shown(repr(os.fspath(value)))
    name = shown(type(value).__name__)
    return f"{'an' if name[:1].lower() in tuple('aeiou') else 'a'} {name}"


def _items(values: list[object] | tuple[object, ...], depth: int = 2) -> str:
    """A list or tuple to a limited depth, since it could hold itself."""
    first = [
        (_items(item, depth - 1) if depth else "...") if isinstance(item, (list, tuple)) else written(item)
        for item in values[:_MOST_ITEMS]
    ]
    inner = ", ".join(first + ["..."] * (len(values) > _MOST_ITEMS))
    if isinstance(values, list):
        return f"[{inner}]"
    return f"({inner},)" if len(values) == 1 else f"({inner})"


def reason_of(error: BaseException) -> str:
    """Reason of a failure in the words of the library that failed, as a part of a sentence.

    The result is one line without a full stop at its end. It has no control characters, no addresses in memory, and no
    advice to read the file unsafely, such as torch's to load it with ``weights_only=False``.

    Args:
        error: error of any library.

    Example:
        >>> reason_of(RuntimeError("sitk::ERROR: GDCMImageIO(0x55ce4f2a9de0): Cannot read\\n the file."))
        'Cannot read the file'
        >>> reason_of(ValueError("It holds a pickle. Pass allow_pickle=True to load it."))
        'It holds a pickle'
        >>> reason_of(EOFError())
        'EOFError'
    """
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    if code := _REFUSED_CODE.search(text):
        return shown(f"it asks for {code[1]}, and data need no code", MOST_OF_REASON)
    text = text.rpartition("ERROR: ")[2]  # SimpleITK puts the place in its own source first
    text = text.rpartition("WeightsUnpickler error: ")[2]
    text = _ADDRESS.sub("", re.sub(r"\b\w+ ?\(0x[0-9a-fA-F]{6,}\): ?", "", text))
    said = [" ".join(part.split()) for part in _SENTENCE_END.split(text)]
    kept = " ".join(part for part in said if part and not _UNSAFE.search(part)).rstrip(".: ")
    if not kept:
        return "it holds more than plain data" if any(said) else type(error).__name__
    return shown(f"{type(error).__name__}: {kept}" if isinstance(error, LookupError) else kept, MOST_OF_REASON)
