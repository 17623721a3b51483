"""How many groups of each size go to which part, so that every part holds an exact number of samples."""

from bisect import bisect
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import prod
from random import Random

import numpy as np
from numpy.typing import NDArray

__all__ = ["divisible_numbers"]

FEW = 10  # groups, of which a table of all sums would be mostly empty
LARGEST = 3 * 10**8  # entries of such a table, times groups
MOST = 3 * 10**5  # sums that are gone through without a table

Reached = NDArray[np.int32] | dict[tuple[int, ...], int]


def divisible_numbers(
    sizes: Mapping[int, int], parts: Sequence[int], spare: int, draws: int, key: str
) -> list[Counter[int]]:
    """Choose by chance how many groups of each size make up the first two parts, so that all parts can be made.

    Args:
        sizes: size -> number of groups of that size.
        parts: number of samples of each part; they sum to that of all groups.
        spare: groups of a size that a part may lack of its share.
        draws: how often to choose.
        key: seed of the choices, any text.

    Returns:
        For each choice, size -> number of groups; none if the parts cannot be made, or if there are too many sums to go
        through.

    Example:
        >>> divisible_numbers({1: 4, 2: 3}, (2, 2, 3, 3), spare=8, draws=2, key="seed 0")
        [Counter({2: 2}), Counter({1: 2, 2: 1})]
    """
    sure = [{size: max(0, count * part // sum(parts) - spare) for size, count in sizes.items()} for part in parts]
    open_ = [size for size in sorted(sizes) for _ in range(sizes[size] - sum(numbers[size] for numbers in sure))]
    needs = [part - sum(size * n for size, n in numbers.items()) for part, numbers in zip(parts, sure, strict=True)]
    ranked = sorted(range(len(parts)), key=needs.__getitem__)
    *ends, largest = (needs[part] for part in ranked)  # whatever the others leave goes to the largest part
    first = _first_reached(open_, ends)
    if first is None or first[tuple(ends)] > len(open_):
        return []
    random, surely = Random(key), Counter(sure[0]) + Counter(sure[1])
    choices = [_divide(open_, [*ends, largest], first, random) for _ in range(draws)]
    return [
        surely + Counter(size for size, part in zip(open_, choice, strict=True) if ranked[part] < 2)
        for choice in choices
    ]


def _first_reached(sizes: Sequence[int], ends: Sequence[int]) -> Reached | None:
    """Entry (a, b, ...): the first i groups among which some hold a samples, others b, ...; if never, more than all.

    None if there are too many entries to go through.
    """
    if len(sizes) <= FEW or len(sizes) * prod(end + 1 for end in ends) > LARGEST:
        return _first_reached_of_few(sizes, ends)
    first = np.full([end + 1 for end in ends], len(sizes) + 1, dtype=np.int32)
    first[(0,) * len(ends)] = 0
    for step, size in enumerate(sizes, 1):
        reached = first < step
        for axis in range(len(ends)):
            ahead, behind = np.moveaxis(first, axis, 0)[size:], np.moveaxis(reached, axis, 0)[:-size]
            np.minimum(ahead, step, out=ahead, where=behind)
    return first


def _first_reached_of_few(sizes: Sequence[int], ends: Sequence[int]) -> dict[tuple[int, ...], int] | None:
    """Do the same without a table."""
    first: dict[tuple[int, ...], int] = defaultdict(lambda: len(sizes) + 1, {(0,) * len(ends): 0})
    for step, size in enumerate(sizes, 1):
        for state in list(first):
            for axis, end in enumerate(ends):
                if state[axis] + size <= end:
                    first.setdefault((*state[:axis], state[axis] + size, *state[axis + 1 :]), step)
        if len(first) > MOST:
            return None
    return first


def _divide(sizes: Sequence[int], needs: Sequence[int], first: Reached, random: Random) -> list[int]:
    """Give each group to a part, by chance in proportion to what the parts need, so that the rest can be given."""
    left, chosen = list(needs), []
    for step in range(len(sizes), 0, -1):
        size = sizes[step - 1]
        after = [[need - size * (part == other) for other, need in enumerate(left)] for part in range(len(left))]
        weights = [
            need if min(state) >= 0 and first[tuple(state[:-1])] < step else 0
            for need, state in zip(left, after, strict=True)
        ]
        part = bisect(list(accumulate(weights)), random.random() * sum(weights))
        left = after[part]
        chosen.append(part)
    return chosen[::-1]
