"""The artifact's spectrum as the network sees it, against the residual written out."""

import numpy as np
import torch
from monai.transforms import Compose, GaussianSmooth, Identity, Resized
from reference_psd import numpy_psd

from monai_freq.bundle import shown_artifact
from monai_freq.transforms import StaticShortcutd


def pipeline(artifact):
    return Compose([StaticShortcutd("image", artifact), Resized("image", (16, 16), mode="area")])


def items(n=3):
    rng = np.random.default_rng(0)
    return [{"image": torch.from_numpy(rng.random((1, 32, 32))).float(), "shortcut": False} for _ in range(n)]


def test_it_is_the_spectrum_of_what_changes_after_resizing():
    found = shown_artifact(items(), pipeline(GaussianSmooth(1.5)))
    resize = Resized("image", (16, 16), mode="area")
    expected = []
    for item in items():
        after = resize({"image": GaussianSmooth(1.5)(item["image"])})["image"]
        expected.append(numpy_psd((after - resize(item)["image"])[0]))
    np.testing.assert_allclose(found[0], np.arange(9) / 16)
    np.testing.assert_allclose(found[1], np.mean(expected, 0), rtol=1e-4)


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
