"""Transforms in a DataLoader with workers: slices per second, and the memory of the workers."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import measure
import torch
from measure import Clocks
from monai.data import DataLoader, Dataset
from monai.transforms import Transform

from monai_freq.transforms import RandNonLocalMeansd, RandPhotonNoised

WORKERS, BATCH = 2, 4
#: Largest number of batches that the workers are ahead.
IN_FLIGHT = 2 * WORKERS
#: Number of batches; number of the first ones that do not count, until all workers have filled their caches.
BATCHES, EARLY = 500, 20
TINY_BATCHES, TINY_EARLY = 40, 10

Item = Mapping[str, Any]


class Entry(NamedTuple):
    """The images of a data set, and a dictionary transform of the key ``image``."""

    items: Callable[[bool], Sequence[Item]]
    transform: Callable[[], Transform]


class Passage(NamedTuple):
    """One run through the data."""

    per_second: float
    early_mb: float
    halfway_mb: float
    end_mb: float


def ct_slices(quick: bool) -> list[Item]:
    """Slices of a cylinder of water in air, in HU, of the size of LoDoPaB-CT."""
    pixels = 96 if quick else 362
    mm = (torch.arange(pixels) - (pixels - 1) / 2) * (260 / pixels)
    radii = (60, 80, 100, 110)
    return [{"image": torch.where(torch.hypot(mm, mm[:, None]) < radius, 0.0, -1000.0)[None]} for radius in radii]


def mr_slices(quick: bool) -> list[Item]:
    """Discs with Rician noise, of 320 x 320 pixels."""
    pixels = 64 if quick else 320
    radius = torch.hypot(torch.linspace(-1, 1, pixels), torch.linspace(-1, 1, pixels)[:, None])
    noise = 0.05 * torch.randn(4, 2, pixels, pixels, generator=torch.Generator().manual_seed(0))
    return [
        {"image": torch.hypot((radius < share).float() + real, imaginary)[None]}
        for share, (real, imaginary) in zip((0.5, 0.6, 0.7, 0.8), noise, strict=True)
    ]


def photon_noise() -> Transform:
    return RandPhotonNoised("image", prob=1.0, n_photons=(4096, 65536), extent_mm=260)


def nonlocal_means() -> Transform:
    return RandNonLocalMeansd("image", prob=1.0, h_factor=(0.6, 1.8), patch_radius=2)


#: name -> images and transform
ENTRIES: dict[str, Entry] = {
    "`RandPhotonNoised`, 362 x 362": Entry(ct_slices, photon_noise),
    "`RandNonLocalMeansd`, 320 x 320, 5/11": Entry(mr_slices, nonlocal_means),
}


def main() -> None:
    """Measure, print, and write the section."""
    arguments = measure.options(__doc__ or "", rounds=3)
    rows = [throughput(name, entry, arguments.rounds, arguments.quick) for name, entry in ENTRIES.items()]
    measure.publish("Throughput", report(rows), arguments)


def throughput(name: str, entry: Entry, rounds: int, quick: bool) -> Sequence[object]:
    """Row of the table: slices per second alone and through the loader, in turn, and the workers' memory."""
    items, batches, early = entry.items(quick), *((TINY_BATCHES, TINY_EARLY) if quick else (BATCHES, EARLY))
    alone, passages = [], []
    for _ in range(1 if quick else rounds):
        alone.append(alone_per_second(entry.transform(), items, 8 if quick else 40))
        passages.append(passage(partial(loader, entry, items, batches), batches, early))
    loaded = statistics.median(each.per_second for each in passages)
    ratio = statistics.median(each.per_second / one.wall for each, one in zip(passages, alone, strict=True))
    most = max(passages, key=lambda each: each.end_mb - each.early_mb)
    return [name, measure.median(alone), loaded, ratio, most.early_mb, most.halfway_mb, most.end_mb]


def alone_per_second(transform: Transform, items: Sequence[Item], slices: int) -> Clocks:
    """Slices per second in this process, after a warm-up."""
    transform(items[0])
    spent = measure.timed(lambda: [transform(items[index % len(items)]) for index in range(slices)])
    return Clocks(slices / spent.wall, slices / spent.cpu)


def loader(entry: Entry, items: Sequence[Item], batches: int) -> DataLoader:
    needed = [items[index % len(items)] for index in range(batches * BATCH)]
    return DataLoader(Dataset(needed, entry.transform()), batch_size=BATCH, num_workers=WORKERS)


def passage(make_loader: Callable[[], DataLoader], count: int, early: int) -> Passage:
    """One run through all batches; time and memory count after the first ones."""
    batches = iter(make_loader())
    for _ in range(early):
        next(batches)
    workers = [worker.pid for worker in batches._workers]
    readings, start, seen = [resident_mb(workers)], time.perf_counter(), 0
    for seen, _ in enumerate(batches, start=1):
        if seen in (count // 2 - early, count - early - IN_FLIGHT):  # the workers end with the last batch
            readings.append(resident_mb(workers))
    return Passage(seen * BATCH / (time.perf_counter() - start), *readings)


def resident_mb(processes: Sequence[int]) -> float:
    """Total memory of processes, with shared pages counted in each; 0 if one has ended, NaN if unknown."""
    if not Path("/proc/self/status").exists():
        return float("nan")
    return sum(resident) if all(resident := [*map(_resident, processes)]) else 0.0


def _resident(process: int) -> float:
    status = Path(f"/proc/{process}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((float(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS")), 0.0)


def report(rows: Sequence[Sequence[object]]) -> Iterator[measure.Part]:
    """Parts of the section."""
    yield (
        "Slices per second of the transform alone, in one process with one thread, and through a DataLoader with "
        f"{WORKERS} workers and batches of {BATCH}. The memory is the total resident memory of the workers over "
        f"{BATCHES} batches, of the run in which it grew most. The heap of a worker grows first, then stays."
    )
    memory = [f"MB after {count}" for count in (EARLY, BATCHES // 2, BATCHES)]
    header = ["transform", "alone", f"{WORKERS} workers", "ratio", *memory]
    yield measure.table(header, rows)


if __name__ == "__main__":
    main()
