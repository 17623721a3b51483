"""Transforms of others as artifacts: all of MONAI's and TorchIO's that take an image leave the caller's alone."""

import copy
import inspect

import monai.transforms
import numpy as np
import pytest
import torch
import torchio
from monai.data import MetaTensor
from monai.transforms import (
    Compose,
    Identity,
    Identityd,
    MapTransform,
    OneOf,
    RandGibbsNoise,
    RandGibbsNoised,
    SomeOf,
    Transform,
)

from monai_freq.torchio import PhotonNoiseTio
from monai_freq.transforms import ApplyShortcutd, PhotonNoise, RandNonLocalMeansd, RandPhotonNoise, artifact_psd
from monai_freq.transforms.artifact import artifact_residual
from monai_freq.transforms.foreign import called_on, dictionary_keys, editable, is_unchanged, may_have_passed

pytestmark = pytest.mark.filterwarnings("ignore")  # whatever others have to say

SHAPE = (1, 16, 16, 16)
SIDE, PLANE = SHAPE[1:], SHAPE[1:3]

#: what those need that have no defaults; some are here twice, as they write into an image by some settings only
MONAI = {
    "AddCoordinateChannels": {"spatial_dims": (0, 1)},
    "AdjustContrast": {"gamma": 2.0},
    "BorderPad": {"spatial_border": 1},
    "CenterScaleCrop": {"roi_scale": 0.5},
    "CenterSpatialCrop": {"roi_size": 4},
    "ClipIntensityPercentiles": {"lower": 5, "upper": 95},
    "DivisiblePad": {"k": 5},
    "EnsureChannelFirst": {"channel_dim": 0},
    "ImageFilter": {"filter": "mean", "filter_size": 3},
    "KSpaceSpikeNoise": {"loc": (0, 3, 3)},
    "LabelFilter": {"applied_labels": 1},
    "LabelToMask": {"select_labels": 1},
    "Lambda": {"func": torch.neg_},
    "MaskIntensity": {"mask_data": np.ones((1, *PLANE)), "select_fn": lambda mask: mask > 0},
    "NormalizeIntensity": {"nonzero": True},
    "NormalizeIntensity ": {"channel_wise": True},
    "NormalizeIntensity  ": {"nonzero": True, "channel_wise": True},
    "Rand2DElastic": {"spacing": (4, 4), "magnitude_range": (1, 2)},
    "RandCoarseDropout": {"holes": 2, "spatial_size": 3},
    "RandCoarseShuffle": {"holes": 2, "spatial_size": 3},
    "RandImageFilter": {"filter": "mean", "filter_size": 3},
    "RandLambda": {"func": torch.neg_},
    "RandScaleCrop": {"roi_scale": 0.5},
    "RandScaleIntensity": {"factors": 0.3},
    "RandShiftIntensity": {"offsets": 0.3},
    "RandSmoothDeform": {"spatial_size": PLANE, "rand_size": (4, 4)},
    "RandSmoothFieldAdjustContrast": {"spatial_size": PLANE, "rand_size": (4, 4)},
    "RandSmoothFieldAdjustIntensity": {"spatial_size": PLANE, "rand_size": (4, 4)},
    "RandSpatialCrop": {"roi_size": 4},
    "RandStdShiftIntensity": {"factors": 0.3},
    "RepeatChannel": {"repeats": 2},
    "Resize": {"spatial_size": PLANE},
    "ResizeWithPadOrCrop": {"spatial_size": PLANE},
    "Rotate": {"angle": 0.3},
    "SavitzkyGolaySmooth": {"window_length": 5, "order": 2},
    "ScaleIntensityRange": {"a_min": 0, "a_max": 1, "b_min": 0, "b_max": 2},
    "ScaleIntensityRangePercentiles": {"lower": 5, "upper": 95, "b_min": 0, "b_max": 1},
    "ShiftIntensity": {"offset": 0.5},
    "SpatialPad": {"spatial_size": PLANE},
    "StdShiftIntensity": {"factor": 0.5},
    "ThresholdIntensity": {"threshold": 0.5},
    "Zoom": {"zoom": 1.2},
}
TORCHIO = {
    "Affine": {"scales": (1.1, 1.0, 1.0), "degrees": (5, 0, 0), "translation": (1, 0, 0)},
    "Blur": {"std": (1.0, 1.0, 1.0)},
    "Clamp": {"out_min": 0.2, "out_max": 0.8},
    "Crop": {"cropping": 1},
    "CropOrPad": {"target_shape": 16},
    "EnsureShapeMultiple": {"target_multiple": 4},
    "Flip": {"axes": 0},
    "Gamma": {"gamma": 1.5},
    "Ghosting": {"num_ghosts": 3, "axis": 0, "intensity": 0.8, "restore": 0.02},
    "Lambda": {"function": torch.neg_},
    "MonaiAdapter": {"monai_transform": monai.transforms.NormalizeIntensity(nonzero=True)},
    "Noise": {"mean": 0.0, "std": 1.0, "seed": 3},
    "OneOf": {"transforms": [torchio.RandomNoise()]},
    "Compose": {"transforms": [torchio.RandomNoise(), torchio.RandomFlip()]},
    "Pad": {"padding": 1},
    "RandomSwap": {"patch_size": 4, "num_iterations": 3},
    "RemapLabels": {"remapping": {0: 1}},
    "Resize": {"target_shape": 16},
    "Spike": {"spikes_positions": np.array([[0.1, 0.2, 0.3]]), "intensity": 2.0},
}
#: they write files or to the screen, or are slow for what they show
LEFT_OUT = {"SaveImage", "WriteFileMapping", "DataStats", "KeepLargestConnectedComponent", "KeepLargestComponent"}
#: of MONAI 1.6.1; it draws from a random state that nobody can seed
UNREPEATABLE = {"RandIntensityRemap"}


def made(module, base, settings, unlike=()):
    """Name -> transform, of all of a module that can be made with these settings, or without."""
    found = {}
    for name in [*vars(module), *(key for key in settings if key.strip() != key)]:
        kind = getattr(module, name.strip())
        if not inspect.isclass(kind) or not issubclass(kind, base) or issubclass(kind, unlike) or name in LEFT_OUT:
            continue
        certain = {"prob": 1.0} if "prob" in inspect.signature(kind).parameters else {}
        try:
            found[name] = kind(**certain, **settings.get(name, {}))
        except Exception:  # whatever it needs
            continue
    return found


def takes_an_image(transform, shape):
    with torch.random.fork_rng(devices=[]):
        try:
            result = called_on(transform, torch.rand(shape) + 0.5, 0)
        except Exception:  # a label, a path, points
            return False
    return isinstance(result, torch.Tensor | np.ndarray)


_ARRAYS = made(monai.transforms, Transform, MONAI, MapTransform)
OF_MONAI = {name: t for name, t in _ARRAYS.items() if takes_an_image(t, SHAPE[:3])}
OF_TORCHIO = {name: t for name, t in made(torchio, torchio.Transform, TORCHIO).items() if takes_an_image(t, SHAPE)}


def on_dictionaries():
    """MONAI's dictionary forms of those that are called on arrays."""
    for name, array in OF_MONAI.items():
        form, settings = getattr(monai.transforms, f"{name.strip()}d", None), MONAI.get(name, {})
        if form is not None and type(array).__name__ == name.strip():
            certain = {"prob": 1.0} if "prob" in inspect.signature(form).parameters else {}
            try:
                transform = form(keys="image", **certain, **settings)
                transform({"image": torch.rand(SHAPE[:3]) + 0.5})
            except Exception:  # of other arguments, or with other entries
                continue
            yield name, transform


DICTIONARIES = dict(on_dictionaries())
CASES = [pytest.param(t, SHAPE[:3], id=f"monai-{name}") for name, t in OF_MONAI.items()]
CASES += [pytest.param(t, SHAPE, id=f"torchio-{name}") for name, t in OF_TORCHIO.items()]
CASES += [pytest.param(t, SHAPE[:3], id=f"monai-{name}-d") for name, t in DICTIONARIES.items()]


def image_of(kind, shape):
    """With zeros, as those are what some leave alone."""
    values = torch.rand(shape, generator=torch.Generator().manual_seed(0)).sub(0.2).clamp(min=0)
    if kind == "array":
        return values.numpy()
    meta = {"filename_or_obj": "la_003.nii.gz", "nested": {"deep": [1, 2]}}
    return MetaTensor(values, affine=torch.diag(torch.tensor([2.0, 3, 4, 1])), meta=meta) if kind == "meta" else values


def told(image):
    """Values and metadata, to be compared."""
    if isinstance(image, MetaTensor):
        return (
            image.as_tensor().tolist(),
            image.affine.tolist(),
            str(image.meta["nested"]),
            len(image.applied_operations),
        )
    return image.tolist()


def directly(transform, image, seed):
    """What a transform makes of a copy of its own."""
    own = torch.as_tensor(copy.deepcopy(image)).float()
    if not isinstance(transform, MapTransform):
        return called_on(transform, own, seed)
    return (
        called_on(lambda x: transform.set_random_state(seed)({"image": x})["image"], own, seed)
        if hasattr(transform, "set_random_state")
        else transform({"image": own})["image"]
    )


@pytest.mark.parametrize(("transform", "shape"), CASES)
def test_the_callers_image_is_left_alone_and_the_residual_is_of_it(transform, shape):
    for kind in ("tensor", "meta", "array"):
        image = image_of(kind, shape)
        item, before = {"image": image, "shortcut": True, "label": np.ones(3)}, told(image)
        after = directly(copy.deepcopy(transform), image, 5)  # a copy, as some remember what they drew
        if isinstance(after, torch.Tensor | np.ndarray) and after.shape == shape:
            residual = artifact_residual(copy.deepcopy(transform), item, seed=5)
            expected = torch.as_tensor(after).to(torch.float32) - torch.as_tensor(image)
            if type(transform).__name__ not in UNREPEATABLE:
                torch.testing.assert_close(torch.as_tensor(residual), expected)
            artifact_psd(transform, [item])
            ApplyShortcutd("image", transform, static=True)(item)
        else:
            with pytest.raises(ValueError, match=r"must keep the shape|must return an image"):
                artifact_residual(transform, item, seed=5)
        assert told(image) == before
        assert item["label"].sum() == 3


def test_these_are_all_that_take_an_image_and_some_would_have_written_into_it():
    assert len(OF_MONAI) > 95
    assert len(OF_TORCHIO) > 35
    assert len(DICTIONARIES) > 60
    writing = set()
    for name, transform in OF_MONAI.items():
        image = image_of("tensor", SHAPE[:3])
        before = image.clone()
        called_on(transform, image, 0)
        writing |= {name.strip()} if not torch.equal(image, before) else set()
    assert writing >= {"NormalizeIntensity", "Lambda"}


def test_a_residual_of_an_image_that_was_normalized_in_place():
    """MONAI 1.6.1 writes into the array that it is given: afterwards, that is not the image before."""
    image = torch.tensor([[0.0, 2.0, 4.0, 6.0]])
    for settings in ({"nonzero": True}, {"nonzero": True, "channel_wise": True}):
        residual = artifact_residual(monai.transforms.NormalizeIntensity(**settings), image)
        expected = torch.tensor([[0.0, -(1.5**0.5), 0.0, 1.5**0.5]]) - image
        torch.testing.assert_close(torch.as_tensor(residual), expected)
    assert image.tolist() == [[0.0, 2.0, 4.0, 6.0]]


def test_a_copy_shares_nothing():
    image = image_of("meta", (1, 4, 4))
    mine = editable(image)
    mine.zero_()
    mine.meta["nested"]["deep"].append(3)
    mine.meta["more"] = 1
    mine.affine[0, 0] = 9
    assert told(image) == told(image_of("meta", (1, 4, 4)))
    assert "more" not in image.meta


def test_what_is_unchanged_is_so_but_for_rounding():
    image = 1000 * torch.rand(1, 64, 64) - 1000
    for dtype in (torch.float32, torch.float64, torch.float16):
        x = image.to(dtype)
        assert is_unchanged(x.clone(), x)
        assert not is_unchanged(x + 1, x)
    assert is_unchanged(torch.fft.ifft2(torch.fft.fft2(image)).real, image)
    marked = image.clone()
    marked[0, 3, 3] += 1  # one pixel of 4096
    assert not is_unchanged(marked, image)
    assert is_unchanged(torch.zeros(1, 4), torch.zeros(1, 4))
    assert not is_unchanged(torch.full((1, 4), 1e-30), torch.zeros(1, 4))


ACTS, PASSES = RandGibbsNoise(prob=1), RandGibbsNoise(prob=0)


@pytest.mark.parametrize(
    ("artifact", "may"),
    [
        (Identity(), True),
        (Identityd("image"), True),
        (Compose([Compose([]), Identity()]), True),
        (torch.neg, False),
        (ACTS, False),
        (PASSES, True),
        (RandGibbsNoised("image", prob=0), True),
        (RandGibbsNoised("image", prob=1), False),
        (Compose([Identity(), Compose([ACTS, PASSES])]), True),
        (Compose([Identity(), ACTS]), False),
        (OneOf([Identity(), ACTS]), True),
        (SomeOf([Identity(), ACTS], num_transforms=1), True),
        (RandPhotonNoise(prob=0, extent_mm=200), True),
        (RandNonLocalMeansd("image", prob=0), True),
        (RandNonLocalMeansd("image", prob=1.0), False),
        (torchio.RandomNoise(), False),
        (torchio.RandomNoise(p=0.999), True),  # TorchIO's do not tell
        (torchio.Compose([torchio.RandomNoise(p=0.5)]), True),
        (torchio.OneOf([torchio.RandomNoise()]), True),
        (torchio.MonaiAdapter(PASSES), True),
        (torchio.MonaiAdapter(ACTS), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_who_may_have_decided_not_to_act(artifact, may):
    image = torch.rand(1, 8, 8) + 1
    if dictionary_keys(artifact):
        artifact({"image": image})
    else:
        called_on(artifact, image, 0)
    assert may_have_passed(artifact) == may


def test_a_draw_of_monais_tells():
    artifact = RandGibbsNoise(prob=0.5)
    for seed in range(8):
        called_on(artifact, torch.rand(1, 8, 8), seed)
        assert may_have_passed(artifact) == (not artifact._do_transform)


@pytest.mark.parametrize("dims", [2, 3])
def test_an_artifact_of_torchios_knows_the_spacing_and_turns_no_axes(dims):
    """It would take voxels for 1 mm otherwise, or bring an image to an orientation that its matrix does not have."""
    values, seen = torch.rand(1, 6, 5, 4)[..., : 4 if dims == 3 else 1].reshape((1, 6, 5, 4)[: dims + 1]), []
    affine = torch.diag(torch.tensor([-0.5, 0.25, 3.0, 1.0]))[[*range(dims), 3]][:, [*range(dims), 3]]

    class Look(torchio.transforms.IntensityTransform):
        def apply_transform(self, subject):
            seen.append(subject.spacing)
            return subject

    image = MetaTensor(values, affine=affine)
    looked = called_on(torchio.Compose([torchio.ToCanonical(), Look()]), image, 0)
    assert torch.equal(looked, values)
    assert seen == [(0.5, 0.25, 3.0 if dims == 3 else 1.0)]
    called_on(Look(), values, 0)
    assert seen[1] == (1.0, 1.0, 1.0)


def test_photon_noise_as_torchios_has_the_pixels_of_the_image():
    image = MetaTensor(torch.zeros(1, 16, 16, 2), affine=torch.diag(torch.tensor([4.0, 4, 5, 1])))
    noise = PhotonNoiseTio(n_photons=1e6, n_angles=16, seed=1)
    expected = PhotonNoise(1e6, n_angles=16, spacing=(4, 4)).set_random_state(1)(image.as_tensor())
    assert torch.equal(torch.as_tensor(called_on(noise, image, 0)), expected)
