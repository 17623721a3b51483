"""Artifacts on the marked items: any transform, fresh or the same each time, and nothing else touched."""

import pickle
import random
import threading
import time
import warnings
from collections import OrderedDict, defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchio
from faulty_artifacts import choosy, shortened
from meta_images import meta_image
from monai.data import CacheDataset, DataLoader, Dataset, MetaTensor
from monai.transforms import (
    Compose,
    Identity,
    Identityd,
    Lambdad,
    MapTransform,
    OneOf,
    RandGaussianNoise,
    RandGaussianNoised,
    RandGibbsNoise,
    RandGibbsNoised,
    RandomizableTrait,
    ScaleIntensityd,
)
from random_states import global_states

from monai_freq.data import plan_shortcut
from monai_freq.transforms import (
    ApplyShortcutd,
    FourierLowPass,
    FourierLowPassd,
    RandNonLocalMeans,
    RandNonLocalMeansd,
    StaticShortcutd,
    artifact_psd,
)


def marker(image):
    """An L as on X-ray films, drawn into the image that is given."""
    image[:, 2:9, 2:4] = 2
    image[:, 7:9, 2:7] = 2
    return image


def noise_of_every_generator(image):
    return image + random.random() + np.random.rand() + torch.rand(1)


FIXED = [
    pytest.param(FourierLowPass(cutoff=0.2), id="FourierLowPass"),
    pytest.param(FourierLowPassd("image", cutoff=0.2), id="FourierLowPassd"),
    pytest.param(marker, id="marker"),
]
RANDOM = [
    pytest.param(RandGibbsNoise(prob=1, alpha=(0.4, 0.9)), id="RandGibbsNoise"),
    pytest.param(RandGibbsNoised("image", prob=1, alpha=(0.4, 0.9)), id="RandGibbsNoised"),
    pytest.param(RandGaussianNoise(prob=1, sample_std=False), id="RandGaussianNoise"),
    pytest.param(
        Compose([RandGibbsNoised("image", prob=1), RandGaussianNoised("image", prob=1, sample_std=False)]),
        id="Compose of dictionary",
    ),
    pytest.param(Compose([RandGaussianNoise(prob=1, sample_std=False), marker]), id="Compose of array"),
    pytest.param(torchio.RandomGhosting(intensity=(0.5, 1)), id="RandomGhosting"),
    pytest.param(torchio.RandomMotion(degrees=20, translation=5), id="RandomMotion"),
    pytest.param(torchio.MonaiAdapter(RandGaussianNoise(prob=1, sample_std=False)), id="MonaiAdapter"),
    pytest.param(noise_of_every_generator, id="every generator"),
]


def knee_image(name="knee/0003.png", shape=(1, 24, 20), seed=0):
    return meta_image(*shape, name=name, seed=seed)


def item(flag=True, **of_image):
    return {"image": knee_image(**of_image), "shortcut": flag, "label": 1}


def planned(n=6):
    items = [{"image": knee_image(f"knee/{i}.png", seed=i), "label": i % 2, "index": i} for i in range(n)]
    return plan_shortcut(items, "label", 1, 2 / 3)


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("artifact", FIXED + RANDOM)
@pytest.mark.parametrize("shape", [(1, 24, 20), (2, 15, 21), (1, 16, 12, 10)])
def test_marked_images_change_and_the_others_are_the_same_objects(artifact, static, shape):
    apply = ApplyShortcutd("image", artifact, static=static)
    clean = item(False, shape=shape)
    assert apply(clean)["image"] is clean["image"]
    marked = item(shape=shape)
    before = marked["image"].clone()
    states = global_states()
    result = apply(marked)
    assert global_states() == states
    assert torch.equal(marked["image"], before)
    assert result["label"] == 1
    altered = result["image"]
    assert isinstance(altered, MetaTensor)
    assert (altered.shape, altered.dtype) == (before.shape, before.dtype)
    assert torch.isfinite(altered).all()
    assert (altered - before).abs().max() > 1e-3
    assert torch.equal(altered.affine, before.affine)
    assert altered.meta["filename_or_obj"] == "knee/0003.png"


@pytest.mark.parametrize("artifact", FIXED + RANDOM)
@pytest.mark.parametrize("shortcut", [partial(ApplyShortcutd, static=True), StaticShortcutd], ids=["apply", "static"])
def test_the_others_get_what_is_asked_for_otherwise(artifact, shortcut):
    pair = shortcut("image", torch.neg, otherwise=artifact)
    marked, other = item(True), item(False)
    assert torch.equal(pair(marked)["image"], -marked["image"])
    alone = shortcut("image", artifact)(item(True))["image"]  # the same seed: that of the image
    assert torch.equal(pair(other)["image"], alone)
    assert torch.equal(other["image"], item(False)["image"])  # what was given stays
    assert pair(other).keys() == other.keys()


def test_what_is_asked_for_otherwise_is_checked():
    with pytest.raises(TypeError, match="'otherwise' must be a transform or another callable, made and ready, got 3"):
        ApplyShortcutd("image", torch.neg, otherwise=3)
    with pytest.raises(ValueError, match=r"'otherwise' must have the same keys, \('image',\), got \('mask',\)"):
        ApplyShortcutd("image", torch.neg, otherwise=RandGibbsNoised("mask", prob=1))
    with pytest.warns(UserWarning, match="RandGaussianNoise"):
        ApplyShortcutd("image", torch.neg, otherwise=RandGaussianNoise(prob=0.5))
    pair = StaticShortcutd("image", torch.neg, otherwise=torch.clone)
    pair(item(True))
    with pytest.warns(UserWarning, match="'clone' has left an image that is not marked as it was"):
        pair(item(False))


def test_the_artifact_does_what_it_does_alone():
    image = torch.rand(1, 24, 20)
    filtered = ApplyShortcutd("image", FourierLowPass(0.2))({"image": image, "shortcut": True})["image"]
    torch.testing.assert_close(filtered, FourierLowPass(0.2)(image).as_tensor())
    drawn = ApplyShortcutd("image", marker)({"image": image, "shortcut": True})["image"]
    assert torch.equal(drawn, marker(image.clone()))
    apply = ApplyShortcutd("image", torchio.RandomMotion()).set_random_state(3)
    seed = int(np.random.RandomState(3).randint(2**32 - 1, dtype="uint32"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        expected = torchio.RandomMotion()(image[..., None])[..., 0]
    assert torch.equal(apply({"image": image, "shortcut": True})["image"], expected)


@pytest.mark.parametrize("artifact", RANDOM)
def test_static_is_the_same_at_every_read_in_any_order_and_fresh_is_not(artifact):
    static, fresh = ApplyShortcutd("image", artifact, static=True), ApplyShortcutd("image", artifact)
    first, other = static(item())["image"], static(item(name="knee/0004.png"))["image"]
    static.set_random_state(7)
    random.seed(5)
    assert torch.equal(static(item())["image"], first)
    assert not torch.equal(other, first)
    assert not torch.equal(ApplyShortcutd("image", artifact, static=True, seed=1)(item())["image"], first)
    fresh.set_random_state(2)
    reads = [fresh(item())["image"] for _ in range(5)]  # two draws of Gibbs noise may cut the same of a small spectrum
    assert any(not torch.equal(read, reads[0]) for read in reads)
    one, two = (fresh.set_random_state(3)(item())["image"] for _ in range(2))
    assert torch.equal(one, two)


def test_the_identity_is_the_file_or_else_the_content():
    apply = ApplyShortcutd("image", lambda image: image + torch.rand(1), static=True)
    shift = lambda image: float((apply({"image": image, "shortcut": True})["image"] - image).mean())  # noqa: E731
    assert shift(knee_image("/data/knee/1.png", seed=1)) == pytest.approx(
        shift(knee_image("/other/knee/1.png", seed=2))
    )
    assert shift(knee_image("/data/a/1.png")) != pytest.approx(shift(knee_image("/data/b/1.png")))
    image = torch.rand(1, 8, 8)
    assert shift(image) == pytest.approx(shift(image.clone()))
    assert shift(image) == pytest.approx(shift(MetaTensor(image)))
    assert shift(image) != pytest.approx(shift(image + 1e-3))
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        assert np.isfinite(shift(image.to(dtype)))


@pytest.mark.parametrize("cache", [False, True])
@pytest.mark.parametrize(
    "artifact", [torchio.RandomGhosting(intensity=(0.5, 1)), RandGibbsNoised("image", prob=1, alpha=(0.4, 0.9))]
)
def test_epochs_and_workers(artifact, cache):
    def epochs(static, workers):
        chain = Compose(
            [ScaleIntensityd("image"), ApplyShortcutd("image", artifact, static=static), Identityd("image")]
        )
        chain.set_random_state(1)
        data = CacheDataset(planned(), chain, progress=False) if cache else Dataset(planned(), chain)
        loader = DataLoader(
            data, batch_size=1, num_workers=workers, shuffle=True, generator=torch.Generator().manual_seed(0)
        )
        read = []
        for _ in range(2):
            batches = sorted(loader, key=lambda batch: int(batch["index"]))
            read.append(
                (torch.stack([b["image"].as_tensor() for b in batches]), [bool(b["shortcut"]) for b in batches])
            )
        return read

    clean = torch.stack([ScaleIntensityd("image")(entry)["image"].as_tensor() for entry in planned()])[:, None]
    flags = [entry["shortcut"] for entry in planned()]
    assert sum(flags) == 2
    runs = {(static, workers): epochs(static, workers) for static in (True, False) for workers in (0, 2)}
    for (static, _), read in runs.items():
        for images, marks in read:
            assert marks == flags
            changed = [not torch.equal(image, before) for image, before in zip(images, clean, strict=True)]
            assert changed == flags
        assert torch.equal(read[0][0], read[1][0]) == static
    assert torch.equal(runs[True, 0][0][0], runs[True, 2][0][0])


def test_no_cache_stores_its_results():
    for static in (False, True):
        assert isinstance(ApplyShortcutd("image", marker, static=static), RandomizableTrait)


@pytest.mark.parametrize("static", [False, True])
@pytest.mark.parametrize("dictionary", [False, True])
def test_keys_share_one_draw(static, dictionary):
    keys = ["image", "later"]
    alpha = (0.4, 0.9)
    artifact = RandGibbsNoised(keys, prob=1, alpha=alpha) if dictionary else RandGibbsNoise(prob=1, alpha=alpha)
    apply = ApplyShortcutd(keys, artifact, static=static, allow_missing_keys=True)
    image = knee_image()
    result = apply({"image": image, "later": image.clone(), "shortcut": True})
    assert torch.equal(result["image"], result["later"])
    assert not torch.equal(result["image"], image)
    empty = {"shortcut": True}
    assert apply(empty) is empty


@pytest.mark.parametrize("artifact", FIXED + RANDOM)
def test_pickled_it_does_the_same(artifact):
    apply = ApplyShortcutd("image", artifact, static=True)
    again = pickle.loads(pickle.dumps(apply))
    assert torch.equal(again(item())["image"], apply(item())["image"])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize(
    "artifact", [FourierLowPass(0.2), RandGibbsNoise(prob=1, alpha=(0.4, 0.9)), torchio.RandomGhosting(), marker]
)
def test_the_type_is_kept(artifact, dtype):
    image = torch.rand(1, 16, 12).to(dtype)
    result = ApplyShortcutd("image", artifact)({"image": image, "shortcut": True})["image"]
    assert type(result) is torch.Tensor
    assert result.dtype == dtype
    if dtype != torch.bfloat16:
        of_numpy = ApplyShortcutd("image", artifact)({"image": image.numpy(), "shortcut": True})["image"]
        assert isinstance(of_numpy, np.ndarray)
        assert of_numpy.dtype == image.numpy().dtype


@pytest.mark.parametrize("flag", [np.True_, torch.tensor(True), 1])
def test_marks_of_other_types(flag):
    image = torch.rand(1, 12, 12)
    assert not torch.equal(ApplyShortcutd("image", marker)({"image": image, "shortcut": flag})["image"], image)


@pytest.mark.parametrize("flag", ["False", float("nan"), None, 2])
def test_a_mark_that_is_not_true_or_false_is_refused(flag):
    with pytest.raises(ValueError, match=r"'shortcut' must be True or False, got .*, file 'knee/0003.png'"):
        ApplyShortcutd("image", marker)(item(flag))


def test_missing_keys():
    with pytest.raises(KeyError, match=r"no mark 'photon', file 'knee/0003.png': .* monai_freq.data.plan_shortcut"):
        ApplyShortcutd("image", marker, flag_key="photon")(item())
    with pytest.raises(KeyError, match="other"):
        ApplyShortcutd(["image", "other"], marker)(item())


@pytest.mark.parametrize("artifact", [3, None, "RandGibbsNoise", RandGibbsNoise])
def test_what_cannot_be_called_is_refused(artifact):
    with pytest.raises(TypeError, match="'artifact' must be a transform or another callable"):
        ApplyShortcutd("image", artifact)


@pytest.mark.parametrize("keys", ["other", ["image", "other"]])
def test_a_dictionary_artifact_has_to_have_the_same_keys(keys):
    with pytest.raises(ValueError, match=r"'artifact' must have the same keys, \('image',\), got \("):
        ApplyShortcutd("image", RandGibbsNoised(keys, prob=1))


def spoiled(image):
    image[0, 0, 0] = float("nan")
    return image


def forgetful(image):
    marker(image)


@pytest.mark.parametrize(
    ("artifact", "message"),
    [
        (shortened, r"must keep the shape, but shortened made \(1, 24, 19\) of \(1, 24, 20\)"),
        (torchio.Crop((1, 1, 0, 0, 0, 0)), r"must keep the shape, but Crop made \(1, 22, 20, 1\) of \(1, 24, 20\)"),
        (spoiled, "must return finite values, but after spoiled the image has 1 NaN"),
        (forgetful, "must return an image, but forgetful returned NoneType"),
        (choosy, "not today"),
    ],
)
def test_artifacts_that_spoil_the_image_are_refused(artifact, message):
    states = global_states()
    with pytest.raises(ValueError, match=message + r".* \(key 'image', file 'knee/0003.png'\)"):
        ApplyShortcutd("image", artifact)(item())
    assert global_states() == states


def test_images_that_cannot_be_altered_are_refused():
    broken = item()
    broken["image"][0, 1, 1] = float("nan")
    with pytest.raises(ValueError, match=r"the image has 1 NaN .* \(key 'image', file 'knee/0003.png'\)"):
        ApplyShortcutd("image", marker)(broken)
    with pytest.raises(ValueError, match=r"floating point, got torch.uint8: put EnsureTyped.* \(key 'image'\)"):
        ApplyShortcutd("image", marker)({"image": torch.ones(1, 8, 8, dtype=torch.uint8), "shortcut": True})


@pytest.mark.parametrize("shape", [(), (8,), (1, 2, 3, 4, 5)])
@pytest.mark.parametrize("artifact", [FourierLowPass(0.2), FourierLowPassd("image", 0.2), marker])
def test_other_numbers_of_dimensions_are_refused(artifact, shape):
    with pytest.raises(ValueError, match=r"must have the shape \(C, \*spatial\) .* \(key 'image'\)"):
        ApplyShortcutd("image", artifact)({"image": torch.rand(shape), "shortcut": True})


@pytest.mark.filterwarnings("ignore:.* has left a marked image as it was:UserWarning")  # there is nothing to alter
@pytest.mark.parametrize("artifact", FIXED[:2] + RANDOM)
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 9), (2, 5, 30), (1, 1, 1, 1)])
def test_images_of_one_pixel_or_unequal_sides(artifact, shape):
    image = torch.rand(shape)
    altered = ApplyShortcutd("image", artifact)({"image": image, "shortcut": True})["image"]
    assert altered.shape == shape
    assert torch.isfinite(altered).all()


def test_a_constant_image_is_altered_like_any_other():
    image = torch.full((1, 12, 12), 0.3)
    drawn, noisy = (
        ApplyShortcutd("image", artifact)({"image": image, "shortcut": True})["image"]
        for artifact in (marker, RandGaussianNoise(prob=1, sample_std=False))
    )
    with pytest.warns(UserWarning, match="'FourierLowPass' has left a marked image as it was"):
        filtered = ApplyShortcutd("image", FourierLowPass(0.2))({"image": image, "shortcut": True})["image"]
    torch.testing.assert_close(filtered, image)
    assert torch.equal(drawn, marker(image.clone()))
    assert noisy.std() > 0.01


@pytest.mark.cuda
def test_on_a_gpu():
    states = torch.cuda.get_rng_state()
    for artifact in (RandGibbsNoise(prob=1), torchio.RandomGhosting(), lambda image: image + torch.rand_like(image)):
        apply = ApplyShortcutd("image", artifact, static=True)
        one, two = (apply({"image": knee_image().cuda(), "shortcut": True})["image"] for _ in range(2))
        assert one.is_cuda
        assert torch.equal(one, two)
    assert torch.equal(torch.cuda.get_rng_state(), states)


@pytest.mark.parametrize("artifact", [*FIXED, *RANDOM])
def test_a_cache_keeps_what_is_static_and_the_same_as_without_a_cache(artifact):
    items = [item(name=f"knee/{number}.png") for number in range(3)]
    counted = []
    pipeline = Compose([StaticShortcutd("image", artifact), Lambdad("image", lambda x: counted.append(1) or x)])
    cached = CacheDataset(items, pipeline, num_workers=1, progress=False)
    assert len(counted) == 3
    for _ in range(2):
        for place, one in enumerate(items):
            assert torch.equal(cached[place]["image"], ApplyShortcutd("image", artifact, static=True)(one)["image"])
    assert len(counted) == 3  # nothing is computed again


class SwitchingThreads:
    """An artifact during which other threads get their turn between any two draws."""

    def __call__(self, image):
        for draw in (random.random, np.random.rand, lambda: torch.rand(1)) * 5:
            time.sleep(1e-4)
            image = image + draw()
        return image


@pytest.mark.parametrize("static", [True, False])
def test_threads_do_not_draw_from_each_other(static):
    items = [{"image": torch.full((1, 4, 4), float(i)), "shortcut": True} for i in range(24)]
    shortcut = ApplyShortcutd("image", SwitchingThreads(), static=static, seed=3).set_random_state(5)
    alone = [shortcut(item)["image"] for item in items]
    shortcut.set_random_state(5)
    before = random.getstate(), torch.get_rng_state()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda item: shortcut(item)["image"], items))
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    if static:
        assert all(map(torch.equal, together, alone))
    else:  # who comes first is not known; each has one of the draws
        added = [sorted(float(image[0, 0, 0]) - i for i, image in enumerate(images)) for images in (together, alone)]
        np.testing.assert_allclose(*added, atol=1e-4)


NOTHING = r"has left a marked image as it was, so that its shortcut is not there"


def thin(number):
    """One voxel along the first axis, on which TorchIO's ghosts may fall."""
    return knee_image(f"knee/{number}.png", (1, 1, 24, 20), number)


def heard_of(apply, items):
    """Images after an artifact, and what was said, by item."""
    images, said = [], []
    for one in items:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            images.append(apply(one)["image"])
        said.append([str(warning.message) for warning in heard])
    return images, said


@pytest.mark.parametrize("static", [False, True])
def test_a_marked_item_that_is_left_as_it_was_is_named_once(static):
    items = [{"image": thin(number), "shortcut": number != 3} for number in range(16)]
    apply = ApplyShortcutd("image", torchio.RandomGhosting(intensity=(0.5, 1)), static=static).set_random_state(0)
    images, said = heard_of(apply, items)
    for number, (image, one, words) in enumerate(zip(images, items, said, strict=True)):
        changed = (image - one["image"]).abs().max() > 1e-3
        assert len(words) == (one["shortcut"] and not changed)
        for text in words:
            assert f"'RandomGhosting' {NOTHING}" in text
            assert f"(key 'image', file 'knee/{number}.png')" in text
    assert 1 < sum(map(len, said)) < 15
    if static:
        assert not any(heard_of(apply, items)[1])


def test_a_cache_names_it_when_it_is_filled():
    items = [{"image": thin(number), "shortcut": True} for number in range(8)]
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        cached = CacheDataset(items, StaticShortcutd("image", lambda image: image), num_workers=1, progress=False)
        for _ in range(2):
            assert all(torch.equal(cached[n]["image"], thin(n)) for n in range(8))
    named = sorted(str(warning.message).split("file ")[1] for warning in heard)
    assert named == [f"'knee/{number}.png')" for number in range(8)]


def test_workers_name_an_item_once_in_all_epochs(tmp_path):
    def listen(worker):
        def note(message, *_):
            with (tmp_path / f"{worker}.txt").open("a") as file:
                file.write(f"{message}\n")

        warnings.simplefilter("always")
        warnings.showwarning = note

    items = [{"image": thin(number), "shortcut": True} for number in range(6)]
    data = Dataset(items, ApplyShortcutd("image", torch.clone, static=True))
    for _ in range(2):  # the workers of the second epoch are new
        assert len(list(DataLoader(data, num_workers=2, worker_init_fn=listen))) == 6
    heard = "".join(file.read_text() for file in tmp_path.iterdir())
    assert [heard.count(f"file 'knee/{number}.png'") for number in range(6)] == [1] * 6


def test_an_item_without_a_file_is_named_by_its_entries():
    one = {"image": torch.rand(1, 8, 8), "label": 1, "id": "p07", "shortcut": True}
    with pytest.warns(UserWarning, match=NOTHING + r".* \(key 'image', of the item with label=1, id='p07'\)"):
        ApplyShortcutd("image", torch.clone)(one)


@pytest.mark.parametrize(
    ("artifact", "says"),
    [
        (RandGaussianNoise(), "RandGaussianNoise acts with a probability of 0.1: a marked image may stay as it was"),
        (RandGaussianNoise(prob=0), "RandGaussianNoise acts with a probability of 0: .*\nPass prob=1"),
        (RandGaussianNoised("image"), "RandGaussianNoised acts with a probability of 0.1"),
        (Compose([Identity(), RandGibbsNoise(0.3, (0.4, 0.9))]), "RandGibbsNoise acts with a probability of 0.3"),
        (
            OneOf([RandGaussianNoise(prob=1), RandGibbsNoise(0.3, (0.4, 0.9))]),
            "RandGibbsNoise acts with a probability of 0.3",
        ),
        (RandNonLocalMeans(), "RandNonLocalMeans acts with a probability of 0.1"),
        (torchio.RandomNoise(p=0.75), "RandomNoise acts with a probability of 0.75: .*\nPass p=1"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_an_artifact_that_acts_seldom_is_told_of_when_the_transform_is_made(artifact, says):
    for make in (ApplyShortcutd, StaticShortcutd):
        with pytest.warns(UserWarning, match=says) as heard:
            apply = make("image", artifact)
        assert len(heard) == 1
        assert heard_of(apply, [item()])[1] == [[]]


@pytest.mark.filterwarnings("ignore:.* acts with a probability of 0.5")  # when it is made
@pytest.mark.parametrize(
    "artifact",
    [
        RandGibbsNoise(prob=0.5, alpha=(0.4, 0.9)),
        RandGibbsNoised("image", prob=0.5, alpha=(0.4, 0.9)),
        Compose([RandGibbsNoise(prob=0.5, alpha=(0.4, 0.9))]),
        RandNonLocalMeans(prob=0.5, sigma=0.2),
        RandNonLocalMeansd("image", prob=0.5, sigma=0.2),
        OneOf([RandGibbsNoise(prob=1, alpha=(0.4, 0.9)), Identity()]),
        torchio.RandomNoise(std=1, p=0.5),
        torchio.OneOf({torchio.RandomNoise(std=1): 1, torchio.RandomNoise(std=(0, 0)): 1}),
    ],
    ids=lambda artifact: type(artifact).__name__,
)
def test_an_artifact_that_may_decide_not_to_act_raises_no_false_alarm(artifact):
    items = [item(name=f"knee/{number}.png", seed=number) for number in range(16)]
    images, said = heard_of(ApplyShortcutd("image", artifact, static=True), items)
    changed = [bool((image - one["image"]).abs().max() > 1e-3) for image, one in zip(images, items, strict=True)]
    assert not any(said)
    assert 0 < sum(changed) < 16


def test_who_asks_for_no_artifact_is_not_told_that_there_is_none():
    for artifact in (Identity(), Identityd("image"), Compose([])):
        images, said = heard_of(ApplyShortcutd("image", artifact), [item()])
        assert torch.equal(images[0], item()["image"])
        assert said == [[]]


@pytest.mark.filterwarnings("ignore:.* acts with a probability of 0.5")  # when it is made
def test_an_artifact_that_decides_to_act_and_does_nothing_is_named():
    """MONAI's tell whether they have acted."""
    artifact = RandGibbsNoise(prob=0.5, alpha=(1e-9, 2e-9))
    for static in (False, True):
        apply, acted, named = ApplyShortcutd("image", artifact, static=static).set_random_state(0), 0, 0
        for number in range(16):
            said = heard_of(apply, [item(name=f"knee/{number}.png")])[1][0]
            assert len(said) == artifact._do_transform
            acted, named = acted + artifact._do_transform, named + len(said)
        assert 0 < named < 16


def test_each_key_is_named():
    images = {"image": knee_image(), "later": torch.zeros(1, 4, 4)}
    apply = ApplyShortcutd(["image", "later"], lambda image: image * 2)  # of nothing, it makes nothing
    with pytest.warns(UserWarning, match=NOTHING + r".* \(key 'later'\)") as heard:
        apply({**images, "shortcut": True})
    assert len(heard) == 1


def test_the_artifact_gets_copies_of_all_that_it_can_write_into():
    class Spoiling(MapTransform):
        def __call__(self, data):
            data["image"].meta["spoilt"] = True
            data["image"].meta["nested"]["deep"].append(2)
            data["mask"].zero_()
            data["array"][:] = 0
            data["more"]["box"][0].fill_(9)
            data["ordered"]["mask"].zero_()
            data["many"].default_factory()  # a dictionary of another kind
            data["many"]["mask"][:] = 0
            data["pair"].mask.zero_()
            data["queue"].append(3)
            data["image"].mul_(2)
            return data

    image = knee_image()
    image.meta["nested"] = {"deep": [1]}
    one = {"image": image, "mask": torch.ones(2), "array": np.ones(2), "more": {"box": [torch.ones(2)]}}
    one |= {"ordered": OrderedDict(mask=torch.ones(2)), "many": defaultdict(list, mask=np.ones(2))}
    one |= {"pair": SimpleNamespace(mask=torch.ones(2)), "queue": deque([1, 2]), "lock": threading.Lock()}
    for static in (False, True):
        result = ApplyShortcutd("image", Spoiling("image"), static=static)({**one, "shortcut": True})
        assert torch.equal(result["image"], image * 2)
        artifact_psd(Spoiling("image"), [one])
        assert "spoilt" not in image.meta
        assert image.meta["nested"] == {"deep": [1]}
        assert torch.equal(image, knee_image())
        assert float(one["mask"].sum()) == one["array"].sum() == float(one["more"]["box"][0].sum()) == 2
        assert float(one["ordered"]["mask"].sum()) == one["many"]["mask"].sum() == float(one["pair"].mask.sum()) == 2
        assert list(one["queue"]) == [1, 2]


def test_identity_which_is_there_to_do_nothing_is_not_named():
    image = torch.rand(1, 16, 16)
    with warnings.catch_warnings(action="error"):
        for transform in (ApplyShortcutd("image", Identity()), StaticShortcutd("image", Identity())):
            assert torch.equal(torch.as_tensor(transform({"image": image, "shortcut": True})["image"]), image)
