"""RadImageNet: radiological pictures, listed in three tables."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..quoting import named, shown
from .same_images import RealFiles
from .tables import Row, plain_name, read_rows

__all__ = ["read_radimagenet"]

PARTS = ("train", "val", "test")
COLUMNS = ("filename", "label")
MOST_CLASSES = 165

_log = logging.getLogger(__name__)


def read_radimagenet(
    dataset_dir: str | os.PathLike[str], *, classes: Sequence[str] | None = None
) -> dict[str, list[dict[str, Any]]]:
    r"""List the pictures of ``RadiologyAI_{train,val,test}.csv``, each table with ``filename`` and ``label``.

    The labels are 0, 1, ... in the order of ``classes``: by default those of the training table, sorted (by number if
    all are numbers). The pictures must be there but are not opened: :func:`monai_freq.data.check_images` does that.

    Args:
        dataset_dir: the folder with the tables, to which their paths, ``radiology_ai/...``, are relative.
        classes: the classes that there may be, at most 165, in the order of their labels.

    Returns:
        Part ("train", "val", "test") -> ``{"image": path, "label": label, "name": class}`` per line of its table.

    Raises:
        ValueError: ``classes`` has more than 165 entries, or one twice, in letters of either case.
        DataError: a table is missing or faulty, has a label outside ``classes``, two that differ in case alone or more
            than 165, or lists a picture that is missing, outside the folder or listed before, under whatever path, in
            this or another table.

    Reference:
        X. Mei et al., RadImageNet: an open radiologic deep learning research dataset for effective transfer learning,
        Radiology: Artificial Intelligence 4 (2022), doi:10.1148/ryai.210315.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> for part in ("train", "val", "test"):
        ...     (root / f"{part}.png").touch()
        ...     _ = (root / f"RadiologyAI_{part}.csv").write_text(f"filename,label\n{part}.png,cyst\n")
        >>> read_radimagenet(root)["val"][0] | {"image": "val.png"}
        {'image': 'val.png', 'label': 0, 'name': 'cyst'}
    """
    if classes is not None and (len(classes) > MOST_CLASSES or len({*map(plain_name, classes)}) < len(classes)):
        raise ValueError(f"'classes' must be at most {MOST_CLASSES} different names, got {len(classes)}.")
    root = Path(os.path.abspath(Path(dataset_dir).expanduser()))
    tables = {part: root / f"RadiologyAI_{part}.csv" for part in PARTS}
    order = list(classes) if classes is not None else _classes(tables["train"])
    labels = {name: label for label, name in enumerate(order)}
    pictures = _Pictures(root)
    items = {part: [_item(row, labels, pictures) for row in read_rows(tables[part], COLUMNS)] for part in PARTS}
    pictures.tell_unlisted()
    return items


def _classes(table: Path) -> list[str]:
    names = {row.text("label") for row in read_rows(table, COLUMNS)}
    if not 1 <= len(names) <= MOST_CLASSES:
        raise DataError(
            f"{table} has {len(names)} different labels, RadImageNet {MOST_CLASSES}.\n"
            "Correct the table, or name the classes by 'classes'."
        )
    alike: dict[str, str] = {}
    for name in sorted(names):
        if (other := alike.setdefault(plain_name(name), name)) != name:
            raise DataError(
                f"{named(table)} has the labels {shown(other)!r} and {shown(name)!r}, alike but for their case.\n"
                "Correct the table: two classes need two names."
            )
    numbers = all(name.isascii() and name.isdecimal() and len(name) < 20 for name in names)
    return sorted(names, key=(lambda name: (int(name), name)) if numbers else None)


def _item(row: Row, labels: dict[str, int], pictures: _Pictures) -> dict[str, Any]:
    name = row.text("label")
    if name not in labels:
        raise row.fault("label", f"must be one of the {len(labels)} classes of the training table or of 'classes'")
    return {"image": pictures.take(row), "label": labels[name], "name": name}


class _Pictures:
    """The files below a folder, each to be taken once; its folders are listed once, as a look-up per file is slow."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.real = RealFiles()
        self.folders: dict[str, dict[str, bool]] = {}  # names in each -> whether they are links
        self.taken = 0

    def take(self, row: Row) -> str:
        path = row.path("filename", self.root)
        folder, name = os.path.split(path)
        if folder not in self.folders:
            self.folders[folder] = _links(folder)
        if name not in self.folders[folder]:
            raise row.fault("filename", f"must be a file in {self.root}", "It is missing: unpack the archive again.")
        if earlier := self.real.earlier(path, row, is_link=self.folders[folder][name]):
            where = f"line {earlier.line} of {earlier.file.name}"
            raise row.fault("filename", f"must not be listed again: it is in {where}")
        self.taken += 1
        return path

    def tell_unlisted(self) -> None:
        """Say how many pictures lie beside listed ones and are in no table."""
        there = sum(not name.startswith(".") for names in self.folders.values() for name in names)
        if there > self.taken:
            _log.info(f"{there - self.taken} files beside the listed ones in {self.root} are in no table: not used.")


def _links(folder: str) -> dict[str, bool]:
    if not os.path.isdir(folder):
        return {}
    with os.scandir(folder) as entries:
        return {entry.name: entry.is_symlink() for entry in entries if not entry.is_dir(follow_symlinks=False)}
