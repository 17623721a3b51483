"""Where a run keeps its files, in today's places and in those of folders that are older."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["CHECKPOINTS", "RECORD", "RESULTS", "evaluation_of", "last_of", "models_of", "record_of", "weights_of"]

#: settings of the training
RECORD = "settings.json"
_MODELS, _BEST, _LAST = "models", "model.pt", "last.pt"
_EVALUATION, _EARLIER_EVALUATION = "eval", "evaluation"
#: what a training leaves in the folder of its run to be continued or evaluated, in the places of any version
CHECKPOINTS = (_MODELS, _BEST, _LAST)
#: everything that a run leaves in its folder
RESULTS = (*CHECKPOINTS, RECORD, "tensorboard", _EVALUATION, _EARLIER_EVALUATION, "segmentations", "predictions")


def models_of(folder: str | os.PathLike[str]) -> Path:
    """Folder of a run's weights: ``models``, or the run's own folder where an earlier version has begun it.

    Args:
        folder: folder of the run.

    Example:
        >>> import tempfile
        >>> run = Path(tempfile.mkdtemp())
        >>> models_of(run).name
        'models'
        >>> _ = (run / "last.pt").write_text("state")
        >>> models_of(run) == run
        True
    """
    run = Path(folder)
    today, earlier = (any((place / name).is_file() for name in (_BEST, _LAST)) for place in (run / _MODELS, run))
    return run if earlier and not today else run / _MODELS


def weights_of(folder: str | os.PathLike[str]) -> Path:
    """File of a run's best weights, there or not.

    Args:
        folder: folder of the run.

    Example:
        >>> weights_of("runs/early").as_posix()
        'runs/early/models/model.pt'
    """
    return models_of(folder) / _BEST


def last_of(folder: str | os.PathLike[str]) -> Path:
    """File of the state that a run is resumed from, there or not.

    Args:
        folder: folder of the run.

    Example:
        >>> last_of("runs/early").as_posix()
        'runs/early/models/last.pt'
    """
    return models_of(folder) / _LAST


def evaluation_of(folder: str | os.PathLike[str]) -> Path:
    """Folder of a run's evaluation: ``eval``, or ``evaluation`` where an earlier version alone has evaluated the run.

    Args:
        folder: folder of the run.

    Example:
        >>> evaluation_of("runs/early").as_posix()
        'runs/early/eval'
    """
    today, earlier = Path(folder, _EVALUATION), Path(folder, _EARLIER_EVALUATION)
    return earlier if earlier.is_dir() and not today.is_dir() else today


def record_of(weights: str | os.PathLike[str]) -> Path:
    """File of the settings that weights were trained with, there or not: in their folder, or in that of their run.

    Args:
        weights: file of the weights.

    Example:
        >>> record_of("runs/early/models/model.pt").as_posix(), record_of("elsewhere/resnet50.pt").as_posix()
        ('runs/early/settings.json', 'elsewhere/settings.json')
    """
    beside = Path(weights).expanduser().with_name(RECORD)
    of_run = beside.parent.parent / RECORD
    return of_run if beside.parent.name == _MODELS and not beside.is_file() else beside
