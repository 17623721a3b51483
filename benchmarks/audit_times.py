"""Time and memory of the commands of the audit, on 600 radiographs and 40 volumes that are drawn from a seed."""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import measure
import nibabel
import numpy as np
import torch
from measure import Clocks, Target
from monai.bundle import ConfigParser
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch.nn import functional as F

RADIOGRAPHS, PIXELS = 600, 448
VOLUMES, VOXELS = 40, 128
#: nodes of the smooth shapes along each axis
COARSE = 12
#: SD of the noise, and of the blur of what one of two scanners sends
NOISE, BLUR = 0.1, 0.6
#: share of the images of each label that come from its usual scanner
USUAL = 0.85

Array = NDArray[np.float64]
Save = Callable[[Array], str]


class Network(NamedTuple):
    """A constructor in words, and the arguments of the command that go with it."""

    title: str
    code: str
    data: str
    options: tuple[str, ...] = ()


_RESNET = "monai.networks.nets.ResNet('basic', [2, 2, 2, 2], [64, 128, 256, 512], 2, 1"
NETWORKS = {
    "resnet18": Network("ResNet-18, first stride 2", f"{_RESNET}, conv1_t_stride=2, num_classes=2)", "radiographs"),
    "resnet18_stride1": Network("ResNet-18 of MONAI, first stride 1", f"{_RESNET}, num_classes=2)", "radiographs"),
    "unet": Network(
        "U-Net (8, 16, 32, 64)",
        "monai.networks.nets.UNet(3, 1, 2, channels=(8, 16, 32, 64), strides=(2, 2, 2))",
        "volumes",
        ("--task", "segmentation", "--segmentation", "segmentation", "--label", "none", "--group", "scanner"),
    ),
    "resnet10_volumes": Network(
        "ResNet-10, first stride 2",
        "monai.networks.nets.ResNet('basic', [1, 1, 1, 1], [64, 128, 256, 512], 3, 1, conv1_t_stride=2, num_classes=2)",
        "volumes",
    ),
}
USUALLY = ("resnet18", "unet")


class Ran(NamedTuple):
    """Seconds and peak memory of one command."""

    seconds: Clocks
    megabytes: float


def main() -> None:
    """Draw the images, run the commands, and print; a full run also writes the section."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--networks", nargs="*", choices=tuple(NETWORKS), default=USUALLY)
    parser.add_argument("--cases", type=int, help="number of images of each audit, to profile it")
    parser.add_argument("--workers", type=int, default=2)
    given, sys.argv[1:] = parser.parse_known_args()  # the others are those of all benchmarks
    arguments = measure.options(__doc__ or "", rounds=1)
    numbers, sizes = ((24, 12), (96, 32)) if arguments.quick else ((RADIOGRAPHS, VOLUMES), (PIXELS, VOXELS))
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        radiographs(room / "radiographs", numbers[0], sizes[0])
        volumes(room / "volumes", numbers[1], sizes[1])
        found = dict(commands(room, given, arguments.threads))
    measure.publish("Time and memory of the audit", report(found, given, arguments.quick), arguments)


def commands(room: Path, given: argparse.Namespace, threads: int) -> Iterator[tuple[str, Ran]]:
    """Each command in a process of its own, with its name."""
    few = [] if given.cases is None else ["--cases", str(given.cases)]
    more = [*few, "--workers", str(given.workers)]
    for data in ("radiographs", "volumes"):
        words = ["data", str(room / data / "index.csv"), "--group", "scanner", "--patient", "patient", *more]
        yield f"data, {data}", run([*words, "--output_dir", str(room / f"data_{data}")], threads)
    for name in given.networks:
        network, weights = NETWORKS[name], room / f"{name}.pt"
        torch.manual_seed(0)
        torch.save(built(network.code).state_dict(), weights)
        index = str(room / network.data / "index.csv")
        words = ["model", str(weights), "--network", network.code, "--data", index, "--patient", "patient"]
        words += [*(network.options or ("--group", "scanner")), "--intensity", "standard", *more]
        yield name, run([*words, "--output_dir", str(room / name)], threads)


def built(code: str) -> torch.nn.Module:
    """A network from its constructor in words, with random weights."""
    network: torch.nn.Module = ConfigParser({"it": f"${code}", "imports": ["$import monai"]}).get_parsed_content("it")
    return network


def run(words: Sequence[str], threads: int) -> Ran:
    """``python -m monai_freq audit`` with these words: time until it ends, and the largest of its processes."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "monai_freq", "audit", *words]
    start = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}.")
    return Ran(Clocks(time.perf_counter() - start, used.ru_utime + used.ru_stime), used.ru_maxrss / 1024)


def radiographs(folder: Path, n: int, size: int) -> None:
    """Grey PNG files: smooth shapes, ribs and noise, half of them smoothed by another scanner."""
    folder.mkdir()
    rows, columns = np.mgrid[:size, :size] / size

    def draw(rng: np.random.Generator) -> Array:
        ribs = np.sin(2 * np.pi * (rng.uniform(8, 12) * rows + rng.uniform(-2, 2) * columns + rng.random()))
        return shapes(rng, (size, size)) + 0.1 * ribs

    def save(name: str, image: Array) -> str:
        Image.fromarray(np.uint8((60 * image + 120).round().clip(0, 255))).save(folder / f"{name}.png")
        return f"{name}.png"

    write_index(folder, (row_of(rng, k, draw(rng), partial(save, str(k))) for k, rng in generators(n)))


def volumes(folder: Path, n: int, size: int) -> None:
    """NIfTI files: smooth shapes with noise and a bright ball, and the ball's segmentation."""
    folder.mkdir()
    grid = np.indices((size,) * 3)

    def save(name: str, volume: Array) -> str:
        nibabel.save(nibabel.Nifti1Image((100 * volume).round().astype("i2"), np.eye(4)), folder / f"{name}.nii")
        return f"{name}.nii"

    rows = []
    for k, rng in generators(n):
        centre = rng.uniform(0.4, 0.6, (3, 1, 1, 1)) * size
        ball = np.asarray(((grid - centre) ** 2).sum(0) < (size / 5) ** 2, np.float64)
        row = row_of(rng, k, shapes(rng, (size,) * 3) + ball, partial(save, f"image{k}"))
        rows.append({**row, "segmentation": save(f"label{k}", ball / 100)})
    write_index(folder, rows)


def generators(n: int) -> Iterator[tuple[int, np.random.Generator]]:
    return ((k, np.random.default_rng([5, k])) for k in range(n))


def shapes(rng: np.random.Generator, sizes: Sequence[int]) -> Array:
    """Smooth shapes of SD 1."""
    coarse = torch.from_numpy(rng.standard_normal([COARSE] * len(sizes)).astype("f4"))[None, None]
    smooth = F.interpolate(coarse, tuple(sizes), mode=("bilinear", "trilinear")[len(sizes) - 2])[0, 0].double().numpy()
    return np.asarray(smooth / smooth.std())


def row_of(rng: np.random.Generator, k: int, image: Array, save: Save) -> dict[str, str]:
    """A line of the table: the scanner that smooths sends most of the ill."""
    ill = k % 2
    smooths = bool(ill) == (rng.random() < USUAL)
    noisy = image + NOISE * rng.standard_normal(image.shape)
    file = save(gaussian_filter(noisy, BLUR) if smooths else noisy)
    label, scanner = ("well", "ill")[ill], ("sharp", "smooth")[smooths]
    return {"image": file, "label": label, "scanner": scanner, "patient": f"p{k}"}


def write_index(folder: Path, rows: Iterable[dict[str, str]]) -> None:
    lines = [*rows]
    with (folder / "index.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)


def report(found: dict[str, Ran], given: argparse.Namespace, quick: bool) -> Iterator[measure.Part]:
    """Parts of the section."""
    yield (
        f"Whole commands with their start and their page, in processes of their own: {RADIOGRAPHS} grey PNG files of "
        f"{PIXELS} x {PIXELS} pixels, {VOLUMES} NIfTI files of {VOXELS} x {VOXELS} x {VOXELS} voxels. Labels go with "
        f"two scanners, one of which smooths, so that a classifier has its counterfactual, too. Weights are random. "
        f"{given.workers} workers read images. Memory is that of the largest process."
    )
    yield measure.targets_table(targets(found))
    titles = {name: f"model, {network.data}: {network.title}" for name, network in NETWORKS.items()}
    rows = [[titles.get(name, name), ran.seconds, ran.megabytes] for name, ran in found.items()]
    yield measure.table(["audit of", "seconds", "MB"], rows)


def targets(found: dict[str, Ran]) -> Iterator[Target]:
    for name, what, most in (
        ("data, radiographs", "seconds of the audit of data, radiographs", 60),
        ("resnet18", "seconds of the audit of a ResNet-18, radiographs", 180),
        ("unet", "seconds of the audit of a U-Net, volumes", 300),
    ):
        if name in found:
            yield what, found[name].seconds, most, False


if __name__ == "__main__":
    main()
