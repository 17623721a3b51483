"""The 2D images of an inference: a folder of pictures and volumes, or the test samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..data import DataError, check_images, slice_address
from ..data.images import count_slices
from .classification import Samples

__all__ = ["list_slices"]

_PICTURES = (".png", ".jpg", ".jpeg")
_VOLUMES = (".hdf5", ".pck", ".nii")


def list_slices(input_dir: str | None, samples: Callable[[], Samples]) -> list[dict[str, Any]]:
    """List the images of a folder, every slice of its volumes, or the test samples without their labels.

    Args:
        input_dir: folder with ``.png`` or ``.jpg`` pictures, or ``.hdf5``, ``.pck`` or ``.nii`` volumes; None for the
            test samples of the bundle's data set.
        samples: called for these.

    Returns:
        ``{"image": address, "sample": name}`` of each.

    Raises:
        SystemExit: there is no such folder or no image in it, or one cannot be read.

    Example:
        >>> list_slices("no_such_folder", lambda: Samples([], [], []))
        Traceback (most recent call last):
        SystemExit: There is no folder no_such_folder.
        Pass --input_dir <a folder with pictures (.png, .jpg) or volumes (.hdf5, .pck, .nii)>.
    """
    try:
        images = _of_tests(samples().test) if input_dir is None else _in_folder(Path(input_dir).expanduser())
        check_images(images)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    return images


def _of_tests(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each image once, as it is."""
    clean = [item for item in items if item.get("condition", "clean") == "clean"]
    return [{"image": item["image"], "sample": item["sample"]} for item in clean]


def _in_folder(folder: Path) -> list[dict[str, Any]]:
    kinds = f"pictures ({', '.join(_PICTURES[:2])}) or volumes ({', '.join(_VOLUMES)})"
    if not folder.is_dir():
        raise DataError(f"There is no folder {folder}.\nPass --input_dir <a folder with {kinds}>.")
    files = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    pictures = [str(path) for path in files if path.suffix.lower() in _PICTURES]
    slices = [
        slice_address(path, index)
        for path in files
        if path.suffix.lower() in _VOLUMES
        for index in range(count_slices(path))
    ]
    if not pictures and not slices:
        raise DataError(f"{folder} holds no images.\nPass --input_dir <a folder with {kinds}>.")
    return [{"image": address, "sample": Path(address).name} for address in (*pictures, *slices)]
