"""Where a bundle's data are: the user's folder, or a phantom's that is generated on first use."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ignite import distributed as idist

from .. import phantoms
from ..data.file_kinds import left_out
from ..errors import DataError, UsageError
from ..quoting import named, written

__all__ = ["data_folder", "found_in", "settings_at_fault", "tell"]

_log = logging.getLogger(__name__)


def data_folder(
    dataset_dir: str | os.PathLike[str] | None, phantom: Mapping[str, Any], cache: str | os.PathLike[str], holds: str
) -> Path:
    """Folder of the data set: the user's, or the phantom's.

    Args:
        dataset_dir: folder of the user's data; None for the phantom.
        phantom: ``task``, the phantom's name, and its settings, see :func:`monai_freq.phantoms.write_phantom`; empty
            when there is none.
        cache: folder for phantoms; the environment variable ``MONAI_FREQ_CACHE`` goes before it.
        holds: content of such a folder, for messages.

    Raises:
        DataError: there is no such phantom, or none at all and no folder is given.

    Example:
        >>> import tempfile
        >>> phantom = {"task": "hippocampus", "cases": 1, "test_cases": 0, "size": [16, 16, 16], "seed": 0}
        >>> folder = data_folder(None, phantom, tempfile.mkdtemp(), holds="dataset.json")
        >>> folder.name, [path.name for path in folder.glob("imagesTr/*")]
        ('Task04_Hippocampus', ['hippocampus_001.nii.gz'])
    """
    if dataset_dir is not None:
        return Path(dataset_dir).expanduser()
    if not phantom:
        raise DataError(f"There is no phantom for this bundle.\nPass --dataset_dir <folder with {holds}>.")
    settings = dict(phantom)
    task = settings.pop("task")
    if task not in phantoms.TASKS:
        known = ", ".join(sorted(phantoms.TASKS))
        raise DataError(f"There is no phantom {written(task)}.\nChoose --phantom#task from {known}.")
    _require_size(phantoms.TASKS[task].defaults["size"], settings.get("size"))
    key = "_".join(_named(value) for value in settings.values())
    root = Path(os.environ.get("MONAI_FREQ_CACHE") or cache) / f"{task}_{key}"
    folder = phantoms.write_phantom(task, root, **settings)
    tell(f"These are generated phantoms ({named(folder)}). For real data: --dataset_dir <folder with {holds}>")
    return folder


def _named(value: object, between: str = "x") -> str:
    """Value of a setting in a folder's name: ``56x56x40``, and ``32-44x56x28-46`` with ranges."""
    if isinstance(value, (list, tuple)):
        return between.join(_named(part, "-") for part in value)
    return str(value)


def _require_size(default: object, size: object) -> None:
    if size is not None and isinstance(default, tuple) and not isinstance(size, (list, tuple)):
        raise DataError(f"The phantom's size must be a list, got {written(size)}.\nAs in --phantom#size [64,64,32]")
    if size is not None and isinstance(default, int) and not isinstance(size, int):
        raise DataError(f"The phantom's size must be one number, got {written(size)}.\nAs in --phantom#size 128")


def found_in(input_dir: str, is_wanted: Callable[[Path], bool], kind: str, wanted: str) -> list[Path]:
    """Files of a folder for an inference, in the order of their names; what else is there is counted in the log.

    Args:
        input_dir: folder with the user's images.
        is_wanted: test of an entry of the folder.
        kind: name of such a file, for messages.
        wanted: name of a folder with such files, for messages.

    Raises:
        DataError: there is no such folder, or no such file in it.

    Example:
        >>> import tempfile
        >>> found_in(tempfile.mkdtemp(), Path.is_file, "scan", "a folder with scans")
        Traceback (most recent call last):
        ...
        monai_freq.errors.DataError: ... holds no scan.
        Pass --input_dir <a folder with scans>.
    """
    folder = Path(input_dir).expanduser().resolve()
    if not folder.is_dir():
        raise DataError(f"There is no folder {named(folder)}.\nPass --input_dir <{wanted}>.")
    entries = sorted(folder.iterdir())
    found = [entry for entry in entries if is_wanted(entry)]
    others = left_out(set(entries) - set(found), f"no {kind}")
    if not found:
        also = f" {others}." if others else ""
        raise DataError(f"{named(folder)} holds no {kind}.{also}\nPass --input_dir <{wanted}>.")
    if others:
        tell(f"{others}.")
    return found


@contextmanager
def settings_at_fault() -> Iterator[None]:
    """Turn a function's error about an argument into that of a setting, which the user can put right.

    Raises:
        UsageError: the block raised a :class:`ValueError`.

    Example:
        >>> with settings_at_fault():
        ...     raise ValueError("'fold' must be in [0, 4], got 5.")
        Traceback (most recent call last):
        ...
        monai_freq.errors.UsageError: 'fold' must be in [0, 4], got 5.
    """
    try:
        yield
    except UsageError:
        raise
    except ValueError as error:
        raise UsageError(str(error)) from error


def tell(message: str, level: int = logging.INFO) -> None:
    """Log once, not once a process.

    Args:
        message: text in one line.
        level: level of ``logging``.

    Example:
        >>> from unittest import TestCase
        >>> with TestCase().assertLogs("monai_freq") as log:
        ...     tell("16 training cases.")
        >>> log.output
        ['INFO:monai_freq.bundle.data_folder:16 training cases.']
    """
    if idist.get_rank() == 0:
        _log.log(level, named(message))
