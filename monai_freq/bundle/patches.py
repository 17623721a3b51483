"""What of a segmentation bundle depends on whether its network sees whole volumes or patches of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from monai.inferers import Inferer, SimpleInferer, SlidingWindowInferer

from ..data.voxel_sizes import median_spacing
from ..errors import UsageError
from ..quoting import written
from ..spectral.frequency_unit import theta_of
from ..spectral.scalars import is_finite_number
from .data_folder import settings_at_fault
from .parsing import running_parser

__all__ = ["check_patches", "inferer_for", "theta_at", "training_spacing"]


def inferer_for(patch_size: Sequence[int] | None, **settings: Any) -> Inferer:
    """How a network is applied to an image: to the whole of it, or to one patch after the other.

    Args:
        patch_size: number of voxels of a patch along each axis; None for the whole image.
        settings: further settings of MONAI's ``SlidingWindowInferer``; the whole image needs none.

    Example:
        >>> import torch
        >>> scores = inferer_for([8, 8, 8], overlap=0.5)(torch.ones(1, 1, 20, 8, 9), lambda patch: 2 * patch)
        >>> scores.shape, float(scores.min().round(decimals=4)), float(scores.max().round(decimals=4))
        (torch.Size([1, 1, 20, 8, 9]), 2.0, 2.0)
        >>> type(inferer_for(None, overlap=0.5)).__name__
        'SimpleInferer'
    """
    if patch_size is None:
        return SimpleInferer()
    return SlidingWindowInferer(patch_size, **({"mode": "gaussian"} | settings))


def training_spacing(patch_size: Sequence[int] | None) -> list[float] | None:
    """Voxel size of the configuration that is running: the median of its training images, from their headers.

    Args:
        patch_size: number of voxels of a patch along each axis; None for whole images, whose voxel size is not asked.

    Returns:
        Three sizes in mm, or None.

    Example:
        >>> from monai.bundle import ConfigParser
        >>> config = {"imports": ["$from monai_freq import bundle"], "patch_size": None}
        >>> parser = ConfigParser(config | {"spacing": "$bundle.training_spacing(@patch_size)"})
        >>> parser.get_parsed_content("spacing") is None
        True
    """
    if patch_size is None:
        return None
    cases = running_parser().get_parsed_content("cases")
    return median_spacing([case["image"] for case in cases.train])


def theta_at(cutoff_per_mm: float, spacing: Sequence[float] | None) -> float | tuple[float, ...]:
    r"""Width theta of the low band that ends at a cutoff in cycles per mm along the first two axes, which are cut.

    .. math:: \theta_a = 2 \cdot \text{cutoff} \cdot \text{spacing}_a, \quad a = 1, 2

    Args:
        cutoff_per_mm: end of the band in cycles per mm.
        spacing: voxel size along each axis in mm; None where it differs from image to image.

    Raises:
        UsageError: there is no one voxel size, or the grid does not hold this cutoff.

    Example:
        >>> theta_at(0.05, [0.7, 1.4, 3.0])
        (0.07, 0.14)
        >>> theta_at(0.05, None)
        Traceback (most recent call last):
        ...
        monai_freq.errors.UsageError: A cutoff in cycles per mm needs one voxel size, and resized images have many.
        Put patches.json in the --config_file list, or give theta as a number.
    """
    if spacing is None:
        raise UsageError(
            "A cutoff in cycles per mm needs one voxel size, and resized images have many.\n"
            "Put patches.json in the --config_file list, or give theta as a number."
        )
    with settings_at_fault():
        return theta_of(cutoff_per_mm, spacing[:2])


def check_patches(patch_size: Any, spacing: Any) -> None:
    """Refuse a size of patches or of voxels that is none.

    Args:
        patch_size: value of this setting; None for whole images.
        spacing: value of this setting.

    Raises:
        UsageError: one of them is not three positive numbers.

    Example:
        >>> check_patches([32, 32, 16], [1, 1])
        Traceback (most recent call last):
        ...
        monai_freq.errors.UsageError: 'spacing' must be three positive numbers of mm, got [1, 1].
        As in --spacing [1.0,1.0,1.0]
    """
    if patch_size is None:
        return
    if spacing is None:
        raise UsageError(
            "'spacing' is not known of these weights, and patches need it.\n"
            "Give the one that they were trained with, as in --spacing [1.0,1.0,1.0]"
        )
    three = isinstance(spacing, (list, tuple)) and len(spacing) == 3
    if not three or not all(is_finite_number(step) and step > 0 for step in spacing):
        raise UsageError(
            f"'spacing' must be three positive numbers of mm, got {written(spacing)}.\nAs in --spacing [1.0,1.0,1.0]"
        )
