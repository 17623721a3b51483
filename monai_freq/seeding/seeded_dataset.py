"""Random transforms whose draws belong to the item and the epoch, not to the worker that loads the item."""

from typing import Any

import torch
from torch.utils.data import Dataset

from .generators import drawing_from
from .seeds import check_run_seed, derived_seed

__all__ = ["SeededDataset"]


class SeededDataset(Dataset[Any]):
    """Items of a data set whose random transforms draw the same, whoever loads them.

    The seed of an item's draws is a hash of the run's seed, the epoch and the item's place. So the number of workers
    and processes, their order and the size of a batch change no image, whereas each of MONAI's workers draws for
    itself. MONAI's own random states and the generators of Python, NumPy and PyTorch (of the CPU) are seeded; these
    three for the call only.

    Args:
        dataset: any of MONAI's that has a length and a ``transform``, such as a ``CacheDataset``.
        seed: of the run, at least 0. Each epoch draws otherwise once :meth:`set_epoch` is told of it, as
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
        """Draw for another epoch; workers that are running do not hear of it.

        Args:
            epoch: its number, at least 0.
        """
        self.epoch = epoch

    def __len__(self) -> int:
        """Number of items."""
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        """Item of a place, from 0 on."""
        place = range(len(self))[index]  # the last item is also -1
        seed = derived_seed(self.seed, self.epoch, place, 1)  # 1: not the seeds of EpochSeed
        with drawing_from(self.dataset.transform, seed, torch.device("cpu")):
            return self.dataset[place]
