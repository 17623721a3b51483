"""Transforms of MONAI, TorchIO and others as artifacts: how they are called, and that they change no data of others."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Hashable, Iterator, Mapping
from numbers import Real
from typing import Any

import numpy as np
import torch
from monai.config import NdarrayOrTensor
from monai.data import MetaTensor
from monai.transforms import Compose, Identity, Identityd, MapTransform, OneOf, SomeOf, Transform
from numpy.typing import NDArray
from torch import Tensor

from ..quoting import written
from ..seeding.generators import drawing_from
from .image import as_image, like_image, require_finite
from .pixel_size import slice_axes

__all__ = [
    "Artifact",
    "as_artifact",
    "called_on",
    "called_on_item",
    "dictionary_keys",
    "editable",
    "is_unchanged",
    "may_have_passed",
    "name_of",
    "seldom_acting",
    "with_artifact",
]

Artifact = Callable[..., Any]

#: Attribute that holds the probability of acting -> argument that sets it; MONAI's and TorchIO's.
_CHANCES = {"prob": "prob", "probability": "p"}
#: What a Fourier transform there and back changes by rounding is a tenth of this share of a float32 image.
_ROUNDING = 1e-6


def as_artifact(artifact: object, name: str = "artifact") -> Artifact:
    """Refuse what cannot be called on an image.

    Args:
        artifact: object that should be a transform.
        name: name of the argument.

    Raises:
        TypeError: it is a class, or cannot be called.

    Example:
        >>> as_artifact(MapTransform)
        Traceback (most recent call last):
        TypeError: 'artifact' must be a transform or another callable, made and ready, got MapTransform.
    """
    if not callable(artifact) or isinstance(artifact, type):
        got = artifact.__name__ if isinstance(artifact, type) else written(artifact)
        raise TypeError(f"'{name}' must be a transform or another callable, made and ready, got {got}.")
    return artifact


def dictionary_keys(artifact: object) -> set[Hashable]:
    """Keys of a dictionary transform, or of a composition of such; none for an array transform.

    Args:
        artifact: any transform.

    Example:
        >>> from monai.transforms import RandGibbsNoise, RandGibbsNoised
        >>> dictionary_keys(RandGibbsNoised("image")), dictionary_keys(RandGibbsNoise())
        ({'image'}, set())
    """
    if isinstance(artifact, MapTransform):
        return set(artifact.keys)
    if isinstance(artifact, Compose):
        return set().union(*map(dictionary_keys, artifact.transforms))
    return set()


def called_on(artifact: Artifact, image: Tensor, seed: int) -> Any:
    """Result of an array artifact; TorchIO's see the image as ``(C, W, H, D)``, with its spacing and on the CPU.

    Args:
        artifact: array transform of MONAI or TorchIO, or a callable.
        image: image ``(C, *spatial)``, which the artifact may write into: see :func:`editable`.
        seed: seed of its draws.

    Example:
        >>> called_on(lambda image: image + torch.rand(1), torch.zeros(1, 1), 3) == torch.zeros(1, 1)
        tensor([[False]])
    """
    with drawing_from(artifact, seed, image.device):
        torchio = _torchio()
        if torchio is None or not isinstance(artifact, torchio.Transform):
            return artifact(image)
        bare = image.as_tensor() if isinstance(image, MetaTensor) else image
        volume = torchio.ScalarImage(tensor=bare.cpu()[(..., *[None] * (4 - bare.ndim))], affine=_sizes(image))
        result = artifact(volume).data
        return result.reshape(bare.shape) if result.shape == volume.shape else result


def called_on_item(
    artifact: Artifact, item: Mapping[Hashable, Any], images: Mapping[Hashable, Tensor], seed: int
) -> Any:
    """Result of a dictionary artifact, which gets copies of all else that it could write into, too.

    Args:
        artifact: dictionary transform.
        item: item that the images are part of.
        images: key -> image ``(C, *spatial)``, which the artifact may write into: see :func:`editable`.
        seed: seed of its draws.

    Example:
        >>> def darken(item):
        ...     item["mask"].zero_()
        ...     return {**item, "image": item["image"] * item["mask"]}
        >>> item = {"image": torch.ones(1, 2), "mask": torch.ones(1, 2)}
        >>> called_on_item(darken, item, {"image": torch.ones(1, 2)}, seed=0)["image"], item["mask"]
        (tensor([[0., 0.]]), tensor([[1., 1.]]))
    """
    others = {name: _copied(value) for name, value in item.items() if name not in images}
    device = next(iter(images.values())).device
    with drawing_from(artifact, seed, device):
        return artifact({**others, **images})


def editable(img: NdarrayOrTensor) -> Tensor:
    """Copy of an image that an artifact may write into, with a copy of the metadata, in float32 at least.

    Args:
        img: image ``(C, *spatial)``.

    Raises:
        ValueError: it has NaN or infinity, or another number of dimensions.

    Example:
        >>> editable(torch.zeros(1, 4, 4, dtype=torch.float16)).dtype
        torch.float32
    """
    tracked, image = as_image(img)
    require_finite(image)
    copied = torch.as_tensor(tracked).clone()  # a MetaTensor's metadata, too, which .to(copy=True) would share
    return copied.to(torch.promote_types(image.dtype, torch.float32))


def with_artifact(altered: Any, image: NdarrayOrTensor, artifact: Artifact) -> NdarrayOrTensor:
    """What an artifact made of an image, in the image's type and with its metadata.

    Args:
        altered: result of the artifact.
        image: image that it was called on.
        artifact: artifact, for its name.

    Raises:
        ValueError: it is no image, of another shape, or has NaN or infinity.

    Example:
        >>> with_artifact(None, torch.zeros(1, 2, 2), print)
        Traceback (most recent call last):
        ValueError: 'artifact' must return an image, but print returned NoneType.
    """
    name = name_of(artifact)
    if not isinstance(altered, Tensor | np.ndarray):
        raise ValueError(f"'artifact' must return an image, but {name} returned {type(altered).__name__}.")
    if altered.shape != image.shape:
        raise ValueError(
            f"'artifact' must keep the shape, but {name} made {tuple(altered.shape)} of {tuple(image.shape)}."
        )
    result = as_image(altered)[1].to(as_image(image)[1].dtype)
    try:
        require_finite(result)
    except ValueError as error:
        raise ValueError(f"'artifact' must return finite values, but after {name} {error}") from error
    return like_image(result, image)


def is_unchanged(altered: NdarrayOrTensor, image: NdarrayOrTensor) -> bool:
    """Whether an artifact left an image as it was, but for rounding.

    Args:
        altered: result of :func:`with_artifact`.
        image: image that the artifact was called on.

    Example:
        >>> image = torch.rand(1, 8, 8)
        >>> is_unchanged(torch.fft.ifft2(torch.fft.fft2(image)).real, image), is_unchanged(image * 1.01, image)
        (True, False)
    """
    before, after = as_image(image)[1], as_image(altered)[1]
    change, size = (torch.linalg.vector_norm(x.double()) for x in (after.to(before.device) - before, before))
    return bool(change <= _ROUNDING * size)


def may_have_passed(artifact: object) -> bool:
    """Whether an artifact, or a part of it, may have decided in its last call not to act.

    It may where its probability is below 1 and, for MONAI's, the last draw was against it; and where it chooses one of
    several. MONAI's ``Identity`` says by its name that nothing is wanted. What a function draws cannot be known: it is
    taken to act always.

    Args:
        artifact: any transform.

    Example:
        >>> from monai.transforms import RandGibbsNoise
        >>> seldom, always = RandGibbsNoise(prob=1e-6), RandGibbsNoise(prob=1)
        >>> _ = [noise(torch.rand(1, 8, 8)) for noise in (seldom, always)]
        >>> may_have_passed(seldom), may_have_passed(always), may_have_passed(print)
        (True, False, False)
    """
    if _is_identity(artifact):
        return True
    torchio = _torchio()
    choices = (OneOf, SomeOf) if torchio is None else (OneOf, SomeOf, torchio.OneOf)
    for part in _parts(artifact, set()):
        if isinstance(part, choices):
            return True
        if min(_chances(part).values(), default=1.0) < 1 and not getattr(part, "_do_transform", False):
            return True
    return False


def seldom_acting(artifact: object) -> str:
    """Which part of an artifact acts with a probability below 1, as a message for a plan's user; else nothing.

    Args:
        artifact: any transform.

    Example:
        >>> from monai.transforms import RandGaussianNoise
        >>> print(seldom_acting(Compose([RandGaussianNoise()])))
        RandGaussianNoise acts with a probability of 0.1: a marked image may stay as it was.
        Pass prob=1, as the plan decides who gets a shortcut.
        >>> seldom_acting(RandGaussianNoise(prob=1)), seldom_acting(Identity())
        ('', '')
    """
    for part in _parts(artifact, set()):
        for name, chance in _chances(part).items():
            if chance < 1:
                return (
                    f"{name_of(part)} acts with a probability of {chance:g}: a marked image may stay as it was.\n"
                    f"Pass {_CHANCES[name]}=1, as the plan decides who gets a shortcut."
                )
    return ""


def name_of(artifact: object) -> str:
    """What to call an artifact in a message.

    Args:
        artifact: any transform.

    Example:
        >>> name_of(print), name_of(Compose([]))
        ('print', 'Compose')
    """
    return str(getattr(artifact, "__name__", type(artifact).__name__))


def _is_identity(artifact: object) -> bool:
    if isinstance(artifact, Compose):
        return all(map(_is_identity, artifact.transforms))
    return isinstance(artifact, (Identity, Identityd))


def _chances(part: object) -> dict[str, float]:
    """Probabilities of acting that a transform has, by the name of its attribute."""
    found = {name: getattr(part, name, None) for name in _CHANCES}
    return {name: float(chance) for name, chance in found.items() if isinstance(chance, Real)}


def _parts(artifact: object, seen: set[int]) -> Iterator[object]:
    """A transform, and those that it holds."""
    if id(artifact) in seen:
        return
    seen.add(id(artifact))
    if isinstance(artifact, (list, tuple)):
        for each in artifact:
            yield from _parts(each, seen)
    elif callable(artifact):
        yield artifact
        torchio = _torchio()
        kinds = (Transform, list, tuple) if torchio is None else (Transform, list, tuple, torchio.Transform)
        for value in getattr(artifact, "__dict__", {}).values():
            if isinstance(value, kinds):
                yield from _parts(value, seen)


def _sizes(image: Tensor) -> NDArray[np.float64]:
    """Affine matrix with an image's spacing alone: an artifact turns no axes, as nothing would turn them back."""
    sizes = np.ones(4)
    if isinstance(image, MetaTensor):
        lengths = torch.linalg.vector_norm(image.affine.detach().double().cpu()[:-1, :-1], dim=0).numpy()
        axes = slice_axes(image)[0] if image.ndim == 3 else range(min(image.ndim - 1, len(lengths)))
        found = lengths[list(axes)]
        if np.isfinite(found).all() and (found > 0).all():
            sizes[: len(found)] = found
    return np.diag(sizes)


def _copied(value: Any) -> Any:
    """A copy of whatever can be written into, within containers too, of which others may be shared."""
    if isinstance(value, Tensor):
        return value.clone()  # a MetaTensor's metadata, too
    if type(value) is dict:
        return {name: _copied(each) for name, each in value.items()}
    if type(value) in (list, tuple, set):
        return type(value)(map(_copied, value))
    try:
        return copy.deepcopy(value)
    except Exception:  # of whatever the item holds, as an open file, or a tensor within that has a history
        return value


def _torchio() -> Any:
    """TorchIO, if it has been imported, as by whoever has one of its transforms."""
    return sys.modules.get("torchio")
