"""The second try at a DICOM file's pixels: pydicom, whose plugins know more compressions than SimpleITK."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..quoting import named, reason_of, shown

__all__ = ["decoded_by_pydicom"]


def decoded_by_pydicom(file: str | os.PathLike[str], reason: str) -> NDArray[np.generic]:
    """Decode a slice in grey, rescale it as its header says, and invert what is stored as MONOCHROME1.

    Args:
        file: a DICOM file of one slice.
        reason: why SimpleITK does not read it.

    Returns:
        (rows, columns).

    Raises:
        DataError: pydicom is not installed, or does not read the file either.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> file = Path(tempfile.mkdtemp(), "000001.dcm")
        >>> _ = file.write_bytes(bytes(128) + b"DICM")
        >>> decoded_by_pydicom(file, "it has an unknown compression")
        Traceback (most recent call last):
        ...
        monai_freq.errors.DataError: .../000001.dcm cannot be read as DICOM: it has an unknown compression...
    """
    name = named(file)
    try:
        import pydicom
        from pydicom.pixels import apply_rescale
    except ImportError as error:
        raise DataError(
            f"{name} cannot be read as DICOM: {reason}.\nIf it is compressed, "
            'pip install "monai_freq[dicom]" may read it; else copy it again.'
        ) from error
    try:
        dataset = pydicom.dcmread(file)
        pixels = _upright(dataset)
        rescaled = np.asarray(apply_rescale(pixels, dataset))
    except Exception as error:  # pydicom and its plugins raise a dozen unrelated types on damaged files
        compression = _compression(file)
        raise DataError(
            f"{name} cannot be read as DICOM: {reason}; {reason_of(error)}.\n"
            f"Copy it again, or convert it to another transfer syntax than its own, {compression}."
        ) from error
    whole = np.issubdtype(rescaled.dtype, np.floating) and np.array_equal(rescaled, np.rint(rescaled))
    return rescaled.astype(np.int32) if whole and np.abs(rescaled).max() < 2**31 else rescaled


def _upright(dataset: Any) -> NDArray[Any]:
    pixels = dataset.pixel_array
    if dataset.PhotometricInterpretation != "MONOCHROME1":
        return np.asarray(pixels)
    bits = int(dataset.BitsStored)
    ends = -1 if dataset.PixelRepresentation else 2**bits - 1  # the sum of the lowest and the highest value
    return np.asarray(ends - pixels.astype(np.int64))


def _compression(file: str | os.PathLike[str]) -> str:
    import pydicom

    try:
        syntax = pydicom.dcmread(file, stop_before_pixels=True).file_meta.TransferSyntaxUID
    except Exception:  # as above: what is said without it is enough
        return "which is unknown"
    return shown(syntax.name)
