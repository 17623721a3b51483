"""MONAI's reader of DICOM, for folders of series that have been checked, with the slices in the order of space."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from monai.data import PydicomReader
from numpy.typing import NDArray

from ..errors import DataError
from ..quoting import named
from .dicom_headers import read_dataset
from .dicom_series import read_series
from .dicom_slices import read_dicom_slice

__all__ = ["SeriesReader"]


class SeriesReader(PydicomReader):
    """MONAI's ``PydicomReader`` for a folder of one DICOM series.

    MONAI's own takes every file of a folder and sorts by the instance number. Here the files are those that
    :func:`monai_freq.data.dicom_series.read_series` finds, in the order of their positions. Each is read by
    :func:`monai_freq.data.dicom_slices.read_dicom_slice`: rescaled, in all compressions that SimpleITK or pydicom
    know. MONAI stacks them and makes the affine.

    It is not for several threads at a time, as MONAI's reader keeps the names of the files between ``read`` and
    ``get_data``; :class:`monai_freq.transforms.LoadVolume` makes one for each volume.

    Raises:
        DataError: the same as of :func:`monai_freq.data.dicom_series.read_series`, or the pixels of a slice cannot be
            read.

    Example:
        >>> SeriesReader().read("scans/case_01")
        Traceback (most recent call last):
        ...
        monai_freq.errors.DataError: scans/case_01 is no folder of a DICOM series.
        Correct its name.
    """

    def read(self, data: Any, **kwargs: Any) -> list[Any]:
        """Read the headers of the slices of one folder; ``get_data`` reads the pixels."""
        folder, *more = [data] if isinstance(data, (str, os.PathLike)) else data
        if more or not os.path.isdir(folder):
            raise DataError(f"{named(folder)} is no folder of a DICOM series.\nCorrect its name.")
        self.series = read_series(folder)
        files = list(self.series.files)
        slices = [read_dataset(file) for file in files]
        for number, header in enumerate(slices):
            header.InstanceNumber = number  # by which MONAI sorts
        self.filenames: list[Any] = [files]
        self.has_series = True
        return slices

    def _get_array_data(self, img: Any, filename: str) -> NDArray[np.generic]:
        return read_dicom_slice(filename)
