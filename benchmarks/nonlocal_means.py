"""Non-local means against scikit-image, dipy and OpenCV, if they are installed: time, memory, agreement."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, NamedTuple

import measure
import numpy as np
import torch
from builds import REFERENCE, Build
from measure import Call, Target, Times
from torch import Tensor

from monai_freq.spectral.nonlocal_means import nonlocal_means

SIGMA = 0.05
#: Strength of the filter, that of dipy's classic method.
H = 2**0.25 * SIGMA
#: Time after which a comparison stops, if it has two rounds.
BUDGET_S = 60.0
#: Number of levels of 8-bit integers per unit, for OpenCV.
LEVELS = 160.0
THREADS = os.cpu_count() or 1
MIB, GB = 2**20, 1e9

Result = Tensor | Sequence[np.ndarray]


class Case(NamedTuple):
    """Shape of a batch of images, radii along every axis, and whether the slow contenders take part."""

    shape: tuple[int, ...]
    patch: int
    search: int
    slow: bool = False

    def __str__(self) -> str:
        return f"{' x '.join(map(str, self.shape))}, {2 * self.patch + 1}/{2 * self.search + 1}"

    @property
    def dims(self) -> int:
        """Number of spatial axes."""
        return len(self.shape) - 1


class Contender(NamedTuple):
    """One way to filter images ``(N, *spatial)``."""

    name: str
    function: Callable[[Tensor, Case, int], Result]
    threads: int = 1
    package: str = "torch"
    dims: tuple[int, ...] = (2, 3)
    rician: bool = False
    slow: bool = False

    def __str__(self) -> str:
        return f"{self.name}, {self.threads} thread{'s' if self.threads > 1 else ''}"

    def enters(self, case: Case) -> bool:
        """Whether the contender is installed and takes images of this dimension."""
        return case.dims in self.dims and find_spec(self.package) is not None


class Race(NamedTuple):
    """One interleaved comparison."""

    case: Case
    times: Times


SLICE, SLICES = Case((1, 320, 320), 2, 5, slow=True), Case((16, 320, 320), 2, 5)
CUBE, WIDE = Case((1, 96, 96, 96), 1, 3, slow=True), Case((1, 96, 96, 96), 2, 5)
VOLUME = Case((1, 160, 160, 128), 1, 3)
#: case -> target for the ratio of times, scikit-image's fast mode to ours
PROMISED = {SLICE: 7.0, SLICES: 7.0, CUBE: 8.0, VOLUME: 8.0, WIDE: 8.0}
#: case -> target for the ratio of times, those of the commit to ours
PROMISED_AGAINST = {SLICE: 3.0, CUBE: 2.5, VOLUME: 2.5, WIDE: 3.0}
SMALL = Case((1, 48, 48), 2, 5), Case((1, 24, 24, 24), 1, 3)
QUICK = Case((2, 40, 40), 2, 5, slow=True), Case((1, 16, 16, 16), 1, 3, slow=True)


def main() -> None:
    """Measure, print, and write the section."""
    arguments = measure.options(__doc__ or "")
    cases = QUICK if arguments.quick else tuple(PROMISED)
    rounds = 1 if arguments.quick else arguments.rounds
    races = [race for case in cases for race in race_on_cpu(case, rounds, arguments.against)]
    gpu = list(gpu_rows(cases, rounds)) if torch.cuda.is_available() else []
    memory = list(memory_rows(cases[1:2] if arguments.quick else (CUBE, VOLUME)))
    parts = report(races, gpu, memory, list(agreement_rows(SMALL)))
    measure.publish("Non-local means", parts, arguments)


def noisy(shape: Sequence[int]) -> Tensor:
    """Nested discs or balls on an empty background, magnitudes with Rician noise, ``(N, *spatial)``."""
    axes = torch.meshgrid(*(torch.linspace(-1, 1, n) for n in shape[1:]), indexing="ij")
    signal = torch.zeros(*shape[1:])
    for level, radius in ((0.5, 0.9), (0.8, 0.6), (0.3, 0.35), (1.0, 0.15)):
        signal[sum(axis.square() for axis in axes) < radius**2] = level
    real, imaginary = SIGMA * torch.randn(2, *shape, generator=torch.Generator().manual_seed(0))
    return torch.hypot(signal + real, imaginary)


def ours(
    x: Tensor, case: Case, threads: int, noise_model: Any = "gaussian", nonlocal_means: Any = nonlocal_means
) -> Tensor:
    torch.set_num_threads(threads)
    radii = {"patch_radius": case.patch, "search_radius": case.search}
    return nonlocal_means(x, H, spatial_dims=case.dims, noise_model=noise_model, sigma=SIGMA, **radii)


def transform(x: Tensor, case: Case, threads: int) -> Tensor:
    """The transform, which also looks for NaN and estimates sigma."""
    from monai_freq.transforms import NonLocalMeans

    torch.set_num_threads(threads)
    return torch.as_tensor(NonLocalMeans(case.patch, case.search, channel_wise=False)(x))


def scikit_image(x: Tensor, case: Case, threads: int, fast: bool) -> Result:
    from skimage.restoration import denoise_nl_means

    sizes = {"patch_size": 2 * case.patch + 1, "patch_distance": case.search}
    return [denoise_nl_means(image, h=H, fast_mode=fast, **sizes) for image in x.numpy()]


def dipy(x: Tensor, case: Case, threads: int, method: str) -> Result:
    """A method of dipy with our strength and, in the classic method, our window."""
    from dipy.denoise.nlmeans import nlmeans

    block = case.search + (case.patch if method == "classic" else 0)
    radii = {"patch_radius": case.patch, "block_radius": block}
    return [nlmeans(image, SIGMA, num_threads=threads, method=method, **radii) for image in x.numpy()]


def opencv(x: Tensor, case: Case, threads: int) -> Result:
    import cv2

    cv2.setNumThreads(threads)
    sizes = 2 * case.patch + 1, 2 * case.search + 1
    pixels = (LEVELS * x).round().clamp(0, 255).to(torch.uint8).numpy()
    return [cv2.fastNlMeansDenoising(image, None, LEVELS * H, *sizes) / LEVELS for image in pixels]


OURS = Contender("`nonlocal_means`, Gaussian", ours)
FAST = Contender("scikit-image, fast", partial(scikit_image, fast=True), package="skimage")
CLASSIC = Contender("dipy, classic", partial(dipy, method="classic"), 1, "dipy", (3,), rician=True, slow=True)
RICIAN = Contender("`nonlocal_means`, Rician", partial(ours, noise_model="rician"), rician=True)
BLOCKWISE = Contender("dipy, blockwise", partial(dipy, method="blockwise"), 1, "dipy", (3,), rician=True)
EARLIER = f"commit {REFERENCE}, 1 thread"
CONTENDERS = (
    OURS,
    OURS._replace(threads=THREADS),
    RICIAN,
    Contender("`NonLocalMeans`, Rician", transform, rician=True),
    FAST,
    Contender("OpenCV, 8-bit integers", opencv, 1, "cv2", (2,)),
    Contender("OpenCV, 8-bit integers", opencv, THREADS, "cv2", (2,)),
    BLOCKWISE,
    BLOCKWISE._replace(threads=THREADS),
    Contender("scikit-image, slow", partial(scikit_image, fast=False), package="skimage", slow=True),
    CLASSIC,
)


def entered(case: Case) -> dict[str, Contender]:
    """Contenders in a case, by name."""
    return {str(contender): contender for contender in CONTENDERS if contender.enters(case)}


def of_build(build: Build) -> Contender:
    """What an earlier build makes of ``nonlocal_means``, in this process."""
    theirs = build.module("spectral.nonlocal_means").nonlocal_means
    return Contender(build.name, partial(ours, nonlocal_means=theirs))


def race_on_cpu(case: Case, rounds: int, build: Build | None) -> Iterator[Race]:
    """Comparison with the fast contenders and an earlier build, then a short one with the slow ones."""
    x, contenders = noisy(case.shape), entered(case)
    contenders |= {str(earlier): earlier for earlier in ([of_build(build)] if build else [])}
    for contender in contenders.values():
        warm_up(contender, case, "cpu")
    calls: dict[str, Call] = {name: partial(c.function, x, case, c.threads) for name, c in contenders.items()}
    fast = {name: calls[name] for name, contender in contenders.items() if not contender.slow}
    yield Race(case, measure.interleave(fast, rounds, BUDGET_S, at_least=2))
    slow = {name: calls[name] for name, contender in contenders.items() if contender.slow}
    if case.slow and slow:
        yield Race(case, measure.interleave({str(OURS): calls[str(OURS)]} | slow, min(rounds, 3)))


def gpu_rows(cases: Sequence[Case], rounds: int) -> Iterator[Sequence[object]]:
    """Case, contender, time, data moved, share of the bandwidth of a copy, and memory."""
    big = torch.empty(2**28, device="cuda")
    copies = measure.interleave({"copy": big.clone}, 9)["copy"]
    bandwidth = 2 * big.nbytes / sorted(copies)[len(copies) // 2].wall
    del big
    for case in cases:
        x = noisy(case.shape).cuda()
        for contender in (OURS, RICIAN):
            call = partial(contender.function, x, case, 1)
            call()
            times = measure.interleave({"gpu": call}, rounds)
            peak = measure.peak_memory(ready, str(contender), case, "cuda", device="cuda")
            moved = bytes_moved(case)
            used = moved / (measure.milliseconds(times, "gpu").wall / 1000)
            yield [case, contender.name, measure.milliseconds(times, "gpu"), moved / GB, used / bandwidth, peak / MIB]


def bytes_moved(case: Case) -> float:
    """Lower bound of the bytes that the operations of all offsets read and write."""
    along_axes, weight, sums = 3 * 2, 2 + 2, 3 + 4 + 3
    transfers = 3 + 2 + along_axes + weight + sums
    offsets = (2 * case.search + 1) ** case.dims
    return 4.0 * transfers * offsets * math.prod(case.shape)


def memory_rows(cases: Sequence[Case]) -> Iterator[Sequence[object]]:
    """Case, contender, and MiB beyond the input."""
    for case in cases:
        for name, contender in entered(case).items():
            if not contender.slow:
                peak = measure.peak_memory(ready, name, case, "cpu", threads=contender.threads)
                yield case, name, peak / MIB


def ready(name: str, case: Case, device: str) -> Call:
    """A call with its input resident, warmed up on a tiny one."""
    contender = entered(case)[name]
    warm_up(contender, case, device)
    return partial(contender.function, noisy(case.shape).to(device), case, contender.threads)


def warm_up(contender: Contender, case: Case, device: str) -> None:
    tiny = case._replace(shape=(1, *[12] * case.dims))
    contender.function(noisy(tiny.shape).to(device), tiny, contender.threads)


def agreement_rows(cases: Sequence[Case]) -> Iterator[Sequence[object]]:
    """Case, contender, and its differences from ours in float64 with the same noise model."""
    for case in cases:
        x = noisy(case.shape)
        exact = {c.rician: c.function(x.double(), case, 1) for c in (OURS, RICIAN)}
        for contender in (each for each in entered(case).values() if each.threads == 1):
            result = np.stack([np.asarray(image) for image in contender.function(x, case, 1)])
            error = np.abs(result - np.asarray(exact[contender.rician]))
            yield case, contender.name, (error.max(), np.sqrt(np.square(error).mean()))


def report(
    races: Sequence[Race],
    gpu: Sequence[Sequence[object]],
    memory: Sequence[Sequence[object]],
    agreement: Sequence[Sequence[object]],
) -> Iterator[measure.Part]:
    """Parts of the section."""
    peers = {"scikit-image": "skimage", "dipy": "dipy", "opencv-python-headless": "cv2"}
    found = [f"{name} {version(name)}" for name, module in peers.items() if find_spec(module)]
    yield (
        f"Side by side with {', '.join(found) or 'none of its peers'}. A case is a shape, then the sides of patch and "
        f"search window in voxels; float32, noise of SD {SIGMA}, h = {H:.3g}. The contenders take turns within each "
        "round. Times are medians; ratios are medians of each round's ratio. scikit-image and dipy's classic method "
        "run on one thread. Conventions differ. scikit-image's fast mode leaves out a tap of the patch along each axis "
        "and approximates the exponential; its slow mode weights the patch. dipy's blockwise method averages blocks, "
        "and varies from run to run on two threads. OpenCV takes integers only, here of 8 bits."
    )
    yield measure.targets_table(targets(races, memory))
    yield f"### Time\n\nAs a multiple of the time of {OURS}."
    rows = [row for race in races for row in time_rows(race)]
    yield measure.table(["case", "contender", "rounds", "ms", "multiple"], rows)
    yield from measure.beside_earlier(races, str(OURS))
    if gpu:
        yield "### GPU\n\nLower bound of the data moved, and its share of the bandwidth of a copy."
        yield measure.table(["case", "contender", "ms", "GB moved", "share of bandwidth", "peak (MiB)"], gpu)
    yield "### Peak memory\n\nBeyond the input, with the result."
    yield measure.table(["case", "contender", "MiB"], memory)
    yield "### Agreement\n\nDifference from ours in float64 with the same noise model. The largest signal is 1."
    rows = [[*names, *(f"{error:.0e}" for error in errors)] for *names, errors in agreement]
    yield measure.table(["case", "contender", "largest", "RMS"], rows)


def time_rows(race: Race) -> Iterator[Sequence[object]]:
    for name, times in race.times.items():
        ratio = measure.ratio(race.times, name, str(OURS))
        yield race.case, name, len(times), measure.milliseconds(race.times, name), ratio


def targets(races: Sequence[Race], memory: Sequence[Sequence[object]]) -> Iterator[Target]:
    """Targets on one thread, beside the measurements."""
    for case, times in races:
        if str(FAST) in times and case in PROMISED:
            promise = f"{case}: times faster than scikit-image's fast mode"
            yield promise, measure.ratio(times, str(FAST), str(OURS)), PROMISED[case], True
            if case in PROMISED_AGAINST:
                against = measure.ratio(times, EARLIER, str(OURS))
                yield f"{case}: times faster than commit {REFERENCE}", against, PROMISED_AGAINST[case], True
        if str(CLASSIC) in times and case == CUBE:
            yield f"{case}: times faster than dipy's classic", measure.ratio(times, str(CLASSIC), str(OURS)), 35, True
    peaks = {(case, name): float(str(peak)) for case, name, peak in memory if case in PROMISED}
    for (case, name), peak in peaks.items():
        if name in (str(OURS), str(RICIAN)) and (case, str(FAST)) in peaks:
            yield f"{case}: memory of {name} / scikit-image's fast mode", peak / peaks[case, str(FAST)], 1, False


if __name__ == "__main__":
    main()
