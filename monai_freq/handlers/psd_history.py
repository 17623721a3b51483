"""Power spectrum densities over the epochs of a run: kept in one file, drawn at any time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ..figures import density_curve, density_map
from ..files import replacing
from ..spectral.psd import band_shares, centroid, overlap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["KINDS", "Kind", "PSDHistory"]

Array = NDArray[np.float64]


class Kind(NamedTuple):
    """How a density is shown.

    Example:
        >>> KINDS["gradients"].title, KINDS["images"].logarithmic
        ('input gradients', True)
    """

    title: str
    unit: str
    logarithmic: bool


#: what a density can be of; ``gradients`` is the learning priority
KINDS = {
    "images": Kind("images", "mean |F|", True),
    "gradients": Kind("input gradients", "density, 0 to 1 per sample", False),
    "artifact": Kind("artifact", "mean |F| of the residual", False),
}


class PSDHistory:
    """Mean and SD over samples of each kind of density, epoch by epoch.

    Args:
        frequencies: ``(K,)`` in cycles per voxel.

    Attributes:
        epochs: epochs with densities, rising.
        samples: number of samples in each.
        mean: kind -> a density ``(K,)`` for each epoch; the kinds are those of ``KINDS``.
        sd: the same for the SD over samples, 0 where there is one sample.

    Example:
        >>> history = PSDHistory(np.linspace(0, 0.5, 5))
        >>> history.add(10, {"gradients": np.random.rand(8, 5)})
        >>> history.epochs, history.samples, sorted(history.scalars("gradients"))
        ([10], [8], ['centroid', 'high share', 'low share', 'mid share'])
    """

    def __init__(self, frequencies: Array) -> None:
        self.frequencies = np.asarray(frequencies, dtype=np.float64)
        self.epochs: list[int] = []
        self.samples: list[int] = []
        self.mean: dict[str, list[Array]] = {}
        self.sd: dict[str, list[Array]] = {}

    @property
    def kinds(self) -> tuple[str, ...]:
        """What there are densities of."""
        return tuple(self.mean)

    def add(self, epoch: int, densities: Mapping[str, Array]) -> None:
        """Append an epoch.

        Args:
            epoch: later than those before.
            densities: kind -> ``(n, K)``, a density for each of n samples; the same kinds each time.

        Raises:
            ValueError: the epoch is not later, there is no density, or the kinds, the number of frequencies or that of
                samples differ.
        """
        if self.epochs and epoch <= self.epochs[-1]:
            raise ValueError(f"'epoch' must be later than {self.epochs[-1]}, got {epoch}.")
        if not densities or (self.epochs and set(densities) != set(self.kinds)):
            kinds = f"{sorted(self.kinds)} as before" if self.epochs else "a kind at least"
            raise ValueError(f"'densities' must be of {kinds}, got {sorted(densities)}.")
        samples = len(next(iter(densities.values())))
        for kind, density in densities.items():
            if samples == 0 or density.shape != (samples, len(self.frequencies)):
                shape = f"({samples or 'n > 0'}, {len(self.frequencies)})"
                raise ValueError(f"'densities' must have the shape {shape}, '{kind}' has {density.shape}.")
        for kind, density in densities.items():
            self.mean.setdefault(kind, []).append(density.mean(0))
            self.sd.setdefault(kind, []).append(density.std(0, ddof=1) if len(density) > 1 else 0 * density[0])
        self.epochs.append(epoch)
        self.samples.append(samples)

    def before(self, epoch: int) -> PSDHistory:
        """The history up to an epoch, without that epoch: what a resumed run continues."""
        kept = sum(past < epoch for past in self.epochs)
        earlier = PSDHistory(self.frequencies)
        earlier.epochs, earlier.samples = self.epochs[:kept], self.samples[:kept]
        earlier.mean = {kind: rows[:kept] for kind, rows in self.mean.items()}
        earlier.sd = {kind: rows[:kept] for kind, rows in self.sd.items()}
        return earlier

    def scalars(self, kind: str, against: Array | None = None) -> dict[str, float]:
        """Shares of the low, mid and high band, centroid in cycles per voxel, and overlap, of the last epoch.

        Args:
            kind: of density.
            against: density ``(K,)`` of an artifact, to find the overlap with.
        """
        frequencies, density = torch.from_numpy(self.frequencies), torch.from_numpy(self.mean[kind][-1])
        found = {f"{band} share": float(share) for band, share in band_shares(frequencies, density).items()}
        found["centroid"] = float(centroid(frequencies, density))
        if against is not None:
            found["overlap"] = float(overlap(density, torch.from_numpy(against)))
        return found

    def curve(self, kind: str, place: int = -1, others: Mapping[str, Array] | None = None) -> Figure:
        """Density of one epoch, with its SD over samples.

        Args:
            kind: of density.
            place: of the epoch in ``epochs``; the last by default.
            others: name -> density ``(K,)`` that is drawn dashed, scaled to the same peak.
        """
        style = KINDS[kind]
        return density_curve(
            self.frequencies,
            self.mean[kind][place],
            self.sd[kind][place],
            unit=style.unit,
            title=f"{style.title}, epoch {self.epochs[place]}, n = {self.samples[place]}",
            logarithmic=style.logarithmic,
            others=others,
        )

    def heat_map(self, kind: str) -> Figure:
        """Density over epochs.

        Args:
            kind: of density.
        """
        style = KINDS[kind]
        return density_map(
            np.array(self.epochs),
            self.frequencies,
            np.stack(self.mean[kind]),
            title=style.title,
            logarithmic=style.logarithmic,
        )

    def save(self, path: Path) -> None:
        """Write ``frequencies``, ``epochs``, ``samples``, and ``<kind>_mean`` and ``<kind>_sd`` ``(E, K)``, as npz.

        Args:
            path: the file, which is whole at any moment.
        """
        arrays: dict[str, Array] = {
            f"{kind}_{name}": np.stack(rows[kind])
            for name, rows in (("mean", self.mean), ("sd", self.sd))
            for kind in rows
        }
        with replacing(path) as aside, aside.open("wb") as file:
            np.savez(
                file,
                frequencies=self.frequencies,
                epochs=np.array(self.epochs, dtype=np.int64),
                samples=np.array(self.samples, dtype=np.int64),
                **arrays,  # type: ignore[arg-type]
            )

    @classmethod
    def load(cls, path: Path | str) -> PSDHistory:
        """Read what :meth:`save` wrote.

        Args:
            path: the file.

        Raises:
            ValueError: it is not such a file.
        """
        try:
            with Path(path).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                history = cls(file["frequencies"])
                history.epochs, history.samples = file["epochs"].tolist(), file["samples"].tolist()
                for kind in (kind for kind in KINDS if f"{kind}_mean" in file):
                    history.mean[kind], history.sd[kind] = [*file[f"{kind}_mean"]], [*file[f"{kind}_sd"]]
                history._check()
        except OSError:
            raise
        except Exception as error:
            raise ValueError(f"{path} is no log of power spectrum densities: {error}") from error
        return history

    def _check(self) -> None:
        shapes = {np.shape(rows) for kinds in (self.mean, self.sd) for rows in kinds.values()}
        expected = len(self.epochs), len(self.frequencies)
        if shapes != {expected} or len(self.samples) != len(self.epochs) or self.frequencies.ndim != 1:
            raise ValueError(f"densities of {expected} epochs and frequencies are expected, got {sorted(shapes)}.")
