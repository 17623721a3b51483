"""Which item an error or a warning is about: its key, and its file where that is known."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
from monai.data import MetaTensor
from torch import Tensor

from ..errors import DataError
from ..quoting import shown
from .image import source_of

__all__ = ["OncePerItem", "fingerprint", "naming"]

#: of the item that is being transformed: what to call it
_called: ContextVar[str] = ContextVar("called", default="")

_SHOWN = 3  # entries of an item without a file
_SLOTS = 1 << 16


@contextmanager
def naming(key: Hashable, img: object, item: Mapping[Any, Any] | None = None) -> Iterator[None]:
    """Errors and warnings within the block get the key of the image, and its file where that is known.

    Args:
        key: key of the image.
        img: image that the message is about.
        item: item that the image is part of; its numbers and words name it in a warning where no file does.

    Example:
        >>> with naming("t1", None):
        ...     raise ValueError("the image is empty.")
        Traceback (most recent call last):
        ValueError: the image is empty. (key 't1')
    """
    source = source_of(img)
    called = f"key '{shown(key)}'"
    token = _called.set(f"{called}{source or _entries(item, key)}")
    try:
        yield
    except DataError:  # which names its file
        raise
    except ValueError as error:
        raise ValueError(f"{error} ({called}{source})") from error
    finally:
        _called.reset(token)


class OncePerItem:
    """Warnings about items, one for each, however often, in whichever epoch and by whichever worker it is read.

    An item is known by its file, or else by the content of its image. Workers of a loader share what was said, in
    64 kB of memory; of a thousand items, one may not be named as its place there is taken. Two that read the same item
    at the same moment may both say it.

    Example:
        >>> once, image = OncePerItem(), torch.ones(1, 2, 2)
        >>> with warnings.catch_warnings(record=True) as heard:
        ...     warnings.simplefilter("always")
        ...     for _ in range(2):
        ...         with naming("t1", image, {"t1": image, "id": 7}):
        ...             once.warn("it is dark.", image)
        >>> [str(warning.message) for warning in heard]
        ["it is dark. (key 't1', of the item with id=7)"]
    """

    def __init__(self) -> None:
        self._said = torch.zeros(_SLOTS, dtype=torch.bool)
        with suppress(OSError, RuntimeError):  # without shared memory, each worker says it for itself
            self._said.share_memory_()  # type: ignore[no-untyped-call]

    def warn(self, message: str, img: object) -> None:
        """Warn of an image.

        Args:
            message: text of the warning, a sentence or two.
            img: image that the message is about.
        """
        source = source_of(img)
        called = _called.get() or source.removeprefix(", ")
        digest = hashlib.sha256(f"{called} {source or fingerprint(img)}".encode()).digest()
        places = [int.from_bytes(digest[:4], "big") % _SLOTS, int.from_bytes(digest[4:8], "big") % _SLOTS]
        if bool(self._said[places].all()):
            return
        self._said[places] = True
        warnings.warn(f"{message} ({called})" if called else message, stacklevel=2)


def fingerprint(img: object) -> str:
    """Hash of what an image holds.

    Args:
        img: tensor or array.

    Example:
        >>> fingerprint(torch.zeros(2)) == fingerprint(np.zeros(2, "float32"))
        True
    """
    if isinstance(img, Tensor):
        bare = img.as_tensor() if isinstance(img, MetaTensor) else img
        content = bare.detach().cpu().resolve_neg().contiguous().flatten().view(torch.uint8).numpy().tobytes()
    else:
        content = np.ascontiguousarray(img).tobytes()
    return hashlib.sha256(content).hexdigest()


def _entries(item: Mapping[Hashable, Any] | None, key: Hashable) -> str:
    """Short entries of an item, which may tell it from others."""
    short = [(name, value) for name, value in (item or {}).items() if name != key and _is_short(value)]
    told = [
        f"{shown(name)}={value!r:.60}" if isinstance(value, str) else f"{shown(name)}={value}" for name, value in short
    ]
    return f", of the item with {', '.join(told[:_SHOWN])}" if told else ""


def _is_short(value: object) -> bool:
    return isinstance(value, (str, int, float, np.number)) and not isinstance(value, bool)
