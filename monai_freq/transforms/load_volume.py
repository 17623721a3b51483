"""The first transform of a segmentation: volumes from NIfTI files or folders of DICOM series."""

from __future__ import annotations

import os

import torch
from monai.transforms import LoadImage, Transform
from monai.utils import TransformBackends

from .keyed import Keyed

__all__ = ["LoadVolume", "LoadVolumed"]


class LoadVolume(Transform):
    """Load a volume: a folder as a DICOM series, any other path as MONAI's ``LoadImage`` does.

    MONAI's ``LoadImage`` takes every file of a folder and sorts by the instance number, which need not follow the
    positions. Here a folder is checked and sorted as :func:`monai_freq.data.dicom_series.read_series` does. Each call
    has a reader of its own, so that the threads of a ``CacheDataset`` may share the transform.

    Shape:
        - Input: path of a file or folder.
        - Output: (columns, rows, slices), float32, with the affine in RAS in its metadata.

    Raises:
        DataError: the folder is not that of one complete series, see
            :func:`monai_freq.data.dicom_series.read_series`.

    Example:
        >>> import nibabel, numpy, tempfile
        >>> file = f"{tempfile.mkdtemp()}/la_003.nii.gz"
        >>> nibabel.save(nibabel.Nifti1Image(numpy.ones((6, 5, 4), "i2"), numpy.eye(4)), file)
        >>> LoadVolume()(file).shape
        torch.Size([6, 5, 4])
    """

    backend = [TransformBackends.NUMPY, TransformBackends.TORCH]

    def __init__(self) -> None:
        self._load = LoadImage()

    def __call__(self, path: str | os.PathLike[str]) -> torch.Tensor:
        """Load the volume of a path."""
        loaded: torch.Tensor
        if os.path.isdir(path):
            from ..data.dicom_headers import require_pydicom
            from ..data.series_reader import SeriesReader

            require_pydicom(path)
            loaded = self._load(path, reader=SeriesReader())
        else:
            loaded = self._load(path)
        return loaded


class LoadVolumed(Keyed):
    """Dictionary version of :class:`LoadVolume`: the paths under ``keys`` give way to their volumes.

    Example:
        >>> import nibabel, numpy, tempfile
        >>> file = f"{tempfile.mkdtemp()}/la_003.nii.gz"
        >>> nibabel.save(nibabel.Nifti1Image(numpy.ones((6, 5, 4), "i2"), numpy.eye(4)), file)
        >>> LoadVolumed("image")({"image": file})["image"].meta["filename_or_obj"] == file
        True
    """

    array = LoadVolume
