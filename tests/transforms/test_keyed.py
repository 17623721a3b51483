"""Dictionary transforms of random array transforms: one draw, shared by all keys."""

import inspect
import pickle

import pytest
import torch
from monai.data import CacheDataset
from monai.transforms import RandGibbsNoise, Randomizable

from monai_freq.transforms import RandKeyed


class RandGibbsNoised(RandKeyed):
    array = RandGibbsNoise


def test_the_signature_is_that_of_the_array_transform():
    names = list(inspect.signature(RandGibbsNoised).parameters)
    assert names == ["keys", "prob", "alpha", "allow_missing_keys"]


def test_keys_share_one_draw_and_calls_do_not():
    image = torch.rand(1, 12, 12)
    transform = RandGibbsNoised(["a", "b"], prob=1.0).set_random_state(0)
    first, second = (transform({"a": image, "b": image, "id": 7}) for _ in range(2))
    assert torch.equal(first["a"], first["b"])
    assert not torch.equal(first["a"], second["a"])
    assert first["id"] == 7


def test_the_probability_is_kept():
    image = torch.rand(1, 8, 8)
    transform = RandGibbsNoised("a", prob=0.3).set_random_state(0)
    changed = sum(not torch.equal(transform({"a": image})["a"], image) for _ in range(400))
    assert 90 <= changed <= 150


def test_a_seed_repeats_the_draws():
    image = torch.rand(1, 8, 8)
    first, second = (
        [RandGibbsNoised("a", prob=0.5).set_random_state(seed)({"a": image})["a"] for _ in range(2)] for seed in (3, 3)
    )
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_no_cache_freezes_the_draws():
    assert isinstance(RandGibbsNoised("a"), Randomizable)
    transform = RandGibbsNoised("a", prob=1.0).set_random_state(0)  # two draws of eight voxels may be alike
    data = CacheDataset([{"a": torch.rand(1, 32, 32)}], transform, progress=False)
    assert not torch.equal(data[0]["a"], data[0]["a"])


def test_errors_and_missing_keys_as_in_the_deterministic_form():
    with pytest.raises(KeyError, match="b"):
        RandGibbsNoised(["a", "b"])({"a": torch.rand(1, 8, 8)})
    kept = RandGibbsNoised(["a", "b"], allow_missing_keys=True)({"a": torch.rand(1, 8, 8)})
    assert set(kept) == {"a"}
    with pytest.raises(TypeError, match="sigma"):
        RandGibbsNoised("a", sigma=1)


def test_it_can_be_sent_to_workers():
    transform = RandGibbsNoised("a", prob=1.0).set_random_state(1)
    image = torch.rand(1, 8, 8)
    assert torch.equal(pickle.loads(pickle.dumps(transform))({"a": image})["a"], transform({"a": image})["a"])
