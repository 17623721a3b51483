"""What workers and threads may not change: transforms whose draws belong to the item, and trainings."""

import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset, ThreadDataLoader
from monai.transforms import Compose, RandGaussianNoise
from running import ROOT, started
from sameness import assert_same

from monai_freq import phantoms
from monai_freq.seeding import SeededDataset
from monai_freq.transforms import (
    ApplyShortcutd,
    FourierDisentangled,
    FourierLowPassd,
    NonLocalMeansd,
    PhotonNoised,
    RandNonLocalMeansd,
    RandPhotonNoised,
    RandSpectrumMatchd,
    SpectrumMatchd,
    SpectrumWhitend,
    StaticShortcutd,
)

pytestmark = pytest.mark.filterwarnings("ignore:a detector bin expects:UserWarning")  # a documented warning

SAME = {
    "FourierDisentangled": FourierDisentangled("image"),
    "FourierLowPassd": FourierLowPassd("image", cutoff=0.2),
    "SpectrumMatchd": SpectrumMatchd("image", [1.0] * 11),
    "SpectrumWhitend": SpectrumWhitend("image"),
    "NonLocalMeansd": NonLocalMeansd("image", search_radius=2, noise_model="gaussian"),
    "static ApplyShortcutd": ApplyShortcutd("image", RandGaussianNoise(prob=1), static=True),
    "StaticShortcutd": StaticShortcutd("image", RandGaussianNoise(prob=1)),
}
SCAN = {"extent_mm": 200, "n_angles": 8, "input_range": (-1000, 1000, 0, 1)}
DRAWN = {
    "RandNonLocalMeansd": RandNonLocalMeansd("image", prob=0.9, search_radius=2),
    "PhotonNoised": PhotonNoised("image", **SCAN),
    "RandPhotonNoised": RandPhotonNoised("image", prob=0.5, **SCAN),
    "RandSpectrumMatchd": RandSpectrumMatchd("image", [[1.0] * 11, [0.5] * 11], prob=0.9),
    "ApplyShortcutd": ApplyShortcutd("image", RandGaussianNoise(prob=1)),
}


def loaded(transform, workers, loader=DataLoader, **options):
    """All images of one pass, in order."""
    generator = torch.Generator().manual_seed(0)
    items = [{"image": torch.rand(1, 12, 12, generator=generator), "shortcut": True} for _ in range(8)]
    torch.manual_seed(7)
    batches = loader(Dataset(items, Compose([transform])), batch_size=2, num_workers=workers, **options)
    return torch.cat([batch["image"] for batch in batches])


def assert_same_with_any_workers(transform):
    one = loaded(transform, 0)
    for workers in (1, 2):
        assert torch.equal(loaded(transform, workers), one)
    assert torch.equal(loaded(transform, 2, ThreadDataLoader, use_thread_workers=True), one)


def test_the_number_of_workers_and_threads_does_not_matter():
    """All transforms in one pipeline, since every worker is a process."""
    assert_same_with_any_workers(Compose([*SAME.values()]))


@pytest.mark.slow
@pytest.mark.parametrize("transform", SAME.values(), ids=SAME)
def test_each_by_itself(transform):
    assert_same_with_any_workers(transform)


@pytest.mark.slow
@pytest.mark.parametrize("transform", DRAWN.values(), ids=DRAWN)
def test_draws_repeat_with_the_number_of_workers_and_only_so(transform):
    """As with every random transform of MONAI, whose workers have seeds of their own: docs/reliability.md says so."""
    by_workers = {workers: [loaded(transform, workers) for _ in range(2)] for workers in (0, 1, 2)}
    for first, second in by_workers.values():
        assert torch.equal(first, second)
    assert not torch.equal(by_workers[1][0], by_workers[2][0])
    assert np.isfinite(by_workers[2][0].numpy()).all()


def test_drawn_for_the_item_they_do_not_depend_on_the_workers():
    """All transforms that draw, in one pipeline."""
    everything = Compose([*DRAWN.values()])

    def found(workers):
        generator = torch.Generator().manual_seed(0)
        items = [{"image": torch.rand(1, 12, 12, generator=generator), "shortcut": True} for _ in range(8)]
        loader = DataLoader(SeededDataset(Dataset(items, everything), seed=3), batch_size=2, num_workers=workers)
        return torch.cat([batch["image"] for batch in loader])

    assert torch.equal(found(0), found(0))
    for workers in (1, 2):
        assert torch.equal(found(workers), found(0))


def weights(config, folder, **settings):
    """State after a training by a configuration."""
    process = started(
        config, output_dir=str(folder), threads=1, logging_file=False, epochs=3, val_interval=1, **settings
    )
    process.join(timeout=300)
    assert process.exitcode == 0
    return torch.load(folder / "models/last.pt", weights_only=True)


@pytest.mark.slow
def test_a_segmentation_ends_with_the_same_weights(tmp_path):
    size = (32, 32, 16)
    dataset = phantoms.write_phantom("heart", tmp_path / "heart", cases=6, test_cases=0, size=size, seed=1)
    settings = {"dataset_dir": str(dataset), "image_size": list(size), "val_cases": 1, "test_cases": 1}
    config = ROOT / "bundles/heart_fd/configs/train.json"

    def ended(workers):
        loaders = {f"{part}#dataloader#num_workers": workers for part in ("train", "validate")}
        return weights(config, tmp_path / str(workers), **settings, **loaders)

    alone = ended(0)
    assert_same(ended(1), alone)
    assert_same(ended(2), alone)


@pytest.mark.slow
def test_a_classification_with_random_flips_ends_with_the_same_weights(tmp_path):
    dataset = phantoms.write_phantom("lodopab", tmp_path, train=24, validation=8, test=8, size=48, seed=1)
    folds = {"train": 24, "val": 8, "test": 8, "folds": 1, "seed": 0}
    settings = {"dataset_dir": str(dataset), "image_size": [48, 48], "folds": folds, "batch_size": 4}
    config = ROOT / "bundles/lodopab_transfer/configs/train.json"
    alone = weights(config, tmp_path / "0", workers=0, **settings)
    for workers in (1, 2):
        assert_same(weights(config, tmp_path / str(workers), workers=workers, **settings), alone)
