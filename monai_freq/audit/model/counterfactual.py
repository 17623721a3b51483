"""Whether a network uses a leak: its answers when images get the band amplitudes of others, with the phase kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.special import ndtri
from torch import Tensor

from ...quoting import written
from ...seeding.seeds import check_run_seed, derived_seed
from ...spectral.band_grid import BandGrid
from ...spectral.band_match import band_densities, match_bands
from ...spectral.scalars import is_count, is_finite_number
from ..cases import Case, Cases
from ..data.leak import Leak
from ..data.permutations import numbered
from .donors import DonorKind, Donors, drawn_donors
from .exchange import Exchange, exchange_of, shares_of, weighted_interval
from .kept_rows import case_rows
from .log_odds import log_odds_of, probabilities_of, separations
from .metrics import resampled, targets_of
from .models import AuditModel

__all__ = ["Counterfactual", "cells_to_exchange", "counterfactual"]

Array = NDArray[np.float64]
#: share of the largest AUC above one half, from which on a cell is one of those that carry the leak
_CARRIES = 0.5
#: p-value above which a cell does not leak
_SILENT = 0.05
#: part of the smallest use from which on a network follows
_PART = 0.25
#: share of uses of the smallest size that are seen
_POWER = 0.8


@dataclass(frozen=True)
class Counterfactual:
    """Whether a network follows amplitudes that tell the label.

    Args:
        donors: what the donors differ in, ``"group"`` or ``"label"``.
        classes: names of the classes.
        n_cases: number of cases with donors.
        n_patients: number of their patients.
        leaking: the exchange in the cells that leak.
        control: the same in as many cells that do not; None if there are none.
        difference: shift of the log-odds to the class of the donors in the leaking cells, less that in the control
            cells, as a share of how far apart the network puts its classes.
        low: lower end of its 95% interval, from a bootstrap over patients.
        high: upper end.
        separation: how far apart it puts them, in log-odds: mean over the donors' classes. See
            :func:`~monai_freq.audit.model.log_odds.separations`.
        limited: share of the images whose probabilities are exactly 0 or 1, so that the log-odds are not known; 0 of a
            network that returns logits.
        p: one-sided p-value of the difference: share of random signs of the patients, the true ones included, with a
            mean as high.
        p_against: the same of a mean as low.
        n_permutations: number of random signs.
        alpha: level up to which the p-value counts.
        smallest: smallest difference that counts as use; from a quarter of it on, the network follows in part.
        smallest_seen: difference that would have been seen in 80% of such data, at least in part.
        used: whether the difference counts: ``p <= alpha``, and both the difference and the shift in the leaking cells
            are at least ``smallest``; what only the control does is no use.
        in_part: whether the network follows, by less than counts as use.
        against: whether it moves away from the class of the donors by as much or more: ``p_against <= alpha``, and
            both are at most ``-smallest / 4``.

    Example:
        >>> moved = Exchange(("0.25 to 0.5",), 0.6, 0.5, 0.7, 0.4, 0.3, 0.5, 2.0, 1.5, 2.5, 0.6, 0.5, 0.7, 80)
        >>> sure = {"p": 0.001, "p_against": 1.0, "n_permutations": 999, "alpha": 0.01}
        >>> sizes = {"separation": 3.3, "limited": 0.0, "smallest": 0.4, "smallest_seen": 0.1}
        >>> how = {"used": True, "in_part": False, "against": False}
        >>> Counterfactual("label", ("a", "b"), 90, 90, moved, None, 0.6, 0.5, 0.7, **sizes, **sure, **how).used
        True
    """

    donors: DonorKind
    classes: tuple[str, ...]
    n_cases: int
    n_patients: int
    leaking: Exchange
    control: Exchange | None
    difference: float
    low: float
    high: float
    separation: float
    limited: float
    p: float
    p_against: float
    n_permutations: int
    alpha: float
    smallest: float
    smallest_seen: float
    used: bool
    in_part: bool
    against: bool


def cells_to_exchange(leak: Leak) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Cells that carry a leak, and cells that do not leak.

    Those of a leak have an AUC alone at least half as far above 1/2 as that of the strongest cell, as one strong cell
    moves the share of power that all others have. A cell does not leak if its p-value is above 0.05.

    Args:
        leak: a leak with its cells.

    Returns:
        Numbers of the cells of each kind. The first has at least one; the second may be empty.

    Raises:
        ValueError: the leak has no cells of a band grid.

    Example:
        >>> from monai_freq.audit import CellLeak
        >>> cells = tuple(CellLeak(f"{k}", k, auc, None, p) for k, auc, p in [(0, 0.5, 1.0), (1, 0.9, 0.001)])
        >>> leak = Leak("label", None, ("a", "b"), 0.9, 0.8, 1, 0.001, 0, 0.01, 999, 0.6, 0.01, True, cells, 80, 80)
        >>> cells_to_exchange(leak)
        ((1,), (0,))
    """
    known = [cell for cell in leak.cells if cell.cell is not None]
    if not known:
        raise ValueError("'leak' must have cells of a band grid, got none.")
    least = _CARRIES * max(abs(cell.auc_alone - 0.5) for cell in known)
    strongest = max(known, key=lambda cell: abs(cell.auc_alone - 0.5))
    carrying = [cell for cell in known if abs(cell.auc_alone - 0.5) >= least and cell.p_alone <= _SILENT]
    silent = [cell for cell in known if cell.p_alone > _SILENT and cell is not strongest]
    leaking = dict.fromkeys(int(cell.cell or 0) for cell in carrying or [strongest])  # in quiet parts, or in all
    others = dict.fromkeys(int(cell.cell or 0) for cell in silent)
    return tuple(leaking), tuple(cell for cell in others if cell not in leaking)


def counterfactual(
    model: AuditModel,
    cases: Cases,
    leaking_cells: Sequence[int],
    bands: BandGrid,
    *,
    silent_cells: Sequence[int] | None = None,
    donors: DonorKind | None = None,
    n_donors: int = 2,
    smallest: float = 0.4,
    alpha: float = 0.01,
    max_gain: float = 10.0,
    n_permutations: int = 2000,
    n_resamples: int = 1000,
    seed: int = 0,
    output_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Counterfactual:
    r"""Give each image the band amplitudes of images of another group or label, and see whether the answers follow.

    The amplitudes of each leaking cell are moved to those of the donor, relative to the variance of each image; the
    phase and all other cells stay, see :func:`~monai_freq.spectral.band_match.match_bands`. The edit is made on the
    image as it is loaded. With :math:`o_t` the log-odds of the class t that the donor stands for, and :math:`s_t` how
    far apart the network itself puts the images that it takes for t and the others,

    .. math:: \Delta = \operatorname{mean} \frac{(o_t(x_\text{leaking}) - o_t(x)) - (o_t(x_\text{control}) - o_t(x))}
        {s_t}

    with as many cells that do not leak as the control, whose power is nearest to that of the leaking ones. A network
    that looks at other things has a difference near 0; one that looks at the leaking cells alone has one near 1, if
    they tell the classes apart. An answer beyond those to all images as they are counts as the furthest of these, so
    that a few strange images do not decide. It does not depend on how sure the network says it is: logits that are
    multiplied by a number give the same. An untrained network can follow amplitudes by chance, and is then said to. A
    disease can change these amplitudes, too: then, a network that follows them is right to.

    Args:
        model: a classifier.
        cases: cases with labels.
        leaking_cells: numbers of the cells that leak, see :func:`cells_to_exchange`.
        bands: the bands.
        silent_cells: numbers of cells that do not leak, for the control; None for all others.
        donors: what donors differ in, ``"group"`` or ``"label"``; see
            :func:`~monai_freq.audit.model.donors.drawn_donors`.
        n_donors: number of donors for each case.
        smallest: smallest difference, as a share of how far apart the network puts its classes, that counts as use.
            Networks that never saw an artifact can follow it by less.
        alpha: level of the test.
        max_gain: largest factor of an amplitude.
        n_permutations: number of random signs of the test.
        n_resamples: number of resamples of the bootstrap.
        seed: seed of donors, signs and resamples.
        output_dir: folder to keep what is finished, so that a run can go on; None for none.
        progress: whether to show a bar with the time left.

    Raises:
        ValueError: an argument is out of range, or the model is a segmenter.
        DataError: labels are missing, no case has a donor, or the network refuses the images.

    Example:
        >>> images = torch.randn(80, 1, 16, 16, generator=torch.Generator().manual_seed(0))
        >>> bands, labels = BandGrid((0, 0.2, 0.35, 0.75)), ["blurred", "sharp"] * 40
        >>> images[::2] = bands.scaled(images[::2], torch.tensor([1, 1, 0.3]), spatial_dims=2)
        >>> cases = Cases.of_arrays(images, labels)
        >>> by_edges = AuditModel(lambda x: 9 * x.diff(dim=-1).square().mean((2, 3)) - 13)
        >>> by_mean = AuditModel(lambda x: 9 * x.mean((2, 3)))
        >>> [counterfactual(model, cases, [2], bands, progress=False).used for model in (by_edges, by_mean)]
        [True, False]
    """
    _check(model, leaking_cells, silent_cells, n_donors, smallest, alpha, n_permutations)
    check_run_seed(seed)
    model = model.settled(cases)
    dims = cases[0].load()[0].ndim - 1
    names = bands.names(dims)
    known: dict[str, object] = {"edges": bands.edges, "unit": bands.unit, "directional": bands.directional}
    powers = case_rows(
        cases, lambda k, case: _logarithms(case, bands), "counterfactual powers", known, output_dir, progress=progress
    )
    leaking = tuple(int(cell) for cell in leaking_cells)
    others = set(range(len(names)) if silent_cells is None else silent_cells) - set(leaking)
    control = _control(powers, leaking, sorted(others))
    first = model.predict(cases[0].load_placed()[None], like=cases[0].load_placed())
    targets, classes = targets_of(cases.labels, model.classes, first.shape[1])
    drawn = drawn_donors(cases, targets, donors, n_donors=n_donors, seed=seed)
    parts = [leaking, control] if control else [leaking]

    def compute(k: int, case: Case) -> Array:
        placed = case.load_placed()
        image, steps = placed.as_tensor(), _steps(placed)
        ratios = [np.exp(powers[j] - powers[k]) if j >= 0 else np.full(len(names), np.nan) for j in drawn.of[k]]
        densities = band_densities(image, bands, steps, spatial_dims=dims)
        references = densities * torch.from_numpy(np.stack(ratios))[:, None]
        copies = image.expand(n_donors, *image.shape)
        edited = [
            match_bands(copies, references, bands, steps, spatial_dims=dims, cells=cells, max_gain=max_gain)
            for cells in parts
        ]
        return np.asarray(model.scores(torch.cat([image[None], *edited]), like=placed).double().numpy())

    known |= {"source": model.source, "kind": model.kind, "seed": seed, "parts": parts, "max_gain": max_gain}
    known |= {"donors": drawn.of.tolist(), "of": "scores"}
    rows = case_rows(cases, compute, "counterfactual", known, output_dir, model=model, progress=progress)
    return _result(
        cases,
        drawn,
        classes,
        targets,
        rows,
        model.activation or "softmax",
        [tuple(names[cell] for cell in cells) for cells in parts],
        smallest=smallest,
        alpha=alpha,
        n_permutations=n_permutations,
        n_resamples=n_resamples,
        seed=seed,
    )


def _result(
    cases: Cases,
    drawn: Donors,
    classes: tuple[str, ...],
    targets: NDArray[np.int64],
    scores: Array,
    activation: str,
    parts: list[tuple[str, ...]],
    *,
    smallest: float,
    alpha: float,
    n_permutations: int,
    n_resamples: int,
    seed: int,
) -> Counterfactual:
    kept = drawn.kept
    scores, towards, n_parts = scores[kept], drawn.towards[kept], len(parts)
    n, n_donors = towards.shape

    def split(found: Array) -> tuple[Array, Array]:
        """Of each case as it is, and of its copies: ``(cases, donors, parts, classes)``."""
        return found[:, 0], found[:, 1:].reshape(n, n_parts, n_donors, -1).swapaxes(1, 2)

    before, after = split(probabilities_of(scores, activation))
    odds, odds_after = split(log_odds_of(scores, activation))
    odds_after = odds_after.clip(odds.min(0), odds.max(0))  # images unlike all others have answers without end
    separation = separations(odds, targets[kept])
    patients = [patient for patient, has in zip(cases.patients, kept, strict=True) if has]
    weights = resampled(patients, n_resamples, derived_seed(seed, 3))
    moved = np.take_along_axis(odds_after, towards[:, :, None, None], 3)[..., 0]  # (cases, donors, parts)
    moved = moved - np.take_along_axis(odds, towards, 1)[:, :, None]
    exchanges = [
        exchange_of(names, before, after[:, :, place], towards, moved[:, :, place], separation, weights)
        for place, names in enumerate(parts)
    ]
    beyond = moved[:, :, 0] - (moved[:, :, 1] if n_parts > 1 else 0)
    contrast = shares_of(beyond, towards, separation).mean(1)
    difference, low, high = weighted_interval(contrast, np.ones_like(contrast), weights)
    of_patient, names = numbered(patients)
    sums: Array = np.bincount(of_patient, contrast).astype(np.float64)
    signs = np.random.default_rng(derived_seed(seed, 4)).choice([-1.0, 1.0], (n_permutations, len(sums)))
    p, p_against = (_share_as_high(way * sums, signs) for way in (1, -1))
    least, most = sorted((difference, exchanges[0].share))
    error = float(np.sqrt(((sums - sums.mean()) ** 2).sum())) / len(contrast)
    return Counterfactual(
        donors=drawn.kind,
        classes=classes,
        n_cases=len(contrast),
        n_patients=len(names),
        leaking=exchanges[0],
        control=exchanges[1] if n_parts > 1 else None,
        difference=difference,
        low=low,
        high=high,
        separation=float(separation[towards].mean()),
        limited=float(((before <= 0) | (before >= 1)).any(1).mean()) if activation == "none" else 0.0,
        p=p,
        p_against=p_against,
        n_permutations=n_permutations,
        alpha=alpha,
        smallest=smallest,
        smallest_seen=max(_PART * smallest, float(ndtri(1 - alpha) + ndtri(_POWER)) * error),
        used=p <= alpha and least >= smallest,
        in_part=p <= alpha and _PART * smallest <= least < smallest,
        against=p_against <= alpha and most <= -_PART * smallest,
    )


def _share_as_high(sums: Array, signs: Array) -> float:
    """P-value of a sum over patients: share of random signs with one as high."""
    high = signs @ sums >= sums.sum() - 1e-12 * np.abs(sums).sum()
    return (1 + int(high.sum())) / (len(signs) + 1)


def _logarithms(case: Case, bands: BandGrid) -> Array:
    """Logarithm of the density of each cell, its mean over channels; NaN for none."""
    image, steps = case.load()
    densities = band_densities(image.double(), bands, steps, spatial_dims=image.ndim - 1)
    return np.asarray(torch.where(densities > 0, densities.log(), torch.nan).nanmean(0).numpy())


def _control(powers: Array, leaking: Sequence[int], others: Sequence[int]) -> tuple[int, ...]:
    """As many other cells as leak, or all, of nearly the same powers."""
    means = np.array([np.nanmean(column) if np.isfinite(column).any() else np.nan for column in powers.T])
    present = [cell for cell in others if np.isfinite(means[cell])]
    wanted = [cell for cell in leaking if np.isfinite(means[cell])]
    if not present or not wanted:
        return ()
    _, taken = linear_sum_assignment(np.abs(means[wanted][:, None] - means[present]))
    return tuple(sorted(present[place] for place in taken))


def _steps(placed: Tensor) -> tuple[float, ...]:
    dims = placed.ndim - 1
    return tuple(placed.affine[:dims, :dims].norm(dim=0).tolist())  # type: ignore[attr-defined]


def _check(
    model: AuditModel,
    leaking: Sequence[int],
    silent: Sequence[int] | None,
    n_donors: int,
    smallest: float,
    alpha: float,
    n_permutations: int,
) -> None:
    if model.task != "classification":
        raise ValueError(f"'model' must be a classifier, got one for {model.task}.")
    for name, cells in (("leaking_cells", leaking), ("silent_cells", silent or ())):
        if (name == "leaking_cells" and not len(cells)) or not all(is_count(int(cell) + 1) for cell in cells):
            raise ValueError(f"'{name}' must be numbers of cells, got {written(list(cells))}.")
    for name, value in (("n_donors", n_donors), ("n_permutations", n_permutations)):
        if not is_count(value):
            raise ValueError(f"'{name}' must be a whole number of at least 1, got {written(value)}.")
    for name, share in (("smallest", smallest), ("alpha", alpha)):
        if not is_finite_number(share) or not 0 < share < 1:
            raise ValueError(f"'{name}' must be in (0, 1), got {written(share)}.")
