"""Dictionary transforms, declared from array transforms instead of written."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable, RandomizableTransform, Transform

from .from_torchio import require_item
from .naming import naming

__all__ = ["Keyed", "RandKeyed"]


class Keyed(MapTransform):
    """Dictionary version of a deterministic array transform, declared by naming it.

    A subclass sets ``array``; its arguments are ``keys``, those of the array transform, and ``allow_missing_keys``.
    Errors of the array transform come back with the key, and with the file where it is known.

    Args:
        keys: keys of the items to transform.
        args: arguments of the array transform, then ``allow_missing_keys`` (default: False).
        kwargs: the same arguments by name.

    Raises:
        TypeError: arguments that the array transform does not take.
        ValueError: an argument or an image that the array transform refuses.
        KeyError: a key is missing and ``allow_missing_keys`` is False.

    Example:
        >>> import torch
        >>> from monai_freq.transforms import FourierLowPass
        >>> class FourierLowPassd(Keyed):
        ...     array = FourierLowPass
        >>> inspect.signature(FourierLowPassd)
        <Signature (keys, cutoff: 'float', allow_missing_keys: 'bool' = False)>
        >>> FourierLowPassd("image", cutoff=0.2)({"image": torch.rand(1, 8, 8), "id": 3})["image"].shape
        torch.Size([1, 8, 8])
    """

    array: ClassVar[type[Transform]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _declare(cls)

    def __init__(self, keys: KeysCollection, *args: Any, **kwargs: Any) -> None:
        self.transform, missing = _made(type(self), keys, args, kwargs)
        super().__init__(keys, missing)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Transform the items under the keys; the others are passed on."""
        return _applied(self, data, self.transform)


class RandKeyed(MapTransform, Randomizable):
    """Dictionary version of a random array transform: one draw, shared by all keys.

    Where a seed is drawn, as by :class:`monai_freq.transforms.PhotonNoise`, images of one size get one noise field:
    images with independent noise want a transform for each key.

    ``array`` is a ``RandomizableTransform`` whose ``__call__`` takes ``randomize``.

    Args:
        keys: keys of the items to transform.
        args: arguments of the array transform, then ``allow_missing_keys`` (default: False).
        kwargs: the same arguments by name.

    Raises:
        TypeError: arguments that the array transform does not take.
        ValueError: an argument or an image that the array transform refuses.
        KeyError: a key is missing and ``allow_missing_keys`` is False.

    Example:
        >>> import torch
        >>> from monai.transforms import RandGibbsNoise
        >>> class RandGibbsNoised(RandKeyed):
        ...     array = RandGibbsNoise
        >>> image = torch.rand(1, 8, 8)
        >>> noisy = RandGibbsNoised(["t1", "t2"], prob=1.0)({"t1": image, "t2": image})
        >>> torch.equal(noisy["t1"], noisy["t2"]), torch.equal(noisy["t1"], image)
        (True, False)
    """

    array: ClassVar[type[RandomizableTransform]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _declare(cls)

    def __init__(self, keys: KeysCollection, *args: Any, **kwargs: Any) -> None:
        self.transform, missing = _made(type(self), keys, args, kwargs)
        super().__init__(keys, missing)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Draw once, and transform the items under the keys; the others are passed on."""
        self.randomize()
        return _applied(self, data, partial(self.transform, randomize=False))

    def randomize(self, data: Any = None) -> None:
        """Draw what all keys share."""
        self.transform.randomize(data)

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> RandKeyed:
        """Seed the draws, of the array transform too."""
        super().set_random_state(seed, state)
        self.transform.set_random_state(state=self.R)
        return self


def _declare(kind: type[MapTransform]) -> None:
    """Give a dictionary transform the signature and the backend of its array transform, if it names one."""
    array = getattr(kind, "array", None)
    if array is None:  # abstract
        return
    place = inspect.Parameter.POSITIONAL_OR_KEYWORD
    keys = inspect.Parameter("keys", place)
    missing = inspect.Parameter("allow_missing_keys", place, default=False, annotation="bool")
    settings = inspect.signature(array).parameters.values()
    kind.__signature__ = inspect.Signature([keys, *settings, missing])  # type: ignore[attr-defined]
    kind.backend = getattr(array, "backend", [])


def _made(kind: Any, keys: KeysCollection, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Any, bool]:
    """The array transform, and whether keys may be missing."""
    settings = inspect.signature(kind).bind(keys, *args, **kwargs).arguments
    settings.pop("keys")
    missing = settings.pop("allow_missing_keys", False)
    return kind.array(**settings), missing


def _applied(
    transform: MapTransform, data: Mapping[Hashable, Any], change: Callable[[Any], Any]
) -> dict[Hashable, Any]:
    """An item with the images under the transform's keys changed."""
    require_item(transform, data)
    result = dict(data)
    for key in transform.key_iterator(result):
        with naming(key, result[key], data):
            result[key] = change(result[key])
    return result
