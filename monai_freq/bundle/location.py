"""Where the running bundle lies."""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError, ending_readably
from ..json_files import read_json
from .command_line import config_files

__all__ = ["find_bundle"]


def find_bundle(name: str) -> str:
    """Folder of a bundle, so that its commands work from any working directory.

    Looked for, in this order: beside the ``--config_file`` of the command line, in the working directory, and in its
    ``bundles`` folder.

    Args:
        name: name of the bundle in its ``configs/metadata.json``.

    Returns:
        The absolute path of the folder.

    Raises:
        SystemExit: it is in none of these places.

    Example:
        >>> import tempfile
        >>> from unittest.mock import patch
        >>> from monai_freq.bundle.shipped_bundles import copy_bundle
        >>> config = copy_bundle("heart_fd", Path(tempfile.mkdtemp(), "my_heart")) / "configs" / "train.json"
        >>> with patch("sys.argv", ["monai/bundle/__main__.py", "run", "--config_file", str(config)]):
        ...     Path(find_bundle("heart_fd")).name
        'my_heart'
    """
    beside = [Path(file).resolve().parent.parent for file in config_files()]
    for folder in [*beside, Path.cwd(), Path.cwd() / "bundles" / name]:
        if _name(folder) == name:
            return str(folder)
    with ending_readably():
        raise UsageError(
            f"Cannot tell where the bundle '{name}' lies.\n"
            "Run it from its own folder or from the repository's root, or pass --bundle_root <its folder>."
        )


def _name(folder: Path) -> str | None:
    try:
        metadata = read_json(folder / "configs" / "metadata.json")
    except (OSError, ValueError):
        return None
    return metadata.get("name") if isinstance(metadata, dict) else None
