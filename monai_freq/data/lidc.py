"""Labels for LoDoPaB-CT: its slices found again in a copy of LIDC-IDRI, whose readers rated the nodules."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..files import replacing
from ..spectral.attenuation import HIGHEST, PER_HU, WATER
from .dicom_slices import DicomSlice, read_dicom_slice
from .hdf5_slices import read_hdf5_slice, slices_shape
from .lidc_folder import LidcFolder
from .lodopab import LABEL_COLUMNS, PARTS
from .refusals import refusing

__all__ = ["Match", "attenuation", "match_slices", "write_labels"]

BLOCKS = 16  # of a thumbnail, along each axis
COMPARED = 8  # candidates that are compared in full

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Match:
    """A slice of LoDoPaB-CT and the one of LIDC-IDRI that it was made from.

    Args:
        file: the HDF5 file.
        index: number of the slice in it.
        source: the DICOM slice.
        correlation: Pearson's correlation over all pixels.
        margin: lead of the correlation over that with the next best slice of LoDoPaB-CT.

    Example:
        >>> source = DicomSlice(Path("1-01.dcm"), uid="1.3.6.1.4.1", patient="LIDC-IDRI-0001")
        >>> match = Match(Path("ground_truth_test_000.hdf5"), 7, source, correlation=0.999, margin=0.02)
        >>> match.source.patient
        'LIDC-IDRI-0001'
    """

    file: Path
    index: int
    source: DicomSlice
    correlation: float
    margin: float


def attenuation(hounsfield: NDArray[np.generic]) -> Floats:
    r"""Convert Hounsfield units to LoDoPaB-CT's scale.

    .. math:: x = \min(\max(\mu / \mu_{\max}, 0), 1), \quad \mu = \text{HU} (20 - 0.02) / 1000 + 20\ \text{m}^{-1}

    with :math:`\mu_{\max} = 81.35858\ \text{m}^{-1}`, that of 3071 HU.

    Args:
        hounsfield: values in HU.

    Shape:
        Any; kept.

    Reference:
        J. Leuschner et al., LoDoPaB-CT, a benchmark dataset for low-dose computed tomography reconstruction, Scientific
        Data 8, 109 (2021), doi:10.1038/s41597-021-00893-z.

    Example:
        >>> attenuation(np.array([-1000, 0, 3071])).round(4)
        array([2.000e-04, 2.458e-01, 1.000e+00], dtype=float32)
    """
    mu = np.asarray(hounsfield, dtype=np.float64) * PER_HU + WATER
    return np.clip(mu / HIGHEST, 0, 1).astype(np.float32)


def write_labels(
    lidc_dir: str | os.PathLike[str],
    lodopab_dir: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    min_correlation: float = 0.99,
    min_margin: float = 0.001,
) -> int:
    """Write the table that :func:`monai_freq.data.read_lodopab` reads, with a line for each matched slice and reader.

    Every folder below ``lidc_dir`` is searched for DICOM files, by their content, and for XML files of readings, which
    may lie elsewhere than the scans. Of the slices that carry a nodule with a malignancy, :func:`match_slices` keeps
    those that it can tell. The memory holds thumbnails of LoDoPaB-CT (40 MB) and one scan's slices at a time.

    Args:
        lidc_dir: a copy of LIDC-IDRI, or a part of one.
        lodopab_dir: the folder with ``ground_truth_{train|validation|test}_{000}.hdf5``.
        output: the table to write; it is written aside and renamed.
        min_correlation: correlation that a match must exceed.
        min_margin: least lead of a match over the next best, in both directions.

    Returns:
        Number of slices in the table.

    Raises:
        DataError: there are no scans, no readings or no slices, a file is damaged, nothing matches, or the table cannot
            be written.

    Reference:
        S. G. Armato III et al., The Lung Image Database Consortium (LIDC) and Image Database Resource Initiative
        (IDRI), Medical Physics 38 (2011), doi:10.1118/1.3528204.

    Example:
        >>> import SimpleITK, h5py, tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> image = SimpleITK.GetImageFromArray(np.random.default_rng(0).integers(-1000, 1000, (48, 48), np.int16))
        >>> image.SetMetaData("0010|0020", "LIDC-IDRI-0001")
        >>> SimpleITK.WriteImage(image, root / "1-01.dcm")
        >>> uid = SimpleITK.ReadImage(root / "1-01.dcm").GetMetaData("0008|0018")
        >>> nodule = f"<malignancy>4</malignancy></characteristics><roi><imageSOP_UID>{uid}</imageSOP_UID></roi>"
        >>> session = f"<unblindedReadNodule><characteristics>{nodule}</unblindedReadNodule>"
        >>> text = f"<LidcReadMessage><readingSession>{session}</readingSession></LidcReadMessage>"
        >>> _ = (root / "069.xml").write_text(text)
        >>> with h5py.File(root / "ground_truth_test_000.hdf5", "w") as file:
        ...     file["data"] = attenuation(SimpleITK.GetArrayFromImage(image))[None, ::-1]
        >>> write_labels(root, root, root / "labels.csv")
        1
        >>> (root / "labels.csv").read_text().splitlines()[1].split(",")[:4]
        ['ground_truth_test_000.hdf5', '0', 'LIDC-IDRI-0001', '4']
    """
    files = [file for part in PARTS for file in sorted(Path(lodopab_dir).glob(f"ground_truth_{part}_???.hdf5"))]
    if not files:
        raise DataError(
            f"The folder {lodopab_dir} holds no file of LoDoPaB-CT.\n"
            "It must hold ground_truth_train_000.hdf5 and so on: unpack the archives there."
        )
    source = LidcFolder(lidc_dir)
    matches = match_slices(source.rated_slices(), files, min_correlation, min_margin)
    if not matches:
        raise source.why_nothing_matches(lodopab_dir)
    _write(Path(output), matches, source.readings)
    return len(matches)


def match_slices(
    sources: Iterable[DicomSlice], files: list[Path], min_correlation: float = 0.99, min_margin: float = 0.001
) -> list[Match]:
    r"""Find the slices of LoDoPaB-CT that were made from given DICOM slices.

    A DICOM slice is cropped about its centre, scaled by :func:`attenuation`, and correlated, in each of its eight
    orientations, with every slice of LoDoPaB-CT: first as thumbnails of 16 x 16 block means, then, the nearest eight,
    in full. It is kept if

    .. math:: r_1 > r_{\min}, \quad r_1 - r_2 \ge m

    with :math:`r_2` the next best slice's correlation, and if no other DICOM slice correlates with its match within m.

    Args:
        sources: DICOM slices, read one by one.
        files: HDF5 files of LoDoPaB-CT.
        min_correlation: lower bound :math:`r_{\min}` of a match's correlation, in [0, 1).
        min_margin: lower bound m of its lead over the next best, in [0, 1).

    Returns:
        The matches, in the order of files and indices.

    Raises:
        ValueError: a threshold is out of range.
        DataError: a file is damaged, or a DICOM slice is smaller than those of LoDoPaB-CT.

    Reference:
        J. Leuschner et al., LoDoPaB-CT, a benchmark dataset for low-dose computed tomography reconstruction, Scientific
        Data 8, 109 (2021), doi:10.1038/s41597-021-00893-z.

    Example:
        >>> import SimpleITK, h5py, tempfile
        >>> scan, slices = (Path(tempfile.mkdtemp(), name) for name in ("1-01.dcm", "ground_truth_test_000.hdf5"))
        >>> other, hounsfield = np.random.default_rng(0).integers(-1000, 1000, (2, 48, 48), np.int16)
        >>> SimpleITK.WriteImage(SimpleITK.GetImageFromArray(hounsfield), scan)
        >>> with h5py.File(slices, "w") as file:
        ...     file["data"] = attenuation(np.stack([other, hounsfield[::-1]]))
        >>> [match] = match_slices([DicomSlice(scan, "1.2.3", "LIDC-IDRI-0001")], [slices])
        >>> match.index, match.source.patient, round(match.correlation, 3)
        (1, 'LIDC-IDRI-0001', 1.0)
    """
    for name, value in (("min_correlation", min_correlation), ("min_margin", min_margin)):
        if not 0 <= value < 1:
            raise ValueError(f"'{name}' must be in [0, 1), got {value}.")
    gallery = _Gallery(files) if files else None
    claims: dict[tuple[Path, int], list[Match]] = defaultdict(list)
    for source in sources if gallery else ():
        match = gallery.find(source) if gallery else None
        if match and match.correlation > min_correlation and match.margin >= min_margin:
            claims[match.file, match.index].append(match)
    order = {file: number for number, file in enumerate(files)}
    kept = [best for found in claims.values() if (best := _undisputed(found, min_margin))]
    return sorted(kept, key=lambda match: (order[match.file], match.index))


def _undisputed(found: list[Match], min_margin: float) -> Match | None:
    best, *others = sorted(found, key=lambda match: -match.correlation)
    return best if all(best.correlation - other.correlation >= min_margin for other in others) else None


class _Gallery:
    """Thumbnails of all slices of LoDoPaB-CT."""

    def __init__(self, files: list[Path]) -> None:
        shapes = {file: slices_shape(file) for file in files}
        self.size = shapes[files[0]][1:]
        for file, shape in shapes.items():
            if shape[1:] != self.size or min(self.size) < BLOCKS:
                raise DataError(f"{file} holds slices of {shape[1:]}, {files[0]} of {self.size}.\nCopy it again.")
        self.slices = [(file, index) for file, shape in shapes.items() for index in range(shape[0])]
        thumbnails = (_normalised(_block_means(read_hdf5_slice(*each))).ravel() for each in self.slices)
        self.thumbnails = np.fromiter(thumbnails, dtype=(np.float32, BLOCKS**2), count=len(self.slices))

    def find(self, source: DicomSlice) -> Match:
        image = attenuation(_cropped(read_dicom_slice(source.file), self.size, source.file))
        views = [view for view in _orientations(image) if view.shape == self.size]
        small = np.stack([_normalised(_block_means(view)).ravel() for view in views])
        likely = np.argsort(-(self.thumbnails @ small.T).max(axis=1), kind="stable")[:COMPARED]
        full = np.stack([_normalised(view).ravel() for view in views])
        scores = []
        for number in likely:
            file, index = self.slices[number]
            scores.append((float((full @ _normalised(read_hdf5_slice(file, index)).ravel()).max()), file, index))
        scores.sort(key=lambda score: -score[0])
        (best, file, index), *others = scores
        return Match(file, index, source, best, best - others[0][0] if others else best)


def _cropped(image: NDArray[np.generic], size: tuple[int, int], file: Path) -> NDArray[np.generic]:
    top, left = ((have - want) // 2 for have, want in zip(image.shape, size, strict=True))
    if top < 0 or left < 0:
        raise DataError(f"{file} has {image.shape} pixels, less than the {size} of LoDoPaB-CT.\nLeave the scan out.")
    return image[top : top + size[0], left : left + size[1]]


def _orientations(image: Floats) -> list[Floats]:
    """Views of an image turned and mirrored: the published files do not say how theirs lie."""
    return [np.rot90(flipped, turns) for flipped in (image, image.T) for turns in range(4)]


def _block_means(image: Floats) -> Floats:
    edges = [np.linspace(0, length, BLOCKS, endpoint=False).astype(int) for length in image.shape]
    sums = np.add.reduceat(np.add.reduceat(image, edges[0], axis=0), edges[1], axis=1)
    counts = [np.diff(np.append(edge, length)) for edge, length in zip(edges, image.shape, strict=True)]
    return np.asarray(sums / np.outer(*counts), dtype=np.float32)


def _normalised(image: Floats) -> Floats:
    centred = image - image.mean(dtype=np.float64)
    norm = np.sqrt((centred**2).sum(dtype=np.float64))
    return np.asarray(centred / norm if norm > 0 else centred, dtype=np.float32)


def _write(output: Path, matches: list[Match], readings: Mapping[str, list[int]]) -> None:
    refused = refusing(output, "Name another file.", OSError, what="cannot be written")
    with refused, replacing(output) as aside, aside.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow([*LABEL_COLUMNS, "correlation", "sop_uid"])
        for match in matches:
            for malignancy in readings[match.source.uid]:
                cells = [match.file.name, match.index, match.source.patient, malignancy]
                writer.writerow([*cells, f"{match.correlation:.6f}", match.source.uid])
