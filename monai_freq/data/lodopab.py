"""LoDoPaB-CT: chest CT slices, labelled through their match with LIDC-IDRI."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import fmean, median
from typing import Any, Literal

from ..errors import DataError
from ..spectral.scalars import check_choice
from .hdf5_slices import slices_shape
from .images import slice_address
from .refusals import refusing
from .same_images import repeated_image
from .tables import Row, read_rows

__all__ = ["LABEL_COLUMNS", "PARTS", "SLICES_PER_FILE", "read_lodopab"]

PARTS = ("train", "validation", "test")
LABEL_COLUMNS = ("file", "index", "patient", "malignancy")
SLICES_PER_FILE = 128
UNDECIDED = 3
AGGREGATES: dict[str, Callable[[list[float]], float]] = {"mean": fmean, "median": median}

Slice = tuple[str, int]  # file and index


def read_lodopab(
    dataset_dir: str | os.PathLike[str],
    labels: str | os.PathLike[str] = "labels.csv",
    *,
    aggregate: Literal["mean", "median"] = "mean",
    undecided: Literal["benign", "malignant", "left_out"] = "left_out",
) -> list[dict[str, Any]]:
    r"""List the labelled slices of ``ground_truth_{train|validation|test}_{000}.hdf5``, benign (0) or malignant (1).

    .. math:: \text{label} = [\, m > 3 \,], \quad m = \text{mean or median of the readers' malignancies, 1 to 5}

    with m = 3 to be decided by ``undecided``. The table of labels has the columns ``file``, ``index`` (from 0, in this
    file), ``patient`` and ``malignancy``, and a line for each reader; :func:`monai_freq.data.lidc.write_labels` makes
    one. Slices that it does not list are not used. Of the HDF5 files only the headers are read, and of the published
    ``patient_ids_rand_{part}.csv``, where they are present, what they say of the listed slices is compared.

    Args:
        dataset_dir: the folder with the HDF5 files.
        labels: the table, relative to ``dataset_dir`` or absolute.
        aggregate: statistic over the readers of a slice.
        undecided: label of a slice of m = 3.

    Returns:
        ``{"image": address, "label": 0 or 1, "patient": text, "malignancy": m}`` per slice, in the order of files and
        indices. :class:`monai_freq.transforms.LoadSliced` loads the image.

    Raises:
        ValueError: ``aggregate`` or ``undecided`` is none of the above.
        DataError: a file is missing, truncated, without the data set ``data`` or of another size; the table lacks a
            column, names a slice that is not there, a malignancy outside [1, 5] or two patients for one slice; a
            patient is in two of the parts train, validation and test, or is not the one of the published ids.

    Reference:
        J. Leuschner et al., LoDoPaB-CT, a benchmark dataset for low-dose computed tomography reconstruction, Scientific
        Data 8, 109 (2021), doi:10.1038/s41597-021-00893-z.

    Example:
        >>> import h5py, numpy, tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> with h5py.File(root / "ground_truth_train_000.hdf5", "w") as file:
        ...     file["data"] = numpy.zeros((2, 8, 8), "f4")
        >>> lines = ["file,index,patient,malignancy", *(f"ground_truth_train_000.hdf5,1,p1,{read}" for read in (4, 5))]
        >>> _ = (root / "labels.csv").write_text("\n".join(lines))
        >>> [(Path(item["image"]).name, item["label"], item["malignancy"]) for item in read_lodopab(root)]
        [('ground_truth_train_000.hdf5#1', 1, 4.5)]
    """
    check_choice("aggregate", aggregate, tuple(AGGREGATES))
    check_choice("undecided", undecided, ("benign", "malignant", "left_out"))
    root = Path(os.path.abspath(Path(dataset_dir).expanduser()))
    table = root / Path(labels).expanduser()
    malignancies: dict[Slice, list[float]] = defaultdict(list)
    patients: dict[Slice, str] = {}
    sizes: dict[str, int] = {}
    for row in read_rows(table, LABEL_COLUMNS):
        key = _slice(row, root, sizes)
        if patients.setdefault(key, row.text("patient")) != row.text("patient"):
            raise row.fault("patient", f"must be {patients[key]!r}, as in another line of this slice")
        malignancies[key].append(row.number("malignancy", 1, 5))
    if not patients:
        raise DataError(f"The table {table} lists no slice.\nBuild it with monai_freq.data.lidc.write_labels.")
    if twice := repeated_image(sizes):
        raise DataError(
            f"{twice[0]} and {twice[1]} are one file, by a link.\nPut the file itself there, or correct {table}."
        )
    _refuse_shared_patients(patients, table)
    _refuse_other_ids(patients, root, sizes)
    combined = {key: AGGREGATES[aggregate](malignancies[key]) for key in sorted(patients)}
    return [
        {"image": slice_address(*key), "label": label, "patient": patients[key], "malignancy": malignancy}
        for key, malignancy in combined.items()
        if (label := _label(malignancy, undecided)) is not None
    ]


def _label(malignancy: float, undecided: str) -> int | None:
    if malignancy == UNDECIDED:
        return {"benign": 0, "malignant": 1}.get(undecided)
    return int(malignancy > UNDECIDED)


def _slice(row: Row, root: Path, sizes: dict[str, int]) -> Slice:
    file = row.path("file", root)
    if _part(file) is None:
        raise row.fault("file", f"must be ground_truth_{{{'|'.join(PARTS)}}}_{{000}}.hdf5")
    if file not in sizes:
        slices, *shape = slices_shape(file)
        if sizes and shape != (known := list(slices_shape(next(iter(sizes)))[1:])):
            raise DataError(f"{file} holds slices of {shape}, {next(iter(sizes))} of {known}.\nCopy the file again.")
        sizes[file] = slices
    return file, row.integer("index", 0, sizes[file] - 1)


def _part(file: str) -> tuple[str, int] | None:
    match = re.fullmatch(rf"ground_truth_({'|'.join(PARTS)})_(\d{{3}})\.hdf5", Path(file).name, re.ASCII)
    return (match[1], int(match[2])) if match else None


def _refuse_shared_patients(patients: Mapping[Slice, str], table: Path) -> None:
    seen: dict[str, str] = {}
    for (file, _), patient in patients.items():
        part, _ = _part(file) or ("", 0)
        if (other := seen.setdefault(patient, part)) != part:
            raise DataError(
                f"The patient {patient!r} is in two parts of {table}: {other} and {part}.\n"
                "LoDoPaB-CT's parts share no patient, so the slice is matched wrongly. Correct the table."
            )


def _refuse_other_ids(patients: Mapping[Slice, str], root: Path, sizes: Mapping[str, int]) -> None:
    published = {part: _published_ids(root / f"patient_ids_rand_{part}.csv") for part in PARTS}
    forth: dict[int, str] = {}
    back: dict[str, int] = {}
    for (file, index), patient in patients.items():
        part, number = _part(file) or ("", 0)
        ids, position = published[part], number * SLICES_PER_FILE + index
        if ids is None:
            continue
        if position >= len(ids):
            raise DataError(f"patient_ids_rand_{part}.csv has no line for slice {index} of {file}.\nCopy it again.")
        if (
            forth.setdefault(ids[position], patient) != patient
            or back.setdefault(patient, ids[position]) != ids[position]
        ):
            raise DataError(
                f"Slice {index} of {file} belongs to the patient {ids[position]} of patient_ids_rand_{part}.csv, which "
                f"does not go with {patient!r} in other slices.\nThe slice is matched wrongly. Correct the table."
            )


def _published_ids(file: Path) -> list[int] | None:
    if not file.is_file():
        return None
    with refusing(file, "Copy or download it again.", what="must hold one integer a line"):
        return [int(line) for line in file.read_text(encoding="utf-8-sig").split()]
