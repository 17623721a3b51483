"""ImageNet: a folder of pictures for each class."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..quoting import named
from .file_kinds import left_out
from .same_images import RealFiles
from .wordnet import superclass_labels

__all__ = ["read_imagenet"]

SUFFIXES = (".jpeg", ".jpg", ".png", ".tif", ".tiff")
_log = logging.getLogger(__name__)


def read_imagenet(
    dataset_dir: str | os.PathLike[str],
    hierarchy: str | os.PathLike[str] | None = None,
    *,
    classes: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """List the pictures of a folder with one folder for each class, named by its WordNet ID.

    The labels are 0, 1, ... in the order of the IDs, or, with ``hierarchy``, the three superclasses *living thing* (0),
    *artifact* (1) and *miscellaneous* (2) of :func:`monai_freq.data.superclass_labels`. The pictures are not opened
    here: :func:`monai_freq.data.check_images` does that.

    Args:
        dataset_dir: the folder with the classes' folders, e.g. ``ILSVRC/Data/CLS-LOC/train``.
        hierarchy: path of ``wordnet.is_a.txt``, to merge the classes into three.
        classes: the WordNet IDs that there may be, in the order of their labels; by default those found. To be given
            for a validation folder that lacks some of the training folder's.

    Returns:
        ``{"image": path, "label": label, "wnid": WordNet ID}`` per picture, sorted by path.

    Raises:
        ValueError: ``classes`` has one twice.
        DataError: a folder is missing, empty, or not of ``classes``; a picture is there twice, by a link; or the
            hierarchy does not know a class.

    Reference:
        J. Deng et al., ImageNet: a large-scale hierarchical image database, CVPR (2009),
        doi:10.1109/CVPR.2009.5206848.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> for wnid in ("n01440764", "n01443537"):
        ...     (root / wnid).mkdir()
        ...     (root / wnid / f"{wnid}_1.JPEG").touch()
        >>> [(Path(item["image"]).name, item["label"]) for item in read_imagenet(root)]
        [('n01440764_1.JPEG', 0), ('n01443537_1.JPEG', 1)]
    """
    if classes is not None and len(set(classes)) < len(classes):
        raise ValueError(f"'classes' must be different WordNet IDs, got {len(classes) - len(set(classes))} twice.")
    root = Path(os.path.abspath(Path(dataset_dir).expanduser()))
    found = _classes(root)
    order = list(found) if classes is None else list(classes)
    unknown = [wnid for wnid in found if wnid not in set(order)]
    if unknown:
        raise DataError(f"The class {root / unknown[0]} is not among the {len(order)} of 'classes'.\nRemove or add it.")
    labels = superclass_labels(found, hierarchy) if hierarchy else {wnid: i for i, wnid in enumerate(order)}
    real = RealFiles()
    return [
        {"image": path, "label": labels[wnid], "wnid": wnid} for wnid in found for path in _pictures(root / wnid, real)
    ]


def _classes(root: Path) -> list[str]:
    wanted = "Let it name the folder that holds a folder for each class, such as n01440764."
    if not root.is_dir():
        raise DataError(f"The folder {named(root)} does not exist.\n{wanted}")
    found = _class_folders(root)
    if not found:
        below = [entry for entry in sorted(root.iterdir()) if entry.is_dir() and _class_folders(entry)]
        hint = f" Did you mean {below[0]}?" if below else ""
        raise DataError(f"The folder {named(root)} holds no class.\n{wanted}{hint}")
    return found


def _class_folders(root: Path) -> list[str]:
    with os.scandir(root) as entries:
        return sorted(entry.name for entry in entries if re.fullmatch(r"n[0-9]{8}", entry.name) and entry.is_dir())


def _pictures(folder: Path, real: RealFiles) -> Iterator[str]:
    """Each picture once: sets are often made of links, and two may lead to one file."""
    with os.scandir(folder) as entries:
        links = {entry.name: None if entry.is_dir() else entry.is_symlink() for entry in entries}
    files = (name for name, is_link in links.items() if is_link is not None and not name.startswith("."))
    found = sorted(name for name in files if name.lower().endswith(SUFFIXES))
    if others := left_out((folder / name for name in set(links) - set(found)), "no picture by name"):
        _log.info(f"{others}.")
    if not found:
        raise DataError(
            f"The folder {named(folder)} holds no picture ({', '.join(SUFFIXES)}).\nUnpack it again or remove it."
        )
    for name in found:
        path = f"{folder}{os.sep}{name}"
        if (other := real.earlier(path, path, bool(links[name]))) is not None:
            raise DataError(f"{named(other)} and {named(path)} are one file, by a link.\nRemove one of them.")
        yield path
