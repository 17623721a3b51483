"""What hypothesis draws for every transform: its settings, and images of any size, type and voxel size it takes."""

from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st
from monai.data import MetaTensor

from monai_freq import transforms

FLOATING = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
INTEGERS = [torch.uint8, torch.int16, torch.int32]
LONGEST = {1: 48, 2: 20, 3: 9}  # voxels along an axis


@dataclass(frozen=True)
class Family:
    """A transform as array and as dictionary.

    Args:
        name: Its class; the dictionary's has a ``d`` at the end.
        settings: Strategies of its arguments, given the number of spatial axes.
        dims: Numbers of spatial axes that it takes.
        gain: Channels of the result for each of the image.
        spread: Largest SD of the images, in units of their values.
        negative: Whether images may have negative values.
    """

    name: str
    settings: object
    dims: tuple[int, ...] = (1, 2, 3)
    gain: int = 1
    spread: float = 100.0
    negative: bool = True

    @property
    def array(self):
        return getattr(transforms, self.name)

    @property
    def dictionary(self):
        return getattr(transforms, f"{self.name}d")


def thetas():
    return st.floats(0, 1, exclude_min=True, exclude_max=True)


def bands(dims):
    axes = st.lists(st.integers(0, dims - 1), min_size=1, unique=True)
    conventions = st.sampled_from(["figure2", "equation1", "released"])
    return st.fixed_dictionaries({"theta": thetas(), "axes": axes, "convention": conventions})


def cutoffs(dims):
    return st.fixed_dictionaries({"cutoff": st.floats(0, 0.5, exclude_min=True)})


def radii(dims, most):
    return st.one_of(st.integers(0, most), st.lists(st.integers(0, most), min_size=dims, max_size=dims))


def filters(dims, **more):
    sigma = st.one_of(st.none(), st.floats(0, 50))
    optional = {"patch_radius": radii(dims, 1), "search_radius": radii(dims, 2), "sigma": sigma}
    optional |= {"noise_model": st.sampled_from(["rician", "gaussian"]), "channel_wise": st.booleans()}
    return st.fixed_dictionaries(more, optional=optional)


def denoising(dims):
    return filters(dims, h=st.one_of(st.none(), st.floats(0, 100)), h_factor=st.floats(0, 3))


def random_denoising(dims):
    return filters(dims, prob=probabilities(), h_factor=st.tuples(st.floats(0, 1), st.floats(1, 3)))


def probabilities():
    return st.sampled_from([0.0, 0.5, 1.0])


def scans(dims, **more):
    size = st.one_of(
        st.builds(lambda value: {"extent_mm": value}, st.floats(20, 500)),
        st.builds(lambda value: {"spacing": value}, st.lists(st.floats(0.2, 10), min_size=dims, max_size=dims)),
    )
    optional = {"filter": st.sampled_from(["ramp", "shepp-logan", "cosine", "hann"]), "min_count": st.floats(0.01, 1)}
    optional |= {"sampler": st.sampled_from(["poisson", "fast"]), "n_detectors": st.integers(1, 40)}
    optional |= {"slice_dim": st.integers(-3, 2)}
    window = st.just({"input_range": (-1000.0, 1000.0, -100.0, 100.0)})
    fixed = st.fixed_dictionaries({"n_angles": st.integers(1, 12)} | more, optional=optional)
    return st.tuples(fixed, size, window).map(lambda parts: parts[0] | parts[1] | parts[2])


def one_dose(dims):
    return scans(dims, n_photons=st.floats(100, 1e7))


def many_doses(dims):
    return scans(dims, prob=probabilities(), n_photons=st.tuples(st.floats(100, 1e4), st.floats(1e4, 1e7)))


def no_settings(dims):
    return st.just({})


def densities():
    """Of the four bands of ``matched``; None leaves one as it is."""
    return st.lists(st.one_of(st.none(), st.floats(1e-3, 1e3)), min_size=4, max_size=4)


def matching(dims, **more):
    edges = st.just((0.0, 0.1, 0.2, 0.4, 0.9))
    optional = {"unit": st.sampled_from(["voxel", "image"]), "max_gain": st.floats(1.1, 100)}
    optional |= {"cells": st.lists(st.integers(0, 3), min_size=1, unique=True)}
    return st.fixed_dictionaries({"edges": edges} | more, optional=optional)


def one_spectrum(dims):
    return matching(dims, reference=densities(), strength=st.floats(0, 1))


def many_spectra(dims):
    ranges = st.tuples(st.floats(0, 0.5), st.floats(0.5, 1))
    references = st.lists(densities(), min_size=1, max_size=3)
    return matching(dims, prob=probabilities(), references=references, strength=ranges)


FAMILIES = [
    Family("FourierDisentangle", bands, gain=2),
    Family("FourierLowPass", cutoffs),
    Family("SpectrumWhiten", no_settings),
    Family("SpectrumMatch", one_spectrum, dims=(2, 3)),
    Family("RandSpectrumMatch", many_spectra, dims=(2, 3)),
    Family("NonLocalMeans", denoising, dims=(2, 3), negative=False),
    Family("RandNonLocalMeans", random_denoising, dims=(2, 3), negative=False),
    Family("PhotonNoise", one_dose, dims=(2, 3)),
    Family("RandPhotonNoise", many_doses, dims=(2, 3)),
]


@st.composite
def images(draw, dims=(1, 2, 3), dtypes=(*FLOATING, *INTEGERS), spread=100.0, negative=True):
    """Bare tensors, numpy arrays and tensors with metadata, ``(C, *spatial)``."""
    count = draw(st.sampled_from(dims))
    shape = draw(st.lists(st.integers(1, LONGEST[count]), min_size=count, max_size=count))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    values = torch.randn(draw(st.integers(1, 3)), *shape, generator=generator, dtype=torch.float64)
    values = values * draw(st.sampled_from([0.0, 1e-3, 1.0, spread])) + draw(st.sampled_from([0.0, 1.0, spread]))
    dtype = draw(st.sampled_from(dtypes))
    if not negative or dtype == torch.uint8:
        values = values.abs().clamp(max=255)
    return as_kind(draw(st.sampled_from(["tensor", "array", "meta"])), values.to(dtype), draw)


def as_kind(kind, values, draw):
    if kind == "array" and values.dtype != torch.bfloat16:  # which numpy lacks
        return values.numpy()
    if kind == "meta":
        spacing = draw(st.lists(st.floats(0.2, 5), min_size=3, max_size=3))
        signs = draw(st.lists(st.sampled_from([-1, 1]), min_size=3, max_size=3))
        affine = torch.diag(torch.tensor([*(s * d for s, d in zip(signs, spacing, strict=True)), 1.0]))
        return MetaTensor(values, affine=affine.double(), meta={"filename_or_obj": "vol01/la_003.nii.gz", "echo": 2})
    return values


def bare(image):
    """Values in float64, whatever holds them."""
    return (image.as_tensor() if isinstance(image, MetaTensor) else torch.as_tensor(image)).double()


def kept(image):
    """A copy."""
    return image.copy() if isinstance(image, np.ndarray) else image.clone()
