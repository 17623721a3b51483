"""Smoothing of an image that is about to be made smaller."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["anti_aliased"]


def anti_aliased(image: Tensor, shape: Sequence[int]) -> Tensor:
    r"""Smooth an image so that no high frequency comes back as a low one when it is resized.

    A Gaussian along each axis that gets shorter, of the width that scikit-image's ``resize`` takes for an axis of N
    voxels that is to have n:

    .. math:: \sigma = \frac{1}{2} \Bigl( \frac{N}{n} - 1 \Bigr) \text{ voxels}

    The image is continued by its mirror image, so that a constant stays that constant up to its faces and the mean of
    any image is kept.

    Args:
        image: ``(C, *spatial)`` of floating-point numbers.
        shape: number of voxels along each spatial axis after the resize.

    Shape:
        Output like ``image``, of the same type.

    Example:
        >>> tone = torch.cos(2 * torch.pi * 0.27 * torch.arange(64)).expand(1, 64, 64)  # too fine for 16 voxels
        >>> bool(anti_aliased(tone, (16, 16)).std() < 0.2 * tone.std())
        True
    """
    from scipy.ndimage import gaussian_filter

    widths = [max(0.0, (have / want - 1) / 2) for have, want in zip(image.shape[1:], shape, strict=True)]
    if not any(widths):
        return image
    voxels = image.detach().cpu()
    half = voxels.dtype in (torch.float16, torch.bfloat16)  # types that SciPy does not filter
    smooth = gaussian_filter((voxels.float() if half else voxels).numpy(), [0, *widths], mode="reflect")
    return torch.from_numpy(smooth).to(image)
