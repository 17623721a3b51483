"""The cases of an audit: images with labels, and, where known, the group and patient that each comes from."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import numpy as np
import torch
from monai.data import MetaTensor, affine_to_spacing
from torch import Tensor

from ..data.tables import Row, read_rows
from ..errors import DataError
from ..quoting import named, shown, written
from ..spectral.scalars import is_count
from ..transforms.load_image import load_image

__all__ = ["Case", "Cases", "read_cases"]


@dataclass(frozen=True)
class Case:
    """One image of an audit, and what is known of it.

    Args:
        image: path of a picture, volume or folder of DICOM slices, or ``file#index`` for a slice, or an image
            ``(C, *spatial)``.
        label: class of the image; None if it has none.
        group: where the image comes from, such as a hospital, scanner or data set; None if unknown.
        patient: patient; None if unknown, and each image then counts as a patient of its own.
        segmentation: path of the reference segmentation, or the segmentation ``(1, *spatial)``; None if there is none.
        spacing: voxel size along each axis in mm; None for that of the file, and 1 mm where it knows of none.
        name: what reports call the case.

    Example:
        >>> import torch
        >>> Case(torch.zeros(1, 8, 8), label="normal").load()[0].shape
        torch.Size([1, 8, 8])
    """

    image: str | Tensor
    label: str | None = None
    group: str | None = None
    patient: str | None = None
    segmentation: str | Tensor | None = None
    spacing: tuple[float, ...] | None = None
    name: str = ""

    def load(self) -> tuple[Tensor, tuple[float, ...]]:
        """Load the image.

        Returns:
            Image ``(C, *spatial)``, float32, in 2D or 3D, and its voxel size in mm.

        Raises:
            DataError: the file is missing, damaged or of another kind, or the image is not 2D or 3D, is empty, or holds
                NaN or infinity.
        """
        image, spacing = _loaded(self.image)
        if image.ndim not in (3, 4) or not image.numel():
            raise DataError(f"{self._title} must be an image in 2D or 3D, its shape is {tuple(image.shape)}.")
        if not bool(image.isfinite().all()):
            raise DataError(f"{self._title} holds NaN or infinity.\nReplace these values, or leave the image out.")
        steps = self.spacing or spacing or (1.0,) * (image.ndim - 1)
        if len(steps) != image.ndim - 1:
            raise DataError(f"{self._title} has {image.ndim - 1} axes, its spacing {len(steps)} numbers.")
        return image, tuple(map(float, steps))

    def load_placed(self) -> MetaTensor:
        """Load the image with its place in the patient and what else its file says, for the preprocessing of networks.

        Returns:
            The image that :meth:`load` returns, with affine and metadata.

        Raises:
            DataError: see :meth:`load`.
        """
        meta = load_image(self.image) if isinstance(self.image, str) else self.image
        image, steps = replace(self, image=meta, name=self._title).load()
        known = meta.meta if isinstance(meta, MetaTensor) else {}
        dims = image.ndim - 1
        affine = meta.affine.clone().double() if isinstance(meta, MetaTensor) else torch.eye(4, dtype=torch.float64)
        lengths = affine[:dims, :dims].norm(dim=0).clamp_min(1e-12)
        affine[:dims, :dims] *= torch.tensor(steps, dtype=torch.float64) / lengths
        return MetaTensor(image, affine, meta={key: value for key, value in known.items() if key != "affine"})

    def load_segmentation(self) -> Tensor:
        """Load the segmentation ``(1, *spatial)``, integers.

        Raises:
            DataError: the case has none, or the file cannot be read.
        """
        if self.segmentation is None:
            raise DataError(f"{self._title} has no segmentation.\nName its column with 'segmentation'.")
        return _loaded(self.segmentation)[0].round().long()

    @property
    def _title(self) -> str:
        return named(self.image) if isinstance(self.image, str) else shown(self.name or "an image")


class Cases(Sequence[Case]):
    """Cases of an audit, in a fixed order.

    Args:
        cases: the cases.

    Raises:
        DataError: there is no case, some have a label, group or segmentation and others none, or two have one name.

    Example:
        >>> import torch
        >>> images = torch.rand(4, 1, 8, 8)
        >>> cases = Cases.of_arrays(images, labels=["a", "b", "a", "b"], patients=[1, 1, 2, 2])
        >>> len(cases), cases.labels, cases.patients
        (4, ('a', 'b', 'a', 'b'), ('1', '1', '2', '2'))
    """

    def __init__(self, cases: Sequence[Case]) -> None:
        if not cases:
            raise DataError("There is no case.\nName a table with at least one image.")
        self._cases = tuple(replace(case, name=case.name or f"case {k}") for k, case in enumerate(cases))
        for field in ("label", "group", "patient", "segmentation"):
            known = [getattr(case, field) is not None for case in self._cases]
            if any(known) and not all(known):
                case = self._cases[known.index(False)]
                raise DataError(f"{shown(case.name)} has no {field}, other cases have one.\nGive all, or none.")

    @classmethod
    def of_arrays(
        cls,
        images: Sequence[Tensor] | Tensor,
        labels: Sequence[object] | None = None,
        groups: Sequence[object] | None = None,
        patients: Sequence[object] | None = None,
        segmentations: Sequence[Tensor] | None = None,
        spacing: Sequence[float] | None = None,
    ) -> Cases:
        """Cases of images in memory.

        Args:
            images: images ``(C, *spatial)``, of one size or several.
            labels: class of each image.
            groups: group of each image.
            patients: patient of each image.
            segmentations: segmentation of each image, ``(1, *spatial)``.
            spacing: voxel size of all images in mm.

        Raises:
            ValueError: a sequence has another number of entries than there are images.
            DataError: see :class:`Cases`.

        Example:
            >>> import torch
            >>> Cases.of_arrays(torch.rand(2, 1, 8, 8), labels=[0, 1])[1].label
            '1'
        """
        columns = {"label": labels, "group": groups, "patient": patients, "segmentation": segmentations}
        for name, column in columns.items():
            if column is not None and len(column) != len(images):
                raise ValueError(f"'{name}s' must have {len(images)} entries, one for each image, got {len(column)}.")
        steps = None if spacing is None else tuple(map(float, spacing))
        cases = []
        for k, image in enumerate(images):
            known = {name: column[k] for name, column in columns.items() if column is not None}
            texts = {name: value if name == "segmentation" else str(value) for name, value in known.items()}
            cases.append(Case(image=image, spacing=steps, **texts))  # type: ignore[arg-type]
        return cls(cases)

    @overload
    def __getitem__(self, index: int) -> Case: ...
    @overload
    def __getitem__(self, index: slice) -> Cases: ...
    def __getitem__(self, index: int | slice) -> Case | Cases:
        return Cases(self._cases[index]) if isinstance(index, slice) else self._cases[index]

    def __len__(self) -> int:
        return len(self._cases)

    def __iter__(self) -> Iterator[Case]:
        return iter(self._cases)

    @property
    def labels(self) -> tuple[str, ...] | None:
        """Label of each case; None if no label is known."""
        return self._column("label")

    @property
    def groups(self) -> tuple[str, ...] | None:
        """Group of each case; None if no group is known."""
        return self._column("group")

    @property
    def patients(self) -> tuple[str, ...]:
        """Patient of each case; where none is known, each image is of a patient of its own."""
        first: dict[str | int, int] = {}  # a file that is listed twice is one image
        places = [case.image if isinstance(case.image, str) else k for k, case in enumerate(self._cases)]
        return self._column("patient") or tuple(f"case {first.setdefault(place, k)}" for k, place in enumerate(places))

    @property
    def patients_known(self) -> bool:
        """Whether the patients are known."""
        return self._cases[0].patient is not None

    def subset(self, n: int, seed: int = 0) -> Cases:
        """About n cases: whole patients, drawn at random, in equal shares of each pair of label and group.

        Patients are taken in a random order, the pair with the fewest cases so far first, until there are n cases. The
        order of the cases stays. If there are n cases or fewer, all are kept.

        Args:
            n: number of cases, at least 1.
            seed: seed of the draw.

        Raises:
            ValueError: n is no whole number of at least 1.

        Example:
            >>> import torch
            >>> cases = Cases.of_arrays(torch.rand(8, 1, 4, 4), labels=[0] * 6 + [1] * 2)
            >>> cases.subset(4).labels
            ('0', '0', '1', '1')
        """
        if not is_count(n):
            raise ValueError(f"'n' must be a whole number of at least 1, got {written(n)}.")
        if n >= len(self):
            return self
        of_patient: dict[str, list[int]] = {}
        for k, patient in enumerate(self.patients):
            of_patient.setdefault(patient, []).append(k)
        waiting: dict[tuple[str | None, str | None], list[list[int]]] = {}
        order = np.random.default_rng(seed).permutation(len(of_patient))
        patients = list(of_patient.values())
        for place in order:
            first = self._cases[patients[place][0]]
            waiting.setdefault((first.label, first.group), []).append(patients[place])
        taken: dict[tuple[str | None, str | None], int] = dict.fromkeys(sorted(waiting, key=str), 0)
        kept: list[int] = []
        while len(kept) < n:
            fewest = min((kind for kind in taken if waiting[kind]), key=taken.__getitem__)
            images = waiting[fewest].pop(0)
            kept += images
            taken[fewest] += len(images)
        return Cases([self._cases[k] for k in sorted(kept)])

    def _column(self, field: str) -> tuple[str, ...] | None:
        values = tuple(getattr(case, field) for case in self._cases)
        return None if values[0] is None else values


def read_cases(
    table: str | os.PathLike[str],
    image: str = "image",
    label: str | None = "label",
    group: str | None = None,
    patient: str | None = None,
    segmentation: str | None = None,
    where: Mapping[str, str] | None = None,
) -> Cases:
    """Read the cases of a CSV file.

    Args:
        table: a table with one line for each image. Paths are relative to its folder, or absolute.
        image: column of the path of the image; ``file#index`` for a slice.
        label: column of the class; None for none.
        group: column of the group.
        patient: column of the patient.
        segmentation: column of the path of the segmentation.
        where: column -> text; only lines with this text are read.

    Raises:
        DataError: the table is missing, has no such column or no line, or a cell is empty.

    Example:
        >>> import tempfile
        >>> table = Path(tempfile.mkdtemp(), "index.csv")
        >>> _ = table.write_text("image,label,source\\na.png,normal,nih\\nb.png,ill,nih\\n")
        >>> read_cases(table, group="source").labels
        ('normal', 'ill')
    """
    file, where = Path(table), dict(where or {})
    columns = {"label": label, "group": group, "patient": patient}
    texts = {field: column for field, column in columns.items() if column is not None}
    paths = {field: column for field, column in {"image": image, "segmentation": segmentation}.items() if column}
    wanted = list(dict.fromkeys([*paths.values(), *texts.values(), *where]))
    cases = []
    for row in read_rows(file, wanted):
        if all(row.cells[column] == text for column, text in where.items()):
            known: dict[str, str] = {field: row.text(column) for field, column in texts.items()}
            known |= {field: _path(row, column) for field, column in paths.items()}
            cases.append(Case(**known, name=row.text(image)))  # type: ignore[arg-type]
    if not cases:
        chosen = f" with {', '.join(f'{name}={text}' for name, text in where.items())}" if where else ""
        raise DataError(f"The table {named(file)} has no line{chosen}.\nList at least one image.")
    return Cases(cases)


def _path(row: Row, column: str) -> str:
    return os.path.normpath(row.file.absolute().parent / row.text(column))


def _loaded(image: str | Tensor) -> tuple[Tensor, tuple[float, ...] | None]:
    """Image with channels first, and its voxel size where it is known."""
    if isinstance(image, Tensor):
        spacing = affine_to_spacing(image.affine) if isinstance(image, MetaTensor) else None
        plain = image.as_tensor() if isinstance(image, MetaTensor) else image
        return plain.float(), None if spacing is None else tuple(map(float, spacing[: image.ndim - 1]))
    return _loaded(load_image(image))
