"""An artifact of TorchIO on the subjects that a plan has marked."""

from __future__ import annotations

import warnings
from typing import Any

import torch
import torchio
from torch import Tensor

from ..quoting import written
from ..seeding.generators import seeded
from ..seeding.seeds import check_run_seed
from ..transforms.foreign import is_unchanged, may_have_passed, name_of, seldom_acting
from ..transforms.naming import OncePerItem, naming
from ..transforms.shortcut import is_marked, static_seed
from .images import as_meta_tensor

__all__ = ["ApplyShortcutTio"]


class ApplyShortcutTio(torchio.Compose):
    r"""Apply a transform of TorchIO to the subjects that are marked, and leave the others alone.

    .. math:: x \mapsto \begin{cases} A(x) & \text{if the subject is marked} \\ x & \text{otherwise} \end{cases}

    It does for subjects what :class:`monai_freq.transforms.ApplyShortcutd` does for MONAI's items, and the artifact
    enters itself in the history of the subjects that it has altered. Which images those are is the artifact's choice:
    give it ``include`` or ``exclude``.

    Args:
        artifact: transform of TorchIO, or one of ``monai_freq.torchio``, usually with ``p=1``.
        flag_key: key of the mark, True or False, as :func:`monai_freq.data.plan_shortcut` makes it.
        static: whether a subject's artifact is the same each time it is read. Its seed is a hash of ``seed`` and of the
            folder and file name of the subject's first image, or of the image's values where it has no file.
        seed: seed of the static artifacts, at least 0.
        kwargs: arguments of ``torchio.Transform``.

    Raises:
        TypeError: the artifact is no transform of TorchIO.
        KeyError: a subject has no mark.
        ValueError: the seed is no integer of at least 0, or a mark is not True or False.

    Warns:
        UserWarning: once for each marked subject whose images the artifact has left as they were; and when it is made,
            of an artifact or a part of it whose probability of acting is below 1.

    Reference:
        Y. Lu et al. (2025), "Exploring connections of spectral analysis and transfer learning in medical imaging",
        DOI 10.1117/12.3047670, Section 3.

    Example:
        >>> from monai_freq.torchio import FourierLowPassTio
        >>> blur = ApplyShortcutTio(FourierLowPassTio(cutoff=0.2))
        >>> image = torchio.ScalarImage(tensor=torch.rand(1, 16, 16, 4))
        >>> [len(blur(torchio.Subject(t1=image, shortcut=mark)).history) for mark in (True, False)]
        [1, 0]
    """

    def __init__(
        self,
        artifact: torchio.Transform,
        flag_key: str = "shortcut",
        static: bool = False,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        if not isinstance(artifact, torchio.Transform):
            raise TypeError(
                f"'artifact' must be a transform of TorchIO, made and ready, got {written(artifact)}.\n"
                "One of MONAI goes into torchio.MonaiAdapter(monai_freq.transforms.ApplyShortcutd(...))."
            )
        check_run_seed(seed)
        super().__init__([artifact], **kwargs)
        self.flag_key = flag_key
        self.static = static
        self.seed = seed
        self._unchanged = OncePerItem()
        if seldom := seldom_acting(artifact).replace("prob=1", "p=1"):
            warnings.warn(seldom, stacklevel=2)

    def apply_transform(self, subject: torchio.Subject) -> torchio.Subject:
        """Alter the images of a subject if it is marked."""
        images = subject.get_images_dict(intensity_only=True)
        first, image = next(iter(images.items()), ("", None))
        before = None if image is None else as_meta_tensor(image)
        if before is None or not is_marked(subject, self.flag_key, before):
            return subject
        values = {name: each.data for name, each in images.items()}  # which stay where the artifact makes no copy
        with naming(first, before, subject):
            if self.static:
                with seeded(static_seed(self.seed, before), torch.device("cpu")):
                    altered = super().apply_transform(subject)
            else:
                altered = super().apply_transform(subject)
            if not may_have_passed(self.transforms[0]) and all(
                _is_as_it_was(altered.get(name), each) for name, each in values.items()
            ):
                self._unchanged.warn(
                    f"'{name_of(self.transforms[0])}' has left a marked subject as it was, so that its shortcut is not "
                    "there: give it more strength or other arguments, or leave the subject out",
                    before,
                )
        return altered


def _is_as_it_was(after: Any, before: Tensor) -> bool:
    if not isinstance(after, torchio.Image) or after.shape != before.shape:
        return False
    return is_unchanged(after.data, before)
