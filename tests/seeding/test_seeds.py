"""Checks of seeds; derived seeds differ."""

import pytest

from monai_freq.seeding.seeds import check_run_seed, derived_seed


@pytest.mark.parametrize("seed", [-1, 0.5, "0", None, True])
def test_other_seeds_of_a_run_are_refused(seed):
    with pytest.raises(ValueError, match=f"'seed' must be an integer of at least 0, got {seed!r}"):
        check_run_seed(seed)


def test_derived_seeds_depend_on_all_their_numbers():
    places = [(a, b, c) for a in (0, 1, 10**12) for b in range(20) for c in range(20)]
    found = [derived_seed(*place) for place in places]
    assert len(set(found)) == len(found)
    assert 0 <= min(found) < 2**28  # spread over the whole range
    assert 2**32 - 2**28 < max(found) < 2**32
    assert found == [derived_seed(*place) for place in places]
