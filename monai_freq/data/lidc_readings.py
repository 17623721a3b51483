"""What LIDC-IDRI's readers say of the slices of a scan."""

import gzip
import os
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast
from xml.etree import ElementTree

from ..errors import DataError
from ..quoting import named
from .nifti import is_packed
from .refusals import refusing

__all__ = ["is_readings", "read_malignancies"]

MOST_BYTES = 64 * 2**20
LOOKED_AT = 4096  # bytes: the root comes after a declaration and, it may be, comments
_ROOT = re.compile(rb"<(?:\w+:)?(?:Lidc|Idri)ReadMessage\b")


def is_readings(file: str | os.PathLike[str]) -> bool:
    """Whether a file is called XML, or is one of LIDC-IDRI by its content, packed with gzip or not.

    Args:
        file: there.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "069")
        >>> _ = file.write_text('<?xml version="1.0"?><LidcReadMessage></LidcReadMessage>')
        >>> is_readings(file)
        True
    """
    if Path(file).suffix.lower() == ".xml":
        return True
    try:
        with _opened(Path(file)) as stream:
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
