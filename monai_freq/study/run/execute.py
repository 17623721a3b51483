"""One run: a training and an evaluation of a bundle, from an empty, half-finished or failed folder to its result."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from ...bundle.setting_names import setting_of
from ...files import replacing
from ...json_files import parse_json, read_json
from ...places import evaluation_of, last_of
from ...quoting import harmless
from .evaluations import read_cases, read_measures
from .forked import run_forked
from .missing import trains_the_same
from .results import BUNDLE, Result, as_settings, read_result, result_file, write_result
from .spec import Run, run_folder
from .tied import Ended, finish, start_tied

__all__ = ["Setup", "execute", "result_of"]

_RECORD = "run.json"
_CURVE = "validation.jsonl"
_LOG = "log.txt"
_PROGRAM = (sys.executable, "-m", "monai.bundle")


class Setup(NamedTuple):
    """What all runs of a study share.

    Args:
        output_dir: folder of the study.
        cpus: number of cores of a run; its number of threads is the whole part, at least 1.
        gpus: number of GPUs of a run; with 0 it sees none.
        git_commit: commit of the driver's working directory.
        environment: variables that runs need on any machine.

    Example:
        >>> Setup("out", cpus=2).threads
        2
    """

    output_dir: str
    cpus: float = 1
    gpus: float = 0
    git_commit: str | None = None
    environment: Mapping[str, str] = {}

    @property
    def threads(self) -> int:
        """Number of threads of a training."""
        return max(1, int(self.cpus))


class _FailedError(Exception):
    """A training or an evaluation ended with an error; the message is the end of its log."""


def execute(run: Run, setup: Setup) -> Result:
    """Train, evaluate, and write the result; a half-finished training is continued if it has the same settings.

    One process at a time works in the folder of a run: another waits, and takes the result if there is one then.

    Args:
        run: run as its bundle has to be called, see :func:`monai_freq.study.run.checks.fitted`.
        setup: settings that all runs of the study share.

    Returns:
        The result, which is on the disk. A failure is a result too.

    Example:
        >>> import tempfile
        >>> folder, settings = tempfile.mkdtemp(), {"fusion": "none", "train_size": 4, "draw": 0, "seed": 0}
        >>> run = Run(bundle="heart_fd", folder="bundles/heart_fd", settings=settings)
        >>> finished = result_of(run, status="finished")
        >>> _ = write_result(folder, finished)
        >>> execute(run, Setup(folder)) == finished  # nothing is trained twice
        True
    """
    folder = run_folder(Path(setup.output_dir), run.name)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / ".lock") as lock:
        earlier = _finished(setup, run)
        if earlier is not None:
            return earlier
        result = _attempt(_Attempt(run, setup, folder, lock))
        write_result(setup.output_dir, result)
        return result


def result_of(run: Run, **found: Any) -> Result:
    """Result of a run.

    Args:
        run: run that was made, or could not be.
        found: further entries of the result.

    Example:
        >>> settings = {"fusion": "none", "train_size": 4, "draw": 0, "seed": 0}
        >>> run = Run(bundle="heart_fd", folder="bundles/heart_fd", settings=settings)
        >>> result_of(run, status="failed", error="killed").name == run.name
        True
    """
    return Result(bundle=run.bundle, settings=run.settings, classes=run.classes, **found)


def _finished(setup: Setup, run: Run) -> Result | None:
    with suppress(ValueError):
        result = read_result(result_file(setup.output_dir, run.name))
        return result if result.finished else None
    return None


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Descriptor of a lock that is held until its last owner is gone: it is handed on to the training."""
    import fcntl  # not on Windows, where a study can be reported on

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


class _Attempt(NamedTuple):
    run: Run
    setup: Setup
    folder: Path
    lock: int

    @property
    def options(self) -> dict[str, Any]:
        return self.run.options(Path(self.setup.output_dir))

    @property
    def last_checkpoint(self) -> int | None:
        """Time of the last checkpoint in ns; None if there is none."""
        with suppress(OSError):
            return last_of(self.folder).stat().st_mtime_ns
        return None


def _attempt(attempt: _Attempt) -> Result:
    run, folder = attempt.run, attempt.folder
    outcome: dict[str, Any] = {"status": "failed"}
    seconds: dict[str, float] = {}
    try:
        seconds["train"], train_peak = _train(attempt)
        seconds["evaluate"], evaluate_peak = _call(attempt, "evaluate", _evaluation_options(attempt))
        outcome = {
            "status": "finished",
            "configs": run.fingerprint("train", "evaluate"),
            "peak_memory_bytes": max(train_peak, evaluate_peak),
            **_measured(run, folder),
        }
    except _FailedError as error:
        outcome["error"] = str(error)
    except (OSError, ValueError) as error:
        outcome["error"] = f"{type(error).__name__}: {harmless(str(error))}"
    return result_of(
        run,
        **outcome,
        recorded=_json(folder / "settings.json"),
        versions=_versions() | _bundle_version(run),
        git_commit=attempt.setup.git_commit,
        seconds=seconds,
        validation=_curve(folder / _CURVE, run.key_metric),
    )


def _measured(run: Run, folder: Path) -> dict[str, Any]:
    """Entries of the result that the evaluation gives."""
    if run.classifies:
        return {"measures": {**read_measures(folder), **run.noted}}
    return {"cases": read_cases(evaluation_of(folder) / "cases.csv")}


def _train(attempt: _Attempt) -> tuple[float, int]:
    """Seconds, with those of the attempts that this one continues, and peak memory in bytes."""
    before = attempt.last_checkpoint
    resumes, earlier = _begin(attempt)
    try:
        seconds, peak = _call(attempt, "train", attempt.options | {"resume": resumes})
    except _FailedError:
        if not resumes or before is None or attempt.last_checkpoint != before:
            raise
        # what it should continue from may be what is broken
        _begin(attempt, anew=True)
        earlier = 0.0
        seconds, peak = _call(attempt, "train", attempt.options | {"resume": False})
    return earlier + seconds, peak


def _begin(attempt: _Attempt, anew: bool = False) -> tuple[bool, float]:
    """Record what the training is made with; whether that is what the earlier one was, and its seconds."""
    file = attempt.folder / _RECORD
    made_with = {
        "settings": attempt.options,
        "configs": attempt.run.fingerprint("train"),
        "versions": _versions(),
    }
    record = _json(file)
    resumes = not anew and "made_with" in record and _same(_of_today(record["made_with"]), made_with)
    if resumes:
        useful = (attempt.last_checkpoint or 0) / 1e9 - record["started"]
        earlier = record["seconds"] + max(0.0, useful)
    else:
        (attempt.folder / _CURVE).unlink(missing_ok=True)
        earlier = 0.0
    with replacing(file) as aside:
        aside.write_text(json.dumps({"made_with": made_with, "started": time.time(), "seconds": earlier}, indent=2))
    return resumes, earlier


def _same(made_with: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether a training can be continued: whatever it must share with its beginning is the same."""
    alike = trains_the_same(str(made_with.get("configs")), other["configs"])
    return alike and all(made_with.get(name) == other[name] for name in ("settings", "versions"))


def _of_today(made_with: Mapping[str, Any]) -> Mapping[str, Any]:
    """A record, also one of the form that was written before a run's settings were one mapping."""
    if "settings" in made_with:
        return made_with
    own: dict[str, Any] = {name: made_with.get(name) for name in ("arm", "size", "draw", "seed")}
    data = {} if made_with.get("dataset_dir") is None else {"dataset_dir": made_with["dataset_dir"]}
    return {**made_with, "settings": as_settings(**own, overrides=made_with.get("changes", {})) | data}


def _evaluation_options(attempt: _Attempt) -> dict[str, Any]:
    """The settings that an evaluation knows; a picture of each case of each run would fill folders."""
    known, given = _known(attempt.run, "evaluate"), {"pictures": False} | attempt.options
    return {key: value for key, value in given.items() if setting_of(key) in known}


def _known(run: Run, workflow: str) -> set[str]:
    """Settings that a workflow of the bundle has."""
    return {key for file in run.configs(workflow) for key in _json(file)}


def _call(attempt: _Attempt, workflow: str, options: Mapping[str, Any]) -> tuple[float, int]:
    """Run a workflow of the bundle; its seconds and its peak memory in bytes."""
    configs = [str(file) for file in attempt.run.configs(workflow)]
    if workflow == "train":
        configs.append(_curve_config(attempt.folder))
    own = {"output_dir": str(attempt.folder), "threads": attempt.setup.threads}
    if "bundle_root" in _known(attempt.run, workflow):  # which a bundle of another name would not find by itself
        own["bundle_root"] = attempt.run.folder
    words = ["run", "--config_file", str(configs)]
    for key, value in {**options, **own}.items():
        words += [f"--{key}", _written(value)]
    with (attempt.folder / _LOG).open("ab") as log:
        start, begin = time.perf_counter(), log.tell()
        log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {shlex.join([*_PROGRAM, *words])}\n".encode())
        log.flush()
        code, peak = _run(words, log.fileno(), attempt)
        seconds = time.perf_counter() - start
    if code:
        ending = f"ended by signal {-code}" if code < 0 else f"ended with status {code}"
        raise _FailedError(f"{_last_lines(attempt.folder / _LOG, begin)}\n{workflow} {ending}".strip())
    return seconds, peak


def _written(value: Any) -> str:
    """A setting as an option: None by itself would be left out."""
    return value if isinstance(value, str) else "$None" if value is None else repr(value)


def _environment(setup: Setup) -> dict[str, str]:
    """All variables of a run."""
    environment = os.environ | dict(setup.environment) | {"OMP_NUM_THREADS": str(setup.threads)}
    return environment if setup.gpus else environment | {"CUDA_VISIBLE_DEVICES": ""}


def _run(words: Sequence[str], log: int, attempt: _Attempt) -> Ended:
    """Run ``python -m monai.bundle``, in a fork if one does; on GPUs in a new process, as CUDA may not be forked."""
    environment = _environment(attempt.setup)
    done = None if attempt.setup.gpus else run_forked(words, environment, log, attempt.lock)
    if done is not None:
        return done
    files = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "pass_fds": [attempt.lock]}
    return finish(start_tied([*_PROGRAM, *words], environment, **files))


def _curve_config(folder: Path) -> str:
    """Configuration file that adds the validation curve to the bundle's own handlers."""
    handler = {"_target_": "monai_freq.study.run.curve.ValidationCurve", "file": str(folder / _CURVE)}
    with replacing(folder / "curve.json") as aside:
        aside.write_text(json.dumps({"+validate#handlers": [handler]}, indent=2) + "\n")
    return str(folder / "curve.json")


def _curve(file: Path, metric: str) -> dict[str, list[Any]]:
    points: dict[int, float] = {}
    for line in file.read_text().splitlines() if file.is_file() else []:
        with suppress(ValueError, TypeError):  # the line that a killed run was writing
            epoch, value = parse_json(line)
            points[int(epoch)] = float(value)
    return {"epochs": sorted(points), metric: [points[epoch] for epoch in sorted(points)]}


def _versions() -> dict[str, str]:
    packages = {name: version(name) for name in ("monai_freq", "torch", "monai")}
    return packages | {"python": platform.python_version()}


def _bundle_version(run: Run) -> dict[str, str]:
    version = _json(Path(run.folder) / "configs" / "metadata.json").get("version")
    return {} if version is None else {BUNDLE: str(version)}


def _json(file: Path) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        content = read_json(file)
        return content if isinstance(content, dict) else {}
    return {}


def _last_lines(log: Path, begin: int = 0, lines: int = 15) -> str:
    """The end of a log from some byte on, with each progress bar as it was last."""
    with log.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(begin, file.tell() - 20000))
        text = file.read().decode(errors="replace")
    shown = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n") if line.strip()]
    return harmless("\n".join(line[:500] for line in shown[-lines:]))
