"""Folds of a data set: stratified, disjoint by patient or exam, of exact sizes, and the same on every machine."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import DataError
from .fold_files import compare_folds, read_folds, save_folds
from .group_draw import draw_divisible, draw_groups, draw_samples, possible_sizes
from .same_images import repeated_image

__all__ = ["divide_folds", "fold_items", "plan_folds"]

SHOWN = 3  # differences in a message

Item = Mapping[str, Any]
Samples = Mapping[str, Mapping[str, Any]]
Groups = Mapping[str, Sequence[str]]


def divide_folds(
    items: Sequence[Item],
    fold: int = 0,
    *,
    file: str | os.PathLike[str] | None = None,
    train: int = 375,
    val: int = 125,
    test: int | None = None,
    folds: int = 5,
    seed: int = 0,
    label_key: str = "label",
    group_key: str | None = "patient",
) -> dict[str, list[dict[str, Any]]]:
    """Take one fold of a data list: :func:`plan_folds`, remembered in a file, and :func:`fold_items`.

    Args:
        items: samples, see :func:`plan_folds`, as for all arguments that are not listed here.
        fold: number of the fold, from 0.
        file: JSON file of the plan. If it is there, it is used, and must have been made with the same settings and for
            the same items; else it is written.
        train: number of training samples.
        val: number of validation samples.
        test: number of test samples (default: all others).
        folds: number of folds.
        seed: seed of the plan.
        label_key: key of the label.
        group_key: key of the patient or exam.

    Returns:
        Part ("train", "val", "test") -> items.

    Raises:
        ValueError: a setting is out of range.
        DataError: the items cannot be divided so, or the file is for others.

    Example:
        >>> items = [{"image": f"vol01/{i}.pck#12", "label": i % 2, "exam": str(i)} for i in range(12)]
        >>> parts = divide_folds(items, fold=1, train=6, val=2, group_key="exam")
        >>> {part: len(cases) for part, cases in parts.items()}
        {'train': 6, 'val': 2, 'test': 4}
    """
    settings = {"train": train, "val": val, "test": test, "folds": folds, "seed": seed}
    keys = {"label_key": label_key, "group_key": group_key}
    if file is None or not Path(file).exists():
        plan = plan_folds(items, **settings, **keys)  # type: ignore[arg-type]
        if file is not None:
            save_folds(plan, file)
        return fold_items(items, plan, fold)
    plan = read_folds(file)
    known, asked = plan["settings"], settings | keys
    other = [f"{name} is {known[name]!r}, not {value!r}" for name, value in asked.items() if known[name] != value]
    if other:
        raise DataError(f"{file} was made with other settings: {'; '.join(other)}.\nName another file, or delete it.")
    return fold_items(items, plan, fold)


def plan_folds(
    items: Sequence[Item],
    *,
    train: int = 375,
    val: int = 125,
    test: int | None = None,
    folds: int = 5,
    seed: int = 0,
    label_key: str = "label",
    group_key: str | None = "patient",
) -> dict[str, Any]:
    """Divide samples into a fixed test set and, fold by fold, redraws of training and validation.

    The test set and what remains for training and validation are drawn first and are the same in all folds; fold k is
    the k-th draw of ``val`` of these for validation. Every part holds whole groups, as many samples as asked for, and
    the labels in the proportions of the whole, as far as groups allow. The plan depends on ``seed``, names, labels and
    groups: not on the items' order or folder, nor on the global random state; a further fold leaves the others alone.

    Args:
        items: mappings with a path or address under ``"image"``, a label (an integer or a text) and a group.
        train: number of training samples.
        val: number of validation samples.
        test: number of test samples (default: all others).
        folds: number of folds.
        seed: seed of the plan.
        label_key: key of the label.
        group_key: key of what must not be in two parts, such as the patient or exam; None: every sample by itself.

    Returns:
        A plan for :func:`fold_items` and :func:`save_folds`: ``settings``, ``samples`` (name -> label and group),
        ``test`` (names) and ``folds`` (``train`` and ``val``, names, of each).

    Raises:
        ValueError: a setting is out of range.
        DataError: an item lacks a key or is listed twice, be it by a link, there are too few, or whole groups cannot
            make the sizes: the message then names sizes that they can. Where there are too many sums to go through, as
            of a hundred groups of up to 20 samples or of 15 of hundreds, a division far from the shares may be missed.

    Reference:
        Y. Lu et al. (2025), "Exploring connections of spectral analysis and transfer learning in medical imaging",
        DOI 10.1117/12.3047670: 375 training and 125 validation samples, five folds, a fixed test set.

    Example:
        >>> items = [{"image": f"vol01/{i}.pck#12", "label": i % 2, "exam": str(i)} for i in range(12)]
        >>> plan = plan_folds(items, train=6, val=2, group_key="exam")
        >>> len(plan["folds"]), plan["test"]
        (5, ['0.pck#12', '1.pck#12', '10.pck#12', '9.pck#12'])
    """
    least = {"train": 1, "val": 1, "folds": 1} | ({} if test is None else {"test": 0})
    settings = {"train": train, "val": val, "test": test, "folds": folds, "seed": seed}
    for name, low in least.items():
        if (value := settings[name]) is None or value < low:
            raise ValueError(f"'{name}' must be at least {low}, got {value}.")
    samples = _samples(items, label_key, group_key)
    if train + val + (test or 0) > len(samples):
        wanted = _wanted(train, val, test)
        raise DataError(f"There are {len(samples)} samples, fewer than {wanted}.\nLower these numbers.")
    if twice := repeated_image(item["image"] for item in items):
        raise DataError(f"{twice[0]} and {twice[1]} are one image, by a link.\nKeep one entry for each image.")
    groups = _groups(samples)
    both = _draw_both(groups, samples, train, val, test, seed)
    rest = {group: names for group, names in groups.items() if group not in both}
    tested = list(rest) if test is None else _draw(rest, samples, test, f"test {seed}", "testing")
    known = {group: groups[group] for group in both}
    drawn = [_draw(known, samples, val, f"fold {seed} {k}", "validation") for k in range(folds)]
    return {
        "settings": settings | {"label_key": label_key, "group_key": group_key},
        "samples": samples,
        "test": sorted(name for group in tested for name in groups[group]),
        "folds": [_fold(known, groups_of_fold) for groups_of_fold in drawn],
    }


def fold_items(items: Sequence[Item], plan: Mapping[str, Any], fold: int) -> dict[str, list[dict[str, Any]]]:
    """Take the items of one fold of a plan.

    Args:
        items: items that the plan was made of, in any order and any folder.
        plan: result of :func:`plan_folds` or :func:`read_folds`.
        fold: number of the fold, from 0.

    Returns:
        Part ("train", "val", "test") -> items, in the order of their names.

    Raises:
        ValueError: there is no such fold.
        DataError: the items are not those of the plan: the message says what differs.

    Example:
        >>> items = [{"image": f"vol01/{i}.pck#12", "label": i % 2, "exam": str(i)} for i in range(12)]
        >>> plan = plan_folds(items, train=6, val=2, group_key="exam")
        >>> [item["image"] for item in fold_items(items, plan, 1)["val"]]
        ['vol01/5.pck#12', 'vol01/8.pck#12']
    """
    if not 0 <= fold < len(plan["folds"]):
        raise ValueError(f"'fold' must be in [0, {len(plan['folds']) - 1}], got {fold}.")
    found = _samples(items, plan["settings"]["label_key"], plan["settings"]["group_key"])
    differences = compare_folds({**plan, "samples": found}, plan)
    if differences:
        shown = "; ".join(differences[:SHOWN])
        raise DataError(f"The data differ from those that the folds were made of: {shown}.\nDraw new folds for them.")
    by_name = dict(zip(_names(items), items, strict=True))
    parts = {**plan["folds"][fold], "test": plan["test"]}
    return {part: [dict(by_name[name]) for name in sorted(parts[part])] for part in ("train", "val", "test")}


def _samples(items: Sequence[Item], label_key: str, group_key: str | None) -> dict[str, dict[str, Any]]:
    names = _names(items, required=[key for key in (label_key, group_key) if key is not None])
    samples = {}
    for name, item in sorted(zip(names, items, strict=True), key=lambda pair: pair[0]):
        if name in samples:
            raise DataError(f"The image {name} is listed twice.\nKeep one entry for each image.")
        samples[name] = {"label": item[label_key], "group": name if group_key is None else item[group_key]}
        for key, value in samples[name].items():
            if not isinstance(value, int | str):
                raise DataError(
                    f"The {key} of {name} must be an integer or a text, got {value!r:.60}.\nConvert it beforehand."
                )
    return samples


def _names(items: Sequence[Item], required: Sequence[str] = ()) -> list[str]:
    """Addresses relative to the folder that all share, so that a copy of the data set has the same folds."""
    for number, item in enumerate(items):
        missing = [key for key in ("image", *required) if key not in item]
        if missing:
            raise DataError(f"Item {number} ({item.get('image')}) has no {missing[0]!r}.\nAdd it, or name another key.")
    addresses = [os.path.abspath(item["image"]) for item in items]
    if not addresses:
        return []
    root = os.path.commonpath([os.path.dirname(address) for address in addresses])
    return [Path(os.path.relpath(address, root)).as_posix() for address in addresses]


def _groups(samples: Samples) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for name, sample in samples.items():
        groups[repr(sample["group"])].append(name)
    return dict(groups)


def _wanted(train: int, val: int, test: int | None) -> str:
    testing = "" if test is None else f" and {test} for testing"
    return f"{train} for training, {val} for validation{testing}"


def _draw_both(groups: Groups, samples: Samples, train: int, val: int, test: int | None, seed: int) -> set[str]:
    """Groups for training and validation together that can be divided into both exactly, and leave ``test``."""
    drawn = set(_draw(groups, samples, train + val, f"both {seed} 0", "training and validation together"))
    if _are_single(groups):
        return drawn
    known = {group: names for group, names in groups.items() if group in drawn}
    rest = {group: names for group, names in groups.items() if group not in drawn}
    if val in _possible(known, val) and (test or 0) in _possible(rest, test or 0):
        return drawn
    for size, part in ((val, "validation"), (test or 0, "testing"), (train, "training")):
        if size not in _possible(groups, size):
            raise _impossible(groups, size, part)
    divisible = draw_divisible(_counts(groups, samples), (train, val), test or 0, f"divisible {seed}")
    if divisible is None:
        raise _indivisible(known, rest, train, val, test)
    return set(divisible)


def _possible(groups: Groups, most: int) -> set[int]:
    return possible_sizes([len(names) for names in groups.values()], most)


def _indivisible(known: Groups, rest: Groups, train: int, val: int, test: int | None) -> DataError:
    """With the nearest sizes that the first draw allows, so that asking for them succeeds."""
    first = f"No division of whole groups was found with {_wanted(train, val, test)}.\n"
    vals = _possible(known, train + val - 1) - {0}
    if not vals:
        return DataError(first + "Ask for other numbers.")
    near_val = min(vals, key=lambda size: (abs(size - val), size))
    near_test = None if test is None else min(_possible(rest, 2 * test), key=lambda size: (abs(size - test), size))
    possible = _wanted(train + val - near_val, near_val, near_test)
    return DataError(f"{first}Possible: {possible}. Ask for these or others.")


def _draw(groups: Groups, samples: Samples, size: int, key: str, part: str) -> list[str]:
    if _are_single(groups):
        drawn = draw_samples({group: samples[names[0]]["label"] for group, names in groups.items()}, size, key)
    else:
        drawn = draw_groups(_counts(groups, samples), size, key)
    if drawn is None:
        raise _impossible(groups, size, part)
    return drawn


def _are_single(groups: Groups) -> bool:
    return all(len(names) == 1 for names in groups.values())


def _counts(groups: Groups, samples: Samples) -> dict[str, tuple[int, ...]]:
    labels = sorted({sample["label"] for sample in samples.values()}, key=repr)
    counted = {group: Counter(samples[name]["label"] for name in names) for group, names in groups.items()}
    return {group: tuple(count[label] for label in labels) for group, count in counted.items()}


def _impossible(groups: Groups, size: int, part: str) -> DataError:
    sizes = [len(names) for names in groups.values()]
    possible = possible_sizes(sizes, min(sum(sizes), 2 * size + max(sizes, default=0)))
    near = [max((n for n in possible if n < size), default=0), min((n for n in possible if n > size), default=0)]
    alternatives = " and ".join(str(n) for n in near if n)
    return DataError(
        f"No set of whole groups holds {size} samples for {part}: {len(sizes)} groups of {min(sizes, default=0)} to "
        f"{max(sizes, default=0)} samples.\nThe nearest possible: {alternatives or 'none'}. Ask for one of these."
    )


def _fold(groups: Groups, val: Sequence[str]) -> dict[str, list[str]]:
    chosen = set(val)
    return {
        "train": sorted(name for group, names in groups.items() if group not in chosen for name in names),
        "val": sorted(name for group, names in groups.items() if group in chosen for name in names),
    }
