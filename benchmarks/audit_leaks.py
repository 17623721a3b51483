"""Planted leaks of eight kinds that the audit of data finds, and false alarms in data without one."""

from __future__ import annotations

import dataclasses
import io
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import measure
import numpy as np
import torch
from measure import Target
from monai.networks.nets import ResNet
from monai.transforms import GaussianSmooth, GibbsNoise
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import kstest
from sklearn.metrics import roc_auc_score
from torch import Tensor
from torch.nn import functional as F

from monai_freq.audit import Cases, Features, audit_data, band_features, find_leak
from monai_freq.phantoms.dead_leaves import draw_dead_leaves
from monai_freq.phantoms.spleen import draw_spleen_case
from monai_freq.phantoms.textures import TEXTURES
from monai_freq.spectral.band_grid import BandGrid
from monai_freq.spectral.ramp_filter import filter_window
from monai_freq.transforms import NonLocalMeans, PhotonNoise

#: images, and images of one data set
POOL, USED = {2: 200, 3: 80}, {2: 120, 3: 60}
SIZES = {2: (96, 96), 3: (48, 48, 24)}
#: data sets of each kind and strength, and of none
PLANTED, NULL = 20, 1000
#: SD of the noise of an image in HU, and of its logarithm between images
NOISE, SPREAD = 12.0, 0.15
FIELD_MM = 200.0
#: Kind -> three strengths: SD in units of the noise that is there; SD in voxels; photons; share of the window; strength
#: in SDs of the noise; share of the spectrum that is cut; voxels that are left along each axis; quality
STRENGTHS = {
    "noise": (0.3, 0.6, 1.2),
    "blur": (0.3, 0.5, 0.8),
    "dose": (2e6, 5e5, 1e5),
    "kernel": (0.1, 0.25, 0.5),
    "non-local means": (0.3, 0.6, 1.0),
    "Gibbs": (0.2, 0.35, 0.5),
    "upsampling": (0.9, 0.75, 0.5),
    "JPEG": (95, 85, 60),
}
LEVELS = ("weak", "medium", "strong")
ALPHA = 0.01  # of the audit
#: trainings of each kind and strength, epochs of each, and the AUC on other images from which a network takes a leak
TRAININGS, EPOCHS, TAKEN = 2, 40, 0.75

Array = NDArray[np.float64]
#: change of one image (1, *spatial) in HU, by strength and seed
Change = Callable[[Tensor, float, int], Tensor]


class Found(NamedTuple):
    """Share of planted leaks that were found, their mean AUC, and that of small networks on other images."""

    share: float
    auc: float
    network: float


def main() -> None:
    """Plant, look, and print; a full run also writes the section."""
    arguments = measure.options(__doc__ or "", rounds=1)
    planted, null, trainings = (3, 20, 0) if arguments.quick else (PLANTED, NULL, TRAININGS)
    start = time.process_time()
    found, p = {}, {}
    for dims in (2, 3):
        clean, used = images(dims, POOL[dims]), USED[dims]
        features = powers(clean)
        p[dims] = p_values(features, used, null)
        for kind, strengths in STRENGTHS.items():
            for level, strength in zip(LEVELS, strengths, strict=True):
                changed = [CHANGES[kind](image, strength, seed) for seed, image in enumerate(clean)]
                share, auc = plant(features, powers(changed), used, planted)
                found[kind, level, dims] = Found(share, auc, taken(clean, changed, used, trainings))
    seconds = time.process_time() - start
    measure.publish("Planted leaks", report(found, p, same_by_workers(), planted, seconds), arguments)


def images(dims: int, number: int) -> list[Tensor]:
    """Dead leaves (2D) and abdomens (3D) in HU, each with noise of its own."""
    drawn = []
    for seed in range(number):
        rng = np.random.default_rng([dims, seed])
        if dims == 2:
            texture = list(TEXTURES)[seed % len(TEXTURES)]
            picture = 600 * draw_dead_leaves(rng, texture, "ring", SIZES[2][0]).mean(-1) - 200
        else:
            picture = draw_spleen_case(rng, SIZES[3])[0].astype(np.float32)
        noise = NOISE * np.exp(SPREAD * rng.standard_normal()) * rng.standard_normal(picture.shape)
        drawn.append(torch.from_numpy((picture + noise).astype(np.float32))[None])
    return drawn


def powers(drawn: Sequence[Tensor]) -> Features:
    """All images are rounded to whole HU."""
    dims = drawn[0].ndim - 1
    bands = BandGrid.spaced(12, 2 / max(SIZES[dims]), 0.5, directional=True)
    return band_features(Cases.of_arrays([image.round() for image in drawn]), bands, quiet=True)


def plant(clean: Features, changed: Features, used: int, number: int) -> tuple[float, float]:
    """Change the images of one label, chosen at random in each data set; share found, and mean AUC."""
    leaks = []
    for seed in range(number):
        rng = np.random.default_rng([1, seed])
        some = rng.permutation(len(clean.values))[:used]
        labels = rng.permutation(np.arange(used) % 2)
        values = np.where(labels[:, None] == 1, changed.values[some], clean.values[some])
        data = dataclasses.replace(clean, values=values)
        leaks.append(find_leak(data, labels.astype(str).tolist(), seed=seed, each_cell=False))
    return float(np.mean([leak.found for leak in leaks])), float(np.mean([leak.auc for leak in leaks]))


def taken(clean: Sequence[Tensor], changed: Sequence[Tensor], used: int, number: int) -> float:
    """Mean AUC, on the images that are left, of small networks that are trained on as many images as an audit sees."""
    aucs, (without, planted) = [], map(standardised, (clean, changed))
    for seed in range(number):
        rng = np.random.default_rng([3, seed])
        order = torch.from_numpy(rng.permutation(len(clean)))
        labels = torch.from_numpy(rng.permutation(np.arange(len(clean)) % 2))
        x = torch.where(labels.view(-1, *[1] * (without.ndim - 1)) == 1, planted, without)
        scores = trained(x[order[:used]], labels[order[:used]], seed)(x[order[used:]])
        aucs.append(roc_auc_score(labels[order[used:]], scores[:, 0]))
    return float(np.mean(aucs)) if aucs else float("nan")


def trained(x: Tensor, labels: Tensor, seed: int) -> Callable[[Tensor], Tensor]:
    """A small ResNet, ready to be asked."""
    torch.manual_seed(seed)
    network = ResNet(
        "basic", [1, 1, 1, 1], [8, 16, 32, 64], x.ndim - 2, n_input_channels=1, num_classes=1, conv1_t_stride=2
    )
    optimizer, generator = torch.optim.Adam(network.parameters(), 1e-3), torch.Generator().manual_seed(seed)
    for _ in range(EPOCHS):
        for some in torch.randperm(len(x), generator=generator).split(20):
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(network(x[some])[:, 0], labels[some].float()).backward()
            optimizer.step()
    return torch.no_grad()(network.eval())


def standardised(drawn: Sequence[Tensor]) -> Tensor:
    """Whole HU, as the audit is given them, with mean 0 and SD 1."""
    images = torch.stack([image.round() for image in drawn])
    dims = tuple(range(1, images.ndim))
    return (images - images.mean(dims, keepdim=True)) / images.std(dims, keepdim=True)


def p_values(clean: Features, used: int, number: int) -> Array:
    """Of data sets whose labels were drawn at random."""
    found = []
    for seed in range(number):
        rng = np.random.default_rng([4, seed])
        some = rng.permutation(len(clean.values))[:used]
        labels = rng.permutation(np.arange(used) % 2).astype(str).tolist()
        found.append(find_leak(clean.some(some), labels, seed=seed, each_cell=False).p)
    return np.array(found)


def same_by_workers() -> bool:
    """Whether audits by none and by two workers are equal to the last bit."""
    drawn = images(2, 40)
    cases = Cases.of_arrays(drawn, labels=["a", "b"] * 20, groups=["x"] * 20 + ["y"] * 20)
    return audit_data(cases, seed=1) == audit_data(cases, seed=1, workers=2)


def report(
    found: dict[tuple[str, str, int], Found], p: dict[int, Array], same: bool, planted: int, seconds: float
) -> Iterator[measure.Part]:
    """Parts of the section."""
    yield (
        f"{USED[2]} dead leaves of {SIZES[2][0]} x {SIZES[2][1]} pixels, or {USED[3]} abdomens of "
        f"{' x '.join(map(str, SIZES[3]))} voxels, with noise of {NOISE:g} HU that varies by {SPREAD:.0%} between "
        f"images. The images of one label are changed; {planted} data sets of each kind and strength, and {len(p[2])} "
        f"of none in 2D and in 3D. Level {ALPHA:g}, 1000 permutations, 12 bands in 4 directions."
    )
    yield measure.targets_table(targets(found, p, same, seconds))
    rows = []
    for kind, strengths in STRENGTHS.items():
        for level, strength in zip(LEVELS, strengths, strict=True):
            of = [found[kind, level, dims] for dims in (2, 3)]
            shown = (cell for one in of for cell in (f"{one.share:.0%} ({one.auc:.2f})", f"{one.network:.2f}"))
            rows.append([kind, f"{level} ({strength:g})", *shown])
    yield (
        "Share of planted leaks that were found, and their mean AUC; and the mean AUC, on other images, of "
        f"{TRAININGS} small networks, each trained on one such data set. A network takes a leak from {TAKEN} on:"
    )
    yield measure.table(["kind", "strength", "2D", "network", "3D", "network"], rows)


def targets(
    found: dict[tuple[str, str, int], Found], p: dict[int, Array], same: bool, seconds: float
) -> Iterator[Target]:
    for dims in p:
        shares = [one.share for (*_, of), one in found.items() if of == dims and one.network >= TAKEN]
        yield (
            f"{dims}D: leaks that a small network takes, found, the one found least",
            min(shares, default=1),
            0.95,
            True,
        )
    for dims, values in p.items():
        yield f"{dims}D: false alarms at the audit's level", float((values <= ALPHA).mean()), 0.05, False
        yield f"{dims}D: p-values up to 0.05 of data without a leak", float((values <= 0.05).mean()), 0.08, False
        yield f"{dims}D: p-values of data without a leak, Kolmogorov and Smirnov's p", uniform(values), 0.05, True
    yield "audits by none and by two workers that are equal to the last bit", float(same), 1, True
    yield "seconds of one core", seconds, 1800, False


def uniform(values: Array) -> float:
    """P-value of uniformity; a p-value of 1000 permutations is one of 1001 numbers, and is put anywhere in its step."""
    return float(kstest(values - np.random.default_rng(0).random(len(values)) / 1001, "uniform").pvalue)


def _noise(image: Tensor, strength: float, seed: int) -> Tensor:
    return image + strength * NOISE * torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))


def _blur(image: Tensor, strength: float, seed: int) -> Tensor:
    return torch.as_tensor(GaussianSmooth(strength)(image))


def _dose(image: Tensor, strength: float, seed: int) -> Tensor:
    scan = PhotonNoise(n_photons=strength, n_angles=120, extent_mm=FIELD_MM)
    return torch.as_tensor(scan.set_random_state(seed)(image))


def _kernel(image: Tensor, strength: float, seed: int) -> Tensor:
    axes = tuple(range(1, image.ndim))[:2]  # of a slice
    first, last = torch.fft.fftfreq(image.shape[1]), torch.fft.fftfreq(image.shape[2])
    radius = (first[:, None].square() + last.square()).sqrt()
    window = 1 - strength * (1 - filter_window("hann", (radius / 0.5).clamp(max=1)))
    spectrum = torch.fft.fftn(image, dim=axes)
    return torch.fft.ifftn(spectrum * window.view(1, *window.shape, *[1] * (image.ndim - 3)), dim=axes).real


def _nonlocal_means(image: Tensor, strength: float, seed: int) -> Tensor:
    return torch.as_tensor(NonLocalMeans(h_factor=strength, sigma=NOISE, noise_model="gaussian")(image))


def _gibbs(image: Tensor, strength: float, seed: int) -> Tensor:
    return torch.as_tensor(GibbsNoise(strength)(image))


def _upsampling(image: Tensor, strength: float, seed: int) -> Tensor:
    mode, sizes = ("bilinear", "trilinear")[image.ndim - 3], image.shape[1:]
    small = F.interpolate(image[None], size=[round(strength * size) for size in sizes], mode=mode)
    return F.interpolate(small, size=sizes, mode=mode)[0]


def _jpeg(image: Tensor, strength: float, seed: int) -> Tensor:
    """Slices by themselves, in a window of -400 to 800 HU."""
    slices = image[0].reshape(*image.shape[1:3], -1)
    back = [_through_jpeg((slices[..., k] + 400) / 1200, int(strength)) for k in range(slices.shape[-1])]
    return (1200 * torch.stack(back, -1) - 400).reshape(image.shape)


def _through_jpeg(slice_: Tensor, quality: int) -> Tensor:
    file = io.BytesIO()
    Image.fromarray((255 * slice_.clamp(0, 1)).round().byte().numpy()).save(file, "JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(file))).float() / 255


CHANGES: dict[str, Change] = {
    "noise": _noise,
    "blur": _blur,
    "dose": _dose,
    "kernel": _kernel,
    "non-local means": _nonlocal_means,
    "Gibbs": _gibbs,
    "upsampling": _upsampling,
    "JPEG": _jpeg,
}


if __name__ == "__main__":
    main()
