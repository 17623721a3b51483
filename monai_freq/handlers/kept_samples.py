"""Copies of the first images and labels of an epoch, as tensors without metadata."""

from __future__ import annotations

import torch
from monai.data import MetaTensor
from monai.utils import CommonKeys
from torch import Tensor

__all__ = ["Batch", "KeptSamples"]

#: images ``(B, C, *spatial)``, and a label for each
Batch = tuple[Tensor, Tensor]


class KeptSamples:
    """The first samples of an epoch, kept until they are taken, or the next epoch has some.

    Args:
        most: number of samples.
        advice: what to do about a batch whose image or label is no tensor.

    Example:
        >>> samples = KeptSamples(3)
        >>> for _ in range(5):
        ...     samples.keep(torch.rand(2, 1, 8, 8), torch.zeros(2))
        >>> [len(images) for images, labels in samples.take()]
        [2, 1]
    """

    def __init__(self, most: int, advice: str = "give it one") -> None:
        self.most = most
        self.advice = advice
        self.batches: list[Batch] = []
        self._of_earlier = False  # epoch

    @property
    def of_this_epoch(self) -> list[Batch]:
        """The batches of the epoch that has started last."""
        return [] if self._of_earlier else self.batches

    @property
    def missing(self) -> int:
        """Number of samples that this epoch can still have."""
        return self.most - sum(len(images) for images, _ in self.of_this_epoch)

    def start_epoch(self) -> None:
        """What is kept is of an earlier epoch from now on."""
        self._of_earlier = True

    def take(self) -> list[Batch]:
        """The batches of this epoch, of which none is kept."""
        batches, self.batches = self.of_this_epoch, []
        return batches

    def take_last(self) -> list[Batch]:
        """The batches of this epoch or, where it has none yet, of the one before, of which none is kept."""
        batches, self.batches = self.batches, []
        return batches

    def keep(self, images: object, labels: object) -> None:
        """Copy as many samples of a batch as are missing.

        Args:
            images: images of the batch.
            labels: a label for each.

        Shape:
            images ``(B, C, *spatial)``, labels ``(B, ...)``.

        Raises:
            ValueError: images or labels are no tensors, or not of these shapes.
        """
        images, labels = self._tensor(CommonKeys.IMAGE, images), self._tensor(CommonKeys.LABEL, labels)
        if images.ndim < 3 or labels.ndim < 1 or len(images) != len(labels):
            raise ValueError(
                "a batch must have images (B, C, *spatial) and a label for each, "
                f"got {tuple(images.shape)} and {tuple(labels.shape)}."
            )
        missing = self.missing
        self.batches, self._of_earlier = self.of_this_epoch, False
        if missing > 0:
            with torch.inference_mode(False):  # within it, a copy could not be differentiated later
                self.batches.append((images[:missing].detach().clone(), labels[:missing].detach().clone()))

    def _tensor(self, name: str, value: object) -> Tensor:
        if not isinstance(value, Tensor):
            raise ValueError(
                f"a batch must have an '{name}' that is a tensor, got {type(value).__name__}: {self.advice}."
            )
        return value.as_tensor() if isinstance(value, MetaTensor) else value
