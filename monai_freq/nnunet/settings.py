"""Settings of frequency fusion in the plans of nnU-Net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..networks.frequency_fusion import Fusion, check_fusion
from ..quoting import shown, written
from ..spectral.bands import Convention, check_bands

__all__ = ["KEY", "FusionSettings", "fusion_settings", "in_plane_axes"]

#: entry of a configuration in the plans
KEY = "frequency_fusion"

#: spacings within this factor are taken for the same: medians of a data set differ by rounding
_ABOUT_THE_SAME = 1.1


class FusionSettings(NamedTuple):
    """Settings of one configuration's frequency fusion.

    Args:
        fusion: kind of fusion, ``"early"``, ``"late"`` or ``"none"``.
        axes: axes that are cut, in the order of the network's input, as ``patch_size`` and ``spacing`` in the plans.
        theta: width of the low block, a fraction of each cut axis' frequencies, in (0, 1).
        convention: name of the low band, see :func:`monai_freq.spectral.bands.split`.
        features: number of channels of the stems, which is that of the planned network's input.

    Example:
        >>> FusionSettings("early", axes=(1, 2)).theta
        0.1
    """

    fusion: Fusion
    axes: tuple[int, ...]
    theta: float = 0.1
    convention: Convention = "figure2"
    features: int = 8

    @property
    def entry(self) -> dict[str, Any]:
        """The entry of the plans; the fusion itself is told by the trainer's name."""
        return {name: value for name, value in self._asdict().items() if name != "fusion"} | {"axes": list(self.axes)}

    def wavelengths_mm(self, spacing: Sequence[float]) -> tuple[float, ...]:
        r"""Wavelength at the border of the low block along each cut axis: longer waves are low.

        .. math:: \lambda = 2 \Delta / \theta, \quad \text{the inverse of } \theta / 2 \text{ cycles per voxel}

        Args:
            spacing: distance :math:`\Delta` of the voxels in mm along each axis of the network's input.

        Example:
            >>> FusionSettings("early", axes=(1, 2), theta=0.1).wavelengths_mm([3.0, 0.5, 0.75])
            (10.0, 15.0)
        """
        return tuple(2 * float(spacing[axis]) / self.theta for axis in self.axes)


def fusion_settings(configuration: Mapping[str, Any], fusion: Fusion, transpose: Sequence[int]) -> FusionSettings:
    """Settings of a configuration: those of its entry ``frequency_fusion``, and defaults.

    Args:
        configuration: configuration of the plans, after ``inherits_from``.
        fusion: kind of fusion, ``"early"``, ``"late"`` or ``"none"``.
        transpose: ``transpose_forward`` of the plans.

    Raises:
        ValueError: the entry has an unknown name or a value out of its range.

    Example:
        >>> configuration = {"patch_size": [20, 64, 64], "spacing": [5.0, 1.0, 1.0], "frequency_fusion": {"theta": 0.2}}
        >>> fusion_settings(configuration, "early", transpose=[0, 1, 2])
        FusionSettings(fusion='early', axes=(1, 2), theta=0.2, convention='figure2', features=8)
    """
    check_fusion(fusion)
    given = configuration.get(KEY, {})
    known = FusionSettings._fields[1:]
    if not isinstance(given, Mapping):
        raise ValueError(f"'{KEY}' in the plans must be {{name: value}} with names of {', '.join(known)}, {_got(given)}")
    for name in given:
        if name not in known:
            raise ValueError(f"'{KEY}' in the plans must have names of {', '.join(known)}, got '{shown(name)}'.")
    spatial_dims = len(configuration["patch_size"])
    axes = given["axes"] if "axes" in given else in_plane_axes(configuration["spacing"], transpose)
    settings = FusionSettings(fusion, **{**given, "axes": axes})
    try:
        check_bands(settings.theta, settings.convention, settings.axes, spatial_dims)
    except ValueError as error:
        raise ValueError(f"'{KEY}' in the plans: {error}") from error
    if isinstance(settings.features, bool) or not isinstance(settings.features, int) or settings.features < 1:
        raise ValueError(f"'{KEY}' in the plans: 'features' must be a positive integer, {_got(settings.features)}")
    return settings._replace(axes=tuple(settings.axes))


def in_plane_axes(spacing: Sequence[float], transpose: Sequence[int]) -> tuple[int, ...]:
    """Axes of the network's input that span the slices.

    nnU-Net reads images as (z, y, x), and then puts the axis with the largest spacing first. The axis that is left out
    is the one with the largest spacing, across which slices are stacked; it is z where several are about the largest
    (within 10%).

    Args:
        spacing: distance of the voxels in mm along each axis of the network's input, 2 or 3.
        transpose: ``transpose_forward`` of the plans: for each axis of a volume, its number in (z, y, x).

    Example:
        >>> in_plane_axes([5.0, 0.8, 0.8], transpose=[0, 1, 2]), in_plane_axes([0.8, 0.8], transpose=[0, 1, 2])
        ((1, 2), (0, 1))
        >>> in_plane_axes([6.8, 4.5, 6.8], transpose=[1, 0, 2])  # y, z, x: coarse in the plane, but for z
        (0, 2)
    """
    if len(spacing) == 2:
        return (0, 1)
    largest = [axis for axis in range(3) if spacing[axis] * _ABOUT_THE_SAME >= max(spacing)]
    across = largest[0] if len(largest) == 1 else list(transpose).index(0)
    return tuple(axis for axis in range(3) if axis != across)


def _got(value: object) -> str:
    return f"got {written(value)}."
