"""Mean spectrum of each label and group, with an interval over patients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...seeding.seeds import derived_seed
from ...spectral.band_grid import BandGrid
from ..cases import Case, Cases
from .features import Features
from .permutations import numbered

__all__ = ["MeanSpectrum", "fine_bands", "mean_spectra"]

Array = NDArray[np.float64]

_RESAMPLES = 1000
#: number of points of a drawn spectrum
_POINTS = 48


@dataclass(frozen=True)
class MeanSpectrum:
    """Mean spectrum of the images of one label, of one group, or of both.

    Args:
        label: the label; None for all.
        group: the group; None for all.
        n_cases: number of images.
        n_patients: number of patients.
        frequencies: middle of each band, in the unit of the bands.
        mean: mean over the images of the common logarithm of the power density, of images of variance 1.
        low: lower end of the 95% interval of the mean, over patients.
        high: upper end; both are None for a single patient.

    Example:
        >>> MeanSpectrum("ill", None, 2, 2, (0.1,), (-1.0,), (-1.1,), (-0.9,)).mean
        (-1.0,)
    """

    label: str | None
    group: str | None
    n_cases: int
    n_patients: int
    frequencies: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...] | None
    high: tuple[float, ...] | None


def fine_bands(bands: BandGrid) -> BandGrid:
    """Narrow bands over the same frequencies, without directions, to draw a spectrum with.

    Args:
        bands: bands that are tested.

    Example:
        >>> fine_bands(BandGrid.spaced(4, 0.02, 0.5, directional=True)).n_bands
        48
    """
    lowest = bands.edges[0] or bands.edges[1] / 4
    return BandGrid.spaced(max(_POINTS, bands.n_bands), lowest, bands.edges[-1], bands.unit)


def mean_spectra(cases: Sequence[Case], features: Features, bands: BandGrid, seed: int = 0) -> tuple[MeanSpectrum, ...]:
    r"""Mean of the log power of each band, by label, and by label in each group.

    .. math:: \bar L_k = \frac{1}{n} \sum_i \log_{10} P_{ik}

    The interval holds the middle 95% of the means of 1000 samples of the patients, drawn with replacement: images of
    one patient are no independent draws.

    Args:
        cases: the images.
        features: their log powers in the bands.
        bands: the bands, without directions.
        seed: seed of the samples.

    Returns:
        Labels first, over all groups; then each label in each group. Without labels, the groups.

    Raises:
        ValueError: the bands have directions, or the numbers of images differ.

    Example:
        >>> import torch
        >>> from monai_freq.audit.data.features import band_features
        >>> noise = torch.randn(8, 1, 32, 32, generator=torch.Generator().manual_seed(0))
        >>> cases, bands = Cases.of_arrays(noise, labels=["a", "b"] * 4), BandGrid((0.0, 0.25, 0.5))
        >>> spectra = mean_spectra(cases, band_features(cases, bands), bands)
        >>> [(one.label, one.n_cases) for one in spectra]
        [('a', 4), ('b', 4)]
    """
    if bands.directional:
        raise ValueError("'bands' must have no directions: fine_bands() gives some.")
    if len(features.values) != len(cases):
        raise ValueError(f"'features' must have {len(cases)} images as the cases, got {len(features.values)}.")
    cases = cases if isinstance(cases, Cases) else Cases(cases)
    middle = [
        math.sqrt(low * high) if low else high / 2 for low, high in zip(bands.edges, bands.edges[1:], strict=False)
    ]
    frequencies = tuple(middle[cell] for cell in features.cells)
    patients = numbered(cases.patients)[0]
    labels, groups = (np.asarray(column, dtype=object) for column in (cases.labels, cases.groups))
    names = [*dict.fromkeys(sorted(cases.labels))] if cases.labels else [None]
    places = [*dict.fromkeys(sorted(cases.groups))] if cases.groups else []
    kinds = [(name, None) for name in names] + [(name, place) for place in places for name in names]
    found = []
    for number, (label, group) in enumerate(kinds):
        here = np.ones(len(cases), dtype=bool)
        here &= labels == label if label is not None else True
        here &= groups == group if group is not None else True
        if here.any():
            mean, low, high, n_patients = _mean(features.values[here], patients[here], derived_seed(seed, number))
            found.append(MeanSpectrum(label, group, int(here.sum()), n_patients, frequencies, mean, low, high))
    return tuple(found)


def _mean(
    values: Array, patients: NDArray[np.int64], seed: int
) -> tuple[tuple[float, ...], tuple[float, ...] | None, tuple[float, ...] | None, int]:
    people, place = np.unique(patients, return_inverse=True)
    mean = tuple(values.mean(0).tolist())
    if len(people) < 2:
        return mean, None, None, len(people)
    sums, counts = np.zeros((len(people), values.shape[1])), np.bincount(place).astype(np.float64)
    np.add.at(sums, place, values)
    share = np.full(len(people), 1 / len(people))
    weights = np.random.default_rng(seed).multinomial(len(people), share, _RESAMPLES).astype(np.float64)
    low, high = np.quantile((weights @ sums) / (weights @ counts)[:, None], [0.025, 0.975], axis=0)
    return mean, tuple(low.tolist()), tuple(high.tolist()), len(people)
