"""Draw the pictures of the explanations, and print the numbers that the explanations quote."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor
from transform_pictures import mr_slice, robust, show

from monai_freq.figures import new_figure
from monai_freq.figures.palette import BLUE, VERMILLION
from monai_freq.phantoms.source_images import draw_source_image
from monai_freq.spectral.bands import split
from monai_freq.spectral.psd import centroid, radial_psd

IMAGES = Path(__file__).parent / "images" / "explanation"
PER_VOXEL = "spatial frequency (cycles / voxel)"


def theta() -> Figure:
    """Low and high parts of a slice for several widths of the low block, with the high part's share of the variance."""
    image, widths = mr_slice(), (0.05, 0.1, 0.2, 0.4)
    figure = new_figure(10.4, 5.6)
    axes = figure.subplots(2, len(widths))
    for column, width in enumerate(widths):
        low, high = split(image, width, spatial_dims=2)
        share = float(high.square().sum() / (image - image.mean()).square().sum())
        show(axes[0, column], low, f"low, theta = {width}", (0, 1))
        show(axes[1, column], high, f"high: {share:.1%} of the variance", (-0.2, 0.2))
        print(f"theta {width}: the high part holds {share:.4f} of the variance")
    return figure


def tell_corner() -> None:
    """Print the parts of a slice in the conventions that cut around the Nyquist frequency."""
    image = mr_slice()
    corner, rest = split(image, 0.1, spatial_dims=2, convention="released")
    share = float(corner.square().sum() / (image - image.mean()).square().sum())
    correlation = float(torch.corrcoef(torch.stack([rest.flatten(), image.flatten()]))[0, 1])
    print(f"the block around Nyquist holds {share:.1e} of the variance; the rest correlates {correlation:.6f}")


def patches() -> Figure:
    """How far the low part of a patch is from the patch of the low part, over the distance to the patch's border."""
    image, size = mr_slice(), 64
    starts = range(0, image.shape[-1] - size + 1, 16)
    depth = torch.minimum(place := torch.arange(size), size - 1 - place)
    depth = torch.minimum(depth[:, None], depth[None])
    figure = new_figure(9.6, 3.3)
    axes = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.7])
    here = (slice(None), slice(96, 96 + size), slice(64, 64 + size))
    parts = {"low part of a patch": split(image[here], 0.1, spatial_dims=2)[0]}
    parts["patch of the low part"] = split(image, 0.1, spatial_dims=2)[0][here]
    for place, (title, part) in enumerate(parts.items()):
        show(axes[place], part, title, (0, 1))
    show(axes[2], torch.sub(*parts.values()), "difference", (-0.3, 0.3))
    for theta, color, style in ((0.1, "black", "-"), (0.2, VERMILLION, "--"), (0.4, BLUE, "-.")):
        low = split(image, theta, spatial_dims=2)[0]
        wheres = [
            (slice(None), slice(row, row + size), slice(column, column + size)) for row in starts for column in starts
        ]
        wrong = torch.stack([split(image[where], theta, spatial_dims=2)[0] - low[where] for where in wheres])
        squares = wrong.square().mean((0, 1)) / image.var()
        curve = torch.stack([squares[depth == step].mean() for step in range(size // 2)]).sqrt()
        axes[3].plot(curve, color=color, linestyle=style, label=f"theta = {theta}")
        bounds = ((0, 1), (4, 8), (16, 24), (24, 32))
        told = [f"{float(squares[(depth >= a) & (depth < b)].mean().sqrt()):.2f} at {a} to {b - 1}" for a, b in bounds]
        print(f"theta {theta}: a patch of {size} is off by {', '.join(told)} voxels from its border (SD of the image)")
    axes[3].set(xlabel="voxels from the border of the patch", ylabel="difference / SD of the image", ylim=(0, 0.7))
    axes[3].legend(frameon=False, fontsize="small")
    return figure


def same_density() -> Figure:
    """A slice, noise with the same magnitudes, and their densities, which coincide."""
    image = mr_slice()
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    phase = torch.fft.rfft2(noise)
    magnitudes = torch.fft.rfft2(image).abs()
    other = torch.fft.irfft2(magnitudes * phase / phase.abs(), s=image.shape[-2:])
    figure = new_figure(9.6, 3.1)
    axes = figure.subplots(1, 3, width_ratios=[1, 1, 1.5])
    show(axes[0], image, "a phantom", (0, 1))
    show(axes[1], other, "the same magnitudes, random phases", robust(other))
    plot(axes[2], image, "phantom", "black", "-")
    plot(axes[2], other, "random phases", VERMILLION, "--")
    axes[2].set(xlabel=PER_VOXEL, ylabel="mean |F|", yscale="log", xlim=(0, 0.5))
    axes[2].legend(frameon=False, fontsize="small")
    return figure


def plot(axes: Axes, image: Tensor, label: str, color: str, style: str, spacing: float = 1) -> None:
    """Plot the density of a slice, without DC."""
    frequencies, density = radial_psd(image, [spacing] * 2, spatial_dims=2)
    axes.plot(frequencies[1:], density[0, 1:], color=color, linestyle=style, label=label)


def voxel_size() -> Figure:
    """One slice on two grids, with its densities over cycles per voxel and over cycles per mm."""
    fine = mr_slice()
    coarse = torch.nn.functional.avg_pool2d(fine, 2)
    figure = new_figure(9.6, 3.1)
    left, right = figure.subplots(1, 2, sharey=True)
    for image, spacing, color, style in ((fine, 1.4, "black", "-"), (coarse, 2.8, VERMILLION, "--")):
        label = f"{image.shape[-1]} voxels of {spacing} mm"
        for axes, unit in ((left, 1.0), (right, spacing)):
            frequencies, density = radial_psd(image, [unit] * 2, spatial_dims=2, norm="forward")
            axes.plot(frequencies[1:], density[0, 1:], color=color, linestyle=style, label=label)
        print(f"{label}: centroid {float(centroid(*radial_psd(image, spatial_dims=2))):.3f} cycles per voxel")
    left.set(xlabel=PER_VOXEL, ylabel="mean |F| / voxels", yscale="log", xlim=(0, 0.5))
    right.set(xlabel="spatial frequency (cycles / mm)", xlim=(0, 0.5 / 1.4))
    left.legend(frameon=False, fontsize="small")
    return figure


def delta_ood() -> Figure:
    """AUC and AUC drop of a network whose score follows the disease, the artifact, and the artifact's disturbance."""
    disease, reliance = 2.0, torch.linspace(0, 4, 81)
    disturbances = {"disturbs towards healthy": (-1.5, BLUE, "-."), "does not disturb": (0.0, "black", "-")}
    disturbances |= {"disturbs towards ill": (1.5, VERMILLION, "--")}
    figure = new_figure(9.6, 3.3)
    left, right = figure.subplots(1, 2)
    for label, (disturbance, color, style) in disturbances.items():
        auc = normal((disease - disturbance - reliance) / math.sqrt(2))
        left.plot(reliance, auc, color=color, linestyle=style, label=f"artifact {label}")
        right.plot(reliance, auc[0] - auc, color=color, linestyle=style)
        print(f"artifact {label}: AUC_ood at reliance 0 {auc[0]:.2f}, at 2 {auc[40]:.2f}, delta {auc[0] - auc[40]:.2f}")
    left.axhline(0.5, color="#999999", linewidth=0.8)
    left.set(xlabel="what the network has learned about the artifact", ylabel="O.O.D. AUC", ylim=(0, 1.3), xlim=(0, 4))
    left.set_yticks([0, 0.25, 0.5, 0.75, 1])
    right.set(xlabel="what the network has learned about the artifact", ylabel="delta_ood", ylim=(0, 1), xlim=(0, 4))
    left.legend(frameon=False, fontsize="x-small", loc="upper right", bbox_to_anchor=(1, 1.02))
    return figure


def normal(z: Tensor) -> Tensor:
    """Distribution function of the standard normal."""
    return (1 + torch.erf(z / math.sqrt(2))) / 2


def sources() -> Figure:
    """Source phantoms of both statistics, and their mean densities for both class cues."""
    figure = new_figure(9.6, 3.1)
    axes = figure.subplots(1, 3, width_ratios=[1, 1, 1.5])
    for place, (statistics, color) in enumerate((("dead_leaves", "black"), ("smooth", VERMILLION))):
        for cue, style in (("texture", "-"), ("shape", "--")):
            images = torch.stack([source_image(seed, statistics, cue) for seed in range(100)])
            frequencies, density = radial_psd(images, spatial_dims=2)
            mean, label = density.mean(0), f"{statistics.replace('_', ' ')}, {cue}"
            axes[2].loglog(frequencies[1:], mean[1:], color=color, linestyle=style, label=label)
            print(f"{label}: slope {slope(frequencies, mean):.2f}")
        show(axes[place], source_image(0, statistics, "texture")[None], statistics.replace("_", " "), (0, 1))
    axes[2].set(xlabel=PER_VOXEL, ylabel="mean |F|, 100 images")
    axes[2].legend(frameon=False, fontsize="small")
    return figure


def source_image(seed: int, statistics: str, cue: str) -> Tensor:
    """Grey values ``(96, 96)`` in [0, 1]."""
    rng = np.random.default_rng(seed)
    drawn = draw_source_image(rng, label=seed % 6, classes=6, size=96, statistics=statistics, cue=cue)
    return torch.from_numpy(drawn).float().mean(-1) / 255


def slope(frequencies: Tensor, density: Tensor) -> float:
    """Exponent of a density between 0.03 and 0.3 cycles per voxel."""
    among = (frequencies > 0.03) & (frequencies < 0.3)
    return float(np.polyfit(frequencies[among].log().numpy(), density[among].log().numpy(), 1)[0])


PICTURES: dict[str, Callable[[], Figure]] = {
    "theta": theta,
    "patches": patches,
    "same_density": same_density,
    "voxel_size": voxel_size,
    "delta_ood": delta_ood,
    "sources": sources,
}


def main() -> None:
    """Draw all pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    tell_corner()
    for name, draw in PICTURES.items():
        draw().savefig(IMAGES / f"{name}.png", dpi=100)
        print(f"drew docs/images/explanation/{name}.png")


if __name__ == "__main__":
    main()
