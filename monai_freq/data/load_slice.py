"""Earlier address of :class:`monai_freq.transforms.LoadSlice`, for scripts that were written for it."""

from ..lazy import lazy_names

__all__ = ["LoadSlice", "LoadSliced"]  # noqa: F822 - found when they are asked for

__getattr__, __dir__ = lazy_names(__name__, {"monai_freq.transforms.load_slice": __all__})
