"""KneeMRI's pickles turned into NIfTI volumes, once, with checksums."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..files import replacing
from ..json_files import read_json
from ..quoting import named, shown
from .kneemri import INDEX, read_kneemri
from .pck import read_pck
from .refusals import refusing

__all__ = ["convert_kneemri", "verify_kneemri"]

CHECKSUMS = "checksums.json"
TYPES = (np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64)


def convert_kneemri(dataset_dir: str | os.PathLike[str], output_dir: str | os.PathLike[str]) -> Path:
    """Write every volume of ``metadata.csv`` as ``vol01/<name>.nii``, beside the table and ``checksums.json``.

    The values are kept exactly; the axes are (column, row, slice), and the affine is the identity, since the pickles
    say nothing of spacing or orientation. A slice is then read without the rest of its volume, and without a pickle.
    :func:`monai_freq.data.read_kneemri` reads the new folder as it reads the old one.

    Args:
        dataset_dir: the folder with ``metadata.csv`` and the ``.pck`` files.
        output_dir: the folder to make. It is written aside and renamed: whole, or not there.

    Returns:
        The new folder.

    Raises:
        DataError: ``output_dir`` exists or cannot be written, or the data are faulty.

    Example:
        >>> import tempfile
        >>> from monai_freq.phantoms import write_phantom
        >>> root = Path(tempfile.mkdtemp())
        >>> new = convert_kneemri(write_phantom("kneemri", root / "old", exams=2, slices=16, size=64), root / "new")
        >>> sorted(path.relative_to(new).as_posix() for path in new.rglob("*.*"))
        ['checksums.json', 'metadata.csv', 'vol01/100000-1.nii', 'vol02/100001-1.nii']
    """
    target = Path(output_dir)
    if target.exists():
        raise DataError(f"The folder {named(target)} exists already.\nLet the new volumes go to a folder of their own.")
    root = Path(os.path.abspath(Path(dataset_dir).expanduser()))
    sources = sorted({Path(item["image"].rpartition("#")[0]) for item in read_kneemri(root)})
    if any(source.suffix != ".pck" for source in sources):
        raise DataError(f"{named(root)} holds converted volumes already.\nRead them as they are.")
    remedy = "Name a folder with room that you may write to."
    with refusing(target, remedy, OSError, what="cannot be written"), replacing(target) as aside:
        listed = {}
        for source in sources:
            name = source.relative_to(root).with_suffix(".nii")
            listed[name.as_posix()] = _convert(source, aside / name)
        shutil.copyfile(root / INDEX, aside / INDEX)
        (aside / CHECKSUMS).write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")
    return target


def _convert(source: Path, target: Path) -> dict[str, str]:
    import nibabel

    volume = _narrowed(read_pck(source))
    target.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(volume.T, np.eye(4), dtype=volume.dtype), target)  # type: ignore[no-untyped-call]
    if not np.array_equal(np.asanyarray(nibabel.load(target).dataobj).T, volume):  # type: ignore[attr-defined]
        raise DataError(f"{named(source)} does not survive the conversion.\nKeep the .pck file, and report this.")
    return {"sha256": _sha256(target), "source_sha256": _sha256(source)}


def _narrowed(volume: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    low, high = int(volume.min()), int(volume.max())
    fitting = [kind for kind in TYPES if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max]
    return volume.astype(fitting[0])


def verify_kneemri(dataset_dir: str | os.PathLike[str]) -> int:
    """Compare the volumes of a converted folder with its ``checksums.json``.

    Args:
        dataset_dir: a folder of :func:`convert_kneemri`.

    Returns:
        How many volumes were compared.

    Raises:
        DataError: the list or a volume is missing or has changed.

    Example:
        >>> import tempfile
        >>> from monai_freq.phantoms import write_phantom
        >>> root = Path(tempfile.mkdtemp())
        >>> new = convert_kneemri(write_phantom("kneemri", root / "old", exams=2, slices=16, size=64), root / "new")
        >>> verify_kneemri(new)
        2
    """
    root = Path(dataset_dir)
    with refusing(root / CHECKSUMS, "Convert the volumes again."):
        listed = read_json(root / CHECKSUMS)
        expected = {str(name): str(entry["sha256"]) for name, entry in listed.items()}
    for name, checksum in expected.items():
        if not os.path.isfile(root / name) or _sha256(root / name) != checksum:  # any name may be in the list
            raise DataError(f"{named(root)}/{shown(name)} is missing or has changed.\nConvert the volumes again.")
    return len(expected)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
