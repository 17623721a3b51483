"""Whole groups of an exact sum: found whenever there are any, proportional, and each group with its chance."""

import random
from collections import Counter
from itertools import combinations

import pytest

from monai_freq.data.group_draw import draw_divisible, draw_groups, draw_samples, possible_sizes


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


def divides(groups, drawn, within, beside):
    every, others = ([sum(groups[name]) for name in groups if (name in drawn) == side] for side in (True, False))
    sums = ({sum(some) for n in range(len(sizes) + 1) for some in combinations(sizes, n)} for sizes in (every, others))
    return sum(every) == sum(within) and within[0] in next(sums) and beside in next(sums)


def test_divisible_groups_are_found_whenever_there_are_any():
    found = refused = 0
    for seed in range(30):
        chance = random.Random(seed)
        groups = random_groups(chance, chance.randrange(2, 8), chance.randrange(1, 3), chance.choice([1, 3, 40]))
        groups = {name: (1 + counts[0], *counts[1:]) for name, counts in groups.items()}
        sets = [set(some) for n in range(len(groups) + 1) for some in combinations(groups, n)]
        for _ in range(10):
            parts = chance.choices(range(4), k=len(groups))
            held = [sum(sum(groups[f"g{i}"]) for i, part in enumerate(parts) if part == wanted) for wanted in range(4)]
            move = chance.choice([0, 0, 1])
            within, beside = (max(1, held[0] - move), held[1] + move or 1), held[2]
            drawn = draw_divisible(groups, within, beside, "key")
            if drawn is None:
                assert not any(divides(groups, some, within, beside) for some in sets)
                refused += 1
            else:
                assert divides(groups, drawn, within, beside)
                found += 1
    assert min(found, refused) > 60


def test_among_divisible_groups_each_has_its_chance_whatever_the_order():
    groups = {f"g{i}": (1 + i // 4,) for i in range(7)}
    backwards = dict(reversed(groups.items()))
    draws = [draw_divisible(groups, (2, 2), 3, f"key {seed}") for seed in range(400)]
    assert draws[:20] == [draw_divisible(backwards, (2, 2), 3, f"key {seed}") for seed in range(20)]
    counts = Counter(name for draw in draws for name in draw)
    for kind in (range(4), range(4, 7)):
        mean = sum(counts[f"g{i}"] for i in kind) / len(kind)
        assert 100 < mean < 300
        assert max(abs(counts[f"g{i}"] - mean) for i in kind) < 4.5 * (mean * (1 - mean / 400)) ** 0.5


def test_divisible_groups_keep_the_proportions():
    for seed in range(4):
        chance = random.Random(seed)
        groups = {name: (a, 1 + b) for name, (a, b) in random_groups(chance, 120, 2, 4).items()}
        everything = total(groups, groups)
        found = total(groups, draw_divisible(groups, (150, 50), 100, f"{seed}"))
        assert sum(found) == 200
        assert abs(found[0] - 200 * everything[0] / sum(everything)) <= 1


def test_of_too_many_groups_to_go_through_divisions_near_the_shares_are_found(monkeypatch):
    near = {f"g{i}": (1 if i < 5 else 2,) for i in range(400)}
    far = {f"g{i}": (1 if i < 30 else 30,) for i in range(60)}
    assert draw_divisible(far, (29, 1), 450, "key") == sorted(f"g{i}" for i in range(30))
    monkeypatch.setattr("monai_freq.data.group_draw.LARGEST", 10**5)
    monkeypatch.setattr("monai_freq.data.group_draw.MOST", 10**3)
    assert sum(near[name] == (1,) for name in draw_divisible(near, (101, 51), 51, "key")) in (2, 4)
    assert draw_divisible(far, (29, 1), 450, "key") is None


def test_none_and_all():
    assert draw_groups({"a": (1, 2), "b": (0, 2)}, 0, "key") == []
    assert draw_groups({"a": (1, 2), "b": (0, 2)}, 5, "key") == ["a", "b"]
    assert draw_groups({"a": (1, 2), "b": (0, 2)}, 6, "key") is None
    assert draw_groups({}, 0, "key") == []


FIXED = ["g1", "g2", "g3", "g4", "g9"]
