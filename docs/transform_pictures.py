"""Draw the effect of each transform on a phantom, with power spectrum densities before and after: ``make pictures``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from monai.transforms import GibbsNoise
from torch import Tensor

from monai_freq.figures import new_figure
from monai_freq.figures.palette import BLUE, VERMILLION
from monai_freq.phantoms.heart import draw_heart_case
from monai_freq.phantoms.spleen import draw_spleen_case
from monai_freq.spectral.photon_statistics import noise_power
from monai_freq.spectral.psd import radial_psd
from monai_freq.spectral.tomography import ParallelBeam
from monai_freq.transforms import (
    ApplyShortcutd,
    FourierDisentangle,
    FourierLowPass,
    NonLocalMeans,
    PhotonNoise,
    SpectrumMatch,
    SpectrumWhiten,
)

IMAGES = Path(__file__).parent / "images" / "transforms"
WINDOW = (-160.0, 240.0)  # HU
BEFORE, AFTER, RESIDUAL = ("#000000", "-"), (BLUE, "-"), (VERMILLION, "--")


@cache
def mr_slice() -> Tensor:
    """Axial slice of the heart phantom, ``(1, 256, 256)`` in [0, 1]."""
    volume, _, _ = draw_heart_case(np.random.default_rng(0), (256, 256, 16))
    image = torch.from_numpy(volume[:, :, 8].astype(np.float32))[None]
    return image / image.max()


@cache
def ct_slice() -> Tensor:
    """Axial slice of the spleen phantom, ``(1, 256, 256)`` in HU."""
    volume, _, _ = draw_spleen_case(np.random.default_rng(0), (256, 256, 16))
    return torch.from_numpy(volume[:, :, 8].astype(np.float32))[None]


def mark(image: Tensor) -> Tensor:
    """Image of a marked item after ``ApplyShortcutd``."""
    item = {"image": image, "shortcut": True}
    return torch.as_tensor(ApplyShortcutd("image", GibbsNoise(alpha=0.6))(item)["image"])


def low_part(image: Tensor) -> Tensor:
    """First half of the result of ``FourierDisentangle``."""
    return torch.as_tensor(FourierDisentangle(theta=0.1)(image))[:1]


#: file -> title, image, transform, and names of the result and the residual
PICTURES: dict[str, tuple[str, Callable[[], Tensor], Callable[[Tensor], Tensor], tuple[str, str]]] = {
    "fourier_disentangle": ("FourierDisentangle(theta=0.1)", mr_slice, low_part, ("low", "high")),
    "fourier_low_pass": (
        "FourierLowPass(cutoff=0.1)",
        mr_slice,
        lambda image: torch.as_tensor(FourierLowPass(cutoff=0.1)(image)),
        ("after", "residual"),
    ),
    "spectrum_whiten": (
        "SpectrumWhiten()",
        mr_slice,
        lambda image: torch.as_tensor(SpectrumWhiten()(image)),
        ("after", "residual"),
    ),
    "spectrum_match": (
        "SpectrumMatch(FourierLowPass(cutoff=0.2)(image), max_gain=30)",
        mr_slice,
        lambda image: torch.as_tensor(SpectrumMatch(FourierLowPass(cutoff=0.2)(image), max_gain=30)(image)),
        ("after", "residual"),
    ),
    "photon_noise": (
        "PhotonNoise(n_photons=50_000, extent_mm=360)",
        ct_slice,
        lambda image: torch.as_tensor(PhotonNoise(n_photons=50_000, extent_mm=360).set_random_state(0)(image)),
        ("after", "residual"),
    ),
    "nonlocal_means": (
        "NonLocalMeans()",
        mr_slice,
        lambda image: torch.as_tensor(NonLocalMeans()(image)),
        ("after", "residual"),
    ),
    "apply_shortcut": (
        'ApplyShortcutd("image", GibbsNoise(alpha=0.6)), marked item',
        mr_slice,
        mark,
        ("after", "residual"),
    ),
}


def draw(name: str) -> Figure:
    """The four panels of one transform."""
    title, source, transform, (after_name, residual_name) = PICTURES[name]
    before = source()
    after = transform(before)
    residual = before - after if residual_name == "high" else after - before
    figure = new_figure(11.5, 3.1)
    axes = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.35])
    limits = float(before.min()), float(before.max())
    limits = WINDOW if source is ct_slice else limits
    show(axes[0], before, "before", limits)
    show(axes[1], after, after_name, limits if name != "spectrum_whiten" else robust(after))
    extent = max(map(abs, robust(residual)))
    show(axes[2], residual, residual_name, (-extent, extent))
    parts = {"before": (before, BEFORE), after_name: (after, AFTER), residual_name: (residual, RESIDUAL)}
    for label, (image, (color, style)) in parts.items():
        plot_density(axes[3], image, label, color, style)
    axes[3].set(xlabel="spatial frequency (cycles / voxel)", ylabel="mean |F|", xlim=(0, 0.5), yscale="log")
    axes[3].legend(frameon=False, fontsize="small")
    axes[3].set_ylim(bottom=axes[3].get_ylim()[1] * 1e-6)
    figure.suptitle(title, family="monospace", fontsize="medium")
    return figure


def noise_power_spectra() -> Figure:
    """Photon noise in water: its picture, and its power beside theory and beside noise drawn per pixel."""
    size, extent, photons, scans = 256, 200.0, 4096, 40
    pixel = extent / size
    r = (torch.arange(size) - (size - 1) / 2) * pixel
    water = torch.where((r[:, None].square() + r.square()).sqrt() < 80, 0.0, -1000.0)[None]
    noise = torch.cat(
        [
            torch.as_tensor(PhotonNoise(photons, extent_mm=extent).set_random_state(seed)(water)) - water
            for seed in range(scans)
        ]
    )
    middle = noise[:, size // 2 - 32 : size // 2 + 32, size // 2 - 32 : size // 2 + 32]
    frequencies, power = radial_psd(middle - middle.mean((1, 2), keepdim=True), [pixel] * 2, 2, spatial_dims=2)
    measured = power.mean(0) * pixel**2 / 64**2
    white = float(middle.var()) * pixel**2
    beam = ParallelBeam((size, size), (pixel, pixel))
    line = float(beam.project((water + 1000) * 0.01998)[..., len(beam.bins) // 2].mean()) / 1000  # per metre, over mm
    per_hu = 19.98e-6  # attenuation per mm
    theory = noise_power(frequencies, float(np.exp(line)) / photons, float(beam.bins.diff()[0]), 1000) / per_hu**2
    figure = new_figure(8, 3.1)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.6])
    show(left, noise[:1], "photon noise in a disk of water", (-400, 400))
    right.plot(frequencies, measured, color=BLUE, label=f"measured, {scans} scans")
    right.plot(frequencies, theory, color="black", linestyle="--", label="theory: ramp")
    right.axhline(white, color=VERMILLION, linestyle=":", label="drawn per pixel: white")
    right.set(xlabel="spatial frequency (cycles / mm)", ylabel="noise power (HU² mm²)", xlim=(0, 0.5 / pixel))
    right.set_ylim(bottom=0)
    right.legend(frameon=False, fontsize="small")
    return figure


def show(axes: Axes, image: Tensor, title: str, limits: tuple[float, float]) -> None:
    """Draw a slice in the radiological convention."""
    axes.imshow(image[0].T, cmap="gray", origin="lower", vmin=limits[0], vmax=limits[1])
    axes.invert_xaxis()
    axes.set_axis_off()
    axes.set_title(title, fontsize="medium")


def robust(image: Tensor) -> tuple[float, float]:
    """Range from the 0.5th to the 99.5th percentile."""
    low, high = torch.quantile(image, torch.tensor([0.005, 0.995])).tolist()
    return low, high


def plot_density(axes: Axes, image: Tensor, label: str, color: str, style: str) -> None:
    """Plot the density of a slice, without DC."""
    frequencies, density = radial_psd(image, spatial_dims=2)
    axes.plot(frequencies[1:], density[0, 1:], color=color, linestyle=style, label=label)


def main() -> None:
    """Draw all pictures."""
    for path in draw_all():
        print(f"drew {path}")


def draw_all() -> Iterator[Path]:
    """Draw all pictures, and yield the path of each."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name in PICTURES:
        path = IMAGES / f"{name}.png"
        draw(name).savefig(path, dpi=100)
        yield path.relative_to(Path(__file__).parent.parent)
    path = IMAGES / "photon_noise_power.png"
    noise_power_spectra().savefig(path, dpi=100)
    yield path.relative_to(Path(__file__).parent.parent)


if __name__ == "__main__":
    main()
