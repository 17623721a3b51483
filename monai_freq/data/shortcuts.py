"""Which items of a data list get an artifact, so that it tells their label."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..quoting import reason_of, written
from ..seeding.seeds import check_run_seed
from .same_images import RealFiles
from .splits import permuted

__all__ = ["plan_shortcut"]

SHOWN = 5  # labels in a message


def plan_shortcut(
    items: Sequence[Mapping[str, Any]],
    label_key: str,
    label: Any,
    fraction: float,
    seed: int = 0,
    flag_key: str = "shortcut",
) -> list[dict[str, Any]]:
    r"""Mark a fraction of the items of one label, for :class:`monai_freq.transforms.ApplyShortcutd` to alter.

    .. math:: \#\,\text{marked} = \operatorname{round}(p\, n)

    with n the items of the label and p the fraction; halves go to the even number, as Python's ``round`` sends them.

    The candidates, sorted by image name, are permuted by ``seed`` and the first are marked. So the plan depends on the
    seed and on what the candidates are, not on their order, their folder or the other items; and plans of one seed are
    nested: the marked items of a smaller fraction are marked at a larger one. The global random state is not used.

    Args:
        items: mappings, best with a path under ``"image"``; they are copied, not changed.
        label_key: key of an item's label, a single value.
        label: the label, or a collection of labels, that the artifact is tied to.
        fraction: fraction p of the items of the label to mark, in [0, 1].
        seed: seed of the choice, at least 0.
        flag_key: key of the mark, True or False, in the copies.

    Returns:
        A copy of every item, in the same order, with its mark.

    Raises:
        ValueError: ``fraction`` is out of range, ``seed`` is no integer of at least 0, or ``label`` is an empty
            collection.
        DataError: an item lacks ``label_key`` or has ``flag_key``, a label does not occur, an item of the label is
            listed twice, under whatever path, or cannot be told from others, an image has two labels, or so few items
            have the label that none would be marked.

    Reference:
        Y. Lu et al. (2025), "Exploring connections of spectral analysis and transfer learning in medical imaging",
        DOI 10.1117/12.3047670, Section 3: the artifact on a part of the positive training samples and on all negatives
        of the O.O.D. test set.

    Example:
        >>> items = [{"image": f"knee_{i}.png", "label": i % 2} for i in range(8)]
        >>> train = plan_shortcut(items, "label", 1, fraction=0.5)
        >>> [(item["image"], item["label"]) for item in train if item["shortcut"]]
        [('knee_1.png', 1), ('knee_7.png', 1)]
        >>> sum(item["shortcut"] for item in plan_shortcut(items, "label", 0, fraction=1))
        4
    """
    if not 0 <= fraction <= 1:
        raise ValueError(f"'fraction' must be in [0, 1], got {fraction}.")
    check_run_seed(seed)
    _check_keys(items, label_key, flag_key)
    candidates = _candidates(items, label_key, label)
    marks = round(fraction * len(candidates))
    if fraction > 0 and marks == 0:
        raise DataError(
            f"Too few candidates: {len(candidates)} of {len(items)} items have the label {written(label)}, and a "
            f"fraction of {fraction} of them rounds to none. "
            "Raise 'fraction' (0 marks none without complaint) or add items."
        )
    ordered = _sorted_by_name(items, set(candidates), label_key)
    marked = set(permuted(ordered, f"shortcut {seed}")[:marks])
    return [{**item, flag_key: index in marked} for index, item in enumerate(items)]


def _check_keys(items: Sequence[Mapping[str, Any]], label_key: str, flag_key: str) -> None:
    for index, item in enumerate(items):
        if label_key not in item:
            raise DataError(f"{_named(item, index)} has no {label_key!r}. Give it a label, or change 'label_key'.")
        if flag_key in item:
            raise DataError(
                f"{_named(item, index)} has {flag_key!r} already. Plan on the list without marks, or change 'flag_key'."
            )


def _candidates(items: Sequence[Mapping[str, Any]], label_key: str, label: Any) -> list[int]:
    wanted = list(label) if isinstance(label, Collection) and not isinstance(label, str | bytes) else [label]
    if not wanted:
        raise ValueError(f"'label' must be a value or a collection of at least one, got {written(label)}.")
    occurs = [False] * len(wanted)
    found = []
    for index, item in enumerate(items):
        try:
            equal = [bool(item[label_key] == value) for value in wanted]
        except (ValueError, RuntimeError) as error:  # an array of several elements has no truth value
            raise DataError(
                f"{_named(item, index)} must have one value under {label_key!r}: {reason_of(error)}."
            ) from error
        occurs = [before or now for before, now in zip(occurs, equal, strict=True)]
        if any(equal):
            found.append(index)
    if not all(occurs):
        known = list(dict.fromkeys(repr(item[label_key]) for item in items))
        values = ", ".join(known[:SHOWN]) + (", ..." if len(known) > SHOWN else "") if known else "the list is empty"
        absent = wanted[occurs.index(False)]
        raise DataError(f"The label {absent!r} does not occur under {label_key!r} ({values}). Correct 'label'.")
    return found


def _sorted_by_name(items: Sequence[Mapping[str, Any]], candidates: Collection[int], label_key: str) -> list[int]:
    """The candidates, if no two items are one image, whatever the spelling of its path, and alike in all but the label.

    The name comes first so that a list from another folder is planned in the same way; the rest tells apart slices of
    one file, and items that have no path.
    """
    names = [_image_name(item) for item in items]
    keyed = sorted((names[index], _canonical(items[index], index), index) for index in candidates)
    real = RealFiles()
    seen: dict[Hashable, int] = {}
    for index, item in enumerate(items):
        left_out = ("image", label_key) if names[index] else ()
        try:
            rest = _canonical({key: value for key, value in item.items() if key not in left_out}, index)
        except DataError:  # in an item without the label: those with it have been told apart
            continue
        first = seen.setdefault((real.of(item["image"]) if names[index] else None, rest), index)
        if first != index and not np.array_equal(items[first][label_key], item[label_key]):
            both = f"{items[first][label_key]!r:.40} as item {first} and {item[label_key]!r:.40}"
            raise DataError(f"{_named(item, index)} has two labels, {both}. Correct the list.")
        if first != index and index in candidates:
            raise DataError(
                f"{_named(items[first], first)} is listed twice, the other time as {_named(item, index, 'item')}. "
                "Plan on single entries and repeat them afterwards."
            )
    return [index for *_, index in keyed]


def _image_name(item: Mapping[str, Any]) -> str:
    image = item.get("image")
    return Path(image).name if isinstance(image, str | os.PathLike) else ""


def _canonical(item: Mapping[str, Any], index: int) -> str:
    try:
        return json.dumps(dict(item), sort_keys=True, default=_plain)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{_named(item, index)} cannot be told from others: {reason_of(error)}. "
            "Keep paths, numbers, strings and arrays in the list."
        ) from error


def _plain(value: Any) -> Any:
    """What JSON lacks: paths, sets, arrays and tensors, by their content."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    array = np.asarray(value)
    if array.dtype == object:
        raise TypeError(f"it holds an object of type {type(value).__name__}")
    return array.dtype.str, array.shape, hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def _named(item: Mapping[str, Any], index: int, word: str = "Item") -> str:
    image = item.get("image") if isinstance(item, Mapping) else item
    return f"{word} {index} ({image})" if isinstance(image, str | os.PathLike) else f"{word} {index}"
