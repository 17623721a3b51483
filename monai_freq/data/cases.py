"""Open every volume once before training, so that a broken file is named now and not in the middle of an epoch."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..quoting import named
from .dicom_headers import require_pydicom
from .file_kinds import left_out
from .nifti import open_nifti, places_voxels
from .refusals import refuse_first, refusing

__all__ = ["check_cases"]

AFFINE_TOLERANCE = 1e-3
SHOWN = 5  # unknown values in a message

_log = logging.getLogger(__name__)


def check_cases(
    cases: Sequence[Mapping[str, str]],
    labels: Collection[int],
    *,
    channels: int | None = None,
    num_workers: int | None = None,
) -> None:
    """Read all images and labels in full and refuse the first faulty one.

    An image is a NIfTI file, or the folder of a DICOM series, whose other entries are named in the log. It must be 3D,
    or 4D with channels last, and finite, and its affine invertible. Its label, a NIfTI file, must have the same
    spatial shape (an axis of 1 may follow) and affine, and hold exactly the integers in ``labels``, no others.

    Args:
        cases: cases, ``{"image": path, "label": path}`` each; of a case without ``"label"``, the image is checked.
        labels: label values that are allowed, e.g. ``Decathlon.labels``.
        channels: number of channels of every image, one for a 3D image; any number by default.
        num_workers: number of threads (default: up to 4). Each holds one volume at a time.

    Raises:
        ValueError: ``num_workers`` is less than 1.
        DataError: a file is faulty. It names the first in the order of ``cases`` and counts the others.

    Example:
        >>> import nibabel, tempfile
        >>> folder = tempfile.mkdtemp()
        >>> for name, values in (("image", np.eye(8)), ("label", 2 * np.eye(8))):
        ...     nibabel.save(nibabel.Nifti1Image(values[None].astype("i2"), np.eye(4)), f"{folder}/{name}.nii")
        >>> case = {"image": f"{folder}/image.nii", "label": f"{folder}/label.nii"}
        >>> check_cases([case], {0, 1, 2})
        >>> check_cases([case], {0, 1})
        Traceback (most recent call last):
        ...
        monai_freq.errors.DataError: .../label.nii holds the label values 2, which dataset.json does not list ...
    """

    def look(case: Mapping[str, str]) -> tuple[Path, ...]:
        shape, affine, beside = _check_image(case["image"], channels)
        if "label" in case:
            _check_label(case["label"], labels, shape, affine)
        return beside

    found = refuse_first(look, cases, "cases", num_workers)
    if unused := [left_out(beside, "no slice of its series") for beside in found if beside]:
        more = f"; so are some of {len(unused) - 1} more folders" if len(unused) > 1 else ""
        _log.info(f"{unused[0]}{more}.")


def _check_image(path: str, channels: int | None) -> tuple[tuple[int, ...], NDArray[Any], tuple[Path, ...]]:
    """Shape and affine, and what lies in the folder of a series besides."""
    voxels, affine, beside = _read_series(path) if os.path.isdir(path) else (*_read(path), ())
    if voxels.ndim not in (3, 4):
        wanted = "one channel" if channels == 1 else "channels"
        raise DataError(
            f"{_short(path)} must be 3D, or 4D with {wanted} last, but has the shape {voxels.shape}.\n"
            f"{_remedy(voxels.shape)}"
        )
    if not places_voxels(affine):
        raise DataError(
            f"{_short(path)} has an affine that places no voxels: it is singular, NaN or infinite.\n"
            "Correct its header, or convert the volume again."
        )
    found = voxels.shape[3] if voxels.ndim == 4 else 1
    if channels is not None and found != channels:
        raise DataError(f"{_short(path)} has {found} channels, {channels} expected. Export the channel that is meant.")
    if not np.isfinite(voxels).all():
        raise DataError(f"{_short(path)} holds NaN or infinite voxels. Replace them or leave the case out.")
    return voxels.shape[:3], affine, beside


def _remedy(shape: tuple[int, ...]) -> str:
    if len(shape) < 3:
        return "Give it an axis of slices: nibabel.Nifti1Image(image.get_fdata()[..., None], image.affine)."
    if all(size == 1 for size in shape[3:]):
        return "Drop its axes of 1: nibabel.squeeze_image(image)."
    return "Save the one volume that is meant: image.slicer[..., 0], once for each axis after the third."


def _check_label(path: str, labels: Collection[int], shape: tuple[int, ...], affine: NDArray[Any]) -> None:
    voxels, own_affine = _read(path)
    if voxels.shape[:3] != shape or not np.allclose(own_affine, affine, atol=AFFINE_TOLERANCE):
        _refuse_turned(path, voxels.shape[:3], own_affine, shape, affine)
    if voxels.shape not in (shape, (*shape, 1)):
        raise DataError(f"{_short(path)} has the shape {voxels.shape}, its image {shape}. Export them on one grid.")
    if not np.allclose(own_affine, affine, atol=AFFINE_TOLERANCE):
        difference = np.abs(own_affine - affine).max()
        raise DataError(
            f"{_short(path)} has another affine than its image (they differ by up to {difference:.3g}). "
            "Resample the label onto the image's grid."
        )
    _check_values(path, voxels, labels)


def _refuse_turned(
    path: str, own_shape: tuple[int, ...], own_affine: NDArray[Any], shape: tuple[int, ...], affine: NDArray[Any]
) -> None:
    """Tell a label on the image's own voxels, stored in another order, as converters of DICOM leave it."""
    import nibabel

    if len(own_shape) != 3 or not places_voxels(own_affine):
        return
    orientations: Any = nibabel.orientations
    turn = orientations.ornt_transform(*map(orientations.io_orientation, (own_affine, affine)))
    turned = own_affine @ orientations.inv_ornt_aff(turn, own_shape)
    same = tuple(np.take(shape, turn[:, 0].astype(int))) == own_shape
    if not same or not np.allclose(turned, affine, atol=AFFINE_TOLERANCE):
        return
    axes = "".join(orientations.aff2axcodes(affine))
    raise DataError(
        f"{_short(path)} lies on the voxels of its image, but stores them along other axes.\n"
        f"Store it along {axes}, as monai.transforms.Orientation('{axes}') does."
    )


def _check_values(path: str, voxels: NDArray[Any], labels: Collection[int]) -> None:
    known = np.zeros(voxels.shape, dtype=bool)
    for value in labels:  # one pass per value: np.isin and np.unique would sort the whole volume
        known |= voxels == value
    unknown = np.unique(voxels[~known])
    allowed = ", ".join(str(value) for value in sorted(labels))
    broken = unknown[np.isfinite(unknown) & (unknown != np.round(unknown))]
    if broken.size:  # not rounded here: the bundles' cast to uint8 truncates, 0.9999 would be background
        raise DataError(
            f"{_short(path)} holds the label values {_listed(broken)}, not whole numbers ({allowed} expected). "
            "Round them; if the label was interpolated, resample it again, with the nearest neighbour."
        )
    if unknown.size:
        raise DataError(
            f"{_short(path)} holds the label values {_listed(unknown)}, which dataset.json does not list ({allowed}). "
            "Correct the label or add them to dataset.json."
        )


def _listed(values: NDArray[Any]) -> str:
    every_digit = [str(value).removesuffix(".0") for value in values[:SHOWN]]
    return ", ".join(every_digit) + (", ..." if values.size > SHOWN else "")


def _read(path: str) -> tuple[NDArray[Any], NDArray[Any]]:
    with refusing(_short(path), "Is it a complete NIfTI file? Copy or unpack it again."):
        volume = open_nifti(path)
        _check_type(path, volume.dataobj.dtype)
        # The header alone reads well in a truncated file: only the voxels tell.
        return np.asanyarray(volume.dataobj), np.asarray(volume.affine)


def _read_series(folder: str) -> tuple[NDArray[Any], NDArray[Any], tuple[Path, ...]]:
    require_pydicom(folder)
    from .series_reader import SeriesReader

    reader = SeriesReader()
    with refusing(folder, "Copy it again, or convert it to NIfTI."):
        voxels, meta = reader.get_data(reader.read(folder))
        return np.asarray(voxels), np.asarray(meta["affine"]), reader.series.others


def _check_type(path: str, stored: np.dtype[Any]) -> None:
    if stored.kind not in "iuf":
        name = "".join(stored.names) if stored.names else str(stored)
        raise DataError(
            f"{_short(path)} holds voxels of the type {name}, which are not real numbers. "
            "Export one channel, or the magnitude, as integers or floats."
        )


def _short(path: str) -> str:
    return named("/".join(Path(path).parts[-2:]))
