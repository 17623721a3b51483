"""A copy of LIDC-IDRI in any layout: DICOM files of any name, and their readings, wherever they lie."""

from __future__ import annotations

import gzip
import logging
import os
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, cast
from xml.etree import ElementTree

from ..errors import DataError
from ..quoting import named, shown
from .dicom_slices import DicomSlice, is_dicom, scan_dicom_files
from .file_kinds import left_out, named_as
from .nifti import is_packed
from .refusals import refusing

__all__ = ["LidcFolder", "read_malignancies"]

MOST_BYTES = 64 * 2**20
LOOKED_AT = 4096  # bytes: the root comes after a declaration and, it may be, comments
_ROOT = re.compile(rb"<(?:\w+:)?(?:Lidc|Idri)ReadMessage\b")
_log = logging.getLogger(__name__)


class LidcFolder:
    """The slices of a copy of LIDC-IDRI that carry a rated nodule.

    Readings belong to slices by their SOP instance UID, so that an XML file may lie beside its scan or in a folder of
    its own; what is called XML counts, and what is one by its content. A slice that is there twice counts once. Hidden
    files are left out, and named in the log.

    Args:
        root: folder of the copy, or of a part of one.

    Raises:
        DataError: there is no such folder, or no XML file in it; or an XML file is damaged, or none rates a nodule.

    Example:
        >>> import SimpleITK, tempfile
        >>> root = Path(tempfile.mkdtemp())
        >>> image = SimpleITK.Image(8, 8, SimpleITK.sitkInt16)
        >>> image.SetMetaData("0010|0020", "LIDC-IDRI-0001")
        >>> SimpleITK.WriteImage(image, root / "1-01.dcm")
        >>> uid = SimpleITK.ReadImage(root / "1-01.dcm").GetMetaData("0008|0018")
        >>> nodule = f"<malignancy>4</malignancy></characteristics><roi><imageSOP_UID>{uid}</imageSOP_UID></roi>"
        >>> session = f"<unblindedReadNodule><characteristics>{nodule}</unblindedReadNodule>"
        >>> text = f"<LidcReadMessage><readingSession>{session}</readingSession></LidcReadMessage>"
        >>> _ = (root / "069.xml").write_text(text)
        >>> folder = LidcFolder(root)
        >>> [scan.patient for scan in folder.rated_slices()], list(folder.readings.values())
        (['LIDC-IDRI-0001'], [[4]])
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.name = named(root)
        if not os.path.isdir(root):
            raise DataError(
                f"There is no folder {self.name}.\nIt must hold DICOM and XML files of LIDC-IDRI, at any depth."
            )
        files = [path for path in sorted(Path(root).rglob("*")) if path.is_file()]
        xml = [path for path in files if not _is_hidden(path) and named_as(path) != "DICOM" and _is_readings(path)]
        if not xml:
            raise DataError(
                f"{self.name} holds no XML file.\nDownload LIDC-IDRI's readings too, to any folder below it."
            )
        self.readings: dict[str, list[int]] = {}
        for file in xml:
            self._note(read_malignancies(file), file)
        self.xml = _number(len(xml), "XML file")
        if not self.readings:
            raise DataError(
                f"No nodule of the {self.xml} in {self.name} has a malignancy from 1 to 5.\n"
                "Copy them again, or more of LIDC-IDRI: scans without such a nodule give no labels."
            )
        self.slices = 0
        self.rated = 0
        self._folders: dict[Path, list[Path]] = defaultdict(list)
        for path in sorted({*files} - {*xml}):
            self._folders[path.parent].append(path)

    def _note(self, readings: Mapping[str, list[int]], file: Path) -> None:
        for uid, malignancies in readings.items():
            if sorted(self.readings.setdefault(uid, malignancies)) != sorted(malignancies):
                raise DataError(
                    f"{named(file)} rates the slice {shown(uid)} otherwise than an XML file before it.\n"
                    "Keep one XML file for each scan."
                )

    def rated_slices(self) -> Iterator[DicomSlice]:
        """Read the headers folder by folder, and name what is no DICOM in the log.

        Raises:
            DataError: a DICOM file cannot be read.
        """
        seen: set[str] = set()
        for number, (folder, files) in enumerate(self._folders.items(), 1):
            hidden = {file for file in files if _is_hidden(file)}
            scans = [file for file in files if file not in hidden and is_dicom(file)]
            for others, kind in ((hidden, "hidden"), ({*files} - hidden - {*scans}, "neither DICOM nor XML")):
                if said := left_out(others, kind):
                    _log.info(said)
            slices, found = list(scan_dicom_files(scans)), []
            for each in slices:
                if each.uid in self.readings and each.uid not in seen:
                    seen.add(each.uid)
                    found.append(each)
            self.slices += len(slices)
            self.rated += len(found)
            rated = f"{_number(len(found), 'slice')} with rated nodules"
            _log.info(f"{named(folder)}, {number} of {len(self._folders)}: {rated}.")
            yield from found

    def why_nothing_matches(self, others: str | os.PathLike[str]) -> DataError:
        """What is missing when no slice was found again, after all have been read.

        Args:
            others: folder in which they were looked for.
        """
        if not self.slices:
            return DataError(
                f"{self.name} holds {self.xml} and no DICOM file.\n"
                "Download the images of LIDC-IDRI too, to any folder below it."
            )
        if not self.rated:
            return DataError(
                f"None of the {_number(self.slices, 'DICOM slice')} in {self.name} is rated in its {self.xml}.\n"
                "They name slices by their SOP instance UIDs: take both from LIDC-IDRI, not anonymised anew."
            )
        return DataError(
            f"None of the {_number(self.rated, 'rated slice')} in {self.name} is found in {named(others)}.\n"
            "Copy more of LIDC-IDRI or of LoDoPaB-CT: these parts of the two may share no scan."
        )


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(".")


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _is_readings(file: Path) -> bool:
    """Whether a file is called XML, or is one of LIDC-IDRI by its content, packed with gzip or not."""
    if file.suffix.lower() == ".xml":
        return True
    try:
        with _opened(file) as stream:
            return _ROOT.search(stream.read(LOOKED_AT)) is not None
    except (OSError, EOFError, zlib.error):  # as a file that is not for this user to read
        return False


def read_malignancies(file: str | os.PathLike[str]) -> dict[str, list[int]]:
    """Collect the malignancies that up to four readers gave to the nodules on each slice of a scan.

    A reader counts once for a slice, with the highest of the nodules that he outlined on it. Nodules without a
    malignancy (those below 3 mm) and values outside 1 to 5 count as not read.

    Args:
        file: an XML file of LIDC-IDRI, one for each CT series; it may be packed with gzip.

    Returns:
        SOP instance UID of the slice -> malignancy by each reader who saw a nodule there.

    Raises:
        DataError: the file cannot be read or is no XML of LIDC-IDRI, or a reader gives a nodule two malignancies.

    Reference:
        S. G. Armato III et al., The Lung Image Database Consortium (LIDC) and Image Database Resource Initiative
        (IDRI), Medical Physics 38 (2011), doi:10.1118/1.3528204.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "069.xml")
        >>> nodule = "<malignancy>4</malignancy></characteristics><roi><imageSOP_UID>1.3.6.1</imageSOP_UID></roi>"
        >>> session = f"<unblindedReadNodule><characteristics>{nodule}</unblindedReadNodule>"
        >>> _ = file.write_text(f"<LidcReadMessage><readingSession>{session}</readingSession></LidcReadMessage>")
        >>> read_malignancies(file)
        {'1.3.6.1': [4]}
    """
    found: dict[str, list[int]] = defaultdict(list)
    for session in _children(_parse(Path(file)), "readingSession"):
        highest: dict[str, int] = {}
        for nodule in _children(session, "unblindedReadNodule"):
            malignancy = _malignancy(nodule, Path(file))
            for slice_uid in _slices(nodule) if malignancy else ():
                highest[slice_uid] = max(malignancy, highest.get(slice_uid, 0))
        for slice_uid, malignancy in highest.items():
            found[slice_uid].append(malignancy)
    return dict(found)


def _parse(file: Path) -> ElementTree.Element:
    with refusing(file, "It must be an XML file of LIDC-IDRI. Copy it again."):
        with _opened(file) as stream:
            content = stream.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES or b"<!ENTITY" in content:  # entities can grow, and LIDC-IDRI has none
            raise ValueError("it is too large or defines entities")
        root = ElementTree.fromstring(content)
    if _name(root) not in ("LidcReadMessage", "IdriReadMessage"):
        raise DataError(f"{named(file)} holds no readings of a CT series.\nIt must be an XML file of LIDC-IDRI.")
    return root


def _opened(file: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(file)) if is_packed(file) else file.open("rb")


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]  # the files have several namespaces


def _children(element: ElementTree.Element, name: str) -> Iterator[ElementTree.Element]:
    return (child for child in element if _name(child) == name)


def _malignancy(nodule: ElementTree.Element, file: Path) -> int:
    """Malignancy from 1 to 5, or 0."""
    found = {
        (element.text or "").strip()
        for characteristics in _children(nodule, "characteristics")
        for element in _children(characteristics, "malignancy")
    }
    if len(found) > 1:
        raise DataError(f"{file} has a nodule of {len(found)} malignancies by one reader.\nCopy the file again.")
    text = found.pop() if found else ""
    return int(text) if text in ("1", "2", "3", "4", "5") else 0


def _slices(nodule: ElementTree.Element) -> Iterator[str]:
    for outline in _children(nodule, "roi"):
        for element in _children(outline, "imageSOP_UID"):
            yield (element.text or "").strip()
