"""Photon noise in the pipelines that people have."""

import inspect
import math
import pickle
import warnings

import numpy as np
import pytest
import torch
from monai.data import CacheDataset, DataLoader, MetaTensor, set_track_meta
from monai.transforms import Compose, Randomizable, ScaleIntensityRanged
from monai.utils import set_determinism

from monai_freq.spectral.photon_statistics import image_noise, noise_variance
from monai_freq.spectral.tomography import ParallelBeam
from monai_freq.transforms import PhotonNoise, PhotonNoised, RandPhotonNoise, RandPhotonNoised

SIZE = 64
FAST = {"extent_mm": 200, "n_angles": 60}
AXIAL = torch.diag(torch.tensor([2.0, 2.0, 5.0, 1.0]))


def phantom(*shape, radius=0.35):
    """A cylinder of water with a rod of bone in air, in HU."""
    height, width = shape[:2]
    y, x = (torch.arange(n) - (n - 1) / 2 for n in (height, width))
    r = torch.hypot(y[:, None] / height, x / width)
    plane = torch.where(r < radius, 0.0, -1000.0)
    plane[height // 3 : height // 3 + 4, width // 3 : width // 3 + 4] = 900
    return plane[(None, ..., *[None] * (len(shape) - 2))].expand(1, *shape).clone()


def meta(image, affine=AXIAL):
    return MetaTensor(image, affine=affine, meta={"filename_or_obj": "chest_007.nii.gz"})


def noise_of(transform, image, seed=0):
    return transform.set_random_state(seed)(image) - image


def test_the_noise_is_that_of_the_projections():
    """In HU, from attenuation per metre as in LoDoPaB-CT."""
    image = phantom(96, 96)
    noise = noise_of(PhotonNoise(1e4, extent_mm=240, n_angles=120), image.expand(8, -1, -1))
    beam = ParallelBeam((96, 96), (2.5, 2.5), 120)
    mu = ((image[0] * 19.98 / 1000 + 20) / 1000).clamp(0, 81.35858 / 1000)
    expected = torch.stack([image_noise(mu, beam, 1e4, torch.Generator().manual_seed(k))[0] for k in range(20)])
    expected = expected * 1e6 / 19.98
    assert float(noise.std()) == pytest.approx(float(expected.std()), rel=0.03)
    power, mean_power = (torch.fft.fft2(each).abs().square().mean(0) for each in (noise, expected))
    frequency = torch.hypot(torch.fft.fftfreq(96), torch.fft.fftfreq(96)[:, None])
    for low, high in ((0.05, 0.15), (0.15, 0.3), (0.3, 0.45)):
        ring = (frequency > low) & (frequency < high)
        assert float(power[ring].mean()) == pytest.approx(float(mean_power[ring].mean()), rel=0.1)


def test_the_strength_is_that_of_theory():
    """For air, where every ray has the same variance."""
    beam = ParallelBeam((96, 96), (2.5, 2.5), 120)
    noise = noise_of(PhotonNoise(1e4, extent_mm=240, n_angles=120), torch.full((8, 96, 96), -1000.0))
    theory = math.sqrt(noise_variance(1 / 1e4, beam.bin_width, 120)) * 1e6 / 19.98
    assert float(noise[:, 20:-20, 20:-20].std()) == pytest.approx(theory, rel=0.03)


def test_a_scaled_image_gets_the_scaled_noise():
    image = phantom(SIZE, SIZE)
    in_hu = noise_of(PhotonNoise(**FAST), image)
    for window in ((-1000, 1000, 0, 1), (-1001.001, 3071, 0, 1), (-1000.0, 2000.0, -1.0, 1.0), (0, 100, 1000, 1100)):
        a_min, a_max, b_min, b_max = window
        per_hu = (b_max - b_min) / (a_max - a_min)
        scaled = (image - a_min) * per_hu + b_min
        noise = noise_of(PhotonNoise(**FAST, input_range=window), scaled)
        assert (noise / per_hu - in_hu).std() < 0.01 * in_hu.std()  # a count may differ, by rounding


def test_lodopab_itself():
    """The values of its images are attenuation over its highest."""
    attenuation = (phantom(SIZE, SIZE) * 0.01998 + 20).clamp(min=0)
    stored = attenuation / 81.35858
    noise = noise_of(PhotonNoise(extent_mm=260, n_angles=60, input_range=(-1001.001, 3071, 0, 1)), stored)
    in_hu = noise_of(PhotonNoise(extent_mm=260, n_angles=60), (attenuation - 20) / 0.01998)
    assert (noise * 81.35858 - in_hu * 0.01998).std() < 0.01 * (in_hu * 0.01998).std()
    defaults = {name: p.default for name, p in inspect.signature(PhotonNoise).parameters.items()}
    assert (defaults["n_photons"], defaults["n_angles"], defaults["min_count"]) == (4096, 1000, 0.1)


def test_nothing_is_clipped_and_projections_see_what_scanners_can():
    """Noise goes below air; metal and less than nothing attenuate as the ends of the range do."""
    image = phantom(SIZE, SIZE)
    noisy = PhotonNoise(300, **FAST).set_random_state(0)(image)
    assert noisy.min() < -1100
    extreme = image.clone()
    extreme[:, 20:24, 20:24], extreme[:, :4, :4] = 30000.0, -5000.0
    limited = extreme.clamp(-1001.001, 3071)
    assert (noise_of(PhotonNoise(**FAST), extreme) - noise_of(PhotonNoise(**FAST), limited)).abs().max() < 0.02


def test_without_end_of_photons_the_image_returns():
    image = phantom(SIZE, SIZE)
    for sampler in ("poisson", "fast"):
        result = PhotonNoise(1e16, **FAST, sampler=sampler)(image)
        torch.testing.assert_close(result, image, rtol=0, atol=1e-3)


@pytest.mark.parametrize("filter", ["shepp-logan", "cosine", "hann"])
def test_filters_take_noise_away(filter):
    image = phantom(SIZE, SIZE)
    assert noise_of(PhotonNoise(**FAST, filter=filter), image).std() < 0.9 * noise_of(PhotonNoise(**FAST), image).std()


@pytest.mark.parametrize("slice_dim", [-1, 2, 0, 1, -3])
def test_a_volume_slice_by_slice(slice_dim):
    volume = phantom(20, 24, 28)
    volume[:, :, :, 14:] = -1000
    transform = PhotonNoise(1e5, spacing=(4.0, 5.0, 6.0), n_angles=40, slice_dim=slice_dim)
    noise = noise_of(transform, volume)
    assert noise.shape == volume.shape
    across = slice_dim % 3
    slices = noise[0].movedim(across, 0).flatten(1).double()
    correlation = torch.corrcoef(slices) - torch.eye(len(slices))
    assert correlation.abs().max() < 0.35  # of 480 to 672 pixels, whose noise is not white
    plane = [size for axis, size in enumerate((4.0, 5.0, 6.0)) if axis != across]
    first = volume.movedim(1 + across, 1)[:, 0]
    alone = noise_of(PhotonNoise(1e5, spacing=plane, n_angles=40), first)
    assert float(alone.std()) == pytest.approx(float(slices[0].std()), rel=0.25)


def test_channels_have_noise_of_their_own():
    noise = noise_of(PhotonNoise(**FAST), phantom(SIZE, SIZE).expand(3, -1, -1))
    assert torch.corrcoef(noise.flatten(1)).fill_diagonal_(0).abs().max() < 0.1
    assert not torch.equal(noise[0], noise[1])


@pytest.mark.parametrize("shape", [(1, 40, 64), (1, 64, 40), (1, 33, 50), (2, 1, 16), (1, 1, 1), (1, 16, 12, 1)])
def test_rectangles_and_single_pixels(shape):
    image = torch.zeros(shape)
    noisy = PhotonNoise(1e6, spacing=(2.0, 3.0), n_angles=30)(image)
    assert noisy.shape == shape
    assert noisy.isfinite().all()
    assert not torch.equal(noisy, image)


def test_the_pixel_size_is_that_of_the_image():
    image = phantom(SIZE, SIZE)
    given = noise_of(PhotonNoise(n_angles=60, spacing=(2.0, 3.0)), image)
    affine = torch.diag(torch.tensor([-2.0, 3.0, 7.0, 1.0]))  # a flipped axis is as wide
    turned = torch.tensor([[0.0, 3.0, 0.0, 5.0], [2.0, 0.0, 0.0, 5.0], [0.0, 0.0, 7.0, 5.0], [0.0, 0.0, 0.0, 1.0]])
    flat = torch.diag(torch.tensor([2.0, 3.0, 1.0]))
    for each in (affine, turned, flat):
        torch.testing.assert_close(noise_of(PhotonNoise(n_angles=60), meta(image, each)), meta(given, each))
    extent = noise_of(PhotonNoise(n_angles=60, extent_mm=128), image)
    assert torch.equal(extent, noise_of(PhotonNoise(n_angles=60, spacing=(2.0, 2.0)), image))
    volume = meta(phantom(12, 16, 20), torch.diag(torch.tensor([2.0, 3.0, 7.0, 1.0])))
    in_file = noise_of(PhotonNoise(n_angles=30), volume)
    assert torch.equal(in_file, noise_of(PhotonNoise(n_angles=30, spacing=(2.0, 3.0, 7.0)), volume))
    assert torch.equal(in_file, noise_of(PhotonNoise(n_angles=30, spacing=(2.0, 3.0)), volume))


def test_an_unknown_pixel_size_is_not_guessed():
    for image in (phantom(SIZE, SIZE), phantom(SIZE, SIZE).numpy()):
        with pytest.raises(
            ValueError, match=r"size of a pixel is unknown: give 'spacing' or 'extent_mm' \(260 for LoDo"
        ):
            PhotonNoise()(image)


def test_metadata_are_kept_and_the_input_is_left_alone():
    image = meta(phantom(24, 24, 4))
    before = image.clone()
    result = PhotonNoise(1e5, n_angles=30)(image)
    assert isinstance(result, MetaTensor)
    assert torch.equal(result.affine, image.affine)
    assert result.meta["filename_or_obj"] == "chest_007.nii.gz"
    assert torch.equal(image, before)


@pytest.mark.parametrize(
    ("given", "returned"),
    [
        (torch.int16, torch.float32),
        (torch.int64, torch.float32),
        (torch.float16, torch.float16),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
    ids=str,
)
def test_types(given, returned):
    image = phantom(SIZE, SIZE).to(given)
    result = PhotonNoise(**FAST).set_random_state(0)(image)
    assert result.dtype == returned
    expected = PhotonNoise(**FAST).set_random_state(0)(image.double())
    assert (result.double() - expected).abs().max() < (1.5 if given == torch.float16 else 0.5)
    skipped = RandPhotonNoise(prob=0.0, **FAST)(image)
    assert skipped.dtype == returned  # the same with and without noise, or no batch could be made
    assert torch.equal(skipped.double(), image.double())
    from_numpy = PhotonNoise(**FAST).set_random_state(0)(image.numpy())
    assert torch.equal(torch.as_tensor(from_numpy), torch.as_tensor(result))


def test_untracked_metadata():
    set_track_meta(False)
    try:
        assert type(PhotonNoise(**FAST)(phantom(SIZE, SIZE))) is torch.Tensor
    finally:
        set_track_meta(True)


def test_a_constant_image_is_an_image():
    for value in (-1000.0, 0.0, 0.5, 60.0):
        noisy = PhotonNoise(1e5, **FAST)(torch.full((1, SIZE, SIZE), value))
        assert noisy.isfinite().all()
        assert noisy.std() > 1


def test_a_seed_repeats_the_noise_and_calls_differ():
    image = phantom(SIZE, SIZE)
    transform = PhotonNoise(**FAST).set_random_state(3)
    first, second = transform(image), transform(image)
    assert not torch.equal(first, second)
    assert torch.equal(transform(image, randomize=False), second)
    transform.set_random_state(3)
    assert torch.equal(transform(image), first)
    assert not torch.equal(PhotonNoise(**FAST).set_random_state(4)(image), first)


def test_only_one_integer_is_drawn():
    """So what follows in a pipeline does not depend on the size of the image."""
    states = []
    for image in (phantom(16, 16), phantom(16, 16, 5)):
        transform = PhotonNoise(1e5, spacing=(8.0, 8.0), n_angles=20).set_random_state(0)
        transform(image)
        states.append(transform.R.get_state()[2])
    reference = np.random.RandomState(0)
    reference.randint(2**32 - 1, dtype="uint32")
    assert states == [reference.get_state()[2]] * 2


def test_global_generators_are_left_alone():
    before = torch.random.get_rng_state()
    PhotonNoise(**FAST)(phantom(SIZE, SIZE))
    assert torch.equal(before, torch.random.get_rng_state())


def test_the_number_of_threads_is_no_matter():
    image = phantom(200, 200).expand(2, -1, -1)
    transform = PhotonNoise(extent_mm=260, n_angles=300)
    alone = transform.set_random_state(0)(image)
    threads = torch.get_num_threads()
    for several in (2, 3):
        torch.set_num_threads(several)
        try:
            assert torch.equal(transform.set_random_state(0)(image), alone)
        finally:
            torch.set_num_threads(threads)


def test_slices_side_by_side_are_those_one_after_another():
    volume = phantom(48, 48, 5).expand(2, -1, -1, -1)
    transform = PhotonNoise(spacing=(6.0, 6.0), n_angles=40)
    alone = transform.set_random_state(0)(volume)
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert torch.equal(transform.set_random_state(0)(volume), alone)
        with torch.inference_mode():
            assert torch.equal(transform.set_random_state(0)(volume), alone)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)


def test_a_slice_has_the_noise_that_it_has_within_its_volume():
    volume = phantom(32, 32, 6)
    transform = PhotonNoise(1e5, spacing=(6.0, 6.0), n_angles=40)
    whole = transform.set_random_state(0)(volume)
    changed = volume.clone()
    changed[..., 3] += 200
    again = transform.set_random_state(0)(changed)
    kept = [0, 1, 2, 4, 5]
    assert torch.equal(whole[..., kept], again[..., kept])
    assert torch.equal(whole[..., 0], transform.set_random_state(0)(volume[..., :1])[..., 0])


def test_no_cache_freezes_it():
    assert isinstance(PhotonNoised("image"), Randomizable)
    items = [{"image": phantom(SIZE, SIZE)}]
    for transform in (PhotonNoised("image", **FAST), RandPhotonNoised("image", prob=1.0, **FAST)):
        data = CacheDataset(items, Compose([transform]), num_workers=1, progress=False)
        assert not torch.equal(data[0]["image"], data[0]["image"])


def test_as_a_dictionary_transform():
    names = list(inspect.signature(PhotonNoise).parameters)
    assert list(inspect.signature(PhotonNoised).parameters) == ["keys", *names, "allow_missing_keys"]
    assert list(inspect.signature(RandPhotonNoised).parameters) == ["keys", "prob", *names, "allow_missing_keys"]
    image = phantom(SIZE, SIZE)
    item = {"a": image, "b": image, "label": torch.ones(1, 2, 2), "id": 7}
    result = PhotonNoised(["a", "b"], **FAST).set_random_state(0)(item)
    assert torch.equal(result["a"], result["b"])
    assert torch.equal(result["label"], item["label"])
    assert result["id"] == 7
    array = PhotonNoise(**FAST)
    array.R = PhotonNoised(["a"], **FAST).set_random_state(0).R
    assert torch.equal(result["a"], array(image))
    assert PhotonNoised(["a", "c"], **FAST, allow_missing_keys=True)(item)["id"] == 7
    with pytest.raises(KeyError, match="c"):
        PhotonNoised(["a", "c"], **FAST)(item)


def test_in_a_pipeline_with_a_window():
    window = {"a_min": -1000, "a_max": 1000, "b_min": 0.0, "b_max": 1.0}
    chain = Compose(
        [ScaleIntensityRanged("image", **window), PhotonNoised("image", input_range=tuple(window.values()), **FAST)]
    )
    noisy = chain({"image": phantom(SIZE, SIZE)})["image"]
    assert noisy.min() < 0  # not clipped
    assert 0.01 < noisy.std() < 1


def test_the_probability_and_the_dose_are_random():
    image = torch.full((1, 24, 24), -1000.0)
    transform = RandPhotonNoise(0.4, (1e3, 1e7), n_angles=12, extent_mm=100).set_random_state(0)
    strengths = torch.tensor([float((transform(image) - image).std()) for _ in range(400)])
    changed = strengths > 0
    assert 120 <= changed.sum() <= 200
    beam = ParallelBeam((24, 24), (100 / 24, 100 / 24), 12)
    unit = math.sqrt(noise_variance(1.0, beam.bin_width, 12)) * 1e6 / 19.98
    exponents = torch.log10((unit / strengths[changed]) ** 2)
    assert float(exponents.mean()) == pytest.approx(5, abs=0.3)  # uniform between 3 and 7
    assert float(exponents.std()) == pytest.approx(4 / math.sqrt(12), abs=0.15)
    assert 2.7 < exponents.min() < 3.4
    assert 6.6 < exponents.max() < 7.3


def test_randomize_apart_from_effect():
    image = phantom(SIZE, SIZE)
    transform = RandPhotonNoise(prob=1.0, **FAST).set_random_state(0)
    transform.randomize()
    once, twice = transform(image, randomize=False), transform(image, randomize=False)
    assert torch.equal(once, twice)
    assert not torch.equal(once, image)


def test_pickled_it_is_small_and_does_the_same():
    image = phantom(SIZE, SIZE)
    transform = RandPhotonNoised("image", prob=1.0, **FAST).set_random_state(1)
    transform({"image": image})
    stored = pickle.dumps(transform)
    assert len(stored) < 20_000
    assert torch.equal(pickle.loads(stored)({"image": image})["image"], transform({"image": image})["image"])


def test_workers_draw_noise_of_their_own():
    set_determinism(0)
    try:
        items = [{"image": phantom(32, 32)} for _ in range(6)]
        from monai.data import Dataset

        data = Dataset(items, RandPhotonNoised("image", prob=1.0, extent_mm=200, n_angles=30))
        batch = next(iter(DataLoader(data, batch_size=6, num_workers=2)))["image"]
    finally:
        set_determinism(None)
    noise = (batch - phantom(32, 32)).flatten(1)
    assert torch.corrcoef(noise).fill_diagonal_(0).abs().max() < 0.3


def oblique(degrees):
    turn = math.radians(degrees)
    affine = torch.eye(4, dtype=torch.float64)
    affine[1:3, 1:3] = torch.tensor([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    return affine @ AXIAL.double()


@pytest.mark.parametrize("degrees", [10, 45, 90])
def test_slices_that_are_not_axial_are_warned_of_once(degrees):
    transform = PhotonNoise(1e5, n_angles=20)
    image = meta(phantom(16, 16, 3), oblique(degrees))
    with pytest.warns(UserWarning, match=rf"slices are tilted by {degrees} degrees from the axial ones"):
        transform(image)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        transform(image)


@pytest.mark.parametrize("affine", [AXIAL, oblique(180), oblique(1), torch.diag(torch.tensor([-2.0, -2.0, 5.0, 1.0]))])
def test_axial_slices_are_not_warned_of(affine):
    PhotonNoise(1e5, n_angles=20)(meta(phantom(16, 16, 3), affine))
    PhotonNoise(1e5, n_angles=20)(meta(phantom(16, 16), affine))


def test_another_slicing_axis_may_be_the_axial_one():
    axes = AXIAL[:, [2, 0, 1, 3]]  # the patient's long axis comes first
    PhotonNoise(1e5, n_angles=20, slice_dim=0)(meta(phantom(3, 16, 16), axes))
    with pytest.warns(UserWarning, match="tilted by 90 degrees"):
        PhotonNoise(1e5, n_angles=20)(meta(phantom(3, 16, 16), axes))


def test_starved_detectors_are_warned_of_once():
    transform = PhotonNoise(4096, extent_mm=400, n_angles=30)
    thick = torch.zeros(1, 32, 32)
    with pytest.warns(UserWarning, match=r"a detector bin expects 0.0\d+ photons, less than 10"):
        noisy = transform(thick)
    assert noisy.isfinite().all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        transform(thick)
        PhotonNoise(4096, extent_mm=100, n_angles=30)(thick)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_an_image_that_is_not_finite_is_refused(value):
    image = meta(phantom(16, 16))
    image[0, 3, 4] = value
    with pytest.raises(ValueError, match=r"the image has \d NaN and \d infinite of 256 values"):
        PhotonNoise()(image)
    with pytest.raises(ValueError, match=r"values: .* \(key 'image', file 'chest_007.nii.gz'\)"):
        PhotonNoised("image")({"image": image})


@pytest.mark.parametrize("limits", [(0.0, 1.0), (-1.0, 1.0), (0.1, 0.9)])
def test_an_image_that_is_not_in_hu_is_refused(limits):
    image = torch.rand(1, 16, 16).mul(limits[1] - limits[0]).add(limits[0])
    with pytest.raises(ValueError, match=r"'input_range' is 'hu', but the image lies in \[.*\]: give the window"):
        PhotonNoise(**FAST)(image)
    image[0, 3, 5], image[0, 4, 5] = 3071, -32768  # a hot and a dead pixel
    with pytest.raises(ValueError, match=r"'hu', but 98% of the image lies in \[.*\]: give the window"):
        PhotonNoise(**FAST)(image)


def test_keys_share_their_noise_field_and_transforms_do_not():
    first, second = torch.zeros(1, 48, 48), torch.full((1, 48, 48), 60.0)

    def correlation(transform):
        noisy = transform({"first": first, "second": second})
        fields = [(noisy["first"] - first).flatten(), (noisy["second"] - second).flatten()]
        return float(torch.corrcoef(torch.stack(fields))[0, 1])

    assert correlation(PhotonNoised(["first", "second"], **FAST).set_random_state(0)) > 0.95
    separate = Compose([PhotonNoised("first", **FAST), PhotonNoised("second", **FAST)]).set_random_state(0)
    assert abs(correlation(separate)) < 0.2


def test_a_normalized_image_is_hardly_in_hu():
    image = torch.randn(1, 16, 16, generator=torch.Generator().manual_seed(0))
    scan = PhotonNoise(**FAST)
    with pytest.warns(UserWarning, match="98% of an image said to be in HU lie within 10 of 0: was it normalized?"):
        scan(image)
    scan(image)  # said once
    PhotonNoise(**FAST)(image * 20)


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (
            {"extent_mm": 1e9},
            r"pixels of 1.56e\+07 x 1.56e\+07 mm would be 1e\+09 mm long, and must be 0.1 to 4000",
        ),
        ({"extent_mm": 1e-9}, "would be 1e-09 mm long, .* give 'spacing' or 'extent_mm' in mm"),
        (
            {"spacing": (4.3e-17, 5.0)},
            r"4.3e-17 x 5 has 7.4e\+21 rays, more than 1.3e\+08, .*check 'spacing'",
        ),
    ],
    ids=str,
)
def test_sizes_that_no_scanner_has_are_refused_before_the_scan(size, message):
    with pytest.raises(ValueError, match=message):
        PhotonNoise(**size)(torch.zeros(1, 64, 64))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_photons": 0}, "'n_photons' must be positive, got 0"),
        ({"n_photons": math.inf}, "'n_photons' must be positive, got inf"),
        ({"n_angles": 0}, "'n_angles' must be a positive integer, got 0"),
        ({"n_detectors": 0}, "'n_detectors' must be a positive integer, got 0"),
        ({"extent_mm": -1}, "'extent_mm' must be positive, got -1"),
        ({"extent_mm": 200, "spacing": (1, 1)}, r"give 'extent_mm' or 'spacing', not both, got 200 and \(1, 1\)"),
        ({"spacing": (1.0,)}, r"'spacing' must be 2 or 3 positive pixel sizes in mm, got \(1.0,\)"),
        ({"spacing": (1.0, -1.0)}, r"'spacing' must be 2 or 3 positive pixel sizes in mm, got \(1.0, -1.0\)"),
        ({"input_range": "lung"}, r"'input_range' must be 'hu' or \(a_min, a_max, b_min, b_max\), got 'lung'"),
        ({"input_range": (0, 1)}, r"'input_range' must be 'hu' or \(a_min, a_max, b_min, b_max\), got \(0, 1\)"),
        ({"input_range": (1, 1, 0, 1)}, r"'input_range' must have a_min < a_max \(HU\) and b_min < b_max, got"),
        ({"input_range": (0, 1, 0, math.nan)}, "'input_range' must be 'hu' or"),
        ({"filter": "none"}, "'filter' must be one of ramp, shepp-logan, cosine, hann, got 'none'"),
        ({"min_count": 0}, "'min_count' must be positive, got 0"),
        ({"sampler": "slow"}, "'sampler' must be one of poisson, fast, got 'slow'"),
        ({"slice_dim": 3}, r"'slice_dim' must be a spatial axis in \[-3, 2\], got 3"),
    ],
    ids=str,
)
def test_other_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        PhotonNoise(**arguments)
    if "n_photons" not in arguments:
        with pytest.raises(ValueError, match=message):
            RandPhotonNoise(**arguments)


@pytest.mark.parametrize("n_photons", [4096, (1,), (0, 10), (10, 5), (1, math.inf)])
def test_other_ranges_of_the_dose_are_refused(n_photons):
    with pytest.raises(ValueError, match=r"'n_photons' must be \(low, high\) with 0 < low <= high, got"):
        RandPhotonNoise(n_photons=n_photons)


@pytest.mark.parametrize("prob", [-0.1, 1.1])
def test_other_probabilities_are_refused(prob):
    with pytest.raises(ValueError, match=rf"'prob' must be in \[0, 1\], got {prob}"):
        RandPhotonNoise(prob=prob)


@pytest.mark.parametrize("shape", [(16,), (1, 16), (1, 2, 3, 4, 5)])
def test_other_numbers_of_dimensions_are_refused(shape):
    with pytest.raises(ValueError, match=r"must have the shape|must be a slice"):
        PhotonNoise(**FAST)(torch.zeros(*shape))


@pytest.mark.cuda
def test_on_cuda():
    image = meta(phantom(96, 96, 3)).cuda()
    transform = PhotonNoise(1e4, spacing=(2.5, 2.5), n_angles=120)
    result = transform.set_random_state(0)(image)
    assert result.device.type == "cuda"
    assert torch.equal(result, transform.set_random_state(0)(image))
    on_cpu = transform.set_random_state(0)(image.cpu())
    ours, theirs = (each.cpu() - image.cpu() for each in (result, on_cpu))
    assert float(ours.std()) == pytest.approx(float(theirs.std()), rel=0.03)
