"""The output folder of a run: what an earlier run left there, and the settings that this one was made with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ignite import distributed as idist

from ..errors import DataError, UsageError, ending_readably
from ..files import claim, replacing, set_aside
from ..json_files import parse_json, read_json
from ..places import RECORD, RESULTS, record_of
from ..quoting import named, reason_of

__all__ = ["begin_run", "check_trained", "completed", "recorded_settings", "results_folder"]

#: settings that decide which cases are in which part
_DIVISION = ("phantom", "split_seed", "val_cases", "test_cases", "folds", "fold", "reading", "train_size", "draw")
#: settings of which earlier versions had one value, and recorded none
_UNSAID: dict[str, Any] = {"patch_size": None}
_GENERATED = "generated phantoms"


def begin_run(output_dir: str, resume: bool | str, **settings: Any) -> None:
    """Record the settings of a training in its folder; move what an earlier one left there to ``previous/<n>``.

    Args:
        output_dir: folder of the run.
        resume: whether to continue the run in the folder, with the same settings and data set; ``"true"`` is True.
        settings: settings to record; ``phantom`` counts where there is no ``dataset_dir``.

    Raises:
        UsageError: the run that is there was made with other settings; another process trains into the folder, or
            nothing can be written to it.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> begin_run(folder, resume=False, theta=0.1)
        >>> begin_run(folder, resume=True, theta=0.3)
        Traceback (most recent call last):
        ...
        monai_freq.errors.UsageError: ... was trained with theta=0.1, not 0.3.
        Give the same settings, or another --output_dir.
    """
    folder, settings = Path(output_dir), _of_data(settings)
    record, first = folder / RECORD, idist.get_rank() == 0
    continues = str(resume).lower() == "true"
    try:
        if first and not claim(folder):
            raise UsageError(
                f"Another process is training into {folder}.\nWait until it has ended, or pass another --output_dir."
            )
        if continues and record.is_file():
            _require_same_data(record, settings)
            _require_same(record, settings)
        elif first:
            if not continues:
                set_aside(folder, RESULTS)
            with replacing(record) as aside:
                aside.write_text(json.dumps(settings, indent=2) + "\n")
    except OSError as error:
        raise UsageError(
            f"{named(folder)} cannot be written to: {reason_of(error)}.\nPass --output_dir <a folder with room>."
        ) from error


def check_trained(checkpoint: str, settings: Mapping[str, Any], named_by: Sequence[str] = ("fusion",)) -> None:
    """Refuse a checkpoint that is missing or was trained with other settings.

    The settings that the training recorded are compared; the division into cases only where the data set is the same. A
    network that was trained on real data is not tested on a phantom because nothing is said. A checkpoint from
    elsewhere, without a record, is taken as it is.

    Args:
        checkpoint: file of weights.
        settings: settings to compare with the record.
        named_by: settings in the name of a run's default folder.

    Raises:
        UsageError: there is no such file, or a setting differs.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> begin_run(folder, resume=False, theta=0.1)
        >>> _ = Path(folder, "model.pt").write_text("weights")
        >>> check_trained(f"{folder}/model.pt", {"theta": 0.1})
        >>> check_trained(f"{folder}/model.pt", {"theta": 0.3})
        Traceback (most recent call last):
        ...
        monai_freq.errors.UsageError: ... was trained with theta=0.1, not 0.3.
        Give the same settings, or another --output_dir.
    """
    if not Path(checkpoint).is_file():
        names = ", ".join(f"--{name}" for name in named_by)
        same = f"{names} and --output_dir" if names else "--output_dir"
        raise UsageError(
            f"There is no checkpoint {named(checkpoint)}.\n"
            f"Train first, with the same {same}, or pass --checkpoint <file>."
        )
    record = record_of(checkpoint)
    if record.is_file():
        _require_said(record, settings)
        _require_same(record, _of_data(settings))


def recorded_settings(checkpoint: str, **given: Any) -> dict[str, Any]:
    """Settings that the training recorded of a checkpoint; none where it did not.

    Args:
        checkpoint: file of weights.
        given: settings in place of the recorded ones, where they are not None.

    Raises:
        SystemExit: the record is not readable.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> begin_run(folder, resume=False, theta=0.3)
        >>> recorded_settings(f"{folder}/models/model.pt")
        {'theta': 0.3}
    """
    record, recorded = record_of(checkpoint), {}
    with ending_readably():  # as a configuration asks for it outside of 'initialize' too
        if record.is_file():
            recorded = _read(record)
    return recorded | {name: value for name, value in given.items() if value is not None}


def results_folder(checkpoint: str | None, default: str) -> str:
    """Where the results of a checkpoint go: to the folder of its run, otherwise to the default.

    Args:
        checkpoint: file of weights; None for that of the default folder.
        default: folder of a run with these settings.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> begin_run(folder, resume=False, theta=0.1)
        >>> results_folder(f"{folder}/models/model.pt", "runs/early") == folder
        True
        >>> results_folder("weights/from_elsewhere.pt", "runs/early")
        'runs/early'
    """
    record = None if checkpoint is None else record_of(checkpoint)
    return str(record.parent) if record is not None and record.is_file() else default


def completed(recorded: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """A setting of several entries: those that are given, and the training's for the others.

    Args:
        recorded: entries from the training.
        given: entries from the command line.

    Example:
        >>> completed({"task": "heart", "cases": 20}, cases=6)
        {'task': 'heart', 'cases': 6}
    """
    return {**recorded, **given}


def _require_same(record: Path, settings: Mapping[str, Any]) -> None:
    recorded = _UNSAID | _read(record)
    other_data = recorded.get("dataset_dir") != settings.get("dataset_dir")
    for name, value in settings.items():
        if name == "dataset_dir" or name not in recorded or (other_data and name in _DIVISION):
            continue
        if recorded[name] != parse_json(json.dumps(value)):
            raise UsageError(
                f"{record.parent} was trained with {name}={recorded[name]}, not {value}.\n"
                "Give the same settings, or another --output_dir."
            )


def _require_same_data(record: Path, settings: Mapping[str, Any]) -> None:
    before, now = _read(record).get("dataset_dir"), settings.get("dataset_dir")
    if before != now:
        raise UsageError(
            f"{record.parent} was trained on {before or _GENERATED}, not on {now or _GENERATED}.\n"
            "Give the same --dataset_dir, or another --output_dir."
        )


def _require_said(record: Path, settings: Mapping[str, Any]) -> None:
    before = _read(record).get("dataset_dir")
    if before is not None and settings.get("dataset_dir", before) is None:
        raise UsageError(
            f"{record.parent} was trained on {before}, and no data set is named: this would take {_GENERATED}.\n"
            f"Pass --dataset_dir {before}, or the folder of other data."
        )


def _of_data(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Paths of the data as they are found from any working directory; a phantom only where there is no data set."""
    found = dict(settings)
    folds = found.get("folds")
    if isinstance(folds, Mapping) and folds.get("file") is not None:
        found["folds"] = {**folds, "file": str(Path(folds["file"]).expanduser().resolve())}
    if found.get("dataset_dir") is not None:
        found["dataset_dir"] = str(Path(found["dataset_dir"]).expanduser().resolve())
        found.pop("phantom", None)
    return found


def _read(record: Path) -> dict[str, Any]:
    try:
        content = read_json(record)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{named(record)} is not readable: {reason_of(error)}.\nDelete it, or choose another --output_dir."
        ) from error
    return content if isinstance(content, dict) else {}
