"""Which samples, or whole groups of them, make up an exact number, stratified and by chance."""

from __future__ import annotations

from bisect import bisect
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from math import ceil, floor, prod
from random import Random

import numpy as np
from numpy.typing import NDArray

from .splits import permuted

__all__ = ["draw_divisible", "draw_groups", "draw_samples", "possible_sizes"]

SPARE = (2, 8)  # groups of a kind, on either side of its share, that the search for the exact number may move
BEAM = 200  # partial draws that the search keeps
DRAWS = 10  # divisible ones, of which the one with the nearest class proportions counts
FEW = 10  # groups, of which a table of all sums would be mostly empty
LARGEST = 3 * 10**8  # entries of such a table, times groups
MOST = 3 * 10**5  # sums that are gone through without a table

Counts = tuple[int, ...]
Reached = NDArray[np.int32] | dict[tuple[int, ...], int]


def draw_samples(labels: Mapping[str, int | str], size: int, key: str) -> list[str] | None:
    """Draw exactly ``size`` samples with the class proportions of all: every class is within one of its share.

    The largest remainders are rounded up, of equal ones those of later classes.

    Args:
        labels: name -> class.
        size: number of samples to draw.
        key: seed of the draw, any text. The order of ``labels`` does not matter.

    Returns:
        The names drawn, sorted; None if there are fewer.

    Example:
        >>> draw_samples({f"knee {i}": i % 2 for i in range(8)}, 4, key="seed 0")
        ['knee 1', 'knee 2', 'knee 3', 'knee 6']
    """
    if size > len(labels):
        return None
    totals = Counter(labels.values())
    shares = {label: divmod(size * total, len(labels)) for label, total in totals.items()}
    by_remainder = sorted(sorted(totals, key=repr, reverse=True), key=lambda label: shares[label][1], reverse=True)
    left = {label: whole for label, (whole, _) in shares.items()}
    for label in by_remainder[: size - sum(left.values())]:
        left[label] += 1
    drawn = []
    for name in permuted(sorted(labels), key):
        if left[labels[name]]:
            left[labels[name]] -= 1
            drawn.append(name)
    return sorted(drawn)


def draw_groups(groups: Mapping[str, Counts], size: int, key: str) -> list[str] | None:
    r"""Draw whole groups that hold exactly ``size`` samples, with the class proportions of all groups.

    .. math:: \min_S \sum_c \Big| \sum_{g \in S} n_{gc} - f N_c \Big| \quad \text{subject to} \quad
        \sum_{g \in S} \sum_c n_{gc} = f \sum_c N_c

    with :math:`n_{gc}` samples of class c in group g and f the fraction asked for. Groups of one kind, that is of equal
    counts, are permuted by ``key`` and contribute their share, but for a few that a search moves to meet the sums: the
    constraint always, where any set of groups can; the minimum as far as the search sees.

    Args:
        groups: name -> number of samples of each class.
        size: number of samples to draw.
        key: seed of the draw, any text. The order of ``groups`` does not matter.

    Returns:
        The names drawn, sorted; None if no set of groups holds ``size`` samples.

    Example:
        >>> patients = {f"patient {i}": ((3, 0), (0, 1))[i % 2] for i in range(8)}
        >>> draw_groups(patients, 8, key="seed 0")
        ['patient 1', 'patient 2', 'patient 3', 'patient 6']
    """
    if size not in possible_sizes([sum(counts) for counts in groups.values()], size):
        return None
    if size == 0:
        return []
    order = permuted(sorted(groups), key)
    wanted = _targets([groups[name] for name in order], size)
    draws = (_draw_near_shares(groups, order, wanted, size, spare) for spare in (*SPARE, len(order)))
    return next(sorted(drawn) for drawn in draws if drawn is not None)


def draw_divisible(groups: Mapping[str, Counts], within: tuple[int, int], beside: int, key: str) -> list[str] | None:
    """Draw whole groups that can be divided into exactly ``within``, while some of the others hold ``beside``.

    How many groups of each size are drawn is left to chance, among the numbers with which all this is possible; which
    groups of that size, to the class proportions, as in :func:`draw_groups`.

    Args:
        groups: name -> number of samples of each class.
        within: the two numbers of samples that those drawn can be divided into.
        beside: the number of samples that some of those not drawn hold.
        key: seed of the draw, any text. The order of ``groups`` does not matter.

    Returns:
        The names drawn, sorted; None if no groups can be divided so. Where there are too many sums to go through, as
        of a hundred groups of up to 20 samples or of 15 of hundreds, a division far from the shares may be missed.

    Example:
        >>> patients = {f"patient {i}": ((1,), (2,))[i // 4] for i in range(7)}
        >>> draw_divisible(patients, (2, 2), 3, key="seed 0")
        ['patient 4', 'patient 6']
    """
    sizes = Counter(map(sum, groups.values()))
    parts = (*within, beside, sum(map(sum, groups.values())) - sum(within) - beside)
    if min(parts) < 0:
        return None
    order = permuted(sorted(groups), key)
    wanted = _targets([groups[name] for name in order], sum(within))
    for spare in (*SPARE, len(order)):
        numbers = _divisible_numbers(sizes, parts, spare, key)
        draws = list(filter(None, (_draw_numbers(groups, order, wanted, number) for number in numbers)))
        if draws:
            return sorted(min(draws, key=lambda names: _distance(_total(groups, names), wanted)))
    return None


def possible_sizes(sizes: Sequence[int], most: int) -> set[int]:
    """Find all numbers of samples up to ``most`` that whole groups can hold.

    Args:
        sizes: number of samples of each group.
        most: largest number of interest.

    Example:
        >>> sorted(possible_sizes([3, 3, 5], most=9))
        [0, 3, 5, 6, 8]
    """
    last = deque(_reachable(sizes, most), maxlen=1).pop()
    return {total for total, bit in enumerate(reversed(f"{last:b}")) if bit == "1"}


def _reachable(sizes: Sequence[int], most: int) -> Iterator[int]:
    """Bit t of entry i says whether some of the first i groups hold t samples."""
    bits, mask = 1, (1 << (most + 1)) - 1
    yield bits
    for size in sizes:
        if size <= most:
            bits = (bits | bits << size) & mask
        yield bits


def _targets(counts: Sequence[Counts], size: int) -> list[float]:
    totals = [sum(column) for column in zip(*counts, strict=True)]
    return [size * total / sum(totals) for total in totals]


def _total(groups: Mapping[str, Counts], names: Iterable[str]) -> list[int]:
    return [sum(column) for column in zip(*(groups[name] for name in names), strict=True)]


def _draw_near_shares(
    groups: Mapping[str, Counts], order: Sequence[str], wanted: Sequence[float], size: int, spare: int
) -> list[str] | None:
    sure, open_ = _near_share(groups, order, size / sum(map(sum, groups.values())), spare)
    left = size - sum(sum(groups[name]) for name in sure)
    later = list(_reachable([sum(groups[name]) for name in reversed(open_)], max(left, 0)))[::-1]
    return _complete(groups, sure, open_, wanted, left, later)


def _draw_numbers(
    groups: Mapping[str, Counts], order: Sequence[str], wanted: Sequence[float], numbers: Mapping[int, int]
) -> list[str] | None:
    """Draw as many groups of each size as ``numbers`` says."""
    by_size: dict[int, list[str]] = defaultdict(list)
    for name in order:
        by_size[sum(groups[name])].append(name)
    sure: list[str] = []
    open_: list[str] = []
    left, later = 0, [1]
    for size, names in sorted(by_size.items()):
        some, more = _near_share(groups, names, numbers[size] / len(names), SPARE[0])
        number = numbers[size] - len(some)
        still = [range(max(0, number - seen), min(number, len(more) - seen) + 1) for seen in range(len(more))]
        later = [sum(1 << left + size * count for count in counts) for counts in still] + later
        left += size * number
        sure, open_ = sure + some, more + open_
    return _complete(groups, sure, open_, wanted, left, later)


def _near_share(
    groups: Mapping[str, Counts], names: Iterable[str], share: float, spare: int
) -> tuple[list[str], list[str]]:
    """Groups to draw in any case, and those that a search is to choose from."""
    kinds: dict[Counts, list[str]] = defaultdict(list)
    for name in names:
        kinds[groups[name]].append(name)
    sure: list[str] = []
    open_: list[str] = []
    for counts in sorted(kinds):
        alike = kinds[counts]
        first = max(0, floor(share * len(alike)) - spare)
        sure += alike[:first]
        open_ += alike[first : ceil(share * len(alike)) + spare]
    return sure, open_


def _complete(
    groups: Mapping[str, Counts],
    sure: Sequence[str],
    open_: Sequence[str],
    wanted: Sequence[float],
    size: int,
    later: Sequence[int],
) -> list[str] | None:
    rest = [want - sum(groups[name][c] for name in sure) for c, want in enumerate(wanted)]
    found = _search([groups[name] for name in open_], rest, size, later)
    return None if found is None else [*sure, *(open_[index] for index in found)]


def _search(counts: Sequence[Counts], wanted: Sequence[float], size: int, later: Sequence[int]) -> list[int] | None:
    """Beam search over which groups to take, ranked by how evenly they come towards the target.

    Bit t of entry i of ``later`` says whether t samples may be missing when all but the first i groups are yet to come.
    """
    remaining = [sum(column) for column in zip(*counts, strict=True)] or [0 for _ in wanted]
    shares = [want / left if left else 0.0 for want, left in zip(wanted, remaining, strict=True)]
    expected = [0.0 for _ in wanted]
    partial: dict[Counts, tuple[int, ...]] = {tuple(0 for _ in wanted): ()}
    for index, group in enumerate(counts):
        expected = [e + share * n for e, share, n in zip(expected, shares, group, strict=True)]
        grown = dict(partial)
        for state, taken in partial.items():
            grown.setdefault(tuple(a + b for a, b in zip(state, group, strict=True)), (*taken, index))
        missing = {state: size - sum(state) for state in grown}
        # Only draws that the groups ahead can complete to the exact size.
        feasible = [state for state, left in missing.items() if left >= 0 and later[index + 1] >> left & 1]
        nearest = sorted(feasible, key=lambda state: (_distance(state, expected), state))[:BEAM]
        partial = {state: grown[state] for state in nearest}
    ends = [state for state in partial if sum(state) == size]
    return list(partial[min(ends, key=lambda state: (_distance(state, wanted), state))]) if ends else None


def _distance(state: Sequence[int], wanted: Sequence[float]) -> float:
    return sum(abs(a - b) for a, b in zip(state, wanted, strict=True))


def _divisible_numbers(sizes: Mapping[int, int], parts: Sequence[int], spare: int, key: str) -> list[Counter[int]]:
    """For each of ``DRAWS`` choices, how many groups of each size make up the first two parts, so that all can be made.

    ``sizes`` counts the groups of each size; a part may lack ``spare`` groups of a size of its share. There are no
    choices if the parts cannot be made, or if there are too many sums to go through.
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
    choices = [_divide(open_, [*ends, largest], first, random) for _ in range(DRAWS)]
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
