"""KneeMRI: knee exams with their diagnosis of the anterior cruciate ligament."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..quoting import shown
from .images import slice_address
from .same_images import RealFiles
from .tables import Row, read_rows

__all__ = ["central_slices", "read_kneemri"]

INDEX = "metadata.csv"
COLUMNS = ["examId", "seriesNo", "aclDiagnosis", "roiZ", "roiDepth", "volumeFilename"]
MOST = 4096  # slices of a volume
SUFFIXES = (".nii", ".pck")

_log = logging.getLogger(__name__)


def read_kneemri(dataset_dir: str | os.PathLike[str], slices_per_exam: int = 1) -> list[dict[str, Any]]:
    """List the slices through the ligament's region of interest, healthy (0) or injured (1).

    An exam gives the slice in the middle of its region, ``roiZ + roiDepth // 2``, and with ``slices_per_exam`` those
    nearest to it. The volumes may be the original ``.pck`` files in ``vol01`` to ``vol10`` or what
    :func:`monai_freq.data.kneemri_nifti.convert_kneemri` has made of them; where both are there, the table's ending
    decides. They are not opened here: :func:`monai_freq.data.check_images` does that.

    Args:
        dataset_dir: the folder with ``metadata.csv``.
        slices_per_exam: number of slices of every region; a region of fewer gives all that it has.

    Returns:
        ``{"image": address, "label": 0 or 1, "exam": examId, "diagnosis": 0 healthy, 1 partially or 2 completely
        ruptured}`` per slice, in the table's order. :class:`monai_freq.transforms.LoadSliced` loads the image.

    Raises:
        ValueError: ``slices_per_exam`` is less than 1.
        DataError: the table is missing or faulty, a volume is missing or listed twice, under whatever path, a series is
            listed twice, or an exam has two diagnoses.

    Reference:
        I. Štajduhar et al., Semi-automated detection of anterior cruciate ligament injury from MRI, Computer Methods
        and Programs in Biomedicine 140 (2017), doi:10.1016/j.cmpb.2016.12.006.

    Example:
        >>> import tempfile
        >>> from monai_freq.phantoms import write_phantom
        >>> items = read_kneemri(write_phantom("kneemri", tempfile.mkdtemp(), exams=2, slices=16, size=64))
        >>> [(item["image"].rpartition("/")[2], item["label"], item["exam"]) for item in items]
        [('100000-1.pck#8', 0, '100000'), ('100001-1.pck#8', 1, '100001')]
    """
    if slices_per_exam < 1:
        raise ValueError(f"'slices_per_exam' must be at least 1, got {slices_per_exam}.")
    root = Path(os.path.abspath(Path(dataset_dir).expanduser()))
    volumes = _volumes(root)
    items: list[dict[str, Any]] = []
    diagnoses: dict[str, int] = {}
    series: set[tuple[str, str]] = set()
    used: set[str] = set()
    real = RealFiles()
    for row in read_rows(root / INDEX, COLUMNS):
        exam, diagnosis = row.text("examId"), row.integer("aclDiagnosis", 0, 2)
        if diagnoses.setdefault(exam, diagnosis) != diagnosis:
            raise row.fault("aclDiagnosis", f"must be {diagnoses[exam]}, as in another line of the exam {exam}")
        volume = _volume(row, volumes, root)
        if (other := real.earlier(volume, volume)) is not None:
            also = "" if other == volume else f", as {Path(other).name} is the same file by a link"
            raise row.fault("volumeFilename", f"must not be listed twice{also}")
        used.add(volume)
        if (exam, row.text("seriesNo")) in series:
            raise row.fault("seriesNo", f"must not be listed twice for the exam {exam}")
        series.add((exam, row.text("seriesNo")))
        for index in central_slices(row.integer("roiZ", 0, MOST), row.integer("roiDepth", 1, MOST), slices_per_exam):
            label = int(diagnosis > 0)
            address = slice_address(volume, index)
            items.append({"image": address, "label": label, "exam": exam, "diagnosis": diagnosis})
    if not items:
        raise DataError(f"The table {root / INDEX} lists no exam.\nCopy it again.")
    _tell_unlisted([path for path in volumes.values() if str(path) not in used], root)
    return items


def central_slices(start: int, depth: int, count: int) -> list[int]:
    """Number the ``count`` slices nearest to the middle, ``start + depth // 2``, of those from ``start`` on.

    Args:
        start: first slice of the region.
        depth: number of slices in the region.
        count: number of slices that are wanted; at most ``depth`` come back.

    Returns:
        Their numbers, ascending.

    Example:
        >>> central_slices(10, 5, 1), central_slices(10, 5, 2), central_slices(10, 3, 9)
        ([12], [11, 12], [10, 11, 12])
    """
    middle = start + depth // 2
    nearest = sorted(range(start, start + depth), key=lambda index: (abs(index - middle), index))
    return sorted(nearest[:count])


def _volumes(root: Path) -> dict[str, Path]:
    """Volumes by name, from the folder or the folders vol01, vol02, ... in it."""
    found: dict[str, Path] = {}
    for suffix in SUFFIXES:
        for path in sorted([*root.glob(f"*{suffix}"), *root.glob(f"vol*/*{suffix}")]):
            if path.name.startswith("._"):
                continue
            if (other := found.setdefault(path.name, path)) != path:
                raise DataError(f"{other} and {path} have one name.\nKeep the one that {INDEX} means.")
    return found


def _tell_unlisted(volumes: Sequence[Path], root: Path) -> None:
    if volumes:
        first = shown(str(volumes[0].relative_to(root)))
        _log.info(f"{root / INDEX} does not list {len(volumes)} of the volumes there ({first}, ...): not used.")


def _volume(row: Row, volumes: dict[str, Path], root: Path) -> str:
    """The file that a line names, or where there is none, the one that it was converted to or from."""
    name = Path(row.text("volumeFilename").replace("\\", "/")).name
    stem = name.removesuffix(".pck").removesuffix(".nii")
    found = [volumes[each] for each in (name, *(stem + suffix for suffix in SUFFIXES)) if each in volumes]
    if not found:
        remedy = f"Unpack vol01 to vol10 in {root}, or delete the line."
        raise row.fault("volumeFilename", "must be a volume in the folders vol01 to vol10", remedy)
    if found[0].name != name and len(found) > 1:
        raise row.fault("volumeFilename", f"must say which is meant, {found[0].name} or {found[1].name}")
    return str(found[0])
