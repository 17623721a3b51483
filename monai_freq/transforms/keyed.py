"""Dictionary transforms, declared from array transforms instead of written."""

from __future__ import annotations

import inspect
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

import numpy as np
from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable, RandomizableTransform, Transform

from .naming import naming

__all__ = ["Keyed", "RandKeyed"]


class Keyed(MapTransform):
    """Dictionary version of a deterministic array transform, declared by naming it.

    A subclass sets ``array``; its arguments are ``keys``, those of the array transform, and ``allow_missing_keys``.
    Errors of the array transform come back with the key, and with the file where it is known.

    Args:
        keys: keys of the items to transform.
        args: arguments of the array transform, then ``allow_missing_keys`` (default: False).
        kwargs: the same by name.

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
        if not hasattr(cls, "array"):  # abstract
            return
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        keys = inspect.Parameter("keys", kind)
        missing = inspect.Parameter("allow_missing_keys", kind, default=False, annotation="bool")
        settings = inspect.signature(cls.array).parameters.values()
        cls.__signature__ = inspect.Signature([keys, *settings, missing])  # type: ignore[attr-defined]
        cls.backend = getattr(cls.array, "backend", [])

    def __init__(self, keys: KeysCollection, *args: Any, **kwargs: Any) -> None:
        settings = inspect.signature(type(self)).bind(keys, *args, **kwargs).arguments
        settings.pop("keys")
        super().__init__(keys, settings.pop("allow_missing_keys", False))
        self.transform = self.array(**settings)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Transform the items under the keys; the others are passed on."""
        result = dict(data)
        for key in self.key_iterator(result):
            with naming(key, result[key], data):
                result[key] = self._apply(result[key])
        return result

    def _apply(self, image: Any) -> Any:
        return self.transform(image)


class RandKeyed(Keyed, Randomizable):
    """Dictionary version of a random array transform: one draw, shared by all keys.

    Where a seed is drawn, as by :class:`monai_freq.transforms.PhotonNoise`, images of one size get one noise field:
    images with independent noise want a transform for each key.

    ``array`` is a ``RandomizableTransform`` whose ``__call__`` takes ``randomize``.

    Args:
        keys: keys of the items to transform.
        args: arguments of the array transform, then ``allow_missing_keys`` (default: False).
        kwargs: the same by name.

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
    transform: RandomizableTransform

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Draw once, and transform the items under the keys; the others are passed on."""
        self.randomize()
        return super().__call__(data)

    def randomize(self, data: Any = None) -> None:
        """Draw what all keys share."""
        self.transform.randomize(data)

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> RandKeyed:
        """Seed the draws, of the array transform too."""
        super().set_random_state(seed, state)
        self.transform.set_random_state(state=self.R)
        return self

    def _apply(self, image: Any) -> Any:
        return self.transform(image, randomize=False)  # type: ignore[call-arg]
