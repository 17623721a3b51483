"""Draws depend on the run's seed, the epoch and the process alone."""

import random

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import CacheDataset, DataLoader, Dataset
from monai.transforms import Compose, RandGaussianNoise, RandShiftIntensity, ScaleIntensity

from monai_freq.seeding import EpochSeed


def drawing(seed: int) -> tuple[Engine, list[tuple[float, float, float]]]:
    """Engine that draws a number from each global generator, and the list of draws."""
    found = []

    def draw(engine: Engine, batch: int) -> None:
        found.append((torch.rand(()).item(), np.random.rand(), random.random()))

    engine = Engine(draw)
    EpochSeed(seed).attach(engine)
    return engine, found


def draws(seed: int, epochs: int = 3, start: int = 0) -> list[tuple[float, float, float]]:
    """Draws of each epoch, from a given initial state of the generators."""
    torch.manual_seed(start)
    np.random.seed(start)
    random.seed(start)
    engine, found = drawing(seed)
    engine.run([0], max_epochs=epochs)
    return found


def test_the_same_seed_and_epoch_draw_the_same():
    assert draws(seed=5, start=1) == draws(seed=5, start=2)


def test_an_epoch_does_not_depend_on_those_before():
    engine, found = drawing(seed=5)
    engine.state.epoch_length, engine.state.max_epochs, engine.state.epoch, engine.state.iteration = 1, 3, 2, 2
    engine.run([0])
    assert found == draws(seed=5)[2:]


def test_other_epochs_and_seeds_draw_otherwise():
    found = [number for seed in (0, 1, 2, 10**12) for epoch in draws(seed) for number in epoch]
    assert len(set(found)) == len(found) == 4 * 3 * 3


def test_every_process_draws_otherwise(monkeypatch):
    first = draws(seed=5)
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: 1)
    second = draws(seed=5)
    assert not {number for epoch in first for number in epoch} & {number for epoch in second for number in epoch}


def epochs_of(loader: DataLoader, seed: int, epochs: int = 2) -> list[torch.Tensor]:
    found = [[] for _ in range(epochs)]
    engine = Engine(lambda engine, batch: found[engine.state.epoch - 1].append(batch.as_tensor()))
    EpochSeed(seed).attach(engine)
    engine.run(loader, max_epochs=epochs)
    return [torch.cat(batches) for batches in found]


@pytest.mark.parametrize("kind", [Dataset, CacheDataset])
def test_random_transforms_and_the_order_are_reseeded(kind):
    def loader():
        transform = Compose([ScaleIntensity(), RandGaussianNoise(prob=1.0), RandShiftIntensity(offsets=0.5, prob=0.5)])
        options = {"progress": False} if kind is CacheDataset else {}
        return DataLoader(kind([torch.rand(1, 4) + n for n in range(4)], transform, **options), shuffle=True)

    torch.manual_seed(0)
    first, second = loader(), loader()
    list(second)  # draws that went before
    torch.manual_seed(1)
    found, again = epochs_of(first, seed=3), epochs_of(first, seed=3)
    torch.testing.assert_close(found, again, rtol=0, atol=0)
    assert not torch.equal(found[0], found[1])
    assert not torch.equal(found[0], epochs_of(first, seed=4)[0])


def test_workers_that_are_seeded_once_are_refused():
    loader = DataLoader(Dataset([0, 1]), num_workers=1, persistent_workers=True)
    engine = Engine(lambda engine, batch: None)
    EpochSeed(seed=0).attach(engine)
    with pytest.raises(ValueError, match="'persistent_workers' of the data loader must be False, got True"):
        engine.run(loader)


def test_an_engine_without_a_dataset_is_fine():
    assert len(draws(seed=0, epochs=1)) == 1


def test_a_bad_seed_is_refused():
    with pytest.raises(ValueError, match="'seed' must be an integer of at least 0, got -1"):
        EpochSeed(-1)
