"""Seeding for a block leaves no trace in any random state."""

import random

import numpy as np
import pytest
import torch
from monai.transforms import Compose, RandGaussianNoise, RandGaussianNoised
from random_states import global_states

from monai_freq.seeding.generators import drawing_from, seeded

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
