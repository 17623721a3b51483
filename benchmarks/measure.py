"""Common parts of the benchmarks: interleaved timing by two clocks, peak memory in a fresh process, tables."""

from __future__ import annotations

import argparse
import ctypes
import resource
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import results
import torch
from builds import REFERENCE, TODAY, earlier
from machines import kind, machine
from targets import Clocks, Target, TargetsTable, table

__all__ = [
    "Call",
    "Clocks",
    "Part",
    "Target",
    "Times",
    "beside_earlier",
    "devices",
    "interleave",
    "median",
    "milliseconds",
    "options",
    "peak_memory",
    "publish",
    "ratio",
    "table",
    "targets_table",
    "timed",
]

Call = Callable[[], object]
Times = dict[str, list[Clocks]]
#: What a section consists of.
Part = str | TargetsTable


def options(description: str, rounds: int = 7) -> argparse.Namespace:
    """Command line of a benchmark: ``rounds``, ``threads``, ``quick`` and, a build or None, ``against``."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=rounds, help="number of rounds of all contenders in turn")
    parser.add_argument("--threads", type=int, default=1, help="number of intra-op threads")
    parser.add_argument("--quick", action="store_true", help="small sizes, one round, printed instead of written")
    what = f"also measure an earlier build: a folder with a checkout, or a commit (default: {REFERENCE})"
    parser.add_argument("--against", type=earlier, nargs="?", const=REFERENCE, help=what)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    return arguments


def devices() -> list[str]:
    """The CPU, and CUDA if there is a device."""
    return ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]


def interleave(calls: Mapping[str, Call], rounds: int, budget_s: float = float("inf"), at_least: int = 3) -> Times:
    """Time of each call in each round, A B C A B C ...; after ``budget_s`` no round starts beyond ``at_least``."""
    times: Times = {name: [] for name in calls}
    start = time.perf_counter()
    for done in range(rounds):
        if done >= at_least and time.perf_counter() - start > budget_s:
            break
        for name, call in calls.items():
            times[name].append(timed(call))
    return times


def ratio(times: Times, numerator: str, denominator: str) -> Clocks:
    """Median over the rounds of the ratio of two calls' times in the same round; NaN if one was not called."""
    called = numerator in times and denominator in times
    pairs = zip(times[numerator], times[denominator], strict=True) if called else ()
    return median(Clocks(a.wall / b.wall, _share(a.cpu, b.cpu)) for a, b in pairs)


def median(times: Iterable[Clocks]) -> Clocks:
    """Median of each clock; NaN of nothing."""
    found = [*times] or [Clocks(float("nan"), float("nan"))]
    return Clocks(statistics.median(one.wall for one in found), statistics.median(one.cpu for one in found))


def milliseconds(times: Times, name: str) -> Clocks:
    """Median time of a call in milliseconds."""
    return median(times[name]) * 1000


def peak_memory(prepare: Callable[..., Call], *args: object, device: str = "cpu", threads: int = 1) -> float:
    """Peak memory of ``prepare(*args)()`` in a fresh process, in bytes beyond the memory before; NaN if unknown.

    ``prepare`` is a function of a module, so that it can be sent. It makes the input resident, and warms up on a tiny
    one.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_peak, prepare, args, device, threads).result()


def beside_earlier(races: Iterable[tuple[object, Times]], ours: str) -> Iterator[str]:
    """Parts of a section: a contender beside that of an earlier build, which is named after its commit."""
    rows = [
        [what, name, len(times[name]), milliseconds(times, ours), milliseconds(times, name), ratio(times, name, ours)]
        for what, times in races
        for name in times
        if name.startswith("commit ")
    ]
    if rows:
        yield f"### Against an earlier build\n\n{ours}, in the same process and in turn."
        yield table(["what", "build", "rounds", "ms", "ms of that build", "times faster"], rows)


def targets_table(targets: Iterable[Target]) -> TargetsTable:
    """Targets beside the measurements, for :func:`publish`."""
    return TargetsTable([*targets], kind())


def publish(title: str, parts: Iterable[Part], arguments: argparse.Namespace) -> None:
    """Print a section, and record it for the kind of this machine unless the run is a quick one."""
    found = [*parts]
    line = machine(arguments.threads, TODAY.commit)
    quick = ["A quick run: the figures mean nothing."] if arguments.quick else []
    print("\n\n".join([f"## {title}: {kind()}", line, *quick, *map(str, found)]))
    if not arguments.quick:
        targets = [target for part in found if isinstance(part, TargetsTable) for target in part.targets]
        details = [part for part in found if isinstance(part, str)]
        results.record(kind(), title, results.section(line, TODAY.commit, targets, details))


def timed(call: Call) -> Clocks:
    """Time of one call in seconds, with the wait for the device, but without freeing the result."""
    _synchronise()
    start, worked = time.perf_counter(), _processor_seconds()
    result = call()
    _synchronise()
    elapsed = Clocks(time.perf_counter() - start, _processor_seconds() - worked)
    del result
    return elapsed


def _processor_seconds() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def _share(a: float, b: float) -> float:
    """Ratio; NaN if the second call did not work for a measurable time, as one that waits for a device."""
    return a / b if b > 0 else float("nan")


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _peak(prepare: Callable[..., Call], args: Sequence[object], device: str, threads: int) -> float:
    torch.set_num_threads(threads)
    call = prepare(*args)
    return _cuda_peak(call) if device == "cuda" else _resident_peak(call)


def _cuda_peak(call: Call) -> float:
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - before


def _resident_peak(call: Call) -> float:
    """Peak of the resident memory by the high-water mark of Linux, reset just before the call."""
    if not Path("/proc/self/clear_refs").exists():
        return float("nan")
    if hasattr(library := ctypes.CDLL(None), "malloc_trim"):
        library.malloc_trim(0)  # what the warm-up has freed would hold the call's memory unseen
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident("VmRSS")
    call()
    return _resident("VmHWM") - before


def _resident(name: str) -> float:
    line = next(line for line in _lines(Path("/proc/self/status")) if line.startswith(name))
    return 1024 * float(line.split()[1])


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
