"""Settings of frequency fusion in the plans of nnU-Net."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..networks.frequency_fusion import Fusion, check_fusion
from ..quoting import written
from ..spectral.bands import Convention, check_bands
from ..spectral.basis import coarse_size
from ..spectral.frequency_unit import theta_of
from ..spectral.scalars import is_count
from ..spectral.theta import Theta, theta_along, theta_as_kept

__all__ = ["KEY", "FusionSettings", "fusion_settings", "in_plane_axes"]

#: entry of a configuration in the plans
KEY = "frequency_fusion"
_CUTOFF = "cutoff_per_mm"  # in place of theta

#: spacings within this factor are taken for the same: medians of a data set differ by rounding
_ABOUT_THE_SAME = 1.1


class FusionSettings(NamedTuple):
    """Settings of one configuration's frequency fusion.

    Args:
        fusion: kind of fusion, ``"early"``, ``"late"`` or ``"none"``.
        axes: axes that are cut, in the order of the network's input, as ``patch_size`` and ``spacing`` in the plans.
        theta: width of the low block, a fraction of each cut axis' frequencies, in (0, 1): one number, or one for each
            axis.
        convention: name of the low band, see :func:`monai_freq.spectral.bands.split`.
        features: number of channels of the stems, which is that of the planned network's input.

    Example:
        >>> FusionSettings("early", axes=(1, 2)).theta
        0.1
    """

    fusion: Fusion
    axes: tuple[int, ...]
    theta: Theta = 0.1
    convention: Convention = "figure2"
    features: int = 8

    @property
    def entry(self) -> dict[str, Any]:
        """The entry of the plans; the fusion itself is told by the trainer's name."""
        values = {name: value for name, value in self._asdict().items() if name != "fusion"}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def described(self, spacing: Sequence[float], patch_size: Sequence[int]) -> str:
        r"""The settings in words, and what they mean in mm and in a patch.

        .. math:: \lambda = 2 \Delta / \theta

        is the wavelength in mm at which the block around DC ends, the inverse of :math:`\theta / 2` cycles per voxel;
        that around Nyquist ends at :math:`2 \Delta / (1 - \theta)`.

        Args:
            spacing: distance :math:`\Delta` of the voxels in mm along each axis of the network's input.
            patch_size: number of voxels along each axis of the network's input.

        Example:
            >>> print(FusionSettings("early", axes=(1, 2), theta=0.2).described([3.0, 0.5, 0.8], [16, 64, 48]))
            early, convention figure2, 8 features, theta 0.2 along axes 1, 2 of the network's input.
            The block around DC holds waves longer than 5, 8 mm: 13 of 64, 9 of 48 frequencies of a patch.
        """
        if self.fusion == "none":
            return f"none, one stem of {self.features} features."
        widths = theta_along(self.theta, self.axes)
        theta = ", ".join(str(width) for width in dict.fromkeys(widths.values()))
        return (
            f"{self.fusion}, convention {self.convention}, {self.features} features, theta {theta} "
            f"along axes {', '.join(map(str, self.axes))} of the network's input.\n"
            + self._block(widths, spacing, patch_size)
        )

    def _block(self, widths: Mapping[int, float], spacing: Sequence[float], patch_size: Sequence[int]) -> str:
        if self.convention != "figure2":
            shortest = ", ".join(f"{2 * spacing[axis] / (1 - width):.3g}" for axis, width in widths.items())
            return f"The block around Nyquist holds waves shorter than {shortest} mm."
        longest = ", ".join(f"{2 * spacing[axis] / width:.3g}" for axis, width in widths.items())
        sizes = {axis: (coarse_size(patch_size[axis], width), patch_size[axis]) for axis, width in widths.items()}
        held = ", ".join(f"{kept} of {size}" for kept, size in sizes.values())
        return f"The block around DC holds waves longer than {longest} mm: {held} frequencies of a patch."


def fusion_settings(configuration: Mapping[str, Any], fusion: Fusion, transpose: Sequence[int]) -> FusionSettings:
    """Settings of a configuration: those of its entry ``frequency_fusion``, and defaults.

    In place of ``theta``, the entry may have ``cutoff_per_mm``, a frequency in cycles per mm at which the block ends,
    see :func:`monai_freq.spectral.frequency_unit.theta_of`: the spacing is that of the configuration.

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
    names = [*FusionSettings._fields[1:], _CUTOFF]
    if not isinstance(given, Mapping) or not set(given) <= set(names):
        wrong = written([name for name in given if name not in names] if isinstance(given, Mapping) else given)
        raise ValueError(f"'{KEY}' in the plans must have entries of {', '.join(names)}, got {wrong}.")
    if _CUTOFF in given and "theta" in given:
        raise ValueError(f"'{KEY}' in the plans must have 'theta' or '{_CUTOFF}', got both: leave one out.")
    if _CUTOFF in given and given.get("convention", "figure2") != "figure2":
        raise ValueError(f"'{KEY}' in the plans: '{_CUTOFF}' is of a block around DC: give 'theta' here.")
    spacing, spatial_dims = configuration["spacing"], len(configuration["patch_size"])
    values = {"axes": in_plane_axes(spacing, transpose), **given}
    try:
        check_bands(0.5, axes=values["axes"], spatial_dims=spatial_dims)
        if _CUTOFF in values:
            values["theta"] = theta_of(values.pop(_CUTOFF), [spacing[axis] for axis in values["axes"]])
        settings = FusionSettings(fusion, **values)
        check_bands(settings.theta, settings.convention, settings.axes, spatial_dims)
        if not is_count(settings.features):
            raise ValueError(f"'features' must be a positive integer, got {written(settings.features)}.")
    except ValueError as error:
        raise ValueError(f"'{KEY}' in the plans: {error}") from error
    return settings._replace(axes=tuple(settings.axes), theta=theta_as_kept(settings.theta))


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
