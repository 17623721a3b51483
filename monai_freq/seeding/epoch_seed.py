"""Chance as a function of the epoch, so that a resumed run has the same draws as an uninterrupted one."""

from __future__ import annotations

import random

import numpy as np
import torch
from ignite import distributed as idist
from ignite.engine import Engine, Events
from monai.data.utils import set_rnd

from .seeds import check_run_seed, derived_seed

__all__ = ["EpochSeed"]


class EpochSeed:
    """Seed every source of chance when an epoch starts, from the run's seed, the epoch and the rank of the process.

    Sources of chance are the generators of torch, NumPy and Python, and the random transforms of the data set. Attached
    to a trainer, this handler makes an epoch depend only on the weights, the optimizer, these three numbers, and the
    number of the data loader's workers, each of which has draws of its own. The number of workers does not matter with
    a :class:`~monai_freq.seeding.SeededDataset`, whose epoch this handler sets.

    Args:
        seed: seed of the run, at least 0.

    Raises:
        ValueError: the seed is negative; or, when an epoch starts, the data loader has ``persistent_workers``, which
            are seeded once for all epochs.

    Example:
        >>> trainer = Engine(lambda engine, batch: float(torch.rand(())))
        >>> EpochSeed(seed=3).attach(trainer)
        >>> first = trainer.run([0]).output
        >>> _ = torch.rand(7)
        >>> trainer.run([0], max_epochs=1).output == first
        True
    """

    def __init__(self, seed: int) -> None:
        check_run_seed(seed)
        self.seed = seed

    def attach(self, engine: Engine) -> None:
        """Seed at the start of every epoch of ``engine``."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Seed for the epoch that the engine is in."""
        loader = engine.state.dataloader
        if getattr(loader, "num_workers", 0) and getattr(loader, "persistent_workers", False):
            raise ValueError(
                "'persistent_workers' of the data loader must be False, got True: such workers are seeded once, and a "
                "resumed run would have other draws than an uninterrupted one."
            )
        seed = derived_seed(self.seed, engine.state.epoch, idist.get_rank())
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - MONAI's and users' transforms draw from numpy's global generator
        random.seed(seed)
        dataset = getattr(loader, "dataset", None)
        if dataset is not None:
            set_rnd(dataset, seed=seed)
        set_epoch = getattr(dataset, "set_epoch", None)
        if set_epoch is not None:
            set_epoch(engine.state.epoch)
