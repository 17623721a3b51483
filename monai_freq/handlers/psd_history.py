"""Power spectrum densities over the epochs of a run: kept in one file, drawn at any time."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..figures import density_curve, density_map
from ..files import replacing
from ..quoting import named, reason_of, written
from ..spectral.frequency_axis import on_axis
from ..spectral.frequency_unit import require_per_voxel
from ..spectral.precision import check_dense
from ..spectral.psd import band_shares, centroid, overlap
from ..spectral.scalars import check_choice

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["KINDS", "Kind", "PSDHistory", "as_float64", "axis_per_voxel"]

Array = NDArray[np.float64]
_Given = Array | Tensor | tuple[Tensor, Tensor]


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

#: norm of the transform, as of radial_psd -> what |F| is divided by
_DIVISORS = {"backward": "", "ortho": " / √voxels", "forward": " / voxels"}


class PSDHistory:
    """Mean and SD over samples of each kind of density, epoch by epoch.

    Args:
        frequencies: frequencies ``(K,)`` in cycles per voxel.
        norm: norm of the transform of images and artifact, see :func:`monai_freq.spectral.psd.radial_psd`; densities of
            images of several sizes are of one scale with ``"ortho"`` only.

    Raises:
        ValueError: the frequencies are not rising, or not in cycles per voxel; norm is another.

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

    def __init__(self, frequencies: Array | Tensor, norm: str = "backward") -> None:
        axis = axis_per_voxel("frequencies", frequencies)
        check_choice("norm", norm, tuple(_DIVISORS))
        self.frequencies = axis
        self.norm = norm
        self.epochs: list[int] = []
        self.samples: list[int] = []
        self.mean: dict[str, list[Array]] = {}
        self.sd: dict[str, list[Array]] = {}

    @property
    def kinds(self) -> tuple[str, ...]:
        """What there are densities of."""
        return tuple(self.mean)

    def add(self, epoch: int, densities: Mapping[str, _Given]) -> None:
        """Append an epoch, or, where something is wrong with it, nothing.

        Args:
            epoch: number of the epoch, from 0, higher than those before.
            densities: kind -> ``(n, K)``, a density for each of n samples, in an array or in a tensor of any device and
                precision; or frequencies and density, as
                :func:`monai_freq.spectral.learning_priority.learning_priority` returns them, whose frequencies are
                compared. The same kinds each time.

        Raises:
            ValueError: the epoch is no integer or not later, there is no density, or one of another kind; the kinds,
                the number of frequencies or that of samples differ; a value is negative, infinite, NaN or complex.
        """
        rows = self._checked(_epoch_after(self.epochs, epoch), densities)
        for kind, density in rows.items():
            mean, sd = _mean_and_sd(density)
            self.mean.setdefault(kind, []).append(mean)
            self.sd.setdefault(kind, []).append(sd)
            samples = len(density)
        self.epochs.append(operator.index(epoch))
        self.samples.append(samples)

    def _checked(self, epoch: int, densities: Mapping[str, _Given]) -> dict[str, Array]:
        """Densities in arrays of their own."""
        if not isinstance(densities, Mapping):
            kind = type(densities).__name__
            raise TypeError(f"'densities' must be kind -> density, got {kind}: pass {{'gradients': density}}.")
        if not densities or (self.epochs and set(densities) != set(self.kinds)):
            kinds = f"{sorted(self.kinds)} as before" if self.epochs else "a kind at least"
            raise ValueError(f"'densities' must be of {kinds}, got {sorted(map(str, densities))}.")
        if unknown := set(densities) - set(KINDS):
            raise ValueError(f"'densities' must be of {sorted(KINDS)}, got {sorted(map(str, unknown))}.")
        rows = {kind: self._over_these(kind, density) for kind, density in densities.items()}
        samples = len(next(iter(rows.values()))) if all(row.ndim for row in rows.values()) else 0
        for kind, row in rows.items():
            if samples == 0 or row.shape != (samples, len(self.frequencies)):
                shape = f"({samples or 'n > 0'}, {len(self.frequencies)})"
                raise ValueError(f"'densities' must have the shape {shape}, '{kind}' has {row.shape}.")
            if not (np.isfinite(row).all() and (row >= 0).all()):
                raise ValueError(f"'densities' must be finite and not negative, '{kind}' of epoch {epoch} is not.")
        return rows

    def _over_these(self, kind: str, given: _Given) -> Array:
        """Density of its own, which is over the frequencies of the history where it says over which it is."""
        if not isinstance(given, tuple):
            return as_float64(kind, given)
        if len(given) != 2:
            raise ValueError(f"'{kind}' must be a density, or (frequencies, density), got a tuple of {len(given)}.")
        frequencies, density = given
        axis = axis_per_voxel("frequencies", frequencies)
        if axis.shape != self.frequencies.shape or not np.allclose(axis, self.frequencies, rtol=1e-5):
            ends = f"{len(axis)} to {axis[-1]:.3g} and {len(self.frequencies)} to {self.frequencies[-1]:.3g}"
            raise ValueError(f"'{kind}' must be over the frequencies of the history, got {ends}: use on_axis or over.")
        return as_float64(kind, density)

    def before(self, epoch: int) -> PSDHistory:
        """The history up to an epoch, without that epoch: what a resumed run continues."""
        kept = sum(past < epoch for past in self.epochs)
        earlier = PSDHistory(self.frequencies, self.norm)
        earlier.epochs, earlier.samples = self.epochs[:kept], self.samples[:kept]
        earlier.mean = {kind: rows[:kept] for kind, rows in self.mean.items()}
        earlier.sd = {kind: rows[:kept] for kind, rows in self.sd.items()}
        return earlier

    def over(self, frequencies: Array | Tensor) -> PSDHistory:
        """The history over finer frequencies, those of larger images: as if it had been over these from the start.

        Args:
            frequencies: frequencies ``(L,)`` in cycles per voxel, see
                :func:`monai_freq.spectral.frequency_axis.on_axis`.
        """
        other = PSDHistory(frequencies, self.norm)
        other.epochs, other.samples = list(self.epochs), list(self.samples)
        asked, own = torch.from_numpy(other.frequencies), torch.from_numpy(self.frequencies)
        for found, known in ((other.mean, self.mean), (other.sd, self.sd)):
            for kind, rows in known.items():
                found[kind] = [on_axis(asked, own, torch.from_numpy(row)).numpy() for row in rows]
        return other

    def scalars(self, kind: str, against: Array | None = None) -> dict[str, float]:
        """Shares of the low, mid and high band, centroid in cycles per voxel, and overlap, of the last epoch.

        Args:
            kind: kind of density.
            against: density ``(K,)`` of an artifact, to find the overlap with.
        """
        frequencies, density = torch.from_numpy(self.frequencies), torch.from_numpy(self.mean[kind][-1])
        found = {f"{band} share": float(share) for band, share in band_shares(frequencies, density).items()}
        found["centroid"] = float(centroid(frequencies, density))
        if against is not None:
            found["overlap"] = float(overlap((frequencies, density), (frequencies, torch.from_numpy(against))))
        return found

    def curve(self, kind: str, place: int = -1, others: Mapping[str, Array] | None = None) -> Figure:
        """Density of one epoch, with its SD over samples.

        Args:
            kind: kind of density.
            place: place of the epoch in ``epochs``; the last by default.
            others: name -> density ``(K,)`` that is drawn dashed, scaled to the same peak.
        """
        style = KINDS[kind]
        return density_curve(
            self.frequencies,
            self.mean[kind][place],
            self.sd[kind][place],
            unit=style.unit.replace("|F|", f"|F|{_DIVISORS[self.norm]}"),
            title=f"{style.title}, epoch {self.epochs[place]}, n = {self.samples[place]}",
            logarithmic=style.logarithmic,
            others=others,
        )

    def heat_map(self, kind: str) -> Figure:
        """Density over epochs.

        Args:
            kind: kind of density.
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
        """Write ``frequencies``, ``norm``, ``epochs``, ``samples``, ``<kind>_mean``, ``<kind>_sd`` ``(E, K)`` as npz.

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
                norm=np.array(self.norm),
                epochs=np.array(self.epochs, dtype=np.int64),
                samples=np.array(self.samples, dtype=np.int64),
                **arrays,  # type: ignore[arg-type]
            )

    @classmethod
    def load(cls, path: Path | str) -> PSDHistory:
        """Read what :meth:`save` wrote; a file without a norm is of a version that had ``"backward"`` only.

        Args:
            path: the file.

        Raises:
            ValueError: it is not such a file.
        """
        try:
            with Path(path).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                history = cls(file["frequencies"], str(file["norm"]) if "norm" in file else "backward")
                history.epochs, history.samples = file["epochs"].tolist(), file["samples"].tolist()
                for kind in (kind for kind in KINDS if f"{kind}_mean" in file):
                    history.mean[kind], history.sd[kind] = [*file[f"{kind}_mean"]], [*file[f"{kind}_sd"]]
                history._check()
        except OSError:
            raise
        except Exception as error:
            raise ValueError(f"{named(path)} is no log of power spectrum densities: {reason_of(error)}.") from error
        return history

    def _check(self) -> None:
        shapes = {np.shape(rows) for kinds in (self.mean, self.sd) for rows in kinds.values()}
        expected = len(self.epochs), len(self.frequencies)
        if shapes != {expected} or len(self.samples) != len(self.epochs) or self.frequencies.ndim != 1:
            raise ValueError(f"densities of {expected} epochs and frequencies are expected, got {sorted(shapes)}.")


def _epoch_after(epochs: list[int], epoch: int) -> int:
    """The epoch, if it is one that comes after those."""
    try:
        number = operator.index(epoch)
    except TypeError:
        number = -1
    if isinstance(epoch, bool) or number < 0:
        raise ValueError(f"'epoch' must be an integer from 0, got {written(epoch)}.")
    if epochs and number <= epochs[-1]:
        raise ValueError(f"'epoch' must be later than {epochs[-1]}, got {epoch}.")
    return number


def _mean_and_sd(density: Array) -> tuple[Array, Array]:
    """Over samples ``(n, K)``, computed near 1, as sums and squares of very large or small numbers are none."""
    exponents = np.frexp(density.max(0))[1]
    scaled = np.ldexp(density, -exponents)
    sd = scaled.std(0, ddof=1) if len(density) > 1 else 0 * scaled[0]
    return np.ldexp(scaled.mean(0), exponents), np.ldexp(sd, exponents)


def axis_per_voxel(name: str, frequencies: Array | Tensor) -> Array:
    """Copy of frequencies, if they are an axis in cycles per voxel.

    Args:
        name: name of the argument.
        frequencies: frequencies ``(K,)``.

    Raises:
        ValueError: there is none, they are not rising, or not in cycles per voxel.

    Example:
        >>> axis_per_voxel("frequencies", torch.tensor([0.0, 0.25, 0.5]))
        array([0.  , 0.25, 0.5 ])
    """
    axis = as_float64(name, frequencies)
    require_per_voxel(frequencies if isinstance(frequencies, Tensor) else torch.from_numpy(axis), name)
    if not axis.size:
        raise ValueError(f"'{name}' must have a frequency at least, got none.")
    return axis


def as_float64(name: str, values: object) -> Array:
    """Copy of an array or a tensor of any device and precision.

    Args:
        name: name of the argument.
        values: real numbers.

    Raises:
        ValueError: they are no real numbers, or not all in memory.

    Example:
        >>> as_float64("density", torch.tensor([1, 2], dtype=torch.uint8))
        array([1., 2.])
    """
    if isinstance(values, Tensor):
        values = _own_array(name, values)
    try:
        array = np.asarray(values)
    except ValueError:  # of lists of several lengths
        array = np.empty(0, dtype=object)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"'{name}' must be real numbers, got {array.dtype}.")
    return np.array(array, dtype=np.float64)


def _own_array(name: str, values: Tensor) -> object:
    check_dense(values, name)
    own = values.detach().cpu().resolve_conj().resolve_neg()
    return (own if own.is_complex() else own.double()).numpy()
