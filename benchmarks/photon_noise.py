"""CT photon noise through a reconstruction, against the same with scikit-image, ODL and ASTRA."""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import measure
import numpy as np
import torch
from builds import REFERENCE, Build
from measure import Call, Target, Times
from torch import Tensor

from monai_freq.spectral.photon_statistics import Sampler, image_noise
from monai_freq.spectral.polar_grid import tables, taps_around
from monai_freq.spectral.tomography import ParallelBeam
from monai_freq.transforms import PhotonNoise

#: Numbers of pixels and angles over 26 cm: those of LoDoPaB-CT, and those of a quick run.
LODOPAB, TINY = (362, 1000), (96, 90)
EXTENT_MM, PHOTONS, LEAST = 260.0, 4096.0, 0.1
#: Number of slices in a measured call of ours, which would be short otherwise; number of slices of a volume.
IN_A_ROW, SLICES = 10, 16
#: Time after which a comparison stops, if it has three rounds.
BUDGET_S = 60.0
#: Positions and standard deviations in mm, and heights per mm, of the blobs of the phantom.
BLOBS = ((0, 0, 28, 0.03), (40, -30, 10, 0.008), (-50, 20, 5, 0.01))

Size = tuple[int, int]
Array = np.ndarray[Any, np.dtype[np.float32]]


class Scanner(NamedTuple):
    """Line integrals of an image and their filtered back-projection, by one library; lengths are in mm."""

    project: Callable[[Array], Array]
    reconstruct: Callable[[Array], Array]


class Race(NamedTuple):
    """One interleaved comparison."""

    device: str
    what: str
    slices: int
    times: Times


def main() -> None:
    """Measure, print, and write the section."""
    arguments = measure.options(__doc__ or "")
    size, rounds = (TINY, 1) if arguments.quick else (LODOPAB, arguments.rounds)
    races = [race for device in measure.devices() for race in races_on(device, size, rounds, arguments.against)]
    memory = list(memory_rows(size, TINY if arguments.quick else (128, 100), arguments.threads))
    parts = report(races, memory, list(agreement_rows(size)), list(bandwidth_rows(races, size)))
    measure.publish("Photon noise", parts, arguments)


def geometry(size: Size) -> ParallelBeam:
    pixels, n_angles = size
    return ParallelBeam((pixels, pixels), (EXTENT_MM / pixels,) * 2, n_angles)


def phantom(size: Size) -> Tensor:
    """Attenuation per mm."""
    mm = (torch.arange(size[0]) - (size[0] - 1) / 2) * (EXTENT_MM / size[0])
    blobs = [h * torch.exp(-((mm - x) ** 2 + (mm[:, None] - y) ** 2) / (2 * sd**2)) for x, y, sd, h in BLOBS]
    return torch.stack(blobs).sum(0) * (torch.hypot(mm, mm[:, None]) < EXTENT_MM / 2 - 5)  # scikit-image wants a circle


def scikit_image(size: Size) -> Scanner:
    from skimage.transform import iradon, radon

    width, degrees = EXTENT_MM / size[0], np.degrees(geometry(size).angles.numpy())
    return Scanner(
        lambda mu: radon(mu, degrees, circle=True) * width,
        lambda sinogram: iradon(sinogram / width, degrees, filter_name="ramp", circle=True),
    )


def odl(size: Size) -> Scanner:
    import odl
    from odl.applications import tomo

    half = EXTENT_MM / 2
    space = odl.uniform_discr([-half, -half], [half, half], [size[0], size[0]], dtype="float32")
    ray_transform = tomo.RayTransform(
        space, tomo.parallel_beam_geometry(space, num_angles=size[1]), impl="astra_cpu" if has("astra") else "skimage"
    )
    fbp = tomo.fbp_op(ray_transform, filter_type="Ram-Lak")
    return Scanner(
        lambda mu: np.asarray(ray_transform(np.ascontiguousarray(mu.T)).data),
        lambda sinogram: np.asarray(fbp(sinogram).data).T,
    )


def astra(size: Size) -> Scanner:
    """ASTRA on the CPU. It is under the GPL, so that only this benchmark imports it."""
    import astra

    beam, half = geometry(size), EXTENT_MM / 2
    volume = astra.create_vol_geom(*beam.shape, -half, half, -half, half)
    scan = astra.create_proj_geom("parallel", beam.bin_width, beam.n_detectors, beam.angles.numpy())
    projector = astra.create_projector("linear", scan, volume)

    def project(mu: Array) -> Array:
        number, sinogram = astra.create_sino(np.ascontiguousarray(mu[::-1]), projector)
        astra.data2d.delete(number)
        return sinogram

    def reconstruct(sinogram: Array) -> Array:
        data, image = astra.data2d.create("-sino", scan, sinogram), astra.data2d.create("-vol", volume)
        settings = astra.astra_dict("FBP")
        settings |= {"ProjectionDataId": data, "ReconstructionDataId": image, "ProjectorId": projector}
        settings["option"] = {"FilterType": "Ram-Lak"}
        algorithm = astra.algorithm.create(settings)
        astra.algorithm.run(algorithm)
        result = astra.data2d.get(image)[::-1]
        astra.algorithm.delete(algorithm)
        astra.data2d.delete([data, image])
        return result

    return Scanner(project, reconstruct)


def has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


SKIMAGE, ODL, ASTRA = "scikit-image", "ODL", "ASTRA"
PEERS: dict[str, tuple[str, Callable[[Size], Scanner]]] = {
    SKIMAGE: ("skimage", scikit_image),
    ODL: ("odl", odl),
    ASTRA: ("astra", astra),
}
EXACT, FAST, WITH_TORCH = "`PhotonNoise`, exact", "`PhotonNoise`, fast", "our projector, `torch.poisson`"


def peers(size: Size) -> dict[str, Scanner]:
    """Peers that are installed."""
    return {name: make(size) for name, (package, make) in PEERS.items() if has(package)}


def with_noise(scanner: Scanner, mu: Array) -> Array:
    """Image with the noise of its scan, as our transform makes it, by a peer."""
    random = np.random.default_rng(0)
    integrals = scanner.project(mu)
    counts = random.poisson(PHOTONS * np.exp(-integrals))
    return mu + scanner.reconstruct(-np.log(np.maximum(counts, LEAST) / PHOTONS) - integrals)


def our_noise(mu: Tensor, beam: ParallelBeam, sampler: Sampler) -> Tensor:
    with torch.no_grad():
        generator = torch.Generator(mu.device).manual_seed(0)
        return mu + image_noise(mu, beam, PHOTONS, generator, min_count=LEAST, sampler=sampler)[0]


def our_noise_with_torch(mu: Tensor, beam: ParallelBeam) -> Tensor:
    with torch.no_grad():
        rays = beam.rays(mu)
        counts = torch.poisson(torch.exp(-rays) * PHOTONS, generator=torch.Generator(mu.device).manual_seed(0))
        return mu + beam.image_of(-torch.log(counts.clamp(min=LEAST) / PHOTONS) - rays, periodic=True)


def of_build(build: Build, mu: Tensor, size: Size) -> Call:
    """The exact noise as an earlier build makes it, in this process."""
    make = build.module("spectral.photon_statistics").image_noise
    pixels, n_angles = size
    beam = build.module("spectral.tomography").ParallelBeam((pixels, pixels), (EXTENT_MM / pixels,) * 2, n_angles)

    def noise() -> Tensor:
        with torch.no_grad():
            generator = torch.Generator(mu.device).manual_seed(0)
            return mu + make(mu, beam, PHOTONS, generator, min_count=LEAST, sampler="poisson")[0]

    return noise


def races_on(device: str, size: Size, rounds: int, build: Build | None) -> Iterator[Race]:
    """Slices one by one, and a volume through the transform; on the CPU with one thread and with all threads."""
    mu, beam = phantom(size).to(device), geometry(size)
    ours: dict[str, Call] = {
        EXACT: partial(our_noise, mu, beam, "poisson"),
        FAST: partial(our_noise, mu, beam, "fast"),
        WITH_TORCH: partial(our_noise_with_torch, mu, beam),
    }
    theirs: dict[str, Call] = {}
    if device == "cpu":
        attenuation = phantom(size).numpy()
        theirs = {name: partial(with_noise, scanner, attenuation) for name, scanner in peers(size).items()}
    in_a_row = {name: repeated(call) for name, call in ours.items()}
    earlier = {build.name: repeated(of_build(build, mu, size))} if build else {}
    yield raced(device, "slice by slice", IN_A_ROW, in_a_row, earlier | theirs, rounds)
    hu = ((mu * 1000 - 20) / 0.01998)[None, ..., None].repeat(1, 1, 1, SLICES)
    volume: dict[str, Call] = {
        name: partial(PhotonNoise(PHOTONS, size[1], extent_mm=EXTENT_MM, min_count=LEAST, sampler=sampler), hu)
        for name, sampler in ((EXACT, "poisson"), (FAST, "fast"))
    }
    yield raced(device, f"volume of {SLICES}", SLICES, volume, theirs, rounds)


def raced(
    device: str, what: str, slices: int, ours: Mapping[str, Call], theirs: Mapping[str, Call], rounds: int
) -> Race:
    """Interleaved comparison after a warm-up; peers compute one slice even where ours compute several."""
    one = torch.get_num_threads()
    calls = {name: threaded(one, call) for name, call in {**ours, **theirs}.items()}
    if device == "cpu" and one < CORES:
        calls |= {all_cores(name): threaded(CORES, call) for name, call in ours.items()}
    measure.interleave(calls, 1)
    times = measure.interleave(calls, rounds, BUDGET_S)
    torch.set_num_threads(one)
    return Race(device, what, slices, times)


def repeated(call: Call) -> Call:
    def run() -> None:
        for _ in range(IN_A_ROW):
            call()

    return run


CORES = os.cpu_count() or 1


def all_cores(name: str) -> str:
    return f"{name}, {CORES} threads"


def threaded(threads: int, call: Call) -> Call:
    def run() -> object:
        torch.set_num_threads(threads)
        return call()

    return run


def faster(race: Race, peer: str, name: str) -> float:
    """Times faster than a peer, for each slice."""
    if peer not in race.times or name not in race.times:
        return math.nan
    return measure.ratio(race.times, peer, name) * race.slices


def memory_rows(size: Size, warm_up: Size, threads: int) -> Iterator[tuple[str, str, float]]:
    """Device, contender, and peak memory in MB beyond the memory before the call."""
    contenders = [f"{EXACT}, first of a geometry", EXACT, FAST, *(name for name in PEERS if has(PEERS[name][0]))]
    for device in measure.devices():
        for name in contenders:
            if device == "cpu" or name not in PEERS:
                peak = measure.peak_memory(ready, name, size, warm_up, device, device=device, threads=threads)
                yield device, name, peak / 1e6


def ready(name: str, size: Size, warm_up: Size, device: str) -> Call:
    """A call after a warm-up on a small slice; our geometry is cached, but for the first call of a geometry."""
    call_of(name, warm_up, device)()
    if name in (EXACT, FAST):
        grid = geometry(size)._grid
        taps_around(grid, torch.float32) if device == "cpu" else tables(grid, torch.float32, torch.device(device))
    return call_of(name, size, device)


def call_of(name: str, size: Size, device: str) -> Call:
    if name in PEERS:
        return partial(with_noise, PEERS[name][1](size), phantom(size).numpy())
    return partial(our_noise, phantom(size).to(device), geometry(size), "fast" if name == FAST else "poisson")


def agreement_rows(size: Size) -> Iterator[tuple[str, float, float]]:
    """Library, relative RMS difference of its line integrals from ours, and PSNR of its own reconstruction."""
    mu, beam = phantom(size), geometry(size)
    ours = beam.project(mu)
    yield "`ParallelBeam`", 0.0, psnr(beam.fbp(ours).numpy(), mu.numpy())
    for name, scanner in peers(size).items():
        sinogram = scanner.project(mu.numpy())
        same = at_bins_of_skimage(beam, mu) if name == SKIMAGE else ours.numpy()
        theirs = sinogram.T if name == SKIMAGE else sinogram
        difference = np.linalg.norm(theirs - same) / np.linalg.norm(same)
        yield name, float(difference), psnr(scanner.reconstruct(sinogram), mu.numpy())


def at_bins_of_skimage(beam: ParallelBeam, mu: Tensor) -> Array:
    """Our line integrals at the bins of scikit-image, where y points up, and the centre is half a pixel off."""
    sinogram, pixel = beam.project(mu.flip(0)).numpy(), beam.spacing[0]
    bins, angles = (np.arange(beam.shape[0]) - beam.shape[0] // 2) * pixel, beam.angles.numpy()
    half = pixel / 2 * (beam.shape[0] % 2 == 0)
    return np.stack(
        [
            np.interp(bins + half * (math.cos(angle) - math.sin(angle)), beam.bins.numpy(), row)
            for angle, row in zip(angles, sinogram, strict=True)
        ]
    )


def psnr(result: Array, expected: Array) -> float:
    return float(10 * np.log10(expected.max() ** 2 / np.square(result - expected).mean()))


def bandwidth_rows(races: Sequence[Race], size: Size) -> Iterator[tuple[str, float, float, float]]:
    """Device, MB moved for a slice, GB/s, and the share of the bandwidth of a copy; GPUs only."""
    for race in races:
        if race.device == "cuda" and race.slices == IN_A_ROW:
            block = torch.empty(1 << 28, dtype=torch.uint8, device="cuda")
            copy = measure.interleave({"copy": block.clone}, 10)
            speed = 2 * block.numel() / (measure.milliseconds(copy, "copy").wall / 1000)
            moved = bytes_moved(size)
            reached = moved * IN_A_ROW / (measure.milliseconds(race.times, EXACT).wall / 1000)
            yield torch.cuda.get_device_name(), moved / 1e6, reached / 1e9, reached / speed


def bytes_moved(size: Size) -> float:
    """Bytes if each cached matrix is read once, and each intermediate result is written and read once."""
    kept = tables(geometry(size)._grid, torch.float32, torch.device("cuda"))
    parts = [tensor for each in kept for tensor in (each if isinstance(each, tuple) else (each,)) if tensor is not None]
    constant = sum(tensor.numel() * tensor.element_size() for tensor in parts)
    image, grid, rays = size[0] ** 2, (1.41 * size[0]) ** 2, size[1] * math.sqrt(2) * size[0]
    return constant + 2 * 4 * (4 * image + 6 * grid + 12 * rays)


def report(
    races: Sequence[Race],
    memory: Sequence[Sequence[object]],
    agreement: Sequence[Sequence[object]],
    bandwidth: Sequence[Sequence[object]],
) -> Iterator[measure.Part]:
    """Parts of the section."""
    missing = [name for name, (package, _) in PEERS.items() if not has(package)]
    yield (
        f"{LODOPAB[0]} x {LODOPAB[0]} pixels, {LODOPAB[1]} angles, {PHOTONS:g} photons: project, draw counts, "
        "reconstruct, add, float32. The contenders take turns within each round. Times are medians, on one thread "
        "unless stated otherwise; ratios are medians of each round's ratio, for each slice. The peers draw with NumPy "
        "and compute one slice, even against volumes. ODL projects with ASTRA."
        + (f" Not installed: {', '.join(missing)}." if missing else "")
    )
    yield measure.targets_table(targets(races))
    header = ["device", "what", "rounds", "ours", "ms per slice", *(f"times faster than {name}" for name in PEERS)]
    yield measure.table(header, [row for race in races for row in race_rows(race)])
    yield from measure.beside_earlier(((f"{race.slices} slices", race.times) for race in races), EXACT)
    yield "### Peak memory\n\nBeyond the image and the cached geometry."
    yield measure.table(["device", "contender", "peak (MB)"], memory)
    yield (
        "### Agreement\n\nOn a smooth phantom: relative RMS difference of the line integrals from ours (interpolated "
        "to the bins of scikit-image, which differ), and PSNR of each library's own reconstruction."
    )
    yield measure.table(["library", "difference", "PSNR (dB)"], agreement)
    if bandwidth:
        yield "### Memory bandwidth\n\nBandwidth of one exact slice on the GPU, beside that of a copy."
        yield measure.table(["device", "MB moved", "GB/s", "share"], bandwidth)


def race_rows(race: Race) -> Iterator[Sequence[object]]:
    for name, seconds in race.times.items():
        if name not in PEERS:
            time = measure.milliseconds(race.times, name) / race.slices
            yield [race.device, race.what, len(seconds), name, time, *(faster(race, peer, name) for peer in PEERS)]


def targets(races: Sequence[Race]) -> Iterator[Target]:
    """Targets for a slice on one thread of the CPU."""
    for race in races:
        if race.device == "cpu" and race.slices == IN_A_ROW:
            for name, bounds in ((EXACT, (100, 40, 40)), (FAST, (180, 70, 70))):
                for peer, bound in zip(PEERS, bounds, strict=True):
                    yield f"{name}: times faster than {peer}", faster(race, peer, name), bound, True
            against = measure.ratio(race.times, f"commit {REFERENCE}", EXACT)
            yield f"{EXACT}: times faster than commit {REFERENCE}", against, 1.5, True


if __name__ == "__main__":
    main()
