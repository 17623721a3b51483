"""Sizes, files and traces that go with a label or a group: they give it away without any disease."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ...seeding.seeds import derived_seed
from ...spectral.flags import FLAGS
from ..cases import Case, Cases
from .image_facts import ImageFacts
from .permutations import Codes, numbered, permuted

__all__ = ["Nuisance", "nuisances"]

Array = NDArray[np.float64]

_TITLES = {
    "zero_filled": "zero-filled or interpolated k-space",
    "resampled": "resampling",
    "jpeg_blocks": "blocks of JPEG",
    "jpeg_quantised": "rounding of JPEG",
    "constant_border": "constant border",
    "few_grey_levels": "8 bits or fewer",
    "grey_level_gaps": "gaps in the grey levels",
    "grid_lines": "lines along an axis",
    "spectral_spike": "an oblique wave",
    "low_passed": "smoothing",
}
#: name -> title, number of digits
_NUMBERS = {
    "voxels": "number of voxels",
    "aspect": "ratio of the sides",
    "spacing": "voxel size in mm",
    "lowest": "lowest value",
    "highest": "highest value",
}


@dataclass(frozen=True)
class Nuisance:
    """A property of images that has nothing to do with what they show, and how it goes with labels and groups.

    Args:
        name: name of the property.
        title: the property in words.
        n_cases: number of images that have it.
        share_by_label: label -> share of its images that have it; None without labels.
        share_by_group: group -> the same; None without groups.
        p: p-value of its link to the label, by permutations over patients, corrected for the number of properties by
            the largest of all in each (Westfall and Young); None if all images are alike in it, or there is no label.
        p_within: the same within groups; None without groups.
        tells_label: whether ``p`` is at most the level.
        tells_group: whether the same holds for the group.
        said: the finding in words.

    Example:
        >>> Nuisance("resampled", "resampling", 0, {"ill": 0.0}, None, None, None, False, False, "").tells_label
        False
    """

    name: str
    title: str
    n_cases: int
    share_by_label: dict[str, float] | None
    share_by_group: dict[str, float] | None
    p: float | None
    p_within: float | None
    tells_label: bool
    tells_group: bool
    said: str


def nuisances(
    cases: Sequence[Case],
    facts: Sequence[ImageFacts],
    *,
    n_permutations: int = 1000,
    alpha: float = 0.01,
    seed: int = 0,
) -> tuple[Nuisance, ...]:
    """Properties of images that go with a label or a group.

    These are the traces of :func:`monai_freq.spectral.flags.spectrum_flags`, the kinds of files, and numbers: of
    voxels, the ratio of the sides, voxel size, lowest and highest value. Of a number, an image *has* it if it is above
    the median of all. The test is on ranks: the differences between the means of the classes, squared. Labels are
    permuted over patients, as :func:`~monai_freq.audit.data.permutations.permuted` does it.

    Args:
        cases: the images.
        facts: what is known of each.
        n_permutations: number of permutations.
        alpha: level of the test.
        seed: seed of the permutations.

    Returns:
        Those that differ between images first, in the order of their p-values.

    Example:
        >>> import torch
        >>> from monai_freq.audit.data.image_facts import image_facts
        >>> small, large = torch.rand(20, 1, 24, 24), torch.rand(20, 1, 24, 28)
        >>> cases = Cases.of_arrays([*small, *large], labels=["a"] * 20 + ["b"] * 20)
        >>> [one.said for one in nuisances(cases, image_facts(cases)) if one.tells_label][0]
        'Number of voxels above 624: 0% of a, 100% of b. It tells the label.'
    """
    cases = cases if isinstance(cases, Cases) else Cases(cases)
    columns = _columns(facts)
    varied = [name for name, (_, values, _) in columns.items() if len(set(values.tolist())) > 1]
    ranks = np.stack([rankdata(columns[name][1]) for name in varied], 1) if varied else np.empty((len(cases), 0))
    patients = numbered(cases.patients)[0]
    none = np.zeros(len(cases), dtype=np.int64)
    groups = None if cases.groups is None else numbered(cases.groups)[0]
    labels = None if cases.labels is None else numbered(cases.labels)[0]
    tests = {
        "label": (labels, none),
        "within": (labels if groups is not None else None, groups if groups is not None else none),
        "group": (groups, none),
    }
    p = {
        name: _p_values(ranks, target, patients, strata, n_permutations, derived_seed(seed, k))
        for k, (name, (target, strata)) in enumerate(tests.items())
    }
    found = []
    for name, (title, _, has) in columns.items():
        of = {
            key: values[varied.index(name)] if values is not None and name in varied else None
            for key, values in p.items()
        }
        tells = {key: value is not None and value <= alpha for key, value in of.items()}
        by_label, by_group = _shares(has, cases.labels), _shares(has, cases.groups)
        said = _said(title, by_label, by_group, tells, groups is not None) if name in varied else ""
        found.append(
            Nuisance(
                name,
                title,
                int(has.sum()),
                by_label,
                by_group,
                of["label"],
                of["within"],
                tells["label"],
                tells["group"],
                said,
            )
        )
    return tuple(sorted(found, key=lambda one: (one.name not in varied, 1.0 if one.p is None else one.p)))


def _columns(facts: Sequence[ImageFacts]) -> dict[str, tuple[str, Array, NDArray[np.bool_]]]:
    """Name -> title, value of each image, and which images have it."""
    found = {}
    for name in FLAGS:
        has = np.array([name in fact.traces for fact in facts])
        found[name] = (_TITLES[name], has.astype(np.float64), has)
    kinds = sorted({fact.kind for fact in facts} - {""})
    for kind in kinds if len(kinds) > 1 else ():
        has = np.array([fact.kind == kind for fact in facts])
        found[f"file_{kind}"] = (f"{kind} file", has.astype(np.float64), has)
    numbers = {
        "voxels": [float(math.prod(fact.sizes)) for fact in facts],
        "aspect": [fact.sizes[0] / fact.sizes[1] for fact in facts],
        "spacing": [math.prod(fact.spacing) ** (1 / len(fact.spacing)) for fact in facts],
        "lowest": [fact.lowest for fact in facts],
        "highest": [fact.highest for fact in facts],
    }
    for name, numbers_of in numbers.items():
        values = np.array(numbers_of)
        middle = float(np.median(values))
        above = values > middle
        word = "above" if above.any() else "of at least"
        has = above if above.any() else (values >= middle) & (values.min() < middle)
        found[name] = (f"{_NUMBERS[name]} {word} {middle:.4g}", values, has)
    return found


def _p_values(
    ranks: Array, target: Codes | None, patients: Codes, strata: Codes, n: int, seed: int
) -> list[float] | None:
    """Of each column, corrected; None without a target, or if there is nothing to tell."""
    if target is None or len(set(target.tolist())) < 2 or not ranks.shape[1]:
        return None
    centred = ranks.copy()
    for stratum in np.unique(strata):
        centred[strata == stratum] -= ranks[strata == stratum].mean(0)
    columns = permuted(target, patients, strata, n, seed)
    between = np.zeros((ranks.shape[1], columns.shape[1]))
    for code in range(int(target.max()) + 1):
        one = (columns == code).astype(np.float64)
        between += (centred.T @ one) ** 2 / np.maximum(one.sum(0), 1)
    deviation = between.std(1, keepdims=True)
    standard = (between - between.mean(1, keepdims=True)) / np.where(deviation > 1e-9, deviation, np.inf)
    largest = standard[:, 1:].max(0)
    return [(int((largest >= own - 1e-9).sum()) + 1) / (n + 1) for own in standard[:, 0]]


def _shares(has: NDArray[np.bool_], names: Sequence[str] | None) -> dict[str, float] | None:
    if names is None:
        return None
    column = np.asarray(names, dtype=object)
    return {name: float(has[column == name].mean()) for name in sorted(set(names))}


def _said(
    title: str,
    by_label: dict[str, float] | None,
    by_group: dict[str, float] | None,
    tells: dict[str, bool],
    grouped: bool,
) -> str:
    shares = by_group if by_label is None or (tells["group"] and not tells["label"]) else by_label
    listed = ", ".join(f"{share:.0%} of {name}" for name, share in list((shares or {}).items())[:6])
    told = []
    if tells["label"] and grouped:
        told.append(
            "It tells the label, also within groups." if tells["within"] else "It tells the label between groups."
        )
    elif tells["label"]:
        told.append("It tells the label.")
    elif tells["within"]:
        told.append("It tells the label within groups.")
    if tells["group"]:
        told.append("It tells the group.")
    return " ".join([f"{title[:1].upper()}{title[1:]}: {listed}.", *told])
