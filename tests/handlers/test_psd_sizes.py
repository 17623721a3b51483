"""Of images of several sizes, what is logged is of one scale and over one axis, in whatever order they come."""

import itertools
import logging
import math

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from reference_psd import numpy_psd
from torch import nn

from monai_freq.handlers import PSDHandler, PSDHistory
from monai_freq.spectral.frequency_axis import on_axis
from monai_freq.spectral.learning_priority import learning_priority
from monai_freq.spectral.psd import radial_psd
from monai_freq.transforms import FourierLowPass, artifact_psd

pytestmark = pytest.mark.usefixtures("undrawn")


class Pooled(nn.Module):
    """Takes images of any size, in 2D and 3D."""

    def __init__(self, dims=2):
        super().__init__()
        torch.manual_seed(0)
        self.body = (nn.Conv2d if dims == 2 else nn.Conv3d)(1, 2, 3, padding=1)

    def forward(self, x):
        return self.body(x).relu().flatten(2).mean(2)


def logged(folder, *epochs, dims=2, **settings):
    """Log of epochs that are lists of batches."""
    network = Pooled(dims)
    engine = Engine(lambda engine, batch: None)
    PSDHandler(log_dir=folder, network=network, loss=nn.CrossEntropyLoss(), **settings).attach(engine)

    def batches():
        for epoch in epochs:
            yield from ((images, torch.arange(len(images)) % 2) for images in epoch)

    engine.run(batches(), max_epochs=len(epochs), epoch_length=len(epochs[0]))
    return PSDHistory.load(folder / "psd.npz")


def noise(size, sd=1.0, n=1, dims=2, seed=0):
    return sd * torch.randn(n, 1, *[size] * dims, generator=torch.Generator().manual_seed(seed + size))


def smooth(size, dims=2):
    """Half a period along each axis, and a mean that is large beside it."""
    wave = torch.cos(math.pi * (torch.arange(size) + 0.5) / size)
    return 100 + sum(wave.reshape([-1 if a == axis else 1 for a in range(dims)]) for axis in range(dims)).expand(
        1, 1, *[size] * dims
    )


@pytest.mark.parametrize("dims", [2, 3])
def test_the_order_of_the_images_does_not_matter(tmp_path, dims):
    sizes = (12, 16, 21) if dims == 3 else (24, 48, 97)
    images = [smooth(sizes[0], dims), noise(sizes[1], 0.1, 2, dims), smooth(sizes[2], dims)]
    found = [
        logged(tmp_path / str(number), order, dims=dims, artifact=FourierLowPass(0.2))
        for number, order in enumerate(itertools.permutations(images))
    ]
    for other in found[1:]:
        np.testing.assert_array_equal(other.frequencies, found[0].frequencies)
        for kind in ("images", "gradients", "artifact"):
            np.testing.assert_allclose(other.mean[kind], found[0].mean[kind], rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(other.sd[kind], found[0].sd[kind], rtol=1e-6, atol=1e-9)
            assert other.scalars(kind) == pytest.approx(found[0].scalars(kind), rel=1e-9)


def test_the_order_of_epochs_does_not_matter(tmp_path):
    small, large = [noise(24, 1, 3)], [noise(64, 3, 3), noise(33, 3, 2)]
    one, two = logged(tmp_path / "a", [*small, *small], large), logged(tmp_path / "b", large, [*small, *small])
    np.testing.assert_array_equal(one.frequencies, np.arange(33) / 64)
    np.testing.assert_array_equal(two.frequencies, one.frequencies)
    for kind in ("images", "gradients"):
        for rows in ("mean", "sd"):
            first, second = getattr(one, rows)[kind], getattr(two, rows)[kind]
            np.testing.assert_allclose(first, second[::-1], rtol=1e-9, atol=1e-12)


def test_white_noise_of_any_size_is_flat_at_one_level(tmp_path):
    """A magnitude of white noise has the mean sqrt(pi) / 2 of its SD, and of three sizes the mean of theirs."""
    level = math.sqrt(math.pi) / 2
    batches = [noise(32, 1, 200), noise(48, 1, 200), noise(97, 1, 200)]
    history = logged(tmp_path / "one", batches, max_samples=600)
    assert history.samples == [600]
    assert np.abs(history.mean["images"][0][1:] / level - 1).max() < 0.06
    shares = history.scalars("images")
    assert [shares[f"{band} share"] for band in ("low", "mid", "high")] == pytest.approx([1 / 3] * 3, abs=0.01)
    several = logged(tmp_path / "several", [noise(97, 6, 200), noise(32, 1, 200), noise(48, 2, 200)], max_samples=600)
    assert np.abs(several.mean["images"][0][1:] / (3 * level) - 1).max() < 0.1


def test_values_are_those_of_each_image_on_the_axis_of_the_largest(tmp_path):
    coarse, fine, artifact = torch.rand(2, 1, 8, 8), torch.rand(3, 1, 16, 12), FourierLowPass(0.2)
    history = logged(tmp_path, [coarse, fine], artifact=artifact)
    assert history.norm == "ortho"
    np.testing.assert_allclose(history.frequencies, np.arange(9) / 16)
    place = [0, 1, 1, 2, 2, 3, 3, 4, 4]  # ring of 8 voxels in which each frequency of 16 lies; a border is the outer's
    of_coarse = np.stack([numpy_psd(image[0], norm="ortho") for image in coarse])[:, place]
    expected = np.concatenate([of_coarse, [numpy_psd(image[0], norm="ortho") for image in fine]])
    np.testing.assert_allclose(history.mean["images"][0], expected.mean(0), rtol=1e-5)
    np.testing.assert_allclose(history.sd["images"][0], expected.std(0, ddof=1), rtol=1e-4, atol=1e-5)
    network, loss = Pooled(), nn.CrossEntropyLoss()
    priority = [learning_priority(network, loss, x, torch.arange(len(x)) % 2)[1].numpy() for x in (coarse, fine)]
    joined = np.concatenate([priority[0][:, place], priority[1]])
    np.testing.assert_allclose(history.mean["gradients"][0], joined.mean(0), rtol=1e-4, atol=1e-5)
    residuals = [artifact_psd(artifact, x)[1].numpy() / x[0, 0].numel() ** 0.5 for x in (coarse, fine)]
    expected = (2 * residuals[0][place] + 3 * residuals[1]) / 5
    np.testing.assert_allclose(history.mean["artifact"][0], expected, rtol=1e-4, atol=1e-6)


def test_a_tone_is_in_its_band_beside_images_of_any_size(tmp_path):
    """0.25 cycles per voxel, of whatever size: all of the mid band, in which nothing else is."""
    for sizes in itertools.permutations((16, 32, 96)):
        tones = [torch.cos(math.pi / 2 * torch.arange(n)).expand(1, 1, n, n) for n in sizes]
        shares = logged(tmp_path / str(sizes), tones).scalars("images")
        assert shares["mid share"] == pytest.approx(1, abs=1e-4)
        assert shares["centroid"] == pytest.approx(0.25, abs=0.01)


def test_a_given_artifact_is_put_on_the_axis_without_its_dc(tmp_path):
    of_small = artifact_psd(lambda x: x + 5, noise(16, n=4))  # brightness alone
    history = logged(tmp_path, [noise(64), noise(32)], artifact=of_small)
    assert history.mean["artifact"][0][0] == pytest.approx(5 * 16 * 16)
    assert history.mean["artifact"][0][1:].max() < 1e-4


def test_a_file_of_an_earlier_version_is_read_and_set_aside_where_it_would_go_on(tmp_path, caplog):
    """It has no norm, as its densities grew with the images."""
    old = PSDHistory(np.arange(9) / 16)
    old.add(1, {"images": np.full((2, 9), 40.0), "gradients": np.full((2, 9), 0.5)})
    old.save(tmp_path / "psd.npz")
    with np.load(tmp_path / "psd.npz") as file:
        np.savez(tmp_path / "psd.npz", **{name: file[name] for name in file if name != "norm"})
    read = PSDHistory.load(tmp_path / "psd.npz")
    assert (read.norm, read.epochs, read.scalars("images")["low share"]) == ("backward", [1], 2 / 8)
    engine = Engine(lambda engine, batch: None)
    PSDHandler(log_dir=tmp_path, network=Pooled(), loss=nn.CrossEntropyLoss()).attach(engine)
    engine.add_event_handler(Events.STARTED, lambda: setattr(engine.state, "epoch", 1))
    with caplog.at_level(logging.WARNING, logger="monai_freq"):
        engine.run([(noise(16), torch.tensor([0]))], max_epochs=2)
    assert "is of an earlier version, whose densities have another scale. It is set aside." in caplog.text
    assert PSDHistory.load(tmp_path / "psd.npz").epochs == [2]
    assert PSDHistory.load(tmp_path / "previous/1/psd.npz").epochs == [1]


PER_MM = radial_psd(torch.rand(32, 32), (3.0, 3.0), spatial_dims=2)


@pytest.mark.parametrize(
    ("artifact", "message"),
    [
        (PER_MM, "'artifact' must be in cycles per voxel, got cycles per mm"),
        (tuple(part.numpy() for part in PER_MM), "'artifact' must end at 0.5 cycles per voxel"),
        ((torch.linspace(0, 0.4, 41), torch.ones(41)), r"'artifact' must end at 0\.5 .* but end at 0\.4"),
    ],
)
def test_an_artifact_over_other_frequencies_than_images_have_is_refused(tmp_path, artifact, message):
    with pytest.raises(ValueError, match=message):
        PSDHandler(log_dir=tmp_path / "runs", artifact=artifact)
    assert list(tmp_path.iterdir()) == []


def test_a_history_goes_over_to_a_finer_axis():
    coarse, fine = np.arange(9) / 16, np.arange(33) / 64
    density = np.random.default_rng(0).random((5, 9))
    history = PSDHistory(coarse, "ortho")
    history.add(3, {"images": density})
    over, expected = history.over(fine), PSDHistory(fine, "ortho")
    expected.add(3, {"images": on_axis(*map(torch.from_numpy, (fine, coarse, density)))})
    assert (over.epochs, over.samples, over.kinds, over.norm) == ([3], [5], ("images",), "ortho")
    np.testing.assert_allclose(over.mean["images"], expected.mean["images"])
    np.testing.assert_allclose(over.sd["images"], expected.sd["images"])
    over.add(4, {"images": np.ones((1, 33))})
    assert history.epochs == [3]
