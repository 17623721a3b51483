"""What TorchIO hands to transforms without saying so: a label map like an image, or an image where an item is due."""

from __future__ import annotations

import sys
from collections.abc import Hashable, Iterator, Mapping
from types import FrameType
from typing import Any

from ..quoting import shown

__all__ = ["require_item", "require_no_label_map"]

#: modules of TorchIO that call a foreign function on each image of a subject, in a variable of this name
_CALLERS = ("torchio.transforms.monai_adapter", "torchio.transforms.lambda_transform")
_IMAGE = "image"


def require_no_label_map() -> None:
    """Refuse the image of an array transform where TorchIO took it from a label map.

    ``MonaiAdapter`` and ``Lambda`` call an array transform on every image of a subject, label maps too. What they pass
    is a tensor, at most with an affine matrix: neither its type nor its values tell a label map from a CT of whole HU.
    The calling function alone knows, so this looks at the calls that lead here. Without TorchIO it looks at nothing.

    Raises:
        ValueError: the image is that of a label map.

    Example:
        >>> import torch, torchio
        >>> from monai_freq.transforms import FourierLowPass
        >>> image = torch.rand(1, 8, 8, 8)
        >>> subject = torchio.Subject(t1=torchio.ScalarImage(tensor=image), seg=torchio.LabelMap(tensor=image > 0.5))
        >>> torchio.MonaiAdapter(FourierLowPass(cutoff=0.2))(subject)
        Traceback (most recent call last):
        ValueError: 'seg' is a label map, which TorchIO passes to an array transform like any image:
        name the images in a dictionary transform (its name ends with d), take a transform of monai_freq.torchio,
        or leave the label map out, with exclude=['seg'].
    """
    torchio = sys.modules.get("torchio")
    if torchio is None:
        return
    for frame in _callers(sys._getframe(1)):
        variables = frame.f_locals
        image = variables.get(_IMAGE)
        if isinstance(image, torchio.LabelMap):
            name = _name_of(image, variables)
            raise ValueError(
                f"'{name}' is a label map, which TorchIO passes to an array transform like any image:\n"
                "name the images in a dictionary transform (its name ends with d), take a transform of "
                f"monai_freq.torchio,\nor leave the label map out, with exclude=['{name}']."
            )
        if image is not None:
            return  # the nearest one: others may be around it


def require_item(transform: object, data: Mapping[Hashable, Any]) -> None:
    """Refuse an image where a dictionary transform should get an item.

    ``MonaiAdapter`` takes MONAI's ``Compose`` for an array transform, whatever is composed there, and calls it on each
    image.

    Args:
        transform: dictionary transform, for its name.
        data: what it was called on.

    Raises:
        ValueError: that is no mapping from keys to images.

    Example:
        >>> from monai_freq.transforms import FourierLowPassd
        >>> FourierLowPassd("t1", cutoff=0.2)([1.0, 2.0])
        Traceback (most recent call last):
        ValueError: FourierLowPassd must get an item, a mapping from keys to images, got list.
        In TorchIO, give each dictionary transform a MonaiAdapter of its own, and compose these with torchio.Compose.
    """
    if not isinstance(data, Mapping):
        raise ValueError(
            f"{type(transform).__name__} must get an item, a mapping from keys to images, got {type(data).__name__}.\n"
            "In TorchIO, give each dictionary transform a MonaiAdapter of its own, and compose these with "
            "torchio.Compose."
        )


def _callers(frame: FrameType | None) -> Iterator[FrameType]:
    """Calls that lead here and are those of TorchIO's modules, the nearest first."""
    while frame is not None:
        if frame.f_globals.get("__name__") in _CALLERS:
            yield frame
        frame = frame.f_back


def _name_of(image: object, variables: Mapping[str, Any]) -> str:
    """Name that a subject has for an image, from the variables of a call that goes through its images."""
    found: Any = variables.get("subject", {})
    return next((shown(name) for name, each in found.items() if each is image), "an image")
