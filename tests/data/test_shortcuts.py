"""Plans of shortcuts: exact, nested, and of the seed and the candidates alone."""

import copy
import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from random_states import global_states

from monai_freq.data import DataError, plan_shortcut


def knees(positive, negative=3, folder="knee"):
    labels = [1] * positive + [0] * negative
    return [{"image": f"{folder}/{i:04}.png", "label": label} for i, label in enumerate(labels)]


def marked(plan):
    return {Path(item["image"]).name for item in plan if item["shortcut"]}


@pytest.mark.parametrize("n", [1, 2, 3, 5, 10, 37, 200])
def test_exactly_the_rounded_fraction_is_marked_and_only_of_the_label(n):
    for percent in range(101):
        fraction = percent / 100
        if fraction > 0 and round(fraction * n) == 0:
            with pytest.raises(DataError, match=f"Too few candidates: {n} of"):
                plan_shortcut(knees(n), "label", 1, fraction)
            continue
        plan = plan_shortcut(knees(n), "label", 1, fraction, seed=percent)
        assert sum(item["shortcut"] for item in plan) == round(fraction * n)
        assert all(item["label"] == 1 for item in plan if item["shortcut"])
        assert {type(item["shortcut"]) for item in plan} == {bool}


@pytest.mark.parametrize(("n", "marks"), [(3, 2), (5, 2), (7, 4), (9, 4)])
def test_halves_go_to_the_even_number(n, marks):
    assert len(marked(plan_shortcut(knees(n), "label", 1, 0.5))) == marks


def test_items_are_copied_in_their_order():
    items = knees(6)
    before = copy.deepcopy(items)
    plan = plan_shortcut(items, "label", 1, 0.5, flag_key="photon")
    assert items == before
    assert [{key: value for key, value in item.items() if key != "photon"} for item in plan] == items


def test_the_plan_is_of_the_seed_and_the_candidates_alone():
    items = knees(40, 10)
    expected = marked(plan_shortcut(items, "label", 1, 0.3, seed=5))
    assert marked(plan_shortcut(items, "label", 1, 0.3, seed=5)) == expected
    for shuffle in range(5):
        order = random.Random(shuffle).sample(items, len(items))
        assert marked(plan_shortcut(order, "label", 1, 0.3, seed=5)) == expected
    assert marked(plan_shortcut(items[:45], "label", 1, 0.3, seed=5)) == expected  # fewer negatives
    assert marked(plan_shortcut(knees(40, folder="/scratch/other"), "label", 1, 0.3, seed=5)) == expected
    with_paths = [{**item, "image": Path(item["image"])} for item in items]
    assert marked(plan_shortcut(with_paths, "label", 1, 0.3, seed=5)) == expected


def test_the_choice_of_a_seed_is_the_same_in_every_version():
    assert marked(plan_shortcut(knees(10), "label", 1, 0.3)) == {"0000.png", "0003.png", "0005.png"}


def test_seeds_differ_and_every_candidate_has_its_chance():
    plans = [marked(plan_shortcut(knees(20), "label", 1, 0.5, seed=seed)) for seed in range(200)]
    assert len({frozenset(plan) for plan in plans}) == 200
    counts = [sum(f"{i:04}.png" in plan for plan in plans) for i in range(20)]
    assert min(counts) > 70
    assert max(counts) < 130  # 100 expected, with an SD of 7


def test_plans_of_one_seed_are_nested():
    for seed in range(10):
        plans = [marked(plan_shortcut(knees(16), "label", 1, p, seed=seed)) for p in (0, 0.25, 0.5, 0.75, 1)]
        assert all(small < large for small, large in pairwise(plans))


def test_items_without_a_path_and_slices_of_one_file():
    arrays = [{"image": np.full((1, 4, 4), i), "label": 1} for i in range(8)]
    tensors = [{"image": torch.full((1, 4, 4), float(i)), "label": 1} for i in range(8)]
    slices = [{"image": "knee.h5", "slice": i, "label": 1} for i in range(8)]
    several = [{"image": [Path(f"{i}_t1.nii"), Path(f"{i}_t2.nii")], "label": 1, "sites": {"b", "a"}} for i in range(8)]
    for items in (arrays, tensors, slices, several):
        forward = plan_shortcut(items, "label", 1, 0.5)
        backward = plan_shortcut(items[::-1], "label", 1, 0.5)[::-1]
        flags = [item["shortcut"] for item in forward]
        assert sum(flags) == 4
        assert flags == [item["shortcut"] for item in backward]


@pytest.mark.parametrize("labels", [[1, 2], (1, 2), {1, 2}, frozenset({1, 2}), np.array([1, 2])])
def test_several_labels_are_one_pool(labels):
    items = [{"image": f"{i}.png", "label": i % 4} for i in range(40)]
    plan = plan_shortcut(items, "label", labels, 0.5)
    assert sum(item["shortcut"] for item in plan) == 10
    assert {item["label"] for item in plan if item["shortcut"]} == {1, 2}


def test_labels_of_other_types():
    for positive, negative in (("torn", "healthy"), (np.int64(1), np.int64(0)), (torch.tensor(1), torch.tensor(0))):
        items = [{"image": f"{i}.png", "label": (positive, negative)[i % 2]} for i in range(10)]
        wanted = positive if isinstance(positive, str) else 1
        assert sum(item["shortcut"] for item in plan_shortcut(items, "label", wanted, 0.4)) == 2


def test_no_global_generator_is_used():
    before = global_states()
    plan_shortcut(knees(20), "label", 1, 0.5)
    assert global_states() == before


def test_a_fraction_of_zero_marks_none():
    assert marked(plan_shortcut(knees(1), "label", 1, 0)) == set()


@pytest.mark.parametrize("fraction", [-0.1, 1.01, float("nan"), float("inf")])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(ValueError, match=rf"'fraction' must be in \[0, 1\], got {fraction}"):
        plan_shortcut(knees(4), "label", 1, fraction)


def test_an_empty_collection_of_labels_is_refused():
    with pytest.raises(ValueError, match=r"'label' must be a value or a collection of at least one, got \[\]"):
        plan_shortcut(knees(4), "label", [], 0.5)


@pytest.mark.parametrize(
    ("items", "label", "message"),
    [
        ([*knees(2), {"image": "x.png"}], 1, r"Item 5 \(x.png\) has no 'label'"),
        ([{"label": 1}, {"image": torch.rand(1, 2, 2)}], 1, "Item 1 has no 'label'"),
        ([{"image": "x.png", "label": 1, "shortcut": False}], 1, r"Item 0 \(x.png\) has 'shortcut' already"),
        (knees(2), 7, r"The label 7 does not occur under 'label' \(1, 0\)"),
        (knees(2), "1", r"The label '1' does not occur under 'label' \(1, 0\)"),
        (knees(2), [1, 8], "The label 8 does not occur"),
        ([], 1, "the list is empty"),
        ([{"image": "a", "label": i} for i in range(9)], 9, r"\(0, 1, 2, 3, 4, \.\.\.\)"),
        (knees(0), 1, "The label 1 does not occur"),
        ([*knees(2), *knees(2)], 1, r"Item 0 \(knee/0000.png\) is listed twice, the other time as item 5"),
        ([{"image": "x.png", "label": np.array([0, 1])}], 1, r"Item 0 \(x.png\) must have one value under 'label'"),
        ([{"image": "x.png", "label": torch.tensor([0, 1])}], 1, "must have one value under 'label'"),
        ([{"image": "x.png", "label": 1, "reader": object()}] * 2, 1, "cannot be told from others: .* of type object"),
        (knees(1), 1, r"Too few candidates: 1 of 4 items have the label 1, and a fraction of 0.5 .* rounds to none"),
    ],
)
def test_lists_that_cannot_be_planned_are_refused(items, label, message):
    with pytest.raises(DataError, match=message):
        plan_shortcut(items, "label", label, 0.5)


def test_one_image_under_two_paths_or_with_two_labels(tmp_path):
    items = [{"image": f"{tmp_path}/{number}.png", "label": number % 2} for number in range(4)]
    again = {"image": f"{tmp_path}/./1.png", "label": 1}
    with pytest.raises(DataError, match=r"Item 1 .* is listed twice, the other time as item 4 \(.*/\./1\.png\)"):
        plan_shortcut([*items, again], "label", 1, 0.5)
    for place in (0, 4):
        mixed = [*items[:place], again | {"label": 0}, *items[place:]]
        for label in (0, 1):
            with pytest.raises(DataError, match=r"has two labels, [01] as item \d and [01]\. Correct"):
                plan_shortcut(mixed, "label", label, 0.5)
    slices = [item | {"image": f"{tmp_path}/x.nii", "slice": number} for number, item in enumerate(items)]
    assert len(plan_shortcut(slices, "label", 1, 0.5)) == 4
