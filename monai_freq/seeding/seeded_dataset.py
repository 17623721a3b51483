"""Random transforms whose draws belong to the item and the epoch, not to the worker that loads the item."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.data import Dataset

from .generators import drawing_from
from .seeds import check_run_seed, derived_seed

__all__ = ["SeededDataset"]


class SeededDataset(Dataset[Any]):
    """Data set whose random transforms have the same draws in any worker.

    The seed of an item's draws is a hash of the run's seed, the epoch and the item's index. The number and order of
    workers and processes and the size of a batch therefore change no image. (MONAI's workers each have draws of their
    own.) MONAI's random states and the CPU generators of Python, NumPy and PyTorch are seeded, the latter three for the
    call only.

    Args:
        dataset: data set of MONAI with a length and a ``transform``, such as a ``CacheDataset``.
        seed: seed of the run, at least 0. Epochs have different draws if :meth:`set_epoch` is called, as
            :class:`monai_freq.seeding.EpochSeed` does.

    Raises:
        ValueError: the seed is negative, or no integer.
        TypeError: the data set has no transform.

    Example:
        >>> from monai.data import Dataset
        >>> from monai.transforms import RandGaussianNoise
        >>> noisy = SeededDataset(Dataset([torch.zeros(1, 4)] * 3, RandGaussianNoise(prob=1)), seed=5)
        >>> first = noisy[2]
        >>> torch.equal(noisy[1], first), torch.equal(noisy[2], first)
        (False, True)
        >>> noisy.set_epoch(1)
        >>> torch.equal(noisy[2], first)
        False
    """

    def __init__(self, dataset: Any, seed: int = 0) -> None:
        check_run_seed(seed)
        if not hasattr(dataset, "transform"):
            raise TypeError(f"'dataset' must have a 'transform', as MONAI's have, got {type(dataset).__name__}.")
        self.dataset = dataset
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the draws; workers that are already running keep theirs.

        Args:
            epoch: number of the epoch, at least 0.
        """
        self.epoch = epoch

    def __len__(self) -> int:
        """Number of items."""
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        """Item with an index, from 0 on."""
        place = range(len(self))[index]  # -1 also stands for the last item
        seed = derived_seed(self.seed, self.epoch, place, 1)  # 1: other seeds than those of EpochSeed
        with drawing_from(self.dataset.transform, seed, torch.device("cpu")):
            return self.dataset[place]
