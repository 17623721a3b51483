"""Where in the image a band matters to a network."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ...quoting import written
from ...spectral.band_grid import BandGrid
from ...spectral.scalars import is_count
from ..cases import Case, Cases
from .edits import SpectrumEdits, usual_bands
from .kept_rows import case_rows
from .models import AuditModel
from .preparing import laid_out, plain
from .threads import own_network

__all__ = ["Where", "band_maps", "where"]

#: images whose gradients are computed at a time
_AT_ONCE = 4


@dataclass(frozen=True)
class Where:
    """Maps of where each band matters, one for each case and band; of volumes projected along the last axis.

    Args:
        kind: ``"change"`` of the answer without the band, of a segmenter; ``"attribution"`` of the change of the
            answer to the voxels, of a classifier.
        cells: names of the bands.
        cases: names of the cases.
        size: rows and columns of a map.
        maps: absolute values of each case and band, rows of columns; a map's own sum is the share of the band.
        shares: mean over cases of each band's share of all that its case's maps sum to.
        totals: change of the answer of each case and band: of a segmenter the mean change of probability; of a
            classifier that of the log-odds of the class that it tells.

    Example:
        >>> Where("change", ("0 to 0.5",), ("a",), (1, 1), ((((1.0,),),),), (1.0,), ((0.5,),)).shares
        (1.0,)
    """

    kind: str
    cells: tuple[str, ...]
    cases: tuple[str, ...]
    size: tuple[int, int]
    maps: tuple[tuple[tuple[tuple[float, ...], ...], ...], ...]
    shares: tuple[float, ...]
    totals: tuple[tuple[float, ...], ...]


def where(
    model: AuditModel,
    cases: Cases,
    bands: BandGrid | None = None,
    *,
    size: int = 32,
    steps: int = 4,
    output_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
) -> Where | None:
    """Coarse maps of where in the image each band matters, see :func:`band_maps`.

    Args:
        model: the network; of a classifier a module that gives gradients.
        cases: the cases.
        bands: the bands; None for octaves.
        size: rows and columns of the maps.
        steps: see :func:`band_maps`.
        output_dir: folder to keep what is finished; None for none.
        progress: whether to show a bar.

    Returns:
        The maps; None for a classifier without gradients.

    Raises:
        ValueError: an argument is out of range.
        DataError: the network refuses the images.

    Example:
        >>> model = AuditModel(lambda x: torch.cat([-x, x], 1), "segmentation")
        >>> where(model, Cases.of_arrays(torch.rand(2, 1, 16, 16)), size=4, progress=False).kind
        'change'
    """
    if not is_count(size):
        raise ValueError(f"'size' must be a whole number of at least 1, got {written(size)}.")
    if model.task == "classification" and not _has_gradients(model):
        return None
    dims = cases[0].load()[0].ndim - 1
    bands = bands or usual_bands(dims)

    def compute(k: int, case: Case) -> NDArray[np.float64]:
        found = band_maps(model, case, bands, steps=steps)
        coarse = _coarse(found.abs(), size).flatten(1)
        whole = found.abs().flatten(1).sum(1, keepdim=True)
        coarse = coarse / coarse.sum(1, keepdim=True).clamp_min(1e-30) * whole
        average = found.shape[1:].numel() if model.task == "segmentation" else 1
        return torch.cat([coarse, found.flatten(1).sum(1, keepdim=True) / average], 1).double().numpy()

    settings: dict[str, Any] = {"edges": bands.edges, "unit": bands.unit, "directional": bands.directional}
    settings |= {"size": size, "steps": steps, "source": model.source, "kind": model.kind}
    rows = case_rows(cases, compute, "where", settings, output_dir, model=model, progress=progress)
    maps = rows[:, :, :-1]
    sums = maps.sum((1, 2), keepdims=True)
    maps = np.divide(maps, sums, out=np.zeros_like(maps), where=sums > 0)
    return Where(
        kind="change" if model.task == "segmentation" else "attribution",
        cells=bands.names(dims),
        cases=tuple(case.name for case in cases),
        size=(size, size),
        maps=tuple(tuple(_nested(one.reshape(size, size)) for one in each) for each in maps),
        shares=tuple(map(float, maps.sum(2).mean(0))),
        totals=tuple(tuple(map(float, each)) for each in rows[:, :, -1]),
    )


def band_maps(model: AuditModel, case: Case, bands: BandGrid, *, steps: int = 4) -> Tensor:
    r"""Map of where each band of one image matters.

    Of a segmenter it is how much probability goes from one class to another at each voxel, as the band is removed. Of
    a classifier it is the change of the log-odds L of the class that it tells, shared out over the voxels of its input
    by integrated gradients between the prepared images without the band, z, and with it, x:

    .. math:: (x - z) \odot \int_0^1 \nabla L\bigl(z + t (x - z)\bigr) \, dt

    which sums to L(x) - L(z), the more exactly the more steps there are.

    Args:
        model: the network.
        case: the case.
        bands: the bands.
        steps: number of gradients of the integral.

    Shape:
        ``(cells, *spatial)``: of a segmenter on the grid of the image, of a classifier on that of the network's input.

    Reference:
        M. Sundararajan et al. (2017), "Axiomatic attribution for deep networks", arXiv 1703.01365.

    Example:
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(256, 2))
        >>> band_maps(AuditModel(network, network=network), Case(torch.rand(1, 16, 16)), BandGrid((0.0, 0.75))).shape
        torch.Size([1, 16, 16])
    """
    if not is_count(steps):
        raise ValueError(f"'steps' must be a whole number of at least 1, got {written(steps)}.")
    placed = case.load_placed()
    image = plain(placed)
    dims = image.ndim - 1
    spacing = placed.affine[:dims, :dims].norm(dim=0).tolist()
    edits = SpectrumEdits(image, bands, spacing)
    cells = range(bands.n_cells(dims))
    if model.task == "segmentation":
        whole = model.predict(image[None], like=placed)[0]
        changes = (model.predict(edits.removed([k])[None], like=placed)[0] - whole for k in cells)
        return torch.stack([change.abs().sum(0) / 2 for change in changes])
    whole = plain(model.prepare(image[None], like=placed)[0])
    told = int(model.probabilities(whole[None])[0].argmax())
    maps = []
    for k in cells:
        without = plain(model.prepare(edits.removed([k])[None], like=placed)[0])
        midpoints = ((torch.arange(steps) + 0.5) / steps).view(-1, *[1] * whole.ndim)
        between = torch.split(without + (whole - without) * midpoints, _AT_ONCE)
        gradient = torch.cat([_gradients(model, images, told) for images in between]).mean(0)
        maps.append(((whole - without) * gradient).sum(0))
    return torch.stack(maps)


def _gradients(model: AuditModel, images: Tensor, told: int) -> Tensor:
    """Gradient of the log-odds of a class, for each image."""
    network: nn.Module
    network, forward = own_network(model)
    training = [(part, part.training) for part in network.modules()]
    network.eval()
    try:
        with torch.enable_grad():
            x = laid_out(images.clone(), model).requires_grad_()
            found = model.activated(forward(x), x.ndim).clamp(1e-7, 1 - 1e-7)
            return torch.autograd.grad(found[:, told].logit().sum(), x)[0].float().cpu()
    finally:
        for part, mode in training:
            part.training = mode


def _has_gradients(model: AuditModel) -> bool:
    return model.network is not None and any(parameter.requires_grad for parameter in model.network.parameters())


def _coarse(maps: Tensor, size: int) -> Tensor:
    """Means of boxes; volumes are summed along their last axis first."""
    flat = maps.sum(-1) if maps.ndim == 4 else maps
    return F.adaptive_avg_pool2d(flat, size)


def _nested(values: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(float(value), 8) for value in row) for row in values)
