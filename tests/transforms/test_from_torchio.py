"""No array transform alters a label map that TorchIO passes on like an image; no dictionary form gets an image."""

import inspect

import numpy as np
import pytest
import torch
import torchio
from monai.transforms import Compose, MapTransform, RandomizableTransform, Transform

from monai_freq import transforms
from monai_freq.transforms import (
    AlignedResize,
    ApplyShortcutd,
    FourierLowPass,
    FourierLowPassd,
    NonLocalMeans,
    PhotonNoise,
)

#: what those need that have no defaults, or that small images want
SETTINGS = {
    "AlignedResize": {"spatial_size": (6, 6, 6), "mode": "trilinear"},
    "FourierLowPass": {"cutoff": 0.2},
    "NonLocalMeans": {"sigma": 999.0, "noise_model": "gaussian", "search_radius": 1},
    "PhotonNoise": {"n_angles": 8},
    "RandNonLocalMeans": {"prob": 1.0, "sigma": 999.0, "noise_model": "gaussian", "search_radius": 1},
    "RandPhotonNoise": {"prob": 1.0, "n_angles": 8},
    "RandSpectrumMatch": {"prob": 1.0, "references": [[9.0] * 11], "strength": (0.5, 1.0)},
    "SpectrumMatch": {"reference": [9.0] * 11},
}
#: what takes an address, which TorchIO does not pass
OF_NO_IMAGE = {"LoadSlice", "LoadVolume"}


def array_transforms():
    for name in transforms.__all__:
        kind = getattr(transforms, name)
        if inspect.isclass(kind) and issubclass(kind, Transform) and not issubclass(kind, MapTransform):
            yield name, kind


ARRAYS = {name: kind for name, kind in array_transforms() if name not in OF_NO_IMAGE}


@pytest.fixture
def subject():
    """Of a CT in whole HU and its labels, in one data type: no value tells which is which."""
    values = torch.randint(-1000, 1000, (1, 8, 8, 8), dtype=torch.int16)
    ct = torchio.ScalarImage(tensor=values, affine=np.diag([2.0, 2, 2, 1]))
    return torchio.Subject(ct=ct, seg=torchio.LabelMap(tensor=values.clone(), affine=ct.affine))


def test_these_are_all():
    assert len(ARRAYS) >= 8


@pytest.mark.filterwarnings("ignore:Applying a MONAI Randomizable")  # TorchIO's own, of several images
@pytest.mark.filterwarnings("ignore:a detector bin expects")
@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("caller", [torchio.MonaiAdapter, torchio.Lambda, lambda t: torchio.MonaiAdapter(Compose([t]))])
def test_a_label_map_is_refused_and_the_image_alone_is_not(name, caller, subject):
    transform = ARRAYS[name](**SETTINGS.get(name, {}))
    before = subject.seg.data.clone()
    if caller is torchio.Lambda and "PhotonNoise" in name:  # which gets no affine matrix there
        transform = ARRAYS[name](**SETTINGS.get(name, {}), extent_mm=16)
    with pytest.raises((ValueError, RuntimeError)) as refused:  # MONAI's Compose makes a RuntimeError of it
        caller(transform)(subject)
    told = str(refused.value.__cause__ or refused.value)
    assert told.startswith("'seg' is a label map")
    assert "exclude=['seg']" in told
    assert torch.equal(subject.seg.data, before)

    adapter = caller(transform)
    adapter.exclude = ["seg"]
    after = adapter(subject)
    assert torch.equal(after.seg.data, before)
    assert after.ct.shape != subject.ct.shape or not torch.equal(after.ct.data, subject.ct.data.float())


def test_a_random_one_that_does_not_act_says_it_too(subject):
    for name, kind in ARRAYS.items():
        if issubclass(kind, RandomizableTransform) and "prob" in inspect.signature(kind).parameters:
            with pytest.raises(ValueError, match="'seg' is a label map"):
                torchio.MonaiAdapter(kind(**(SETTINGS.get(name, {}) | {"prob": 0})), exclude=["ct"])(subject)


def test_a_transform_for_labels_takes_them(subject):
    labels = torchio.MonaiAdapter(AlignedResize((4, 4, 4), "nearest-exact"), exclude=["ct"])(subject).seg
    assert labels.spatial_shape == (4, 4, 4)
    assert set(labels.data.unique().tolist()) <= set(subject.seg.data.unique().tolist())


def test_what_is_asked_for_by_name_is_done(subject):
    """A dictionary transform names what it alters, and an artifact within it is called by it, not by TorchIO."""
    blurred = torchio.MonaiAdapter(FourierLowPassd("seg", cutoff=0.2))(subject)
    assert not torch.equal(blurred.seg.data, subject.seg.data.float())
    subject.ct.set_data(subject.ct.data.float())
    subject["shortcut"] = True
    marked = torchio.MonaiAdapter(ApplyShortcutd("ct", PhotonNoise(n_angles=8)))(subject)
    assert not torch.equal(marked.ct.data, subject.ct.data)
    assert torch.equal(marked.seg.data, subject.seg.data)


def test_images_without_a_label_map_are_taken_by_an_array_transform(subject):
    pair = torchio.Subject(a=subject.ct, b=torchio.ScalarImage(tensor=torch.rand(1, 8, 8, 8)))
    filtered = torchio.MonaiAdapter(NonLocalMeans(**SETTINGS["NonLocalMeans"]))(pair)
    assert all(filtered[name].data.is_floating_point() for name in pair)


def test_who_loops_over_the_images_is_free_to():
    label_map = torchio.LabelMap(tensor=torch.rand(1, 8, 8, 8) > 0.5)
    assert FourierLowPass(0.2)(label_map.data).shape == (1, 8, 8, 8)


@pytest.mark.filterwarnings("ignore:Applying a MONAI Randomizable")  # so it says of any Compose
def test_a_dictionary_transform_within_a_composition_of_monais_is_explained(subject):
    """TorchIO takes MONAI's ``Compose`` for an array transform, as it is no ``MapTransform``."""
    for transform in (FourierLowPassd("ct", cutoff=0.2), ApplyShortcutd("ct", torch.neg)):
        with pytest.raises(RuntimeError) as refused:
            torchio.MonaiAdapter(Compose([transform]))(subject)
        assert "torchio.Compose" in str(refused.value.__cause__)
        assert type(transform).__name__ in str(refused.value.__cause__)
