"""The radial power spectrum density against its Fourier transform and a loop over rings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import measure
import numpy as np
import torch
from measure import Call, Target, Times
from numpy.typing import NDArray
from torch import Tensor

from monai_freq.spectral.psd import radial_psd

#: Number of rounds of calls of milliseconds, whose times vary, for each round of the rest.
ROUNDS_OF_SHORT_CALLS = 5
#: Time after which a comparison with the loop stops, if it has three rounds.
BUDGET_S = 20.0

Shape = tuple[int, ...]


class Case(NamedTuple):
    """Shape of the images, and number of their spatial axes."""

    shape: Shape
    spatial_dims: int

    def images(self, device: str) -> Tensor:
        """Random images, the same each time."""
        return torch.rand(self.shape, device=device, generator=torch.Generator(device).manual_seed(0))


LARGE = (Case((64, 1, 224, 224), 2), Case((160, 160, 128), 3))
SMALL = Case((8, 1, 64, 64), 2)
TINY = Case((2, 1, 16, 16), 2)


def main() -> None:
    """Measure, print, and write the section."""
    arguments = measure.options(__doc__ or "")
    rounds = 1 if arguments.quick else arguments.rounds
    cases = [
        (device, case) for device in measure.devices() for case in ((TINY,) if arguments.quick else (*LARGE, SMALL))
    ]
    races = [race(device, case, rounds) for device, case in cases]
    memory = [memory_row(device, case, arguments.threads) for device, case in cases if arguments.quick or case in LARGE]
    parts = report(races, memory)
    measure.publish("Power spectrum density", parts, arguments)


class Race(NamedTuple):
    """One case: times against its transform and against the loop, and difference from the loop in float64."""

    device: str
    case: Case
    against_transform: Times
    against_loop: Times
    difference: float


def density(x: Tensor, spatial_dims: int) -> Tensor:
    return radial_psd(x, spatial_dims=spatial_dims)[1]


def transform(x: Tensor, spatial_dims: int) -> Tensor:
    return torch.fft.rfftn(x, dim=tuple(range(-spatial_dims, 0)))


def loop(x: Tensor, spatial_dims: int) -> NDArray[np.floating]:
    """A plain implementation: a mask for each ring of each image."""
    array = x.cpu().numpy()
    spatial = array.shape[-spatial_dims:]
    axes = [np.fft.fftshift(np.fft.fftfreq(size)) for size in spatial]
    radius = np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij")))
    ring = np.floor(radius * max(spatial) + 0.5 + 1e-6)
    spectra = (np.abs(np.fft.fftshift(np.fft.fftn(image))) for image in array.reshape(-1, *spatial))
    means = [[spectrum[ring == k].mean() for k in range(max(spatial) // 2 + 1)] for spectrum in spectra]
    return np.reshape(means, (*array.shape[:-spatial_dims], -1))


CONTENDERS: dict[str, Callable[[Tensor, int], object]] = {
    "`radial_psd`": density,
    "`rfftn` alone": transform,
    "numpy loop": loop,
}
OURS, TRANSFORM, LOOP = CONTENDERS


def race(device: str, case: Case, rounds: int) -> Race:
    x = case.images(device)
    calls: dict[str, Call] = {name: partial(contender, x, case.spatial_dims) for name, contender in CONTENDERS.items()}
    measure.interleave(calls, 1)
    short = {name: calls[name] for name in (OURS, TRANSFORM)}
    slow = {name: calls[name] for name in (OURS, LOOP)}
    return Race(
        device,
        case,
        measure.interleave(short, ROUNDS_OF_SHORT_CALLS * rounds),
        measure.interleave(slow, rounds, BUDGET_S),
        largest_difference(x, case.spatial_dims),
    )


def largest_difference(x: Tensor, spatial_dims: int) -> float:
    """Largest difference from the loop in float64, relative to its value."""
    expected = loop(x.double(), spatial_dims)
    return float(np.abs(density(x, spatial_dims).cpu().numpy() / expected - 1).max())


def memory_row(device: str, case: Case, threads: int) -> Sequence[object]:
    """Peak memory of each contender as a multiple of the input."""
    size = 4 * math.prod(case.shape)
    peaks = (measure.peak_memory(ready, name, case, device, device=device, threads=threads) for name in CONTENDERS)
    return [device, case.shape, *(peak / size for peak in peaks)]


def ready(name: str, case: Case, device: str) -> Call:
    """A call with its input resident, warmed up on a tiny one."""
    CONTENDERS[name](TINY.images(device), TINY.spatial_dims)
    return partial(CONTENDERS[name], case.images(device), case.spatial_dims)


def report(races: Sequence[Race], memory: Sequence[Sequence[object]]) -> Iterator[measure.Part]:
    """Parts of the section."""
    yield (
        "float32, no gradients. The contenders take turns within each round. Times are medians; ratios are medians of "
        "each round's ratio. All but the loop run on CUDA tensors without moving them to the host."
    )
    yield measure.targets_table(targets(races))
    yield (
        "### Spectrum\n\nAgainst the real Fourier transform of all images in one call, which is a part of it, and "
        "against a loop in numpy: for each image the transform and `fftshift`, for each ring a mask and a mean. The "
        "difference is the largest over all rings, relative to the same loop in float64."
    )
    yield measure.table(
        [*_LEADING, "`rfftn` (ms)", "/ `rfftn`", "loop (ms)", "times faster than the loop", "difference"],
        map(spectrum_row, races),
    )
    yield "### Peak memory\n\nBeyond the input, as a multiple of it."
    yield measure.table(["device", "shape", *CONTENDERS], memory)


_LEADING = ("device", "shape", "rounds", "`radial_psd` (ms)")


def spectrum_row(race: Race) -> Sequence[object]:
    return [
        race.device,
        race.case.shape,
        len(race.against_transform[OURS]),
        measure.milliseconds(race.against_transform, OURS),
        measure.milliseconds(race.against_transform, TRANSFORM),
        measure.ratio(race.against_transform, OURS, TRANSFORM),
        measure.milliseconds(race.against_loop, LOOP),
        measure.ratio(race.against_loop, LOOP, OURS),
        f"{race.difference:.1e}",
    ]


def targets(races: Sequence[Race]) -> Iterator[Target]:
    """Targets of the design on a CPU, beside the measurements."""
    promised = [race for race in races if race.device == "cpu" and race.case != SMALL]
    for race in promised:
        cost = measure.ratio(race.against_transform, OURS, TRANSFORM)
        yield f"`radial_psd` {race.case.shape}: cost in units of its `rfftn`", cost, 1.5, False


if __name__ == "__main__":
    main()
