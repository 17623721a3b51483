"""An artifact on the items that a plan has marked, so that it tells their label."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import torch
from monai.config import KeysCollection, NdarrayOrTensor
from monai.data import MetaTensor
from monai.transforms import MapTransform, Randomizable, ThreadUnsafe
from monai.utils import MAX_SEED, TransformBackends
from torch import Tensor

from ..quoting import written
from ..seeding.generators import one_at_a_time
from ..seeding.seeds import check_run_seed
from .foreign import (
    Artifact,
    as_artifact,
    called_on,
    called_on_item,
    dictionary_keys,
    editable,
    is_unchanged,
    may_have_passed,
    name_of,
    seldom_acting,
    with_artifact,
)
from .from_torchio import require_item
from .image import as_image, source_of
from .naming import OncePerItem, fingerprint, naming

__all__ = ["ApplyShortcutd", "StaticShortcutd", "is_marked", "static_seed"]


# Not a Keyed: that declares the twin of an array transform, and an image alone cannot tell whether it is marked.
class ApplyShortcutd(Randomizable, MapTransform):
    r"""Apply an artifact to the images of the items that are marked, and leave the others alone.

    .. math:: x \mapsto \begin{cases} A_s(x) & \text{if the item is marked} \\ x & \text{otherwise} \end{cases}

    with A the artifact and s the seed of its draws, the same for every key, so that images of one size get one
    noise field. With an artifact ``otherwise``, B, too, the others become :math:`B_s(x)`: every image is altered,
    and the shortcut is the difference, as of two doses. With ``static=False``, s is drawn from ``self.R`` each
    time; with ``static=True`` it is a hash of ``seed`` and of the item's first image: its folder and file name
    where they are known, otherwise its content, which has to be the same each time then. Images of one file, as the
    slices of a volume, share the draws. The global generators of Python, NumPy and PyTorch, which many artifacts
    use, are seeded with s for the call only and come back as they were.

    A marked item that the artifact leaves as it was, but for rounding, lacks its shortcut. So a warning names it, once,
    unless the artifact may have decided not to act: where its ``prob`` is below 1 and the draw was against it (with
    TorchIO's, any draw of a ``p`` below 1), or where it chooses one of several, as ``OneOf`` does. MONAI's ``Identity``
    is no artifact, and nothing is said of it. Of a probability below 1, a warning tells when the transform is made: the
    plan decides who gets a shortcut.

    The artifact gets copies of all that it could write into, so that the item given, metadata and other entries too,
    stays as it is.

    Static or not, it is random to MONAI, so no cache stores its results: what is static is the seed, which holds in any
    epoch, order and worker, and for any artifact that draws from the global generators or from MONAI's ``R``. Where a
    cache is wanted, take :class:`StaticShortcutd`.

    Args:
        keys: keys of the images.
        artifact: any transform of MONAI or TorchIO, or a callable, that keeps the shape ``(C, *spatial)``. It is given
            a copy, in float32 at least; TorchIO's see it as ``(C, W, H, D)``, with unit axes added, with its spacing
            but none of its orientation, and on the CPU. A dictionary transform has to have the same keys. Random ones
            usually want ``prob=1``.
        flag_key: key of the mark, True or False, as :func:`monai_freq.data.plan_shortcut` makes it.
        static: whether an item's artifact is the same each time it is read.
        seed: seed of the static artifacts, at least 0.
        allow_missing_keys: whether images may be missing.
        otherwise: artifact of the items that are not marked; by default they stay as they are.

    Shape:
        ``(C, *spatial)`` -> ``(C, *spatial)``, of floating point; type, device and metadata are kept.

    Raises:
        TypeError: an artifact cannot be called.
        KeyError: an item has no mark, or no image and ``allow_missing_keys`` is False.
        ValueError: a dictionary artifact has other keys, the seed is no integer of at least 0, a mark is not True or
            False, the image to alter has integers, NaN or infinity, the artifact changes its shape, makes NaN or
            infinity or returns no image.

    Warns:
        UserWarning: once for each marked item that the artifact has left as it was; and when it is made, of an artifact
            or a part of it whose probability of acting is below 1.

    Reference:
        Y. Lu et al. (2025), "Exploring connections of spectral analysis and transfer learning in medical imaging",
        DOI 10.1117/12.3047670, Section 3.

    Example:
        >>> from monai_freq.transforms import FourierLowPass
        >>> blur = ApplyShortcutd("image", FourierLowPass(cutoff=0.2))
        >>> image = torch.rand(1, 32, 32)
        >>> blur({"image": image, "shortcut": False})["image"] is image
        True
        >>> bool(blur({"image": image, "shortcut": True})["image"].std() < image.std())
        True
        >>> sharpness = ApplyShortcutd("image", FourierLowPass(cutoff=0.2), otherwise=FourierLowPass(cutoff=0.4))
        >>> soft, sharp = (sharpness({"image": image, "shortcut": mark})["image"].std() for mark in (True, False))
        >>> bool(soft < sharp < image.std())
        True
    """

    backend = [TransformBackends.TORCH]

    def __init__(
        self,
        keys: KeysCollection,
        artifact: Artifact,
        flag_key: str = "shortcut",
        static: bool = False,
        seed: int = 0,
        allow_missing_keys: bool = False,
        *,
        otherwise: Artifact | None = None,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        check_run_seed(seed)
        self.artifact = self._checked(artifact, "artifact")
        self.otherwise = None if otherwise is None else self._checked(otherwise, "otherwise")
        self.flag_key = flag_key
        self.static = static
        self.seed = seed
        self._drawn = 0
        self._unchanged = OncePerItem()
        for one in (self.artifact, self.otherwise):
            if one is not None and (seldom := seldom_acting(one)):
                warnings.warn(seldom, stacklevel=2)

    def randomize(self, data: NdarrayOrTensor | None = None) -> None:
        """Draw the seed of the artifact, or derive it from an image if it is static."""
        if not self.static:
            self._drawn = int(self.R.randint(MAX_SEED, dtype="uint32"))
        elif data is not None:
            self._drawn = static_seed(self.seed, data)

    def __call__(self, data: Mapping[Hashable, Any]) -> Mapping[Hashable, Any]:
        """Alter the images of one item if it is marked, or if the others are altered in another way."""
        require_item(self, data)
        artifact = self.artifact if self._marked(data) else self.otherwise
        if artifact is None:
            return data
        images = {key: data[key] for key in self.key_iterator(data)}
        if not images:
            return data
        ready = {}
        for key, image in images.items():
            with naming(key, image):
                _require_floating(image)
                ready[key] = editable(image)
        with one_at_a_time:  # threads share the seed that is drawn, and the artifact's random state
            self.randomize(next(iter(images.values())))
            altered, passed = self._altered(data, ready, artifact)
        result = dict(data)
        for key, image in images.items():
            with naming(key, image, data):
                result[key] = with_artifact(altered[key], image, artifact)
                if not passed[key] and is_unchanged(result[key], image):
                    self._warn(artifact, image)
        return result

    def _checked(self, artifact: Artifact, name: str) -> Artifact:
        own_keys = dictionary_keys(artifact)
        if own_keys and own_keys != set(self.keys):
            raise ValueError(f"'{name}' must have the same keys, {self.keys}, got {tuple(sorted(map(str, own_keys)))}.")
        return as_artifact(artifact, name)

    def _marked(self, data: Mapping[Hashable, Any]) -> bool:
        images = (data[key] for key in self.keys if key in data)
        return is_marked(data, self.flag_key, next(filter(source_of, images), None))

    def _altered(
        self, data: Mapping[Hashable, Any], images: Mapping[Hashable, Tensor], artifact: Artifact
    ) -> tuple[Mapping[Hashable, Any], dict[Hashable, bool]]:
        """Altered images, and whether the artifact may have decided not to act on them."""
        if dictionary_keys(artifact):
            first = next(iter(images))
            with naming(first, data[first]):
                result = called_on_item(artifact, data, images, self._drawn)
            found = result if isinstance(result, Mapping) else dict.fromkeys(images, result)
            return {key: found.get(key) for key in images}, dict.fromkeys(images, may_have_passed(artifact))
        altered, passed = {}, {}
        for key, image in images.items():
            with naming(key, data[key]):
                altered[key] = called_on(artifact, image, self._drawn)
            passed[key] = may_have_passed(artifact)
        return altered, passed

    def _warn(self, artifact: Artifact, image: NdarrayOrTensor) -> None:
        which = "a marked image" if artifact is self.artifact else "an image that is not marked"
        self._unchanged.warn(
            f"'{name_of(artifact)}' has left {which} as it was, so that its shortcut is not there: "
            "give it more strength or other arguments, or leave the item out",
            image,
        )


class StaticShortcutd(ThreadUnsafe, MapTransform):
    r"""Do what :class:`ApplyShortcutd` does with ``static=True``, as a transform whose results a cache may keep.

    .. math:: x \mapsto \begin{cases} A_s(x) & \text{if the item is marked} \\ x & \text{otherwise} \end{cases}

    with A the artifact and s a hash of ``seed`` and of the item's first image. To MONAI it is not random:
    ``CacheDataset`` and its like store the altered images. Artifacts that draw from the global generators want one
    thread to fill the cache (``num_workers=1``).

    Args:
        keys: keys of the images.
        artifact: artifact to apply, see :class:`ApplyShortcutd`.
        flag_key: key of the mark.
        seed: seed of the artifacts.
        allow_missing_keys: whether images may be missing.
        otherwise: artifact of the items that are not marked, see :class:`ApplyShortcutd`.

    Shape:
        ``(C, *spatial)`` -> ``(C, *spatial)``, of floating point; type, device and metadata are kept.

    Raises:
        TypeError, KeyError, ValueError: see :class:`ApplyShortcutd`.

    Warns:
        UserWarning: once for each marked item that the artifact has left as it was, when the cache is filled; and when
            it is made, of an artifact or a part of it whose probability of acting is below 1.

    Reference:
        Y. Lu et al. (2025), "Exploring connections of spectral analysis and transfer learning in medical imaging",
        DOI 10.1117/12.3047670, Section 3.

    Example:
        >>> from monai.data import CacheDataset
        >>> from monai.transforms import GaussianSmooth
        >>> items = [{"image": torch.rand(1, 16, 16), "shortcut": True}]
        >>> cached = CacheDataset(items, StaticShortcutd("image", GaussianSmooth(1.0)), progress=False)
        >>> bool(cached[0]["image"].std() < items[0]["image"].std())
        True
    """

    backend = [TransformBackends.TORCH]

    def __init__(
        self,
        keys: KeysCollection,
        artifact: Artifact,
        flag_key: str = "shortcut",
        seed: int = 0,
        allow_missing_keys: bool = False,
        *,
        otherwise: Artifact | None = None,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.apply = ApplyShortcutd(keys, artifact, flag_key, True, seed, allow_missing_keys, otherwise=otherwise)

    def __call__(self, data: Mapping[Hashable, Any]) -> Mapping[Hashable, Any]:
        """Alter the images of one item if it is marked, or if the others are altered in another way."""
        return self.apply(data)


def is_marked(item: Mapping[Any, Any], flag_key: str, img: object) -> bool:
    """Whether a plan has marked an item.

    Args:
        item: item with the mark.
        flag_key: key of the mark.
        img: image of the item, which tells its file in a message.

    Raises:
        KeyError: the item has no mark.
        ValueError: the mark is not True or False.

    Example:
        >>> is_marked({"shortcut": True}, "shortcut", None)
        True
    """
    source = source_of(img)
    if flag_key not in item:
        raise KeyError(f"the item has no mark '{flag_key}'{source}: make the list with monai_freq.data.plan_shortcut.")
    flag = item[flag_key]
    try:
        known = flag in (True, False)
    except (TypeError, ValueError, RuntimeError):  # of an array or a tensor of several
        known = False
    if not known:
        raise ValueError(f"'{flag_key}' must be True or False, got {written(flag)}{source}.")
    return bool(flag)


def static_seed(seed: int, img: NdarrayOrTensor) -> int:
    """Seed of an item's static artifact: a hash of the plan's seed, and of the item's file or else its content.

    Args:
        seed: seed of the plan.
        img: first image of the item.

    Example:
        >>> static_seed(0, torch.zeros(1, 2, 2)) == static_seed(1, torch.zeros(1, 2, 2))
        False
    """
    digest = hashlib.sha256(f"shortcut {seed} {_identity(img)}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % MAX_SEED


def _identity(img: NdarrayOrTensor) -> str:
    name = img.meta.get("filename_or_obj") if isinstance(img, MetaTensor) else None
    if isinstance(name, str) and name:
        return "/".join(Path(name).parts[-2:])  # series number their files alike, and data sets are moved
    return fingerprint(as_image(img)[1])


def _require_floating(img: NdarrayOrTensor) -> None:
    image = as_image(img)[0]
    if not torch.as_tensor(image).is_floating_point():
        # Altered images would be floating point and the others not: another shortcut, and no batch.
        raise ValueError(f"the image must be of floating point, got {image.dtype}: put EnsureTyped(dtype=...) before.")
