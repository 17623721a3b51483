"""Dictionary transforms, declared from array transforms: the only dictionary code there is."""

from __future__ import annotations

import inspect
from collections.abc import Hashable, Mapping
from typing import Any, ClassVar

from monai.config import KeysCollection
from monai.transforms import MapTransform, Transform

from .image import source_of

__all__ = ["Keyed"]


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
            try:
                result[key] = self.transform(result[key])
            except ValueError as error:
                raise ValueError(f"{error} (key '{key}'{source_of(result[key])})") from error
        return result
