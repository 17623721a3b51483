"""Segmentations as DICOM SEG, through highdicom: the classes of a series as segments that refer to its slices."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..files import replacing
from ..quoting import named, shown
from .dicom_headers import read_dataset
from .dicom_series import LPS_TO_RAS, Series, read_series
from .refusals import refusing

__all__ = ["read_dicom_seg", "require_source", "segment_codes", "write_dicom_seg"]

#: category of a segment, and the group of the standard that lists its types
_TYPES = {"AnatomicalStructure": 7192, "MorphologicallyAbnormalStructure": 7194, "Tissue": 7191, "PhysicalObject": 7193}
_CATEGORIES = 7150
_ALSO = {"tumor": "neoplasm", "tumour": "neoplasm", "oedema": "edema"}
_SIDES = ("left", "right")
SOFTWARE = "monai_freq"
SERIES_NUMBER = 1000  # above those of a study's own series
LONGEST = 64  # characters of a label
BETWEEN = 0.05  # largest distance from a voxel's centre, in voxels
NO_SEG = "cannot be read as DICOM SEG"
#: what a derived object cannot do without
REQUIRED = {"StudyInstanceUID": "Study Instance UID", "FrameOfReferenceUID": "Frame of Reference UID"}
MAY_BE_EMPTY = ["PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"]
MAY_BE_EMPTY += ["StudyDate", "StudyTime"]


def require_source(image: str | os.PathLike[str]) -> None:
    """Refuse an image that cannot get a DICOM SEG: it is no series, or lacks what a derived object must name.

    Args:
        image: path of a NIfTI file, or the folder of a series.

    Raises:
        DataError: the image is such a one, or highdicom is not installed.

    Example:
        >>> require_source("la_003.nii.gz")
        Traceback (most recent call last):
        monai_freq.errors.DataError: la_003.nii.gz is no folder of a DICOM series, to which a DICOM SEG refers.
        Use --output_format nifti for it.
    """
    _require_highdicom()
    if not os.path.isdir(image):
        raise DataError(
            f"{named(image)} is no folder of a DICOM series, to which a DICOM SEG refers.\n"
            "Use --output_format nifti for it."
        )
    for file in read_series(image).files:
        header = read_dataset(file, tags=tuple(REQUIRED))
        if missing := [name for keyword, name in REQUIRED.items() if not header.get(keyword)]:
            raise DataError(
                f"{named(file)} has no {missing[0]}, which a DICOM SEG must name.\n"
                "Export it again, or use --output_format nifti."
            )


def _require_highdicom() -> None:
    try:
        import highdicom  # noqa: F401
    except ImportError as error:
        raise DataError('DICOM SEG needs highdicom: pip install "monai_freq[dicom]"') from error


def segment_codes(name: str) -> tuple[Any, Any]:
    """Category and type of a segment, as the DICOM standard codes what the name of a class says.

    Args:
        name: name of a class, in letters of either case. ``left`` or ``right`` before it is left out if there is no
            code with it.

    Returns:
        Two codes of pydicom. What the standard does not list is coded as tissue, without more.

    Raises:
        DataError: highdicom is not installed.

    Example:
        >>> [code.meaning for code in segment_codes("left atrium")]
        ['Anatomical Structure', 'Left atrium']
        >>> [code.meaning for code in segment_codes("right kidney")], segment_codes("tumour")[1].value
        (['Anatomical Structure', 'Kidney'], '108369006')
        >>> [code.meaning for code in segment_codes("region 1")]
        ['Tissue', 'Tissue']
    """
    _require_highdicom()
    from pydicom.sr.codedict import codes

    categories = getattr(codes, f"cid{_CATEGORIES}")
    words = name.casefold().split()
    for known in (words, words[1:] if words[:1] and words[0] in _SIDES else []):
        wanted = _plain(" ".join(_ALSO.get(word, word) for word in known))
        for category, group in _TYPES.items():
            for keyword in getattr(codes, f"cid{group}").dir():
                if wanted and _plain(keyword) == wanted:
                    return getattr(categories, category), getattr(getattr(codes, f"cid{group}"), keyword)
    return categories.Tissue, codes.SCT.Tissue


def write_dicom_seg(
    classes: NDArray[np.uint8], series: Series, names: Mapping[str | int, str], path: str | os.PathLike[str]
) -> None:
    """Write class numbers as a DICOM SEG object of binary segments, one for each class but the background.

    Patient and study are those of the series; every frame refers to its slice. All slices are written, also where a
    segment is empty, and a class that is nowhere found has a segment without voxels.

    Args:
        classes: class numbers, 0 for the background.
        series: the series that they belong to.
        names: class number -> name, the background included; names become labels and, where the standard knows them,
            codes.
        path: file to write; written aside, then renamed.

    Shape:
        (columns, rows, slices), as ``series.shape``.

    Raises:
        ValueError: the class numbers have another shape, or one has no name, or they are not numbered 1, 2, ...
        DataError: a slice lacks what a derived object needs, as the study; or highdicom is not installed.

    Reference:
        Herrmann et al., DICOM re-encoding of volumetrically annotated lung imaging database consortium nodules, or
        DICOM PS3.3, A.51 (Segmentation IOD).

    Example:
        >>> write_dicom_seg(np.zeros((2, 2), np.uint8), Series("a", (), (2, 2, 2), np.eye(4), ()), {}, "a_seg.dcm")
        Traceback (most recent call last):
        ValueError: The class numbers have the shape (2, 2), their series (2, 2, 2).
    """
    if classes.shape != series.shape:
        raise ValueError(f"The class numbers have the shape {classes.shape}, their series {series.shape}.")
    labels = {int(number): str(name) for number, name in names.items() if int(number) != 0}
    if sorted(labels) != list(range(1, len(labels) + 1)) or not labels or classes.max(initial=0) > len(labels):
        raise ValueError(
            f"Segments are numbered 1, 2, ... and each has a name, got names for {sorted(labels)} and class numbers up "
            f"to {classes.max(initial=0)}."
        )
    _require_highdicom()
    with refusing(series.folder, "Write NIfTI, with --output_format nifti.", what="cannot get a DICOM SEG"):
        made = _segmentation(np.ascontiguousarray(classes.transpose(2, 1, 0)), series, labels)
        with replacing(Path(path)) as aside:
            made.save_as(aside)


def read_dicom_seg(
    file: str | os.PathLike[str], series: Series, names: Mapping[str | int, str] | None = None
) -> NDArray[np.uint8]:
    """Read a DICOM SEG object as class numbers on the voxels of a series, as labels for a training.

    Frames are placed by their positions, so that a file that leaves out empty frames is read, too.

    Args:
        file: a DICOM SEG file of binary segments, or a label map, whose segments do not overlap.
        series: the series that it belongs to.
        names: class number -> name; segments get the number of their label, in letters of either case. Left out:
            each keeps its own number.

    Returns:
        Class numbers, 0 for the background.

    Shape:
        (columns, rows, slices), as ``series.shape``.

    Raises:
        DataError: the file is none, or damaged; its segments overlap, lie between the voxels of the series or outside,
            have a label that ``names`` lacks or a number above 255; or highdicom is not installed.

    Example:
        >>> import tempfile, SimpleITK
        >>> from monai_freq.data.dicom_series import read_series
        >>> volume = SimpleITK.GetImageFromArray(np.zeros((3, 4, 6), np.int16))
        >>> folder, writer = tempfile.mkdtemp(), SimpleITK.ImageFileWriter()
        >>> writer.KeepOriginalImageUIDOn()
        >>> for number in range(3):
        ...     slice = volume[:, :, number : number + 1]
        ...     slice.SetMetaData("0008|0016", "1.2.840.10008.5.1.4.1.1.2")  # CT
        ...     for tag in ("0020|000d", "0020|000e", "0020|0052"):  # one study, series and frame of reference
        ...         slice.SetMetaData(tag, "1.2.3")
        ...     slice.SetMetaData("0008|0018", f"1.2.3.{number}")
        ...     slice.SetMetaData("0018|0050", "1")  # thickness in mm
        ...     writer.Execute(slice, f"{folder}/{number}.dcm", False, 0)
        >>> series, classes = read_series(folder), np.zeros((6, 4, 3), np.uint8)
        >>> classes[1:3, 2, 1] = 1
        >>> write_dicom_seg(classes, series, {1: "spleen"}, f"{folder}/seg.dcm")
        >>> bool((read_dicom_seg(f"{folder}/seg.dcm", series) == classes).all())
        True
    """
    _require_highdicom()
    from highdicom.seg import segread

    with refusing(file, "Name a DICOM SEG file without overlaps, or convert it to NIfTI.", what=NO_SEG):
        segmentation = segread(file)
        volume = segmentation.get_volume(combine_segments=True)
        labels = {
            each.segment_number: each.segment_label
            for each in map(segmentation.get_segment_description, segmentation.segment_numbers)
        }
        numbers = _numbers_of(file, labels, names)
        voxels = np.array(np.nonzero(volume.array))
        return _placed(file, volume.affine, voxels, numbers[volume.array[tuple(voxels)]], series)


def _numbers_of(
    file: str | os.PathLike[str], labels: Mapping[int, str], names: Mapping[str | int, str] | None
) -> NDArray[np.uint8]:
    """Class number of each segment number."""
    known = {number: number for number in labels}
    if names is not None:
        by_name = {str(name).casefold(): int(number) for number, name in names.items()}
        if unknown := [label for label in labels.values() if label.casefold() not in by_name]:
            raise DataError(
                f"{named(file)} has the segment {shown(unknown[0])!r}, which none of the classes is called.\n"
                f"Its segments are {', '.join(map(shown, labels.values()))}: give the classes these names."
            )
        known = {number: by_name[label.casefold()] for number, label in labels.items()}
    if max(known.values(), default=0) > 255:
        raise DataError(f"{named(file)} has more than 255 classes.\nLeave out some of its segments.")
    table = np.zeros(max(known, default=0) + 1, np.uint8)
    table[list(known)] = list(known.values())
    return table


def _placed(
    file: str | os.PathLike[str],
    affine: NDArray[np.float64],
    voxels: NDArray[np.intp],
    values: NDArray[np.uint8],
    series: Series,
) -> NDArray[np.uint8]:
    """Values at the voxels of a series that lie where voxels of another affine, in LPS, lie."""
    there = LPS_TO_RAS @ affine @ np.vstack([voxels, np.ones(voxels.shape[1])])
    exact = (np.linalg.inv(series.affine) @ there)[:3]
    index = np.rint(exact).astype(int)
    outside = (index < 0) | (index >= np.array(series.shape)[:, None])
    if outside.any() or np.abs(exact - index).max(initial=0) > BETWEEN:
        raise DataError(
            f"{named(file)} does not lie on the voxels of {named(series.folder)}.\n"
            "Name the series that it was drawn on, or resample it."
        )
    classes = np.zeros(series.shape, np.uint8)
    classes[tuple(index)] = values
    return classes


def _segmentation(frames: NDArray[np.uint8], series: Series, labels: Mapping[int, str]) -> Any:
    import highdicom
    from pydicom.uid import generate_uid

    slices = [_completed(read_dataset(file, tags=())) for file in series.files]
    first, step = slices[0], round(abs(float(_step(series))), 6)
    return highdicom.seg.Segmentation(
        source_images=slices,
        pixel_array=frames,
        segmentation_type="BINARY",  # which every viewer knows
        segment_descriptions=[_described(number, name) for number, name in sorted(labels.items())],
        series_instance_uid=generate_uid(),
        series_number=SERIES_NUMBER,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer=SOFTWARE,
        manufacturer_model_name=SOFTWARE,
        software_versions=version(SOFTWARE),
        device_serial_number="none",
        series_description=f"Segmentation by {SOFTWARE}",
        pixel_measures=highdicom.PixelMeasuresSequence(
            pixel_spacing=first.PixelSpacing,
            slice_thickness=first.get("SliceThickness") or step,
            spacing_between_slices=step,  # of the positions, whatever the headers of the slices say
        ),
        omit_empty_frames=False,  # some readers, as MONAI's, take it that every segment has all frames
    )


def _described(number: int, name: str) -> Any:
    import highdicom
    from matplotlib.colors import TABLEAU_COLORS
    from pydicom.sr.codedict import codes

    category, kind = segment_codes(name)
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name=SOFTWARE, family=codes.cid7162.ArtificialIntelligence, version=version(SOFTWARE)
    )
    colours = [str(colour) for colour in TABLEAU_COLORS.values()]
    return highdicom.seg.SegmentDescription(
        segment_number=number,
        segment_label=shown(name, LONGEST),
        segmented_property_category=category,
        segmented_property_type=kind,
        algorithm_type="AUTOMATIC",
        algorithm_identification=algorithm,
        display_color=highdicom.color.CIELabColor.from_string(colours[(number - 1) % len(colours)]),
    )


def _completed(header: Any) -> Any:
    """With the attributes that may be empty but not missing, as de-identified files lack them."""
    for keyword in MAY_BE_EMPTY:
        if keyword not in header:
            setattr(header, keyword, "")
    if header.PatientSex not in ("M", "F", "O"):
        header.PatientSex = ""
    return header


def _step(series: Series) -> Any:
    """Distance between slices along their normal."""
    axes = series.affine[:3, :3] / np.linalg.norm(series.affine[:3, :3], axis=0)
    return series.affine[:3, 2] @ np.cross(axes[:, 0], axes[:, 1])


def _plain(text: str) -> str:
    return "".join(each for each in text.casefold() if each.isalnum())
