"""Seeding for a block leaves no trace in any random state; derived seeds are apart."""

import random

import numpy as np
import pytest
import torch
from monai.transforms import Compose, RandGaussianNoise, RandGaussianNoised
from random_states import global_states

from monai_freq.chance import check_run_seed, derived_seed, drawing_from, seeded

CPU = torch.device("cpu")


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, True, None])
def test_a_bad_seed_is_refused_and_seeds_nothing(seed):
    states = global_states()
    with pytest.raises(ValueError, match=r"'seed' must be an integer in \[0, 2\^32\), got"), seeded(seed, CPU):
        pass
    assert global_states() == states


def draws():
    return random.random(), np.random.rand(), float(torch.rand(1))


def test_seeded_draws_the_same_and_puts_every_state_back():
    for end in (0, 2**32 - 1):
        states = global_states()
        with seeded(end, CPU):
            first = draws()
        with seeded(end, CPU):
            assert draws() == first
        with pytest.raises(KeyError), seeded(end, CPU):
            {}[draws()]
        assert global_states() == states
    with seeded(1, CPU):
        assert draws() != first


def test_nested_seeds_continue_where_they_were():
    with seeded(1, CPU):
        expected = draws(), draws()
    with seeded(1, CPU):
        first = draws()
        with seeded(2, CPU):
            draws()
        assert (first, draws()) == expected


def test_drawing_from_seeds_monais_own_states():
    image = torch.rand(1, 8, 8)
    noise = Compose([RandGaussianNoise(prob=1), RandGaussianNoised("image", prob=1)]).transforms[0]
    results = []
    for _ in range(2):
        with drawing_from(noise, 9, CPU):
            results.append(noise(image))
    assert torch.equal(*results)
    assert not torch.equal(noise(image), results[0])


@pytest.mark.parametrize("seed", [-1, 0.5, "0", None, True])
def test_a_run_cannot_be_seeded_with_that(seed):
    with pytest.raises(ValueError, match=f"'seed' must be an integer of at least 0, got {seed!r}"):
        check_run_seed(seed)


def test_derived_seeds_are_apart_and_of_all_their_numbers():
    places = [(a, b, c) for a in (0, 1, 10**12) for b in range(20) for c in range(20)]
    found = [derived_seed(*place) for place in places]
    assert len(set(found)) == len(found)
    assert 0 <= min(found) < 2**28  # spread over the whole range
    assert 2**32 - 2**28 < max(found) < 2**32
    assert found == [derived_seed(*place) for place in places]
