"""Images and labels brought to a network's grid, and back, without moving against one another."""

from __future__ import annotations

import copy
import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, cast

import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform, Resize
from monai.utils import TraceKeys, TransformBackends, ensure_tuple_rep
from numpy.typing import NDArray
from torch import Tensor

from ..quoting import written
from ..spectral.scalars import check_choice, is_finite_number
from .from_torchio import require_item
from .image import as_image, like_image, require_finite, source_of
from .label_grid import Structure, nearest_voxels, resize_label
from .naming import naming

__all__ = ["AlignedResize", "AlignedResized"]

_log = logging.getLogger(__name__)

LABEL = "nearest-exact"
MODES = ("linear", "bilinear", "trilinear", LABEL)
SHOWN = 5  # structures in a message


class AlignedResize(InvertibleTransform):
    """Resize an image or a label to a grid of the same ends, with MONAI's metadata and inverse.

    It does what MONAI's ``Resize`` does, but for three things that MONAI 1.6 does wrong to segmentations:

    - A label stays *aligned with the image*: centres move by less than .02 voxels of the grid, but for what a single
      object's coarse voxels do. ``mode="nearest"`` moves all by half a voxel, and ``"nearest-exact"`` by a quarter
      where the size halves. Where an axis gets longer, borders have no steps that the image has not, and the inverse
      gives what was given.
    - A structure of the label that lies between the voxels of the grid is kept in the cell where it lies. That, and
      what is lost all the same, is said in the log, with the file's name.
    - An image that gets smaller is smoothed before, continued by its mirror image: a constant stays constant.
      ``anti_aliasing=True`` continues it by zeros, which darkens its faces.

    Args:
        spatial_size: number of voxels along each axis; 0 or less for an axis that stays as it is; None with
            ``spacing``.
        mode: kind of interpolation: ``"linear"``, ``"bilinear"`` or ``"trilinear"`` for one, two or three axes of an
            image, ``"nearest-exact"`` for a label.
        spacing: voxel size along each axis in mm, in place of ``spatial_size``: the grid has as many voxels as come
            nearest to it within the image's ends.

    Shape:
        ``(C, *spatial)`` -> ``(C, *spatial_size)``; a label has one channel of class numbers, 0 the background.
        float32, as from MONAI's.

    Raises:
        ValueError: an argument outside its range, an image with another number of axes, NaN or infinity in it, a label
            of several channels; for ``spacing`` an image that does not say how large its voxels are.

    Example:
        >>> from monai.transforms import Resize
        >>> x = torch.arange(128) - 63.5
        >>> disc = (x[:, None] ** 2 + x**2 < 900).float()[None]
        >>> place = lambda small: round(float(small[0].nonzero().double().mean()) - 31.5, 2)  # beside the middle
        >>> [place(AlignedResize((64, 64), "nearest-exact")(disc)), place(Resize((64, 64), mode="nearest-exact")(disc))]
        [0.0, -0.2]
        >>> round(float(AlignedResize((16, 16), "bilinear")(torch.ones(1, 64, 64)).min()), 6)
        1.0
        >>> round(float(Resize((16, 16), mode="bilinear", anti_aliasing=True)(torch.ones(1, 64, 64)).min()), 2)
        0.8
        >>> thick = MetaTensor(torch.rand(1, 64, 64, 10), affine=torch.diag(torch.tensor([0.5, 0.5, 3, 1])))
        >>> AlignedResize(None, "trilinear", spacing=(1, 1, 1.5))(thick).shape
        torch.Size([1, 32, 32, 20])
    """

    backend = [TransformBackends.TORCH]

    def __init__(self, spatial_size: Sequence[int] | None, mode: str, spacing: Sequence[float] | None = None) -> None:
        self.spacing = None if spacing is None else _checked_spacing(spacing, spatial_size)
        self.spatial_size = _checked_size(spatial_size) if self.spacing is None else (0,) * len(self.spacing)
        check_choice("mode", mode, MODES)
        self.mode = mode
        self.resize = Resize(self.spatial_size, mode=mode)

    def __call__(self, img: NdarrayOrTensor) -> Tensor:
        """Resize one image or label."""
        tracked, image = as_image(img, labels=self.mode == LABEL)
        name, wanted = ("spacing", self.spacing) if self.spacing else ("spatial_size", self.spatial_size)
        if image.ndim - 1 != len(wanted):
            raise ValueError(f"'{name}' has {len(wanted)} axes, {wanted}, and the image {image.ndim - 1}.")
        require_finite(image)
        if self.spacing:
            shape = _nearest_shape(image.shape[1:], _voxel_size(tracked), self.spacing)
        else:
            shape = tuple(new if new > 0 else old for new, old in zip(self.spatial_size, image.shape[1:], strict=True))
        if self.mode == LABEL:
            return self._label(tracked, image, shape)
        floating = image.to(torch.float32, copy=True)  # of the result's type, and no part of the image that was given
        return self._resize(like_image(_anti_aliased(floating, shape), tracked), shape)

    def _label(self, tracked: NdarrayOrTensor, image: Tensor, shape: tuple[int, ...]) -> Tensor:
        if image.shape[0] != 1:
            raise ValueError(f"a label must hold class numbers in one channel, got {image.shape[0]} channels.")
        classes, kept, lost = resize_label(_array(image[0]), shape)
        _tell(kept, lost, shape, source_of(tracked))
        resized = self._resize(tracked, shape)  # for its metadata, and for what it remembers to invert it
        label = torch.tensor(classes, dtype=torch.float32, device=resized.device)[None]
        return cast(Tensor, like_image(label, resized))

    def _resize(self, img: Any, shape: tuple[int, ...]) -> Tensor:
        resize = copy.copy(self.resize)  # whose size is that of this image, and others are resized meanwhile
        resize.spatial_size = shape
        resized: Tensor = resize(img)
        if isinstance(resized, MetaTensor) and resized.applied_operations:
            resized.applied_operations[-1][TraceKeys.ID] = id(self.resize)  # by which the inverse finds it
        return resized

    def inverse(self, data: Tensor) -> Tensor:
        """Bring one image, label or prediction back to its own grid."""
        mode = self.resize.get_most_recent_transform(data)[TraceKeys.EXTRA_INFO]["mode"]
        restored: Tensor = self.resize.inverse(data)  # its metadata, and for a label its shape
        if not str(mode).startswith("nearest"):
            return restored
        values = data.as_tensor() if isinstance(data, MetaTensor) else data
        for axis, (own, grid) in enumerate(zip(restored.shape[1:], data.shape[1:], strict=True), start=1):
            voxels = torch.from_numpy(nearest_voxels(own, grid))
            values = values.index_select(axis, voxels.to(values.device))
        return cast(Tensor, like_image(values.to(restored.dtype), restored))


class AlignedResized(MapTransform, InvertibleTransform):
    """Dictionary version of :class:`AlignedResize`, with a mode for each key.

    Args:
        keys: keys of the images and labels.
        spatial_size: number of voxels along each axis; 0 or less for an axis that stays as it is; None with
            ``spacing``.
        mode: mode of all keys, or one for each.
        spacing: voxel size along each axis in mm, in place of ``spatial_size``.
        allow_missing_keys: whether an item may lack a key.

    Raises:
        ValueError: as :class:`AlignedResize`, with the key.

    Example:
        >>> item = {"image": torch.rand(1, 40, 40, 20), "label": torch.ones(1, 40, 40, 20)}
        >>> resized = AlignedResized(["image", "label"], (32, 32, 16), mode=["trilinear", "nearest-exact"])(item)
        >>> {key: (tuple(volume.shape), float(volume.max().round())) for key, volume in resized.items()}
        {'image': ((1, 32, 32, 16), 1.0), 'label': ((1, 32, 32, 16), 1.0)}
    """

    backend = AlignedResize.backend

    def __init__(
        self,
        keys: KeysCollection,
        spatial_size: Sequence[int] | None,
        mode: str | Sequence[str],
        spacing: Sequence[float] | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        modes = zip(self.keys, ensure_tuple_rep(mode, len(self.keys)), strict=True)
        self.transforms = {key: AlignedResize(spatial_size, one, spacing) for key, one in modes}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Resize the images and labels of an item."""
        require_item(self, data)
        result = dict(data)
        for key in self.key_iterator(result):
            with naming(key, result[key]):
                result[key] = self.transforms[key](result[key])
        return result

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Bring the images, labels and predictions of an item back to their own grids."""
        return {**data, **{key: self.transforms[key].inverse(data[key]) for key in self.key_iterator(data)}}


def _checked_size(spatial_size: object) -> tuple[int, ...]:
    whole = isinstance(spatial_size, Sequence) and all(type(n) is int for n in spatial_size)
    if not whole or not 1 <= len(cast(Sequence[int], spatial_size)) <= 3:
        raise ValueError(f"'spatial_size' must be one to three whole numbers of voxels, got {written(spatial_size)}.")
    return tuple(cast(Sequence[int], spatial_size))


def _checked_spacing(spacing: object, spatial_size: object) -> tuple[float, ...]:
    positive = isinstance(spacing, Sequence) and all(is_finite_number(step) and step > 0 for step in spacing)
    if not positive or not 1 <= len(cast(Sequence[float], spacing)) <= 3:
        raise ValueError(f"'spacing' must be one to three positive numbers of mm, got {written(spacing)}.")
    if spatial_size is not None:
        raise ValueError(f"'spatial_size' must be None where 'spacing' is given, got {written(spatial_size)}.")
    return tuple(map(float, cast(Sequence[float], spacing)))


def _voxel_size(tracked: Any) -> list[float]:
    if not isinstance(tracked, MetaTensor):
        raise ValueError("an image must say how large its voxels are, as after LoadImaged: MONAI's metadata are off.")
    return [float(step) for step in tracked.pixdim[: tracked.ndim - 1]]  # of a picture too, whose affine has three axes


def _nearest_shape(shape: Sequence[int], own: Sequence[float], wanted: Sequence[float]) -> tuple[int, ...]:
    return tuple(max(1, round(n * step / new)) for n, step, new in zip(shape, own, wanted, strict=True))


def _anti_aliased(image: Tensor, shape: Sequence[int]) -> Tensor:
    r"""Smoothed so that no high frequency comes back as a low one, as scikit-image's ``resize`` does.

    A Gaussian of :math:`\sigma = (N / n - 1) / 2` voxels along each axis of N voxels that is to have n, fewer ones. The
    image is continued by its mirror image, so that a constant stays that constant and the mean of any image is kept.
    """
    from scipy.ndimage import gaussian_filter

    widths = [max(0.0, (have / want - 1) / 2) for have, want in zip(image.shape[1:], shape, strict=True)]
    if not any(widths):
        return image
    smooth = gaussian_filter(image.detach().cpu().numpy(), [0, *widths], mode="reflect")
    return torch.from_numpy(smooth).to(image)


def _array(label: Tensor) -> NDArray[Any]:
    plain = label.detach().cpu()
    return (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()  # a type that NumPy lacks


def _tell(kept: Sequence[Structure], lost: Sequence[Structure], shape: Sequence[int], source: str) -> None:
    size = "x".join(map(str, shape))
    if kept:
        _log.warning(f"Between the voxels of the {size} grid, and kept as its nearest: {_listed(kept)}{source}.")
    if lost:
        _log.warning(
            f"Lost on the {size} grid, where another structure has the place: {_listed(lost)}{source}. "
            "A larger grid keeps it."
        )


def _listed(structures: Sequence[Structure]) -> str:
    sizes = [(number, len(voxels)) for number, voxels in structures]
    each = [f"class {number} ({size} voxel{'s' if size > 1 else ''})" for number, size in sizes[:SHOWN]]
    return ", ".join(each) + (f" and {len(sizes) - SHOWN} more" if len(sizes) > SHOWN else "")
