"""The draws of an item depend on the run's seed, the epoch and its index, not on the worker."""

import random

import numpy as np
import pytest
import torch
import torchio
from ignite.engine import Engine, Events
from monai.data import CacheDataset, DataLoader, Dataset, MetaTensor
from monai.transforms import Compose, Lambda, RandFlip, RandGaussianNoise

from monai_freq.seeding import EpochSeed, SeededDataset

ITEMS = [MetaTensor(torch.rand(1, 6, 6, generator=torch.Generator().manual_seed(n))) for n in range(7)]
TRANSFORMS = {
    "MONAI": RandGaussianNoise(prob=0.7),
    "composed": Compose([RandFlip(prob=0.5, spatial_axis=0), RandGaussianNoise(prob=1)]),
    "TorchIO": torchio.RandomNoise(),
    "global": Lambda(lambda x: x + random.random() + np.random.rand() + torch.rand(())),
}


def as_volume(x):
    return x[..., None]


def epochs_of(transform, workers=0, batch_size=2, count=3, start=0):
    """Images of some epochs in the order of the data set, loaded as in a training."""
    torch.manual_seed(start)
    found = []

    def keep(engine, batch):
        found[engine.state.epoch - 1].update(zip(batch["place"].tolist(), batch["image"], strict=True))

    images = SeededDataset(Dataset(ITEMS, Compose([as_volume, transform])), seed=4)
    loader = DataLoader(Pairs(images), batch_size=batch_size, shuffle=True, num_workers=workers)
    engine = Engine(keep)
    engine.add_event_handler(Events.EPOCH_STARTED, lambda: found.append({}))
    EpochSeed(seed=9).attach(engine)
    engine.run(loader, max_epochs=count)
    return [torch.stack([each[place] for place in range(len(ITEMS))]) for each in found]


class Pairs(torch.utils.data.Dataset):
    """Images with their indices; the epoch is passed on."""

    def __init__(self, images):
        self.images = images
        self.set_epoch = images.set_epoch

    def __len__(self):
        return len(self.images)

    def __getitem__(self, place):
        return {"image": torch.as_tensor(self.images[place]), "place": place}


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_neither_workers_nor_batches_nor_the_order_matter(transform):
    one = epochs_of(transform)
    for options in ({"workers": 1}, {"workers": 2}, {"batch_size": 3, "start": 8}):
        for epoch, again in zip(one, epochs_of(transform, **options), strict=True):
            assert torch.equal(epoch, again)
    assert not any(torch.equal(one[a], one[b]) for a, b in ((0, 1), (0, 2), (1, 2)))


def test_items_seeds_and_epochs_draw_apart():
    noise = [SeededDataset(Dataset([torch.zeros(1, 4)] * 3, RandGaussianNoise(prob=1)), seed) for seed in (0, 1)]
    found = []
    for epoch in range(3):
        for images in noise:
            images.set_epoch(epoch)
            found += [images[place] for place in range(3)]
    assert len({tuple(image.flatten().tolist()) for image in found}) == len(found) == 3 * 2 * 3


def test_the_last_item_has_two_names():
    images = SeededDataset(Dataset(ITEMS, RandGaussianNoise(prob=1)))
    assert torch.equal(images[-1], images[len(ITEMS) - 1])
    with pytest.raises(IndexError):
        images[len(ITEMS)]


def test_loading_does_not_change_the_draws_of_the_process():
    images = SeededDataset(Dataset(ITEMS, TRANSFORMS["global"]))
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first = torch.rand(1)
    images[0]
    assert torch.equal(torch.cat([first, torch.rand(1)]), expected)


def test_cached_items_are_computed_once():
    computed = []

    def count(item):
        computed.append(item)
        return item

    cache = CacheDataset(ITEMS, Compose([Lambda(count), RandGaussianNoise(prob=1)]), progress=False)
    images = SeededDataset(cache, seed=4)
    assert torch.equal(images[3], SeededDataset(Dataset(ITEMS, RandGaussianNoise(prob=1)), seed=4)[3])
    assert len(computed) == len(ITEMS)


def test_a_bad_seed_is_refused():
    with pytest.raises(ValueError, match="'seed' must be an integer of at least 0, got -1"):
        SeededDataset(Dataset(ITEMS, RandFlip()), -1)


def test_a_data_set_without_transforms_is_refused():
    with pytest.raises(TypeError, match="'dataset' must have a 'transform', as MONAI's have, got list"):
        SeededDataset(ITEMS)
