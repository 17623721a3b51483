"""Transforms of TorchIO, declared from array transforms instead of written."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import torch
import torchio
from monai.transforms import Randomizable, RandomizableTransform, Transform
from torchio.transforms.augmentation import RandomTransform

from ..quoting import shown
from ..seeding.seeds import check_seed
from ..transforms.naming import naming
from .images import alter, as_meta_tensor

__all__ = ["RandTio", "Tio"]

_SEED = "seed"
_PROB = "prob"  # TorchIO's p stands for it
#: of TorchIO's own arguments: it is deprecated there
_UNSHOWN = {"self", "keys"}


class Tio(torchio.IntensityTransform):
    """TorchIO form of an array transform, declared by naming it.

    A subclass sets ``array``; its arguments are those of the array transform, and TorchIO's own by name. It alters all
    images of a subject but its label maps, those of depth 1 as images of two axes, with the spacing and the file's name
    that TorchIO knows. An argument may be a dictionary from names of images to values. An array transform that draws
    gets a further argument, ``seed``, and draws the same each time: as the array transform after
    ``set_random_state(seed)``. So what a subject's history says can be applied again, to the same values.

    Args:
        args: arguments of the array transform.
        kwargs: the same arguments by name; ``seed``, in [0, 2^32), where it draws; and those of
            ``torchio.Transform``, as ``p``, ``include`` and ``exclude``.

    Raises:
        TypeError: arguments that neither the array transform nor TorchIO takes.
        ValueError: an argument or an image that the array transform refuses, a seed outside its range, or values by
            image that lack an image.

    Example:
        >>> from monai_freq.transforms import FourierLowPass
        >>> class Smooth(Tio):
        ...     array = FourierLowPass
        >>> image = torch.rand(1, 8, 8, 8)
        >>> subject = torchio.Subject(t1=torchio.ScalarImage(tensor=image), seg=torchio.LabelMap(tensor=image > 0.5))
        >>> smooth = Smooth(cutoff=0.2)(subject)
        >>> smooth.seg.data.dtype, [type(step).__name__ for step in smooth.history]
        (torch.uint8, ['Smooth'])
        >>> torch.equal(smooth.get_composed_history()(subject).t1.data, smooth.t1.data)
        True
    """

    array: ClassVar[type[Transform]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _declare(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        settings, own = _bound(type(self), args, kwargs)
        super().__init__(**own)
        self.args_names = list(settings)
        vars(self).update(settings)
        self._made: dict[str, Any] = {
            name: _array_of(self.array, of_image) for name, of_image in _by_image(settings).items()
        }

    def apply_transform(self, subject: torchio.Subject) -> torchio.Subject:
        """Alter the images of a subject that TorchIO has copied."""
        for name, image in self.get_images_dict(subject).items():
            with naming(name, as_meta_tensor(image), subject):
                alter(image, self._seeded(name))
        return subject

    def _with_drawn(self, values: Mapping[str, Mapping[str, Any]]) -> Tio:
        """The same with settings that were drawn for each image; the array transforms share what they warned of."""
        form = copy.copy(self)
        vars(form).update(values)
        (array,) = self._made.values()
        form._made = {}
        for name in next(iter(values.values())):
            form._made[name] = copy.copy(array)
            vars(form._made[name]).update({argument: of_images[name] for argument, of_images in values.items()})
        return form

    def _seeded(self, name: str) -> Any:
        """The array transform for an image, ready to draw."""
        array = self._made.get(name, self._made.get(""))
        if array is None:
            raise ValueError(
                f"'{self.name}' has settings for the images {_listed(self._made)} and none for '{shown(name)}':\n"
                f"add them, or leave the image out with exclude=['{shown(name)}']."
            )
        if _draws(self.array):
            array.set_random_state(int(self.get_parameter(getattr(self, _SEED), name)))
        return array


class RandTio(RandomTransform, torchio.IntensityTransform):
    """TorchIO form of a random array transform: it draws for each image, and leaves what it drew in the history.

    A subclass sets ``array``, a random transform whose property ``drawn`` has what it drew last, and ``fixed``, a
    :class:`Tio` that takes this as arguments. Its arguments are those of the array transform but for ``prob``, which is
    TorchIO's ``p``, with TorchIO's default of 1. All draws come from PyTorch's global generator, as TorchIO's do:
    ``torch.manual_seed`` repeats them, and the workers of a loader draw apart. Each image of a subject has draws of its
    own, as with TorchIO's; one draw for several is what the dictionary form makes.

    Args:
        args: arguments of the array transform but for ``prob``.
        kwargs: the same arguments by name, and those of ``torchio.Transform``, as ``p``, ``include`` and ``exclude``.

    Raises:
        TypeError: arguments that neither the array transform nor TorchIO takes.
        ValueError: an argument or an image that the array transform refuses.

    Example:
        >>> from monai_freq.torchio import RandNonLocalMeansTio
        >>> subject = torchio.Subject(t1=torchio.ScalarImage(tensor=torch.rand(1, 16, 16, 1)))
        >>> denoised = RandNonLocalMeansTio(h_factor=(0.5, 1.5), sigma=0.3)(subject)
        >>> (step,) = denoised.history
        >>> type(step).__name__, 0.5 <= step.h_factor["t1"] <= 1.5
        ('NonLocalMeansTio', True)
    """

    array: ClassVar[type[RandomizableTransform]]
    fixed: ClassVar[type[Tio]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _declare(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        settings, own = _bound(type(self), args, kwargs)
        super().__init__(**own)  # type: ignore[no-untyped-call]
        self.args_names = list(settings)
        vars(self).update(settings)
        self._array = cast(Any, self.array(prob=1.0, **settings))
        seed = {_SEED: 0} if _draws(self.fixed.array) else {}
        taken = inspect.signature(self.fixed).parameters  # not what is only drawn from, as a list of references
        shared = {name: value for name, value in settings.items() if name in taken}
        self._fixed = self.fixed(**{**shared, **self._array.drawn, **seed}, **self._get_base_args())

    def apply_transform(self, subject: torchio.Subject) -> torchio.Subject:
        """Draw for each image, and have the fixed form alter them and enter itself in the history."""
        draws = {name: self._draw() for name in self.get_images_dict(subject)}
        if not draws:
            return subject
        arguments = next(iter(draws.values()))
        by_image = {each: {name: draw[each] for name, draw in draws.items()} for each in arguments}
        return self._fixed._with_drawn(by_image)(subject)

    def _draw(self) -> dict[str, Any]:
        """Arguments of the fixed form for one image."""
        self._array.set_random_state(_drawn_seed())
        self._array.randomize()
        return {**self._array.drawn, **({_SEED: _drawn_seed()} if _draws(self.fixed.array) else {})}


def _drawn_seed() -> int:
    return int(torch.randint(2**31, (1,)))


def _draws(array: type) -> bool:
    return issubclass(array, Randomizable)


def _declare(kind: Any) -> None:
    """Give a form the signature of its array transform, and TorchIO's own arguments by name, if it names one."""
    array = getattr(kind, "array", None)
    if array is None:  # abstract
        return
    settings = [each for each in inspect.signature(array).parameters.values() if each.name != _PROB]
    only_named = inspect.Parameter.KEYWORD_ONLY
    seed = [inspect.Parameter(_SEED, only_named, annotation="int")] if _draws(array) and issubclass(kind, Tio) else []
    own = [
        each.replace(kind=only_named)
        for each in inspect.signature(torchio.Transform.__init__).parameters.values()
        if each.name not in _UNSHOWN
    ]
    kind.__signature__ = inspect.Signature([*settings, *seed, *own])


def _bound(kind: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments of a form, all of them: those of the array transform with its seed, and TorchIO's own."""
    bound = inspect.signature(kind).bind(*args, **kwargs)
    bound.apply_defaults()
    own = inspect.signature(torchio.Transform.__init__).parameters
    settings = {name: value for name, value in bound.arguments.items() if name not in own}
    return settings, {name: value for name, value in bound.arguments.items() if name in own}


def _by_image(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Settings of each image that some are given for, or those of all, under an empty name."""
    given = {argument: value for argument, value in settings.items() if isinstance(value, Mapping)}
    names = list(dict.fromkeys(name for value in given.values() for name in value)) if given else [""]
    for argument, value in given.items():
        if missing := [name for name in names if name not in value]:
            raise ValueError(f"'{argument}' must have a value for each image, got none for {_listed(missing)}.")
    return {
        name: {argument: value[name] if argument in given else value for argument, value in settings.items()}
        for name in names
    }


def _array_of(array: type[Transform], settings: dict[str, Any]) -> Transform:
    """An array transform that always acts, as TorchIO has drawn whether to, with its settings and its seed checked."""
    rest = dict(settings)
    if _PROB in inspect.signature(array).parameters:
        rest[_PROB] = 1.0
    if _draws(array):
        check_seed(rest.pop(_SEED))
    return array(**rest)


def _listed(names: Any) -> str:
    return ", ".join(f"'{shown(name)}'" for name in names)
