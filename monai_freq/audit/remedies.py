"""What to do about a leak: transforms and losses that remove or randomise it, ready to paste."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..quoting import shown
from ..spectral.band_grid import BandGrid
from ..spectral.band_match import band_densities
from .cases import Cases
from .data.leak import Leak
from .model.counterfactual import cells_to_exchange
from .model.model_verdicts import leak_to_try

__all__ = ["Remedy", "remedies"]

#: lowest frequency in cycles per voxel below which a low-pass would take what the images show
_COARSE = 0.1
#: digits of a density
_DIGITS = 3


@dataclass(frozen=True)
class Remedy:
    """One thing to do.

    Args:
        title: what it does.
        why: why it helps, and what it may cost.
        code: Python text, which ends with a transform or a loss.
        config: the same as an entry of a MONAI configuration, in JSON.

    Example:
        >>> Remedy("Cut it off", "It is noise.", "FourierLowPassd('image', 0.3)", "{}").title
        'Cut it off'
    """

    title: str
    why: str
    code: str
    config: str


def remedies(
    leaks: Sequence[Leak], cases: Cases, bands: BandGrid, *, key: str = "image", n_references: int = 50, seed: int = 0
) -> tuple[Remedy, ...]:
    """What can be done about a leak of the label; nothing where none was found.

    References are the geometric means of the band densities of some cases: of each group, or of each label where no
    groups are known or the leak is within them.

    Args:
        leaks: leaks of the data.
        cases: the cases.
        bands: the bands that the leaks were looked for in. If the lowest or the highest leaks, what lies below it or
            above it, in the corners of the spectrum, is moved as well, as a band of its own: what was done to the one
            was done to the other, and would show in it through the window.
        key: key of the image in the user's pipeline.
        n_references: number of cases of each group whose spectra are taken for its reference.
        seed: seed of their draw.

    Example:
        >>> images = torch.randn(80, 1, 16, 16, generator=torch.Generator().manual_seed(0))
        >>> bands, labels = BandGrid((0, 0.2, 0.35, 0.75)), ["blurred", "sharp"] * 40
        >>> images[::2] = bands.scaled(images[::2], torch.tensor([1, 1, 0.3]), spatial_dims=2)
        >>> cases = Cases.of_arrays(images, labels)
        >>> from monai_freq.audit import band_features, find_leak
        >>> leak = find_leak(band_features(cases, bands), labels, n_permutations=200)
        >>> for remedy in remedies([leak], cases, bands):
        ...     print(remedy.title)
        Give each image the spectrum of a random label
        Give all images one spectrum
        Apply what made the difference to both classes
        Keep the network from trusting one easy feature
    """
    leak = leak_to_try(leaks)
    if leak is None:
        return ()
    bands, cells = _with_ends(bands, cells_to_exchange(leak)[0], cases[0].load()[0].ndim - 1)
    groups = cases.groups
    by_group = leak.within is None and groups is not None and len(set(groups)) > 1
    of = groups if by_group and groups is not None else cases.labels
    kinds = sorted(set(of or ()))
    rows = _references(cases, of or (), kinds, bands, n_references, seed)
    overall = [None if None in column else float(np.exp(np.log(column).mean())) for column in zip(*rows, strict=True)]
    settings = _settings(bands, cells)
    what = "group" if by_group else "label"
    listed = shown(", ".join(kinds))
    mixed = {"keys": key, "references": _rounded(rows), "prob": 1.0, "strength": [0.8, 1.0], **settings}
    matched = {"keys": key, "reference": _rounded([overall])[0], **settings}
    found = [
        _transform(
            f"Give each image the spectrum of a random {what}",
            f"In training only. References: {listed}. The spectrum then tells the label no more, and the network sees "
            f"each label with all of them. It also takes what the disease does to these amplitudes.",
            "RandSpectrumMatchd",
            mixed,
        ),
        _transform(
            "Give all images one spectrum",
            f"In training and in use alike: the mean of {listed}. Nothing is drawn, but a new source needs it, too.",
            "SpectrumMatchd",
            matched,
        ),
    ]
    cutoff = _cutoff(bands, cells, cases)
    if cutoff is not None:
        found.append(
            _transform(
                "Cut off what leaks",
                f"All that leaks lies above {cutoff:g} cycles per voxel. In training and in use alike; details of the "
                "same fineness go, too.",
                "FourierLowPassd",
                {"keys": key, "cutoff": cutoff},
            )
        )
    found.append(_in_both(key))
    found.append(_decoupling())
    return tuple(found)


def _with_ends(bands: BandGrid, cells: Sequence[int], dims: int) -> tuple[BandGrid, tuple[int, ...]]:
    """Bands with one more below the lowest and above the highest, where these leak, and the cells to move."""
    per_band, edges = bands.n_cells(dims) // bands.n_bands, bands.edges
    lowest = [cell for cell in cells if cell < per_band and edges[0] > 0]
    complete = bands.unit == "voxel" and edges[-1] >= math.sqrt(dims) / 2
    highest = [cell for cell in cells if cell >= bands.n_cells(dims) - per_band and not complete]
    ends = [0.0] if lowest else [], [edges[-1] * math.sqrt(dims)] if highest else []
    whole = BandGrid((*ends[0], *edges, *ends[1]), bands.unit, directional=bands.directional)
    first = per_band if lowest else 0
    return whole, (*lowest, *(cell + first for cell in cells), *(cell + first + per_band for cell in highest))


def _references(
    cases: Cases, of: Sequence[str], kinds: Sequence[str], bands: BandGrid, most: int, seed: int
) -> list[list[float | None]]:
    """Geometric mean of the densities of each kind of case, one row for all channels."""
    rng, rows = np.random.default_rng([seed, 5]), []
    for kind in kinds:
        places = np.flatnonzero(np.array(of) == kind)
        taken = sorted(rng.choice(places, min(most, len(places)), replace=False).tolist())
        logs = []
        for place in taken:
            image, steps = cases[place].load()
            found = band_densities(image.double(), bands, steps, spatial_dims=image.ndim - 1)
            logs.append(torch.where(found > 0, found.log(), math.nan).nanmean(0))
        mean = torch.stack(logs).nanmean(0).exp()
        rows.append([value if math.isfinite(value) else None for value in mean.tolist()])
    return rows


def _settings(bands: BandGrid, cells: Sequence[int]) -> dict[str, Any]:
    """Arguments of the transforms that are not their defaults."""
    settings: dict[str, Any] = {"edges": [float(f"{edge:.6g}") for edge in bands.edges]}
    if bands.unit != "voxel":
        settings["unit"] = bands.unit
    if bands.directional:
        settings["directional"] = True
    return settings | {"cells": list(cells)}


def _rounded(rows: Sequence[Sequence[float | None]]) -> list[list[float | None]]:
    return [[None if value is None else float(f"{value:.{_DIGITS}g}") for value in row] for row in rows]


def _cutoff(bands: BandGrid, cells: Sequence[int], cases: Cases) -> float | None:
    """Frequency that all leaking cells lie above; None where a low-pass cannot do it, or would take too much."""
    if bands.unit != "voxel":
        return None
    per_band = bands.n_cells(cases[0].load()[0].ndim - 1) // bands.n_bands
    lowest = bands.edges[min(cells) // per_band]
    return float(f"{lowest:.4g}") if _COARSE <= lowest < 0.5 else None


def _in_both(key: str) -> Remedy:
    steps = [
        ("RandGaussianNoised", {"keys": key, "prob": 0.5, "std": 0.1}),
        ("RandGaussianSmoothd", {"keys": key, "prob": 0.5, "sigma_x": [0.3, 1.0], "sigma_y": [0.3, 1.0]}),
        ("RandGibbsNoised", {"keys": key, "prob": 0.5, "alpha": [0.0, 0.6]}),
    ]
    names = ", ".join(name for name, _ in steps)
    calls = ",\n        ".join(f"{name}({_arguments(settings)})" for name, settings in steps)
    entry = {
        "_target_": "OneOf",
        "transforms": [{"_target_": name, **settings} for name, settings in steps],
    }
    return Remedy(
        "Apply what made the difference to both classes",
        "In training only: noise, blur or ringing at random, whatever the label. Keep the one that the groups differ "
        "in, at its strength in your data (these are for images of SD 1); drawn without regard to the label, it tells "
        "nothing.",
        f"from monai.transforms import OneOf, {names}\n\nOneOf(\n    [\n        {calls},\n    ]\n)",
        json.dumps(entry, indent=2),
    )


def _decoupling() -> Remedy:
    entry = {
        "_target_": "monai_freq.losses.SpectralDecouplingLoss",
        "base": {"_target_": "torch.nn.CrossEntropyLoss"},
        "lam": 0.01,
    }
    return Remedy(
        "Keep the network from trusting one easy feature",
        "In training only, instead of weight decay: a penalty on the logits, which grow without end where one feature "
        "tells all. It needs images in which the leak does not hold; where it always does, it cannot help.",
        "from torch import nn\n\nfrom monai_freq.losses import SpectralDecouplingLoss\n\n"
        "SpectralDecouplingLoss(nn.CrossEntropyLoss(), lam=0.01)",
        json.dumps(entry, indent=2),
    )


def _transform(title: str, why: str, name: str, settings: dict[str, Any]) -> Remedy:
    """A remedy that is a transform of ours."""
    code = f"from monai_freq.transforms import {name}\n\n{name}({_arguments(settings, lines=True)})"
    entry = {"_target_": f"monai_freq.transforms.{name}", **settings}
    lines = ",\n".join(f"  {json.dumps(argument)}: {json.dumps(value)}" for argument, value in entry.items())
    return Remedy(title, why, code, f"{{\n{lines}\n}}")


def _arguments(settings: dict[str, Any], lines: bool = False) -> str:
    written = [f"{name}={_literal(value)}" for name, value in settings.items()]
    return "\n    " + ",\n    ".join(written) + ",\n" if lines else ", ".join(written)


def _literal(value: Any) -> str:
    """A value as Python writes it, texts as JSON does."""
    return json.dumps(value) if isinstance(value, str) else str(value)
