"""One number or record of each image, measured by several workers and kept on disk, so that a stopped audit goes on."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from ...errors import DataError
from ...json_files import parse_json
from ...quoting import written
from ..cases import Case

__all__ = ["Record", "measured", "state_of"]

#: what JSON can hold
Record = dict[str, Any]

#: changes when what is measured changes, so that old records are not read
_VERSION = 1


def measured(
    cases: Sequence[Case],
    measure: Callable[[Case], Record],
    name: str,
    settings: object = None,
    *,
    output_dir: str | os.PathLike[str] | None = None,
    workers: int = 0,
    progress: bool = False,
) -> list[Record]:
    """Measure each image once.

    The records do not depend on the number of workers: each image is measured with one thread.

    Args:
        cases: the images.
        measure: function of a case that gives a record. Of a :class:`~monai_freq.errors.DataError` that it raises, the
            record is the message, under ``fault``.
        name: name of the measurement, in the progress bar and of the file that keeps it.
        settings: everything else that the records depend on, as JSON can hold it.
        output_dir: folder in which records of files are kept, in ``measured/<name>.jsonl``. Those of the same file with
            the same time of change, size and settings are read instead of measured again. Images in memory are not
            kept.
        workers: number of processes that measure; 0 for this one.
        progress: whether to show a progress bar.

    Raises:
        ValueError: the number of workers is no whole number of at least 0.
        OSError: the folder cannot be written to.

    Example:
        >>> from monai_freq.audit.cases import Cases
        >>> cases = Cases.of_arrays(torch.arange(3.0).view(3, 1, 1, 1).expand(3, 1, 4, 4))
        >>> [found["mean"] for found in measured(cases, lambda case: {"mean": float(case.load()[0].mean())}, "Means")]
        [0.0, 1.0, 2.0]
    """
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 0:
        raise ValueError(f"'workers' must be a whole number of at least 0, got {written(workers)}.")
    from tqdm import tqdm

    kept = _Kept(None if output_dir is None else Path(output_dir, "measured", f"{name.lower()}.jsonl"))
    keys = [_key(case, name, settings) for case in cases]
    records = [kept.records.get(key) if key else None for key in keys]
    left = [k for k, record in enumerate(records) if record is None]
    bar = tqdm(
        total=len(cases),
        initial=len(cases) - len(left),
        desc=name,
        unit="image",
        mininterval=0.1 if sys.stderr.isatty() else 15.0,  # a log file gets a line now and then
        disable=not progress,
    )
    with kept.open(), bar:
        for k, record in zip(left, _each([cases[k] for k in left], measure, workers), strict=True):
            records[k] = record
            kept.add(keys[k], record)
            bar.update()
    return [record for record in records if record is not None]


class _Images(Dataset[Record]):
    def __init__(self, cases: Sequence[Case], measure: Callable[[Case], Record]) -> None:
        self.cases, self.measure = cases, measure

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: int) -> Record:
        try:
            return self.measure(self.cases[index])
        except DataError as error:  # as a record, since an error of a worker comes with the worker's own traceback
            return {"fault": str(error)}


def _each(cases: Sequence[Case], measure: Callable[[Case], Record], workers: int) -> Iterator[Record]:
    images = _Images(cases, measure)
    if workers and len(cases) > 1:
        loader: DataLoader[Record] = DataLoader(images, batch_size=None, num_workers=min(workers, len(cases)))
        yield from loader  # in their order; a worker of torch has one thread
        return
    for k in range(len(images)):
        with _one_thread():
            record = images[k]
        yield record


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _key(case: Case, name: str, settings: object) -> str | None:
    """What tells whether a record on disk is that of this image; None if it is not kept."""
    if not isinstance(case.image, str):
        return None
    state = state_of(case.image)
    if state is None:  # whoever loads it says what is wrong
        return None
    known = [_VERSION, name, settings, case.image, case.spacing, *state]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()


def state_of(image: str) -> tuple[int, int] | None:
    """Time of the last change and size of an image's file, or of its folder; None if there is none.

    Args:
        image: path, or ``file#index``.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "image.png")
        >>> _ = file.write_bytes(b"1234")
        >>> state_of(f"{file}#3")[1], state_of("no such file")
        (4, None)
    """
    try:
        found = os.stat(image if os.path.exists(image) else image.rpartition("#")[0])
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


class _Kept:
    """Records in a file with one line for each; a line that was cut off when a run was stopped is measured again."""

    def __init__(self, file: Path | None) -> None:
        self.file, self.records = file, dict[str, Record]()
        self._stream: Any = None
        if file is not None and file.exists():
            for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    key, record = parse_json(line)
                except ValueError:
                    continue
                if isinstance(key, str) and isinstance(record, dict):
                    self.records[key] = record

    @contextmanager
    def open(self) -> Iterator[None]:
        if self.file is None:
            yield
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a", encoding="utf-8") as self._stream:
            if self._stream.tell():
                self._stream.write("\n")  # after a line that may have been cut off
            yield

    def add(self, key: str | None, record: Record) -> None:
        if self._stream and key and "fault" not in record:
            self._stream.write(json.dumps([key, record]) + "\n")
            self._stream.flush()
