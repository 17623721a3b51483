"""Two addresses of one image: another spelling of a path, or a link."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable
from typing import Any, TypeVar

__all__ = ["RealFiles", "repeated_image"]

T = TypeVar("T")


class RealFiles:
    """The files that addresses lead to, links resolved; each folder is resolved once, as a look-up per file is slow.

    Example:
        >>> real = RealFiles()
        >>> real.of("vol01/../vol01/100-8.pck#12") == real.of("./vol01/100-8.pck#12") != real.of("vol01/100-8.pck#13")
        True
    """

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}
        self._notes: dict[Hashable, Any] = {}

    def of(self, address: str | os.PathLike[str], is_link: bool | None = None) -> Hashable:
        """Tell the file, and the slice where there is one, that an address leads to.

        Args:
            address: path of a file, there or not, or ``file#index``.
            is_link: whether the file is a symbolic link; looked up by default, and only then are hard links told.
        """
        path = os.fspath(address)
        file, mark, index = path.rpartition("#")
        if not mark or not index.isdecimal() or os.path.lexists(path):
            file, index = path, ""
        folder, name = os.path.split(os.path.abspath(file))
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        real = os.path.join(self._folders[folder], name)
        if is_link is None and (inode := _shared_inode(real)):
            return inode, index
        if os.path.islink(real) if is_link is None else is_link:
            real = os.path.realpath(real)
        return real, index

    def earlier(self, address: str | os.PathLike[str], note: T, is_link: bool | None = None) -> T | None:
        """Note of the earlier address that leads to the same image; None, and this note is kept, if there was none.

        Args:
            address: address of an image, see :meth:`of`.
            note: note to keep of the address.
            is_link: whether the file is a symbolic link, see :meth:`of`.
        """
        key = self.of(address, is_link)
        found: T | None = self._notes.get(key)
        self._notes.setdefault(key, note)
        return found


def _shared_inode(path: str) -> tuple[int, int] | None:
    """What tells a file that has several names."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status.st_nlink > 1 and not os.path.isdir(path) else None


def repeated_image(addresses: Iterable[str | os.PathLike[str]]) -> tuple[str, str] | None:
    """Find the first two addresses that lead to one image.

    Args:
        addresses: paths, or ``file#index``; the files need not be there.

    Returns:
        The two as they are written, or None.

    Example:
        >>> repeated_image(["imagesTr/a.nii", "imagesTr/b.nii", "./imagesTr/a.nii"])
        ('imagesTr/a.nii', './imagesTr/a.nii')
    """
    real = RealFiles()
    for each in addresses:
        address = os.fspath(each)
        if (other := real.earlier(address, address)) is not None:
            return other, address
    return None
