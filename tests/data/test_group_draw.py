"""Whole groups of an exact sum: found whenever there are any, proportional, and each group with its chance."""

import random
from collections import Counter
from itertools import combinations

import pytest

from monai_freq.data.group_draw import draw_groups, draw_samples, possible_sizes


def total(groups, names):
    return [sum(column) for column in zip(*(groups[name] for name in names), strict=True)]


def random_groups(chance, count, classes, most):
    return {f"g{i}": tuple(chance.randrange(most + 1) for _ in range(classes)) for i in range(count)}


def test_every_possible_size_is_found_and_no_other():
    for seed in range(60):
        chance = random.Random(seed)
        groups = random_groups(chance, chance.randrange(1, 9), chance.randrange(1, 4), chance.randrange(1, 7))
        sizes = [sum(counts) for counts in groups.values()]
        every = {sum(some) for number in range(len(sizes) + 1) for some in combinations(sizes, number)}
        assert possible_sizes(sizes, sum(sizes)) == every
        for size in range(sum(sizes) + 1):
            drawn = draw_groups(groups, size, "key")
            assert (drawn is not None) == (size in every)
            assert drawn is None or sum(sum(groups[name]) for name in drawn) == size


def test_classes_are_as_near_as_brute_force_finds_for_two_classes():
    for seed in range(60):
        chance = random.Random(seed)
        groups = random_groups(chance, 9, 2, 3)
        everything = [sum(column) for column in zip(*groups.values(), strict=True)]
        for size in {sum(everything) // 4, sum(everything) // 2}:

            def miss(names, groups=groups, everything=everything, size=size):
                wanted = [size * count / sum(everything) for count in everything]
                return sum(abs(a - b) for a, b in zip(total(groups, names), wanted, strict=True)) if names else 0

            drawn = draw_groups(groups, size, "key")
            some = [c for n in range(1, 10) for c in combinations(groups, n) if sum(total(groups, c)) == size]
            if drawn:
                assert miss(drawn) <= min(map(miss, some)) + 1e-9


@pytest.mark.parametrize("classes", [1, 2, 3, 6, 10])
def test_single_samples_keep_the_proportions_to_one(classes):
    labels = {f"{i}": i * i % classes for i in range(997)}
    everything = Counter(labels.values())
    for size in (0, 1, 10, 125, 500, 996, 997):
        found = Counter(labels[name] for name in draw_samples(labels, size, "key"))
        assert found.total() == size
        assert all(abs(found[label] - size * count / 997) < 1 for label, count in everything.items())
    assert draw_samples(labels, 998, "key") is None


def test_of_single_samples_no_class_could_be_nearer():
    for seed in range(40):
        chance = random.Random(seed)
        labels = {f"g{i}": chance.randrange(3) for i in range(9)}
        everything = Counter(labels.values())

        def miss(names, labels=labels, everything=everything):
            found = Counter(labels[name] for name in names)
            return sum(abs(9 * found[label] - len(names) * count) for label, count in everything.items())

        for size in range(10):
            assert miss(draw_samples(labels, size, "key")) == min(map(miss, combinations(labels, size)))


def test_every_sample_has_its_chance_and_the_order_does_not_matter():
    labels = {f"g{i}": i % 3 for i in range(30)}
    counts = Counter(name for seed in range(400) for name in draw_samples(labels, 15, f"key {seed}"))
    assert max(abs(counts[name] - 200) for name in labels) < 4.5 * 10
    assert draw_samples(dict(reversed(labels.items())), 15, "key") == draw_samples(labels, 15, "key")


def test_patients_of_several_slices_keep_the_proportions_to_one():
    for seed in range(10):
        chance = random.Random(seed)
        groups = random_groups(chance, 300, 2, 4)
        everything = total(groups, groups)
        found = total(groups, draw_groups(groups, 500, f"{seed}"))
        assert sum(found) == 500
        assert abs(found[0] - 500 * everything[0] / sum(everything)) <= 1


def test_every_group_has_its_chance():
    groups = {f"g{i}": ((1, 0), (0, 2), (2, 1))[i % 3] for i in range(30)}
    counts = Counter(name for seed in range(400) for name in draw_groups(groups, 30, f"key {seed}"))
    for kind in range(3):
        chances = [counts[f"g{i}"] for i in range(kind, 30, 3)]
        mean = sum(chances) / 10
        assert max(abs(chance - mean) for chance in chances) < 4.5 * (mean * (1 - mean / 400)) ** 0.5
        assert 120 < mean < 280  # half of 400, but for the search's moves


def test_keys_differ_and_the_order_of_groups_does_not_matter():
    groups = random_groups(random.Random(0), 50, 2, 3)
    shuffled = dict(random.Random(1).sample(list(groups.items()), 50))
    draws = [draw_groups(groups, 60, f"key {i}") for i in range(20)]
    assert draws == [draw_groups(shuffled, 60, f"key {i}") for i in range(20)]
    assert len({tuple(draw) for draw in draws}) == 20


def test_the_draw_is_the_same_in_every_version():
    groups = {f"g{i}": (i % 3, i % 2) for i in range(10)}
    assert draw_groups(groups, 7, "seed 0") == FIXED


def test_none_and_all():
    assert draw_groups({"a": (1, 2), "b": (0, 2)}, 0, "key") == []
    assert draw_groups({"a": (1, 2), "b": (0, 2)}, 5, "key") == ["a", "b"]
    assert draw_groups({"a": (1, 2), "b": (0, 2)}, 6, "key") is None
    assert draw_groups({}, 0, "key") == []


FIXED = ["g1", "g2", "g3", "g4", "g9"]
