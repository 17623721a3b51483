"""The bundles that come with the package, for those who have installed it without a checkout."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from ..files import replacing
from ..json_files import read_json
from ..quoting import written

__all__ = ["copy_bundle", "describe_bundle", "list_bundles", "shipped_folder"]


#: what runs leave in a bundle, none of it for a repository that the copy is kept in
_LEFT_BY_RUNS = (".cache/", "eval/", "models/", "runs/")


def list_bundles() -> list[str]:
    """Names of the bundles, in alphabetical order.

    Raises:
        OSError: the installation lacks them.

    Example:
        >>> list_bundles()[1]
        'heart_fd'
    """
    return sorted(folder.name for folder in _folder().iterdir() if (folder / "configs" / "metadata.json").is_file())


def describe_bundle(name: str) -> str:
    """The task of a bundle, in one line.

    Args:
        name: name of the bundle, see :func:`list_bundles`.

    Raises:
        ValueError: there is no such bundle.

    Example:
        >>> describe_bundle("heart_fd")
        'Segmentation of the left atrium in MR images with frequency-disentangled learning'
    """
    metadata = read_json(shipped_folder(name) / "configs" / "metadata.json")
    return str(metadata["task"])


def copy_bundle(name: str, folder: str | os.PathLike[str] | None = None) -> Path:
    """Copy a bundle's configurations and documents to a folder of its own, from which it runs.

    Where the copy is kept in a git repository, what its runs leave is ignored there.

    Args:
        name: name of the bundle, see :func:`list_bundles`.
        folder: new folder; by default the bundle's name in the working directory.

    Returns:
        The absolute path of the folder.

    Raises:
        ValueError: there is no such bundle.
        FileExistsError: the folder is there already.
        OSError: it cannot be written.

    Example:
        >>> import tempfile
        >>> copied = copy_bundle("heart_fd", Path(tempfile.mkdtemp(), "my_heart"))
        >>> sorted(path.name for path in copied.iterdir())
        ['.gitignore', 'LICENSE', 'configs', 'docs']
    """
    source, target = shipped_folder(name), Path(folder or name).expanduser().absolute()
    if target.exists():
        raise FileExistsError(f"{target} is there already.\nName a folder that is not, or remove it.")
    with replacing(target) as aside:
        for file in _files(source):
            copied = aside / file.relative_to(source)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copied)
        (aside / ".gitignore").write_text("".join(f"/{folder}\n" for folder in _LEFT_BY_RUNS), encoding="utf-8")
    return target


def shipped_folder(name: str) -> Path:
    """Where a bundle came with the package; :func:`copy_bundle` makes one's own.

    Args:
        name: name of the bundle, see :func:`list_bundles`.

    Raises:
        ValueError: there is no such bundle.

    Example:
        >>> shipped_folder("heart_fd").name
        'heart_fd'
    """
    names = list_bundles()
    if name not in names:
        close = get_close_matches(name, names, 1)
        meant = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(names)}."
        raise ValueError(f"There is no bundle {written(name)}.\n{meant}")
    return _folder() / name


def _files(bundle: Path) -> Iterator[Path]:
    """What makes a bundle, without the phantoms and results that runs in a checkout have left beside it."""
    yield bundle / "LICENSE"
    for part in ("configs", "docs"):
        yield from (file for file in (bundle / part).rglob("*") if file.is_file())


def _folder() -> Path:
    package = Path(__file__).parents[1]
    # inside the package where it was built and installed; beside it in a checkout
    for place in (package / "bundles", package.parent / "bundles"):
        if place.is_dir():
            return place
    raise FileNotFoundError("This installation of monai_freq lacks its bundles.\nInstall it again: pip install .")
