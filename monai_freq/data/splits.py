"""Seeded division of a list of cases into training, validation and test sets."""

from __future__ import annotations

import os
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from ..errors import DataError
from .same_images import repeated_image

__all__ = ["permuted", "split_cases"]

H = TypeVar("H", bound=Hashable)
T = TypeVar("T", bound=Mapping[str, Any] | str | os.PathLike[str])


def split_cases(
    items: Sequence[T], *, val: int, test: int, seed: int = 0, train_size: int | None = None, draw: int = 0
) -> dict[str, list[T]]:
    """Divide cases into disjoint training, validation and test lists that depend on file names and ``seed`` only.

    The cases, sorted by image name, are permuted by ``seed``; the first ``test`` are for testing, the next ``val`` for
    validation, the rest for training. ``train_size`` keeps a random part of the training list and touches nothing else;
    parts of the same ``draw`` are nested: the smaller is contained in the larger. The global random state is not used.

    Args:
        items: paths, or mappings with a path under ``"image"``; their order does not matter.
        val: number of validation cases.
        test: number of test cases.
        seed: seed of the division.
        train_size: number of training cases to keep (default: all).
        draw: number of the random part to keep, 0, 1, ...

    Raises:
        ValueError: ``val``, ``test``, ``train_size`` or ``draw`` is out of range.
        DataError: there are too few cases, or one is listed twice, under whatever path.

    Example:
        >>> split = split_cases([f"imagesTr/la_{i:03}.nii.gz" for i in range(1, 7)], val=1, test=2, train_size=2)
        >>> {part: len(cases) for part, cases in split.items()}
        {'train': 2, 'val': 1, 'test': 2}
    """
    for name, value in (("val", val), ("test", test), ("draw", draw)):
        if value < 0:
            raise ValueError(f"'{name}' must be at least 0, got {value}.")
    ordered = _sorted_by_name(items)
    _check_parts(len(ordered), val, test, train_size)
    order = permuted(range(len(ordered)), f"split {seed}")
    rest = order[test + val :]
    if train_size is not None:
        rest = permuted(rest, f"train {seed} {draw}")[:train_size]
    parts = {"train": rest, "val": order[test : test + val], "test": order[:test]}
    return {part: [ordered[i] for i in sorted(indices)] for part, indices in parts.items()}


def _check_parts(cases: int, val: int, test: int, train_size: int | None) -> None:
    train = cases - val - test
    if train < 1:
        raise DataError(
            f"There are {cases} cases, but {val} for validation, {test} for testing and at least 1 for training need "
            f"{val + test + 1}. Lower --val_cases or --test_cases (and --train_size)."
        )
    if train_size is not None and not 1 <= train_size <= train:
        raise DataError(
            f"'train_size' must be in [1, {train}], got {train_size}: {cases} cases less {val} for validation and "
            f"{test} for testing leave {train}. Change --train_size, --val_cases or --test_cases."
        )


def _sorted_by_name(items: Sequence[T]) -> list[T]:
    # The name comes first so that a data set copied to another folder is divided in the same way.
    keyed = sorted((((path := _path(item)).name, str(path)), index) for index, item in enumerate(items))
    twice = repeated_image(path for (_, path), _ in keyed)
    if twice:
        also = "" if twice[0] == twice[1] else f", also as {twice[1]}"
        raise DataError(f"The image {twice[0]} is listed twice{also}. Keep one entry for each image.")
    return [items[index] for _, index in keyed]


def _path(item: Mapping[str, Any] | str | os.PathLike[str]) -> Path:
    return Path(item["image"] if isinstance(item, Mapping) else item)


def permuted(items: Iterable[H], key: str) -> list[H]:
    """Different items in an order of chance, the same in every version of Python.

    Args:
        items: items, in an order that is always the same.
        key: seed, any text.

    Example:
        >>> permuted("abcd", "split 0")
        ['d', 'a', 'b', 'c']
    """
    # Of Python's and NumPy's generators, only Random.random() promises the same numbers in every version.
    random = Random(key)
    weights = {item: random.random() for item in items}
    return sorted(weights, key=weights.__getitem__)
