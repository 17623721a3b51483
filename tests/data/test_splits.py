"""Splits are disjoint, complete, repeatable and indifferent to everything but names and seeds."""

import random
from itertools import pairwise

import numpy as np
import pytest
from random_states import global_states

from monai_freq.data import DataError, split_cases

ITEMS = [{"image": f"/data/imagesTr/la_{i:03}.nii.gz", "label": f"/data/labelsTr/la_{i:03}.nii.gz"} for i in range(20)]


def images(cases):
    return {case["image"] for case in cases}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("val", "test"), [(4, 4), (0, 5), (5, 0), (0, 0), (9, 10)])
def test_parts_are_disjoint_and_complete(seed, val, test):
    split = split_cases(ITEMS, val=val, test=test, seed=seed)
    assert list(split) == ["train", "val", "test"]
    assert [len(part) for part in split.values()] == [20 - val - test, val, test]
    assert set.union(*map(images, split.values())) == images(ITEMS)


def test_the_order_of_the_list_does_not_matter():
    shuffled = random.Random(1).sample(ITEMS, len(ITEMS))
    assert shuffled != ITEMS
    assert split_cases(shuffled, val=4, test=4, train_size=5, draw=2) == split_cases(
        ITEMS, val=4, test=4, train_size=5, draw=2
    )


def test_the_folder_does_not_matter():
    moved = [{"image": case["image"].replace("/data", "/elsewhere")} for case in ITEMS]
    names = [
        {
            part: [case["image"].split("/")[-1] for case in cases]
            for part, cases in split_cases(x, val=4, test=4).items()
        }
        for x in (ITEMS, moved)
    ]
    assert names[0] == names[1]


def test_paths_split_as_their_mappings_do():
    paths = [case["image"] for case in ITEMS]
    expected = {part: [case["image"] for case in cases] for part, cases in split_cases(ITEMS, val=4, test=4).items()}
    assert split_cases(paths, val=4, test=4) == expected


def test_the_division_is_fixed_for_all_time():
    # A change here would silently move test cases into other people's training sets.
    split = split_cases([f"{i:02}" for i in range(12)], val=2, test=3, seed=0, train_size=3, draw=1)
    assert split == FIXED


def test_seeds_differ():
    divisions = {frozenset(images(split_cases(ITEMS, val=4, test=4, seed=seed)["test"])) for seed in range(10)}
    assert len(divisions) > 7


def test_every_case_is_tested_sooner_or_later():
    counts = dict.fromkeys(images(ITEMS), 0)
    for seed in range(400):
        for image in images(split_cases(ITEMS, val=4, test=4, seed=seed)["test"]):
            counts[image] += 1
    assert 40 < min(counts.values()) < max(counts.values()) < 120  # 80 expected, standard deviation 8


@pytest.mark.parametrize("draw", range(4))
@pytest.mark.parametrize("train_size", [1, 3, 6, 12])
def test_validation_and_test_are_the_same_for_all_sizes_and_draws(train_size, draw):
    whole = split_cases(ITEMS, val=4, test=4, seed=3)
    part = split_cases(ITEMS, val=4, test=4, seed=3, train_size=train_size, draw=draw)
    assert part["val"] == whole["val"]
    assert part["test"] == whole["test"]
    assert len(part["train"]) == train_size
    assert images(part["train"]) <= images(whole["train"])


def test_a_draw_is_nested_across_sizes():
    sizes = [images(split_cases(ITEMS, val=4, test=4, train_size=n, draw=2)["train"]) for n in range(1, 13)]
    assert all(small < large for small, large in pairwise(sizes))
    assert sizes[-1] == images(split_cases(ITEMS, val=4, test=4)["train"])


def test_draws_differ():
    draws = {frozenset(images(split_cases(ITEMS, val=4, test=4, train_size=4, draw=i)["train"])) for i in range(10)}
    assert len(draws) > 7


def test_global_random_states_are_untouched():
    random.seed(0)
    np.random.seed(0)
    before = global_states()
    split_cases(ITEMS, val=4, test=4, train_size=3)
    assert global_states() == before


def test_the_list_given_is_untouched():
    given = list(reversed(ITEMS))
    split_cases(given, val=4, test=4)
    assert given == list(reversed(ITEMS))


@pytest.mark.parametrize("name", ["val", "test", "draw"])
def test_negative_numbers_are_refused_by_name(name):
    settings = {"val": 4, "test": 4, "draw": 0} | {name: -1}
    with pytest.raises(ValueError, match=f"'{name}' must be at least 0, got -1"):
        split_cases(ITEMS, **settings)


@pytest.mark.parametrize("train_size", [0, -3, 13])
def test_train_size_must_fit(train_size):
    with pytest.raises(ValueError, match=rf"'train_size' must be in \[1, 12\], got {train_size}"):
        split_cases(ITEMS, val=4, test=4, train_size=train_size)


@pytest.mark.parametrize(("val", "test"), [(10, 10), (4, 17), (30, 0)])
def test_too_few_cases(val, test):
    with pytest.raises(DataError) as caught:
        split_cases(ITEMS, val=val, test=test)
    message = str(caught.value)
    assert "There are 20 cases" in message
    assert f"need {val + test + 1}" in message
    assert all(setting in message for setting in ("--val_cases", "--test_cases", "--train_size"))


def test_no_cases_at_all():
    with pytest.raises(DataError, match="There are 0 cases"):
        split_cases([], val=0, test=0)


def test_a_case_listed_twice_could_be_in_two_parts():
    with pytest.raises(DataError, match=r"la_003.nii.gz is listed twice"):
        split_cases([*ITEMS, ITEMS[3]], val=4, test=4)


FIXED = {"train": ["07", "09", "10"], "val": ["00", "08"], "test": ["03", "06", "11"]}


def test_a_case_under_two_paths_could_be_in_two_parts(tmp_path):
    names = [tmp_path / f"{letter}.nii" for letter in "abcd"]
    for name in names:
        name.touch()
    (tmp_path / "e.nii").symlink_to(tmp_path / "b.nii")
    for other in (f"{tmp_path}/../{tmp_path.name}/b.nii", tmp_path / "e.nii"):
        with pytest.raises(DataError, match=r"The image .*b\.nii is listed twice, also as .*\.nii\. Keep"):
            split_cases([*names, other], val=1, test=1)
