"""A study on one machine or a Ray cluster: every missing run once, whatever happens to the machines."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from ...errors import UsageError
from ...files import write_files
from ...quoting import harmless, named, reason_of, shown, written
from .checks import Look
from .execute import Setup, execute, result_of
from .missing import missing, note_sources
from .results import Result, note_asked_for, read_result, result_file, write_result
from .spec import Run, run_folder

__all__ = ["run_study"]

#: seconds to wait for a cluster to answer
_PATIENCE = 20
#: variables of the driver that runs on other machines need too
_HANDED_ON = ("MONAI_FREQ_CACHE",)


def run_study(
    runs: Sequence[Run],
    output_dir: str | os.PathLike[str],
    *,
    address: str | None = None,
    cpus: float = 1,
    gpus: float = 0,
    retries: int = 3,
    at_once: int | None = None,
) -> list[Result]:
    """Make the runs that have no finished result yet, as many at a time as the resources allow.

    A run that starts from another one's weights waits until that has finished, and fails where that has failed.

    Args:
        runs: runs as planned; those that they wait for belong to the study as well.
        output_dir: folder of the study; on a cluster, one that all machines share, as the bundles' folders.
        address: address of a Ray cluster, as in ``"10.0.0.1:6379"``; None for this machine alone.
        cpus: number of cores of a run.
        gpus: number of GPUs of a run, which can be a fraction.
        retries: number of new starts of a run after the loss of its worker or machine.
        at_once: number of runs at the same time; None for as many as the resources allow.

    Returns:
        The results of the runs that had none, failed ones included, in the order of their end.

    Raises:
        UsageError: something that can be known before the first run stands in the way.

    Example:
        >>> import tempfile
        >>> folder, settings = tempfile.mkdtemp(), {"fusion": "none", "train_size": 4, "draw": 0, "seed": 0}
        >>> run = Run(bundle="heart_fd", folder="bundles/heart_fd", settings=settings)
        >>> _ = write_result(folder, result_of(run, status="finished"))
        >>> run_study([run], folder)  # none is left
        []
        >>> Path(folder, "runs.txt").read_text().split()
        ['heart_fd/n4_draw0_none_seed0']
    """
    folder = Path(output_dir).resolve()
    runs = _with_those_before(runs)
    _require_system()
    _require_writable(folder)
    note_sources(runs, folder)
    note_asked_for(folder, (run.name for run in runs))
    todo = list(missing(runs, folder))
    if not todo:
        return []
    ray = _import_ray()
    if address is not None:
        _require_answer(address)
    print(f"{len(todo)} of {len(runs)} runs to make. First, a look at their data; missing phantoms are generated.")
    with Look(todo) as look, _cluster(ray, address, cpus, gpus):
        todo = look.fitted()
        write_files(folder / "examples", {f"{bundle}.png": picture for bundle, picture in look.examples.items()})
        environment = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
        setup = Setup(str(folder), cpus, gpus, _git_commit(), environment)
        task = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=retries)(execute)
        ended = _ended(ray, lambda run: task.remote(run, setup), todo, folder, at_once or len(todo))
        return _followed(ended, {run.name: run for run in runs}, folder, len(todo))


def _ended(
    ray: ModuleType, start: Callable[[Run], Any], todo: Sequence[Run], folder: Path, at_once: int
) -> Iterator[list[Result]]:
    """Results of the runs that have ended, every second or as soon as there is one."""
    waiting = {run.name: run for run in todo}
    pending: dict[Any, Run] = {}
    failed: set[str] = set()
    while waiting or pending:
        ended: list[Result] = []
        to_come = waiting.keys() | {run.name for run in pending.values()}
        for run in [run for run in waiting.values() if run.after is None or run.after.name not in to_come]:
            if run.after is not None and run.after.name in failed:
                error = f"It was not started: {run.after.name}, whose weights it starts from, has failed."
                ended.append(_noted(result_of(run, status="failed", error=error), folder))
            elif len(pending) < at_once:
                pending[start(run)] = run
            else:
                continue
            del waiting[run.name]
        ready = ray.wait(list(pending), timeout=1.0)[0] if pending else []
        ended += [_collected(ray, reference, pending.pop(reference), folder) for reference in ready]
        failed |= {result.name for result in ended if not result.finished}
        yield ended


def _followed(ended: Iterable[list[Result]], runs: Mapping[str, Run], folder: Path, left: int) -> list[Result]:
    """All results, with a bar meanwhile; a run that failed by itself is reported at once."""
    from tqdm import tqdm

    live = sys.stderr.isatty()  # a log file gets a line now and then, not a flood
    interval = 0.1 if live else 15.0
    results: list[Result] = []
    failed: set[str] = set()
    with tqdm(total=len(runs), initial=len(runs) - left, unit="run", desc="Study", mininterval=interval) as bar:
        for some in ended:
            for result in some:
                results.append(result)
                if not result.finished:
                    failed.add(result.name)
                    if not runs[result.name].held_up(failed):
                        bar.write(_complaint(result, folder), file=sys.stderr)
                bar.set_postfix(failed=len(failed), refresh=False)
                bar.update()
            if live:
                bar.refresh()
    return results


def _collected(ray: ModuleType, reference: Any, run: Run, folder: Path) -> Result:
    """Result of a run whose task has ended, written here if no worker could."""
    try:
        result: Result = ray.get(reference)
    except Exception as error:  # Ray's own, or that of the disk where the worker was
        reason = f"{type(error).__name__}: {harmless(str(error).strip()[-2000:])}"
        result = result_of(run, status="failed", error=reason)
    with suppress(ValueError):
        there = read_result(result_file(folder, run.name))
        if there.finished or there == result:
            return there
    return _noted(result, folder)


def _noted(result: Result, folder: Path) -> Result:
    with suppress(OSError):
        write_result(folder, result)
    return result


def _with_those_before(runs: Sequence[Run]) -> list[Run]:
    """The runs, each once, and before them those whose weights they start from."""
    found: dict[str, Run] = {}
    for run in runs:
        line = [run]
        while line[-1].after is not None:
            line.append(line[-1].after)
        found |= {one.name: one for one in reversed(line)}
    return list(found.values())


def _complaint(result: Result, folder: Path) -> str:
    indented = "\n".join(f"    {line}" for line in (result.error or "").splitlines())
    return f"{result.name} failed:\n{indented}\n  The whole log: {run_folder(folder, result.name) / 'log.txt'}"


@contextmanager
def _cluster(ray: ModuleType, address: str | None, cpus: float, gpus: float) -> Iterator[None]:
    """Connection to a cluster, or a cluster of this machine alone, until the block ends."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing about a study leaves the machine
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # runs without GPUs are kept off them by `execute`
    own: dict[str, Any] = {}
    if address is None:
        own = {"include_dashboard": False, "object_store_memory": 100 * 2**20}
        # for this study alone: Ray would leave one in the home folder, and ask for it ever after
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        ray.init(address=address or "local", log_to_driver=False, logging_level="ERROR", **own)
    except Exception as error:
        where = "on this machine" if address is None else f"at {address}"
        raise UsageError(f"Ray cannot be used {where}: {reason_of(error)}.\n{_ADDRESS_HINT}") from error
    try:
        _require_resources(ray, cpus, gpus)
        yield
    finally:
        ray.shutdown()


_ADDRESS_HINT = (
    "Without --address the runs are made on this machine; with it, on the cluster of `ray start`. "
    "(One that wants a token: RAY_AUTH_MODE=token.)"
)


def _require_answer(address: str) -> None:
    """Ray itself would wait for minutes, and end the program."""
    if address in ("auto", "local"):
        return
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        raise UsageError(f"'--address' must be as in 10.0.0.1:6379, or auto, got {written(address)}.\n{_ADDRESS_HINT}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE).close()
    except (OSError, OverflowError) as error:
        raise UsageError(f"Nothing answers at {address}: {reason_of(error)}.\n{_ADDRESS_HINT}") from error
    if not address.startswith("ray://"):
        _require_health(address)


def _require_health(address: str) -> None:
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"What answers at {address} is no Ray cluster.\n{_ADDRESS_HINT}") from error
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["it is not healthy"])[-1][:200]
        raise UsageError(f"The Ray cluster at {address} refuses: {shown(reason, 200)}\n{_ADDRESS_HINT}") from error


def _require_resources(ray: ModuleType, cpus: float, gpus: float) -> None:
    """A run that fits on no machine would wait for ever."""
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if not any(one.get("CPU", 0) >= cpus and one.get("GPU", 0) >= gpus for one in machines):
        largest = ", ".join(f"{one.get('CPU', 0):g} CPUs and {one.get('GPU', 0):g} GPUs" for one in machines)
        raise UsageError(
            f"No machine has {cpus:g} CPUs and {gpus:g} GPUs for a run (there are: {largest}).\n"
            "Ask for fewer --cpus and --gpus."
        )
    if not gpus and any(one.get("GPU", 0) for one in machines):
        print("The GPUs are not used; with --gpus 1 each run has one, with --gpus 0.5 two runs share one.")


def _import_ray() -> ModuleType:
    try:
        import ray
    except ImportError as error:
        raise UsageError('A study needs Ray: pip install "monai_freq[study]"') from error
    return ray


def _require_system() -> None:
    if not hasattr(os, "wait4"):  # nor locks, nor groups of processes
        raise UsageError("A study cannot be run on Windows, only reported on.\nRun it on Linux or macOS.")


def _require_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial = folder / f".trial.{os.getpid()}"
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise UsageError(
            f"{named(folder)} cannot be written to: {reason_of(error)}.\nChoose another --output_dir."
        ) from error


def _git_commit() -> str | None:
    """Commit of the working directory's repository, marked when something has been changed since."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
