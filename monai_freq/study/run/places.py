"""Where a run leaves its weights and its evaluation, in the folders of today and in earlier ones."""

from __future__ import annotations

from pathlib import Path

__all__ = ["evaluation_of", "last_of", "weights_of"]


def weights_of(folder: Path) -> Path:
    """Weights of a run.

    Args:
        folder: folder of the run.

    Example:
        >>> weights_of(Path("runs/early")).as_posix()
        'runs/early/models/model.pt'
    """
    return _found(folder, "models/model.pt", "model.pt")


def last_of(folder: Path) -> Path:
    """Checkpoint of the last epoch of a run.

    Args:
        folder: folder of the run.

    Example:
        >>> last_of(Path("runs/early")).as_posix()
        'runs/early/models/last.pt'
    """
    return _found(folder, "models/last.pt", "last.pt")


def evaluation_of(folder: Path) -> Path:
    """Folder of what the evaluation of a run found.

    Args:
        folder: folder of the run.

    Example:
        >>> evaluation_of(Path("runs/early")).as_posix()
        'runs/early/eval'
    """
    return _found(folder, "eval", "evaluation")


def _found(folder: Path, now: str, before: str) -> Path:
    return folder / (before if (folder / before).exists() and not (folder / now).exists() else now)
