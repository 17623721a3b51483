"""Images and labels of a folder: which of them are listed, and whether the names of a pair go together."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..quoting import shown
from .nifti import case_name, is_nifti_name

__all__ = ["crossed_pair", "describe_unlike", "describe_unlisted", "find_unlisted"]

PARTS = ("imagesTr", "labelsTr", "imagesTs")
SHOWN = 3  # names in a message

Case = Mapping[str, str]


def find_unlisted(root: Path, listed: Sequence[str]) -> tuple[str, ...]:
    """Find the files that lie beside listed ones, or in the Decathlon's folders, and are not listed.

    Hidden files, macOS's ``._*`` companions among them, do not count; in ``root`` itself, NIfTI files alone do.

    Args:
        root: the folder with ``dataset.json``.
        listed: absolute paths of all images and labels.

    Returns:
        Absolute paths, sorted.

    Example:
        >>> import tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> (root / "imagesTr").mkdir()
        >>> for name in ("a.nii", "b.nii", "._a.nii"):
        ...     (root / "imagesTr" / name).touch()
        >>> [Path(path).name for path in find_unlisted(root, [f"{root}/imagesTr/a.nii"])]
        ['b.nii']
    """
    known = set(listed)
    folders = {os.path.dirname(path) for path in listed} | {str(root / part) for part in PARTS}
    found = []
    for folder in filter(os.path.isdir, folders):
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_file()]
        if Path(folder) == root:
            names = [name for name in names if is_nifti_name(name)]
        found += [path for name in names if (path := os.path.join(folder, name)) not in known]
    return tuple(sorted(found))


def describe_unlisted(unlisted: Sequence[str], root: Path) -> str | None:
    """Say how many files of each folder are not listed, and name some.

    Args:
        unlisted: See :func:`find_unlisted`.
        root: the folder with ``dataset.json``.

    Example:
        >>> describe_unlisted(["/data/heart/imagesTr/la_1.nii", "/data/heart/labelsTr/la_2.nii"], Path("/data/heart"))
        '/data/heart/dataset.json does not list 1 file of imagesTr (la_1.nii), 1 file of labelsTr (la_2.nii): not used.'
    """
    if not unlisted:
        return None
    by_folder: dict[str, list[str]] = defaultdict(list)
    for path in unlisted:
        folder, name = os.path.split(os.path.relpath(path, root))
        by_folder[folder or "the folder itself"].append(name)
    parts = [
        f"{len(names)} {'file' if len(names) == 1 else 'files'} of {shown(folder)} ({_some(names)})"
        for folder, names in sorted(by_folder.items())
    ]
    return f"{root / 'dataset.json'} does not list {', '.join(parts)}: not used."


def describe_unlike(cases: Sequence[Case], root: Path) -> str | None:
    """Say how many pairs of an image and a label have names that do not go together, and name the first.

    Names go together that are equal, but for an ending set off as in ``la_003_0000`` and ``la_003-seg``.

    Args:
        cases: ``{"image": path, "label": path}`` each.
        root: the folder that both are in.

    Example:
        >>> describe_unlike([{"image": "/d/imagesTr/a.nii", "label": "/d/labelsTr/x.nii"}], Path("/d"))
        'The names of 1 of 1 pairs differ, as imagesTr/a.nii and labelsTr/x.nii do: is each label that of its image?'
    """
    unlike = [case for case in cases if not _go_together(case_name(case["image"]), case_name(case["label"]))]
    if not unlike:
        return None
    image, label = (shown(os.path.relpath(unlike[0][part], root)) for part in ("image", "label"))
    differ = f"The names of {len(unlike)} of {len(cases)} pairs differ, as {image} and {label} do"
    return f"{differ}: is each label that of its image?"


def crossed_pair(cases: Sequence[Case], images: Sequence[str]) -> Case | None:
    """Find the first image that is paired with a label of the name of another image.

    Args:
        cases: ``{"image": path, "label": path}`` each.
        images: paths of all images, those without labels too.

    Example:
        >>> pairs = [{"image": "imagesTr/a.nii", "label": "labelsTr/b.nii"}]
        >>> crossed_pair(pairs, ["imagesTr/a.nii", "imagesTr/b.nii"]) == pairs[0]
        True
    """
    names = {case_name(image) for image in images}
    return next((case for case in cases if case_name(case["image"]) != case_name(case["label"]) in names), None)


def _go_together(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return long.startswith(short) and not long[len(short) : len(short) + 1].isalnum()


def _some(names: Sequence[str]) -> str:
    listed = ", ".join(shown(name) for name in names[:SHOWN])
    return listed + (", ..." if len(names) > SHOWN else "")
