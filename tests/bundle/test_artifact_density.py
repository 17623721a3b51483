"""The artifact's spectrum as the network sees it, against the residual written out."""

import numpy as np
import torch
from monai.transforms import Compose, GaussianSmooth, Identity, Resized

from monai_freq.bundle import shown_artifact
from monai_freq.transforms import StaticShortcutd


def pipeline(artifact):
    return Compose([StaticShortcutd("image", artifact), Resized("image", (16, 16), mode="area")])


def items(n=3):
    rng = np.random.default_rng(0)
    return [{"image": torch.from_numpy(rng.random((1, 32, 32))).float(), "shortcut": False} for _ in range(n)]


def ring_means(image):
    """Mean magnitude at each rounded radius, of a square image with an even edge."""
    n = image.shape[-1]
    spectrum = np.abs(np.fft.fft2(image))
    k = np.fft.fftfreq(n, 1 / n)
    radius = np.rint(np.hypot(k[:, None], k[None, :])).astype(int)
    return np.array([spectrum[radius == ring].mean() for ring in range(n // 2 + 1)])


def test_it_is_the_spectrum_of_what_changes_after_resizing():
    found = shown_artifact(items(), pipeline(GaussianSmooth(1.5)))
    resize = Resized("image", (16, 16), mode="area")
    expected = []
    for item in items():
        after = resize({"image": GaussianSmooth(1.5)(item["image"])})["image"]
        expected.append(ring_means(np.asarray((after - resize(item)["image"])[0], dtype=np.float64)))
    np.testing.assert_allclose(found[0], np.arange(9) / 16)
    np.testing.assert_allclose(found[1][:8], np.mean(expected, 0)[:8], rtol=1e-4)  # the last ring has corners


def test_no_artifact_and_no_items_have_no_spectrum():
    assert shown_artifact(items(), pipeline(Identity())) is None
    assert shown_artifact([], pipeline(GaussianSmooth(1.0))) is None


def test_only_so_many_items_are_read():
    read = []

    def note(item):
        read.append(item)
        return {"image": torch.eye(8)[None] * (1 + item["shortcut"])}

    shown_artifact(items(5), note, most=2)
    assert len(read) == 4
