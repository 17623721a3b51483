"""Reliance of networks of known bands and of untrained ones, and the time and memory of the audit of a model."""

from __future__ import annotations

import argparse
import csv
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from monai.networks.nets import UNet, resnet10, resnet18
from torch import Tensor, nn

from monai_freq.audit import AuditModel, Cases, load_model, read_cases
from monai_freq.audit.model.preparing import scaled_to
from monai_freq.audit.model.reliance import Reliance, reliance
from monai_freq.audit.model_audit import audit_model
from monai_freq.spectral.band_grid import BandGrid

SIZE, STEPS = 32, 10
#: corners of the spectrum belong to the last band
FINE = BandGrid((*(k / 20 for k in range(STEPS)), 0.75))


class KnownBand(nn.Module):
    """A filter that keeps a band, and a linear classifier on what it keeps."""

    def __init__(self, template: Tensor, low: float, high: float) -> None:
        super().__init__()
        rows, columns = torch.fft.fftfreq(SIZE)[:, None], torch.fft.rfftfreq(SIZE)
        radius = (rows.square() + columns.square()).sqrt()
        self.register_buffer("kept", (radius > low * (1 + 1e-6)) & (radius <= high * (1 + 1e-6)))
        self.register_buffer("template", template)

    def forward(self, images: Tensor) -> Tensor:
        """Log-odds of class 1."""
        filtered = torch.fft.irfft2(torch.fft.rfft2(images) * self.kept, s=images.shape[-2:])
        return (filtered * self.template).sum((1, 2, 3))[:, None] / 20


def known_cases(n: int, seed: int) -> tuple[Cases, Tensor]:
    """White noise, and in class 1 a pattern with the same energy at each frequency."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(n, 1, SIZE, SIZE, generator=generator)
    spectrum = torch.fft.rfft2(torch.randn(1, SIZE, SIZE, generator=generator))
    template = torch.fft.irfft2(spectrum / spectrum.abs().clamp_min(1e-9), s=(SIZE, SIZE))
    template = template / template.std()
    images[1::2] += 0.15 * template
    return Cases.of_arrays(images, labels=[k % 2 for k in range(n)]), template


def bands_found(networks: int, n: int) -> Iterator[tuple[tuple[float, float], Reliance]]:
    """Band of each network, and its reliance."""
    for seed in range(networks):
        first = seed % (STEPS - 2)
        last = first + 2 + seed // (STEPS - 2) % (STEPS - first - 1)
        low, high = FINE.edges[first], FINE.edges[min(last, STEPS)]
        cases, template = known_cases(n, seed)
        model = AuditModel(KnownBand(template, low, high))
        yield (low, high), reliance(model, cases, FINE, kinds=("remove",), progress=False, batch_size=32)


def steps_off(true: tuple[float, float], found: tuple[float, float] | None) -> int | None:
    """Largest number of steps between two edges and those that are found."""
    if found is None:
        return None
    return max(abs(FINE.edges.index(one) - FINE.edges.index(other)) for one, other in zip(true, found, strict=True))


def untrained_found(networks: int, n: int) -> Iterator[tuple[bool, int, int]]:
    """Whether a band is found, and how many drops of how many have intervals above 0."""
    for seed in range(networks):
        cases, _ = known_cases(n, seed)
        torch.manual_seed(seed)
        network = resnet10(spatial_dims=2, n_input_channels=1, num_classes=2, widen_factor=0.125, conv1_t_stride=2)
        found = reliance(load_model(network), cases, kinds=("remove", "low-pass", "high-pass"), progress=False)
        drops = [each.drop_low for each in found.experiments if each.drop_low is not None]
        yield found.used is not None, sum(low > 0 for low in drops), len(drops)


def radiographs(index: Path | None, n: int, size: int) -> Cases:
    """Those of an index, or noise of this size in pictures."""
    if index is not None:
        return read_cases(index, group="source", patient="patient", where={"source": "nih"})
    generator = torch.Generator().manual_seed(0)
    return Cases.of_arrays(torch.rand(n, 1, size, size, generator=generator) * 255, labels=[k % 2 for k in range(n)])


def volumes(n: int, size: int, folder: Path) -> Cases:
    """Volumes of noise with a bright ball, in files."""
    import nibabel
    import numpy as np

    grid = np.indices((size,) * 3)
    rows = []
    for k in range(n):
        rng = np.random.default_rng(k)
        centre = rng.uniform(0.4, 0.6, 3)[:, None, None, None] * size
        ball = (((grid - centre) ** 2).sum(0) < (size / 5) ** 2).astype("u1")
        for name, values in (("image", (ball + rng.normal(size=ball.shape)).astype("f4")), ("label", ball)):
            nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), folder / f"{name}{k}.nii")
        rows.append({"image": f"image{k}.nii", "segmentation": f"label{k}.nii"})
    with (folder / "index.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return read_cases(folder / "index.csv", label=None, segmentation="segmentation")


def timed(name: str, model: AuditModel, cases: Cases, **settings: int) -> str:
    """Wall time, time of all processor cores, and memory of an audit."""
    cases[0].load()
    before = memory()
    wall, cpu = time.perf_counter(), time.process_time()
    found = audit_model(model, cases, progress=False, **settings)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    counts = ", ".join(f"{step} {count}" for step, count in found.settings["n_cases"].items())
    return f"| {name} | {counts} | {wall:.0f} | {cpu:.0f} | {before:.0f} | {memory():.0f} |"


def memory() -> float:
    """Largest memory so far in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def resnets() -> Sequence[tuple[str, Callable[[], nn.Module], int | None]]:
    plain = {"spatial_dims": 2, "n_input_channels": 1, "num_classes": 2}
    return (
        ("ResNet-18, first stride 2, at 448 px", lambda: resnet18(**plain, conv1_t_stride=2), 448),
        ("ResNet-18 of MONAI (stride 1), resized to 224 px", lambda: resnet18(**plain), 224),
        ("ResNet-18, first stride 2, resized to 224 px", lambda: resnet18(**plain, conv1_t_stride=2), 224),
        ("ResNet-18 of MONAI (stride 1), at 448 px", lambda: resnet18(**plain), 448),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("bands", "untrained", "radiographs", "volumes"))
    parser.add_argument("--index", type=Path, help="index.csv of radiographs with image, label, source and patient")
    parser.add_argument("--networks", type=int, default=20)
    parser.add_argument("--cases", type=int, default=600, help="cases of each data set of known bands")
    parser.add_argument("--variants", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--n_cases", type=int)
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    chosen = {} if given.n_cases is None else {"n_cases": given.n_cases}
    if given.what == "bands":
        off: list[tuple[int | None, int | None]] = []
        for true, found in bands_found(given.networks, given.cases):
            off.append((steps_off(true, found.moved), steps_off(true, found.used)))
            drops = f"the metric drops {found.used} ({off[-1][1]} steps off)"
            print(f"true {true}: answers move {found.moved} ({off[-1][0]} steps off), {drops}", flush=True)
        for k, what in enumerate(("answers move", "metric drops")):
            near = sum(each[k] is not None and each[k] <= 1 for each in off)
            print(f"{what}: within one step in {near} of {len(off)}")
    elif given.what == "untrained":
        all_found = list(untrained_found(given.networks, given.cases))
        print(f"a band is found in {sum(each[0] for each in all_found)} of {len(all_found)} untrained networks")
        print(f"intervals above 0: {sum(each[1] for each in all_found)} of {sum(each[2] for each in all_found)} drops")
    else:
        print("| network | cases | wall s | CPU s | MB before | MB after |\n| --- | --- | --- | --- | --- | --- |")
        if given.what == "volumes":
            with tempfile.TemporaryDirectory() as folder:
                cases = volumes(40, 128, Path(folder))
                build = lambda: UNet(3, 1, 2, channels=(8, 16, 32, 64), strides=(2, 2, 2))  # noqa: E731
                model = load_model(build(), network=build, task="segmentation", preprocess=scaled_to(None, "standard"))
                print(timed("U-Net (8, 16, 32, 64) at 128³", model, cases, **chosen), flush=True)
            return
        cases = radiographs(given.index, 600, 448)
        for variant in given.variants:
            name, build, size = resnets()[variant]
            preprocess = scaled_to(None if size is None else (size, size), "standard")
            model = load_model(build(), network=build, preprocess=preprocess)
            print(timed(name, model, cases, **chosen), flush=True)


if __name__ == "__main__":
    main()
