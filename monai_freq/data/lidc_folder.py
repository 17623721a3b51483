"""A copy of LIDC-IDRI in any layout: DICOM files of any name, and their readings, wherever they lie."""

import logging
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from ..errors import DataError
from ..quoting import named, shown
from .dicom_slices import DicomSlice, is_dicom, scan_dicom_files
from .file_kinds import left_out, named_as
from .lidc_readings import is_readings, read_malignancies

__all__ = ["LidcFolder"]

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
        xml = [path for path in files if not _is_hidden(path) and named_as(path) != "DICOM" and is_readings(path)]
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
