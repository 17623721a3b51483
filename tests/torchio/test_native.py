"""Transforms as TorchIO's own: the values of the array forms, a history that repeats them, and no label map touched."""

import inspect
import pickle
import warnings

import numpy as np
import pytest
import torch
import torchio
from monai.data import MetaTensor
from monai.transforms import Compose, RandGibbsNoise

from monai_freq import torchio as forms
from monai_freq import transforms
from monai_freq.torchio import (
    ApplyShortcutTio,
    FourierDisentangleTio,
    FourierLowPassTio,
    NonLocalMeansTio,
    PhotonNoiseTio,
    RandNonLocalMeansTio,
    RandPhotonNoiseTio,
    RandSpectrumMatchTio,
    RandTio,
    SpectrumMatchTio,
    SpectrumWhitenTio,
    Tio,
)
from monai_freq.transforms import FourierLowPass, NonLocalMeans, PhotonNoise

AFFINE = np.diag([0.7, 0.8, 3.0, 1.0])
NLM = {"sigma": 30.0, "noise_model": "gaussian", "search_radius": 1}
SCAN = {"n_angles": 16}
SPECTRA = [[5.0] * 11, [0.1] * 11]

#: form -> the array form of the same draws, from what the history says
FIXED = {
    FourierDisentangleTio: {"theta": 0.3},
    FourierLowPassTio: {"cutoff": 0.2},
    SpectrumWhitenTio: {},
    SpectrumMatchTio: {"reference": SPECTRA[0]},
    NonLocalMeansTio: NLM,
    PhotonNoiseTio: {"n_photons": 1e5, "seed": 5, **SCAN},
}
RANDOM = {
    RandNonLocalMeansTio: {"h_factor": (0.5, 2.0), **NLM},
    RandPhotonNoiseTio: {"n_photons": (1e5, 1e6), **SCAN},
    RandSpectrumMatchTio: {"references": SPECTRA, "strength": (0.2, 1.0)},
}
ALL = {**FIXED, **RANDOM}


def subject(depth=3, **entries):
    """A CT in whole HU, an MR, and labels."""
    values = torch.randint(-100, 100, (1, 12, 10, depth), generator=torch.Generator().manual_seed(1))
    return torchio.Subject(
        ct=torchio.ScalarImage(tensor=values.to(torch.int16), affine=AFFINE),
        mr=torchio.ScalarImage(tensor=2.0 * values.flip(1), affine=AFFINE),
        seg=torchio.LabelMap(tensor=values.to(torch.int16), affine=AFFINE),
        **entries,
    )


def by_hand(step, name, image):
    """What an array form makes of an image, with the settings that a step of a history has for it."""
    settings = {each: getattr(step, each) for each in step.args_names}
    settings = {each: value[name] if isinstance(value, dict) else value for each, value in settings.items()}
    seed = settings.pop("seed", None)
    array = step.array(**settings)
    if seed is not None:
        array.set_random_state(seed)
    return array(image)


def test_every_array_transform_of_images_has_its_form():
    arrays = {name for name in transforms.__all__ if f"{name}d" in transforms.__all__}
    arrays -= {"AlignedResize", "LoadSlice", "LoadVolume"}  # of a grid, for which TorchIO has its own, and of addresses
    assert {f"{name}Tio" for name in arrays} == {kind.__name__ for kind in ALL}
    assert {kind.__name__ for kind in ALL} | {"Tio", "RandTio", "ApplyShortcutTio"} == set(forms.__all__)


def test_no_form_has_the_name_of_a_transform_of_torchios():
    """Its history finds transforms by their names alone."""
    assert not set(forms.__all__) & (set(dir(torchio)) | set(transforms.__all__))


@pytest.mark.parametrize("depth", [3, 1])
@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_values_are_those_of_the_array_form_and_labels_stay(kind, depth):
    before = subject(depth)
    torch.manual_seed(0)
    after = kind(**ALL[kind])(before)
    (step,) = after.history
    for name in ("ct", "mr"):
        image = MetaTensor(before[name].data, torch.as_tensor(AFFINE))
        expected = by_hand(step, name, image[..., 0] if depth == 1 else image)
        expected = torch.as_tensor(expected).as_subclass(torch.Tensor).reshape(after[name].shape)
        assert torch.equal(after[name].data, expected)
        assert not torch.equal(after[name].data, before[name].data.float())
        assert np.array_equal(after[name].affine, AFFINE)
        assert type(after[name].data) is torch.Tensor
    assert after.seg.data.dtype == torch.int16
    assert torch.equal(after.seg.data, before.seg.data)
    assert torch.equal(before.ct.data, subject(depth).ct.data)  # the subject given is left alone


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_the_history_repeats_bit_for_bit(kind):
    before = subject()
    after = torchio.Compose([torchio.RandomNoise(std=(1, 2)), kind(**ALL[kind])])(before)
    torch.manual_seed(99)
    again = after.get_composed_history()(before)
    steps = pickle.loads(pickle.dumps(after.history))
    for repeated in (again, torchio.Compose(steps)(before)):
        assert all(torch.equal(repeated[name].data, after[name].data) for name in ("ct", "mr", "seg"))


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_the_configuration_makes_it_again(kind):
    transform = kind(**ALL[kind], include=["ct"])
    settings = transform.to_hydra_config()
    module, name = settings.pop("_target_").rsplit(".", 1)
    assert (module, name) == ("monai_freq.torchio.forms", kind.__name__)
    results = []
    for each in (transform, kind(**settings), pickle.loads(pickle.dumps(transform))):
        torch.manual_seed(3)
        results.append(each(subject()))
    assert all(torch.equal(each.ct.data, results[0].ct.data) for each in results)
    assert torch.equal(results[0].mr.data, subject().mr.data)


@pytest.mark.parametrize("kind", RANDOM, ids=lambda kind: kind.__name__)
def test_draws_come_from_pytorchs_generator_and_differ_between_images_and_calls(kind):
    transform = kind(**RANDOM[kind])

    def drawn(seed):
        torch.manual_seed(seed)
        steps = [transform(subject()).history[0] for _ in range(2)]
        return [getattr(step, each)[name] for step in steps for each in transform._array.drawn for name in ("ct", "mr")]

    assert drawn(0) == drawn(0)
    numbers = [value for value in drawn(0) + drawn(1) if isinstance(value, float)]  # a reference may be drawn twice
    assert len(set(numbers)) == len(numbers) == 8


def test_dose_and_noise_are_drawn_apart():
    """A dose that told the seed of its noise would tie the two together."""
    steps = [RandPhotonNoiseTio(**RANDOM[RandPhotonNoiseTio])(subject()).history[0] for _ in range(3)]
    for step in steps:
        low, high = np.log(RANDOM[RandPhotonNoiseTio]["n_photons"])
        told = np.random.RandomState(step.seed["ct"])
        told.rand()
        assert not np.isclose(step.n_photons["ct"], np.exp(told.uniform(low, high)))


def test_the_dose_is_uniform_in_its_logarithm():
    transform = RandPhotonNoiseTio(n_photons=(1e3, 1e7))
    torch.manual_seed(0)
    logarithms = np.log10([transform._draw()["n_photons"] for _ in range(2000)])
    assert np.allclose(np.quantile(logarithms, [0, 0.25, 0.5, 0.75, 1]), [3, 4, 5, 6, 7], atol=0.15)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_torchios_own_arguments_are_kept(kind):
    before = subject()
    assert kind(**ALL[kind], p=0)(before) is before
    after = kind(**ALL[kind], exclude=["mr"], keep={"ct": "original"})(before)
    assert torch.equal(after.mr.data, before.mr.data)
    assert torch.equal(after.original.data, before.ct.data)
    assert not torch.equal(after.ct.data, before.ct.data.float())
    names = list(inspect.signature(kind).parameters)
    assert "prob" not in names
    assert names[-7:] == ["p", "copy", "include", "exclude", "keep", "parse_input", "label_keys"]


def test_the_probability_is_torchios():
    transform = RandPhotonNoiseTio(n_photons=(1e6, 1e6), n_angles=2, p=0.3)
    water = torchio.Subject(ct=torchio.ScalarImage(tensor=torch.zeros(1, 4, 4, 1)))
    torch.manual_seed(0)
    acted = sum(len(transform(water).history) for _ in range(300))
    assert 65 <= acted <= 115


def test_a_pixel_has_the_size_that_the_image_says():
    water = torch.zeros(1, 16, 16, 2)
    noise = {}
    for spacing in (1.0, 4.0):
        image = torchio.ScalarImage(tensor=water, affine=np.diag([spacing, spacing, 5, 1]))
        noise[spacing] = PhotonNoiseTio(n_photons=1e6, seed=1, **SCAN)(torchio.Subject(ct=image)).ct.data
        fixed = PhotonNoiseTio(n_photons=1e6, seed=1, spacing=(spacing, spacing), **SCAN)
        assert torch.equal(fixed(torchio.Subject(ct=torchio.ScalarImage(tensor=water))).ct.data, noise[spacing])
    assert not torch.allclose(noise[1.0], noise[4.0], rtol=0.5)


def test_a_slice_has_two_axes():
    """Otherwise the search window of a volume, and noise estimated in three axes."""
    image = torch.rand(1, 24, 20, 1)
    flat = NonLocalMeansTio(noise_model="gaussian")(torchio.ScalarImage(tensor=image)).data
    assert torch.equal(flat[..., 0], NonLocalMeans(noise_model="gaussian")(image[..., 0]))
    assert not torch.equal(flat, NonLocalMeans(noise_model="gaussian")(image))


@pytest.mark.parametrize("chooser", [torchio.OneOf, torchio.Compose])
def test_in_torchios_compositions(chooser):
    pipeline = torchio.Compose(
        [torchio.ToCanonical(), chooser([kind(**settings) for kind, settings in RANDOM.items()])]
    )
    torch.manual_seed(0)
    after = pipeline(subject())
    assert all(type(step) in FIXED for step in after.history[1:])
    assert len(after.history) == 1 + (1 if chooser is torchio.OneOf else len(RANDOM))
    again = after.get_composed_history()(subject())
    assert torch.equal(again.ct.data, after.ct.data)


def epochs(dataset, workers, number=2):
    loader = torchio.SubjectsLoader(dataset, batch_size=1, num_workers=workers)
    return [[float(batch["ct"][torchio.DATA].std()) for batch in loader] for _ in range(number)]


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_and_epochs_draw_apart_and_a_seed_repeats_them(workers):
    water = [torchio.Subject(ct=torchio.ScalarImage(tensor=torch.zeros(1, 8, 8, 1))) for _ in range(4)]
    dataset = torchio.SubjectsDataset(water, RandPhotonNoiseTio(n_photons=(1e5, 1e6), n_angles=4))
    torch.manual_seed(4)
    first = epochs(dataset, workers)
    torch.manual_seed(4)
    assert epochs(dataset, workers) == first
    assert len({each for epoch in first for each in epoch}) == 8


def test_in_a_queue_of_patches():
    subjects = [subject(depth=4) for _ in range(2)]
    dataset = torchio.SubjectsDataset(subjects, RandPhotonNoiseTio(n_photons=(1e5, 1e6), include=["ct"], **SCAN))
    queue = torchio.Queue(dataset, 4, 2, torchio.data.UniformSampler(4), num_workers=0, shuffle_subjects=False)
    patches = list(torchio.SubjectsLoader(queue, batch_size=2))
    assert len(patches) == 2
    assert patches[0]["ct"][torchio.DATA].shape == (2, 1, 4, 4, 4)
    assert patches[0]["ct"][torchio.DATA].is_floating_point()
    assert patches[0]["seg"][torchio.DATA].dtype == torch.int16


def test_settings_by_image():
    before = subject()
    after = FourierLowPassTio(cutoff={"ct": 0.1, "mr": 0.4})(before)
    for name, cutoff in (("ct", 0.1), ("mr", 0.4)):
        assert torch.equal(after[name].data, FourierLowPass(cutoff)(before[name].data))
    with pytest.raises(ValueError, match="has settings for the images 'ct' and none for 'mr'"):
        FourierLowPassTio(cutoff={"ct": 0.1})(before)
    assert FourierLowPassTio(cutoff={"ct": 0.1}, include=["ct"])(before).mr.data is not None
    with pytest.raises(ValueError, match="'seed' must have a value for each image, got none for 'mr'"):
        PhotonNoiseTio(n_photons={"ct": 1e5, "mr": 1e5}, seed={"ct": 1})
    with pytest.raises(ValueError, match="'cutoff' is"):
        FourierLowPassTio(cutoff={"ct": 0.1, "mr": 0.9})


def test_settings_are_checked_when_it_is_made():
    for wrong, error, says in (
        (lambda: FourierLowPassTio(cutoff=0.9), ValueError, "'cutoff'"),
        (lambda: FourierLowPassTio(), TypeError, "cutoff"),
        (lambda: FourierLowPassTio(cutoff=0.2, prob=0.5), TypeError, "prob"),
        (lambda: PhotonNoiseTio(4096), TypeError, "seed"),
        (lambda: PhotonNoiseTio(4096, seed=-1), ValueError, "'seed' must be an integer"),
        (lambda: RandPhotonNoiseTio(n_photons=(0, 1)), ValueError, "'n_photons' must be"),
        (lambda: RandPhotonNoiseTio(seed=1), TypeError, "seed"),
        (lambda: FourierLowPassTio(cutoff=0.2, p=2), ValueError, "[Pp]robability"),
    ):
        with pytest.raises(error, match=says):
            wrong()


def test_an_error_names_the_image_and_its_file(tmp_path):
    file = tmp_path / "ct_007.nii.gz"
    file.touch()
    image = torchio.ScalarImage(file, reader=lambda _: (torch.full((1, 6, 6, 3), torch.nan), np.eye(4)))
    with pytest.raises(ValueError, match=r"108 NaN .*key 'ct', file '.*ct_007\.nii\.gz'"):
        FourierLowPassTio(cutoff=0.2)(torchio.Subject(ct=image))


def test_a_subject_without_images_for_it_passes():
    labels = torchio.Subject(seg=torchio.LabelMap(tensor=torch.ones(1, 4, 4, 4)))
    for kind, settings in ALL.items():
        after = kind(**settings)(labels)
        assert torch.equal(after.seg.data, labels.seg.data)
    assert RandPhotonNoiseTio()(labels).history == []


def test_what_was_said_of_a_scan_is_not_said_again():
    scans = RandPhotonNoiseTio(n_photons=(1.0, 1.5), **SCAN)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for _ in range(3):
            scans(subject())
    assert len([each for each in heard if "a detector bin expects" in str(each.message)]) == 1


def test_a_tensor_an_array_and_an_image_are_taken_as_torchio_takes_them():
    values = torch.rand(1, 6, 6, 4)
    expected = FourierLowPass(0.2)(values)
    low_pass = FourierLowPassTio(cutoff=0.2)
    assert torch.equal(low_pass(values), expected)
    assert np.array_equal(low_pass(values.numpy()), expected.numpy())
    assert torch.equal(low_pass(torchio.ScalarImage(tensor=values)).data, expected)
    assert torch.equal(low_pass(torchio.LabelMap(tensor=values)).data, values)


class GibbsTio(Tio):
    array = RandGibbsNoise


@pytest.mark.parametrize("seed", range(5))
def test_a_form_of_a_transform_of_monais(seed):
    """Of one that draws, with its seed: as after ``set_random_state``, and always, as ``p`` is TorchIO's."""
    before = subject()
    after = GibbsTio(alpha=0.5, seed=seed)(before)
    image = MetaTensor(before.mr.data, torch.as_tensor(AFFINE))
    expected = RandGibbsNoise(prob=1.0, alpha=0.5).set_random_state(seed)(image)
    assert torch.equal(after.mr.data, torch.as_tensor(expected).as_subclass(torch.Tensor))
    assert not torch.equal(after.mr.data, before.mr.data)
    assert torch.equal(after.get_composed_history()(before).mr.data, after.mr.data)


def test_without_the_metadata_of_monai(monkeypatch):
    monkeypatch.setattr("monai.data.meta_obj._TRACK_META", False)
    before = subject()
    after = PhotonNoiseTio(n_photons=1e5, seed=5, **SCAN)(before)
    image = MetaTensor(before.ct.data, torch.as_tensor(AFFINE))
    expected = PhotonNoise(1e5, **SCAN).set_random_state(5)(image)
    assert torch.equal(after.ct.data, torch.as_tensor(expected).as_subclass(torch.Tensor))


def test_bases_name_what_they_need():
    assert issubclass(RandPhotonNoiseTio, RandTio)
    assert not hasattr(Tio, "array")
    assert isinstance(ApplyShortcutTio(FourierLowPassTio(cutoff=0.2)), torchio.Compose)
    assert not isinstance(FourierLowPassTio(cutoff=0.2), Compose)
