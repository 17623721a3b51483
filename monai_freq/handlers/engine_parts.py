"""What several handlers ask of an engine's parts and of their own arguments."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from torch import distributed, nn

from ..quoting import written

__all__ = ["bare", "check_tag", "folder_of", "is_first_process", "positive"]


def bare(item: Any) -> Any:
    """Network without its parallel or compiled wrapper: plain names, and a call waits for no other process.

    Args:
        item: network, or anything else, which is returned as it is.

    Example:
        >>> network = nn.Linear(2, 1)
        >>> bare(nn.DataParallel(network)) is network
        True
    """
    if isinstance(item, (nn.parallel.DistributedDataParallel, nn.DataParallel)):
        return bare(item.module)
    return bare(item._orig_mod) if hasattr(item, "_orig_mod") else item  # torch.compile's


def positive(name: str, value: int) -> int:
    """Value of an argument that has to be a positive integer.

    Args:
        name: name of the argument.
        value: value that was given.

    Raises:
        ValueError: it is not.

    Example:
        >>> positive("interval", 0)
        Traceback (most recent call last):
        ValueError: 'interval' must be a positive integer, got 0.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"'{name}' must be a positive integer, got {written(value)}.")
    return value


def folder_of(name: str, value: str | os.PathLike[str]) -> Path:
    """Path of an argument that has to be a folder, there or not.

    Args:
        name: name of the argument.
        value: value that was given.

    Raises:
        TypeError: it is no path: text of it would be a folder, called ``None`` for example.

    Example:
        >>> folder_of("log_dir", None)
        Traceback (most recent call last):
        TypeError: 'log_dir' must be the path of a folder, got None.
    """
    if not isinstance(value, (str, os.PathLike)):
        raise TypeError(f"'{name}' must be the path of a folder, got {written(value)}.")
    return Path(value)


def check_tag(tag: str) -> None:
    """Refuse a tag that would name a file outside its folder, or none.

    Args:
        tag: name of a file, without its ending.

    Raises:
        ValueError: it is no such name.

    Example:
        >>> check_tag("../psd")
        Traceback (most recent call last):
        ValueError: 'tag' must name a file within the folder, as "psd" or "train/psd", got '../psd'.
    """
    parts = re.split(r"[/\\]", tag) if isinstance(tag, str) and tag.isprintable() else [""]
    if any(part.strip() in ("", ".", "..") or part[1:2] == ":" for part in parts):
        raise ValueError(f'\'tag\' must name a file within the folder, as "psd" or "train/psd", got {written(tag)}.')


def is_first_process() -> bool:
    """Whether this process is the first of those of ``torch.distributed``, or the only one.

    Example:
        >>> is_first_process()
        True
    """
    return not (distributed.is_available() and distributed.is_initialized()) or distributed.get_rank() == 0
