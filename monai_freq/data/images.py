"""2D images by their address: a file's path, and ``#`` with a number where the file holds many slices."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monai_freq.data.errors import DataError
from monai_freq.data.hdf5_slices import read_hdf5_slice, slices_shape
from monai_freq.data.nifti import open_nifti
from monai_freq.data.pck import read_pck

__all__ = ["check_images", "count_slices", "read_image", "slice_address"]

MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr"}  # 8 bits a channel
MAX_PIXELS = 64 * 2**20


def slice_address(file: str | os.PathLike[str], index: int) -> str:
    """Write the address of one slice: a plain string, as data lists, logs and plans of shortcuts want it.

    Args:
        file: A file of many slices.
        index: Number of the slice, from 0.

    >>> slice_address("ground_truth_train_000.hdf5", 17)
    'ground_truth_train_000.hdf5#17'
    """
    return f"{os.fspath(file)}#{index}"


def read_image(address: str | os.PathLike[str], channels: int = 1) -> NDArray[np.generic]:
    """Read one 2D image: a slice of an HDF5 file, a ``.pck`` or a ``.nii`` volume, or a PNG or JPEG picture.

    Only the slice that is asked for enters the memory, except that a ``.pck`` is always read whole.

    Args:
        address: Path of a picture, or ``file#index`` as :func:`slice_address` writes it.
        channels: 1 (pictures in colour turn grey) or 3 (grey pictures turn into three equal channels).

    Returns:
        (height, width), or (height, width, 3) with ``channels=3``.

    Raises:
        ValueError: ``channels`` is neither 1 nor 3.
        DataError: The file is missing, damaged or of another kind, or has no such slice.

    >>> read_image("no/such/picture.png")
    Traceback (most recent call last):
    ...
    monai_freq.data.errors.DataError: no/such/picture.png cannot be read as an image: ...
    """
    if channels not in (1, 3):
        raise ValueError(f"'channels' must be 1 or 3, got {channels}.")
    file, mark, number = os.fspath(address).rpartition("#")
    if not mark or not number.isdecimal() or not number.isascii():
        return _read_picture(os.fspath(address), channels)
    image = _read_slice(file, int(number))
    return image if channels == 1 else np.repeat(image[:, :, None], 3, axis=2)


def _read_slice(file: str, index: int) -> NDArray[np.generic]:
    if Path(file).suffix == ".hdf5":
        return read_hdf5_slice(file, index)
    volume = _open_volume(file)
    if index >= volume.shape[0]:
        raise DataError(f"{file} has no slice {index}: it holds {volume.shape[0]}, counted from 0.\nCorrect the list.")
    return np.array(volume[index])  # a copy: a view would keep the whole volume alive


def count_slices(file: str | os.PathLike[str]) -> int:
    """Count the slices of a volume, without reading them where the format allows it.

    Args:
        file: An HDF5 file, or a ``.pck`` or ``.nii`` volume.

    Raises:
        DataError: The file is missing, damaged or of another kind.

    >>> count_slices("notes.txt")
    Traceback (most recent call last):
    ...
    monai_freq.data.errors.DataError: notes.txt is no volume that slices are read from.
    It must be a .hdf5, .pck or .nii file.
    """
    path = os.fspath(file)
    return slices_shape(path)[0] if Path(path).suffix == ".hdf5" else int(_open_volume(path).shape[0])


def _open_volume(file: str) -> Any:
    kind = Path(file).suffix
    if kind not in (".pck", ".nii"):
        raise DataError(f"{file} is no volume that slices are read from.\nIt must be a .hdf5, .pck or .nii file.")
    return read_pck(file) if kind == ".pck" else _map_nifti(file)


def _map_nifti(file: str) -> Any:
    try:
        volume = np.asanyarray(open_nifti(file).dataobj)  # mapped, not read
    except Exception as error:  # nibabel raises a dozen unrelated types on damaged files
        raise DataError(f"{file} cannot be read: {_reason(error)}.\nConvert the volume again.") from error
    if volume.ndim != 3 or volume.size == 0:
        raise DataError(f"{file} must be 3D with voxels, but has the shape {volume.shape}.\nConvert the volume again.")
    return volume.T  # (x, y, z) on the disk, (slice, row, column) here


def _read_picture(file: str, channels: int) -> NDArray[np.generic]:
    from PIL import Image

    try:
        # Two formats only: of Pillow's others, some start programs or are seldom tested.
        with Image.open(file, formats=("PNG", "JPEG")) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise OSError(f"it has {picture.width} x {picture.height} pixels")
            if picture.mode not in MODES:
                raise OSError(f"its pixels are of mode {picture.mode}, not of 8 bits a channel")
            return np.array(picture.convert("L" if channels == 1 else "RGB"))
    except MemoryError:
        raise
    except Exception as error:  # Pillow, zlib and struct raise a dozen unrelated types on damaged files
        raise DataError(
            f"{file} cannot be read as an image: {_reason(error)}.\nIt must be a complete PNG or JPEG. Copy it again."
        ) from error


def _reason(error: Exception) -> str:
    reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return reason[:200]


def check_images(
    items: Sequence[Mapping[str, Any]],
    *,
    image_key: str = "image",
    size: tuple[int, int] | None = None,
    limits: tuple[float, float] = (-inf, inf),
    num_workers: int | None = None,
) -> None:
    """Read every image of a data list once and refuse the first faulty one, before training starts.

    Args:
        items: Items with an address under ``image_key``.
        image_key: Key of the address.
        size: (height, width) that every image must have; any by default.
        limits: Lowest and highest value that a pixel may have; (0, 1) for LoDoPaB-CT.
        num_workers: Threads (default: up to 4). Each holds one image at a time.

    Raises:
        ValueError: ``num_workers`` is less than 1.
        DataError: An image cannot be read, has another size, is not finite or not within ``limits``, or is listed
            twice. The first in the order of ``items`` is named, the others are counted.

    >>> check_images([{"image": "radiology_ai/CT/liver/cyst/1.png"}])
    Traceback (most recent call last):
    ...
    monai_freq.data.errors.DataError: radiology_ai/CT/liver/cyst/1.png cannot be read as an image: ...
    """
    workers = min(4, os.cpu_count() or 1) if num_workers is None else num_workers
    if workers < 1:
        raise ValueError(f"'num_workers' must be at least 1, got {workers}.")
    addresses = [os.fspath(item[image_key]) for item in items]
    twice = [address for address, count in Counter(addresses).items() if count > 1]
    if twice:
        raise DataError(f"The image {twice[0]} is listed {addresses.count(twice[0])} times.\nKeep one entry of each.")
    with ThreadPoolExecutor(workers) as pool:
        faults = [fault for fault in pool.map(lambda address: _fault(address, size, limits), addresses) if fault]
    if faults:
        others = f"\n{len(faults) - 1} more of the {len(items)} images are faulty too." if len(faults) > 1 else ""
        raise DataError(faults[0] + others)


def _fault(address: str, size: tuple[int, int] | None, limits: tuple[float, float]) -> str | None:
    try:
        image = read_image(address)
    except DataError as error:
        return str(error)
    if size is not None and image.shape != tuple(size):
        return f"{address} has the size {image.shape}, {tuple(size)} expected.\nLeave it out or export it again."
    if not np.isfinite(image).all():
        return f"{address} holds NaN or infinite pixels.\nReplace them or leave the image out."
    low, high = image.min(), image.max()
    if low < limits[0] or high > limits[1]:
        return f"{address} has pixels from {low:g} to {high:g}, {limits} expected.\nScale it or leave it out."
    return None
