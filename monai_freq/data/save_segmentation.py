"""The last transform of a segmentation: class numbers in a file that lies exactly on its image."""

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
from .nifti import case_name

__all__ = ["SaveSegmentationd"]

#: where a NIfTI header says where its voxels are
GEOMETRY: tuple[str, ...] = (
    *("pixdim", "xyzt_units", "qform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y"),
    *("qoffset_z", "sform_code", "srow_x", "srow_y", "srow_z"),
)


class SaveSegmentationd(MapTransform):
    """Write class numbers with the shape, the affine and the orientation codes of the image that they belong to.

    MONAI's ``SaveImage`` drops an axis of one voxel, and cannot write an image of shape (x, y, z, 1) or of one slice
    whose axes were turned. Here the geometry is copied, field by field, from the file of the image, so that any
    viewer lays the one over the other. Nothing else of its header, such as a name, is copied.

    Args:
        keys: keys of the class numbers; each remembers the image's file, as MONAI's ``Invertd`` leaves it.
        output_dir: folder for ``<name of the image>_seg.nii.gz``; files are written aside, then renamed.
        allow_missing_keys: whether an item may lack a key.

    Shape:
        ``(1, *spatial)`` of integers from 0 to 255, where ``spatial`` is the shape in the image's file, but for axes
        of 1 at its end.

    Raises:
        ValueError: the class numbers have another shape than their image or are none, or no file is known.
        DataError: the image's file is gone.

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
        self, keys: KeysCollection, output_dir: str | os.PathLike[str], allow_missing_keys: bool = False
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.folder = Path(output_dir)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write the class numbers of an item, which is passed on as it is."""
        for key in self.key_iterator(data):
            self._save(data[key], key)
        return dict(data)

    def _save(self, classes: Any, key: Hashable) -> None:
        import nibabel

        file = classes.meta.get("filename_or_obj") if isinstance(classes, MetaTensor) else None
        if not isinstance(file, str):
            raise ValueError(f"'{key}' must remember the file of its image, as after LoadImaged and Invertd.")
        try:
            source: Any = nibabel.load(file)
        except FileNotFoundError as error:
            raise DataError(f"{file} is gone, where its segmentation is to lie.\nPut it back.") from error
        plain = classes.detach().cpu()
        plain = plain.float() if plain.dtype == torch.bfloat16 else plain  # a type that NumPy lacks
        voxels = _on(tuple(source.shape), np.asarray(plain), key)
        # a format without such a header, as .mgz, has its affine alone
        volume: Any = nibabel.Nifti1Image(voxels, source.affine)  # type: ignore[no-untyped-call]
        if isinstance(source, nibabel.Nifti1Pair):  # the parent of all NIfTI kinds
            for field in GEOMETRY:
                volume.header[field] = source.header[field]
        with replacing(self.folder / f"{case_name(file)}_seg.nii.gz") as aside:
            aside.write_bytes(_packed(volume))


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
