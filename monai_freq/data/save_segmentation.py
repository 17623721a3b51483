"""The last transform of a segmentation: class numbers in a file that lies exactly on its image, NIfTI or DICOM SEG."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import MapTransform
from monai.utils import TransformBackends
from numpy.typing import NDArray

from ..errors import DataError
from ..files import replacing
from ..spectral.scalars import check_choice
from .dicom_seg import require_source, write_dicom_seg
from .dicom_series import read_series
from .nifti import case_name

__all__ = ["FORMATS", "SaveSegmentationd", "require_writable"]

FORMATS = ("nifti", "dicom_seg")

#: where a NIfTI header says where its voxels are
GEOMETRY: tuple[str, ...] = (
    *("pixdim", "xyzt_units", "qform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y"),
    *("qoffset_z", "sform_code", "srow_x", "srow_y", "srow_z"),
)


def require_writable(image: str | os.PathLike[str], output_format: str) -> None:
    """Refuse, before a run, an image whose segmentation could not be saved.

    Args:
        image: path of the image, a NIfTI file or the folder of a DICOM series.
        output_format: format of its segmentation, see :class:`SaveSegmentationd`.

    Raises:
        ValueError: there is no such format.
        DataError: the image cannot get one of this format, or an extra is missing.

    Example:
        >>> require_writable("la_003.nii.gz", "nifti")
        >>> require_writable("la_003.nii.gz", "nrrd")
        Traceback (most recent call last):
        ValueError: 'output_format' must be one of nifti, dicom_seg, got 'nrrd'.
    """
    check_choice("output_format", output_format, FORMATS)
    if output_format == "dicom_seg":
        require_source(image)


class SaveSegmentationd(MapTransform):
    """Write class numbers with the shape, the affine and the orientation codes of the image that they belong to.

    MONAI's ``SaveImage`` drops an axis of one voxel, and cannot write an image of shape (x, y, z, 1) or of one slice
    whose axes were turned. Here the geometry is copied, field by field, from the file of the image, so that any
    viewer lays the one over the other. Nothing else of its header, such as a name, is copied. The geometry of a DICOM
    series is that of the positions of its slices; a DICOM SEG belongs to its patient and study, and refers to them.

    Args:
        keys: keys of the class numbers; each remembers the image's file or folder, as MONAI's ``Invertd`` leaves it.
        output_dir: folder for ``<name of the image>_seg.nii.gz`` or ``.dcm``; files are written aside, then renamed.
        output_format: ``"nifti"``, or ``"dicom_seg"`` for images that are folders of DICOM series.
        classes: class number -> name, for the segments of ``"dicom_seg"``.
        allow_missing_keys: whether an item may lack a key.

    Shape:
        ``(1, *spatial)`` of integers from 0 to 255, where ``spatial`` is the shape in the image's file, but for axes
        of 1 at its end.

    Raises:
        ValueError: the class numbers have another shape than their image or are none, no file is known, or there is
            no such format, or no classes for it.
        DataError: the image's file is gone, or cannot get a segmentation of this format.

    Example:
        >>> import nibabel, tempfile
        >>> from monai.transforms import EnsureChannelFirstd, LoadImaged
        >>> folder = tempfile.mkdtemp()
        >>> image = nibabel.Nifti1Image(np.eye(6, dtype="i2").reshape(6, 6, 1, 1), np.diag([1, 2, 3, 1]))
        >>> nibabel.save(image, f"{folder}/a.nii.gz")
        >>> item = EnsureChannelFirstd("pred")(LoadImaged("pred")({"pred": f"{folder}/a.nii.gz"}))
        >>> _ = SaveSegmentationd("pred", folder)(item)
        >>> saved = nibabel.load(f"{folder}/a_seg.nii.gz")
        >>> saved.shape, saved.get_data_dtype().name, saved.affine.diagonal().tolist()
        ((6, 6, 1, 1), 'uint8', [1.0, 2.0, 3.0, 1.0])
    """

    backend = [TransformBackends.NUMPY]

    def __init__(
        self,
        keys: KeysCollection,
        output_dir: str | os.PathLike[str],
        output_format: str = "nifti",
        classes: Mapping[str | int, str] | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        check_choice("output_format", output_format, FORMATS)
        if output_format == "dicom_seg" and not classes:
            raise ValueError("'classes' must name the segments of 'dicom_seg', as in {0: 'background', 1: 'spleen'}.")
        self.folder = Path(output_dir)
        self.output_format = output_format
        self.classes = dict(classes or {})

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write the class numbers of an item, which is passed on as it is."""
        for key in self.key_iterator(data):
            self._save(data[key], key)
        return dict(data)

    def _save(self, classes: Any, key: Hashable) -> None:
        file = classes.meta.get("filename_or_obj") if isinstance(classes, MetaTensor) else None
        if not isinstance(file, str):
            raise ValueError(f"'{key}' must remember the file of its image, as after LoadVolumed and Invertd.")
        plain = classes.detach().cpu()
        plain = plain.float() if plain.dtype == torch.bfloat16 else plain  # a type that NumPy lacks
        found = np.asarray(plain)
        if self.output_format == "dicom_seg":
            require_source(file)
            series = read_series(file)
            write_dicom_seg(
                _on(series.shape, found, key), series, self.classes, self.folder / f"{case_name(file)}_seg.dcm"
            )
        else:
            volume = _on_series(file, found, key) if os.path.isdir(file) else _on_file(file, found, key)
            with replacing(self.folder / f"{case_name(file)}_seg.nii.gz") as aside:
                aside.write_bytes(_packed(volume))


def _on_series(folder: str, classes: NDArray[Any], key: Hashable) -> Any:
    import nibabel

    series = read_series(folder)
    volume: Any = nibabel.Nifti1Image(_on(series.shape, classes, key), series.affine)  # type: ignore[no-untyped-call]
    volume.set_sform(series.affine, code="scanner")
    volume.set_qform(series.affine, code="scanner", strip_shears=True)  # of a tilted gantry, the sform has the shear
    volume.header.set_xyzt_units("mm")
    return volume


def _on_file(file: str, classes: NDArray[Any], key: Hashable) -> Any:
    import nibabel

    try:
        source: Any = nibabel.load(file)
    except FileNotFoundError as error:
        raise DataError(f"{file} is gone, where its segmentation is to lie.\nPut it back.") from error
    voxels = _on(tuple(source.shape), classes, key)
    # a format without such a header, as .mgz, has its affine alone
    volume: Any = nibabel.Nifti1Image(voxels, source.affine)  # type: ignore[no-untyped-call]
    if isinstance(source, nibabel.Nifti1Pair):  # the parent of all NIfTI kinds
        for field in GEOMETRY:
            volume.header[field] = source.header[field]
    return volume


def _on(shape: tuple[int, ...], classes: NDArray[Any], key: Hashable) -> NDArray[np.uint8]:
    """Class numbers in the shape of their image's file."""
    if classes.shape[0] != 1 or _without_ones(classes.shape[1:]) != _without_ones(shape):
        raise ValueError(f"'{key}' has the shape {classes.shape}, and its image {shape}: invert the transforms first.")
    with np.errstate(invalid="ignore"):  # NaN is found below
        saved: NDArray[np.uint8] = np.clip(classes, 0, 255).astype(np.uint8)
    if not np.array_equal(saved, classes):
        raise ValueError(f"'{key}' must hold class numbers, whole and from 0 to 255: take the argmax first.")
    return saved.reshape(shape)


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape


def _packed(volume: Any) -> bytes:
    import gzip

    return gzip.compress(volume.to_bytes(), compresslevel=1, mtime=0)  # the same bytes whenever they are written
