"""Folds kept in a JSON file, to be used again and compared."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..files import replacing
from ..json_files import read_json
from ..quoting import named, shown
from .refusals import refusing

__all__ = ["compare_folds", "read_folds", "save_folds"]

VERSION = 1
SETTINGS = ("train", "val", "test", "folds", "seed", "label_key", "group_key")
MOST_BYTES = 1 << 30

Plan = Mapping[str, Any]


def save_folds(plan: Plan, file: str | os.PathLike[str]) -> None:
    """Write a plan as JSON, aside and then renamed; the same plan gives the same bytes.

    Args:
        plan: result of :func:`monai_freq.data.plan_folds`.
        file: path of the file, which is replaced if it is there.

    Raises:
        DataError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> samples = {"a.png": {"label": 0, "group": "p1"}, "b.png": {"label": 1, "group": "p2"}}
        >>> plan = {"test": [], "folds": [{"train": ["a.png"], "val": ["b.png"]}], "samples": samples}
        >>> plan["settings"] = dict.fromkeys(SETTINGS)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_folds(plan, f"{folder}/folds.json")
        ...     read_folds(f"{folder}/folds.json") == plan
        True
    """
    content = {"version": VERSION, **{key: plan[key] for key in ("settings", "samples", "test", "folds")}}
    refused = refusing(file, "Name another file.", OSError, what="cannot be written")
    with refused, replacing(Path(file)) as aside:
        aside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_folds(file: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a plan and check that its parts are disjoint, by name and by group.

    Args:
        file: path of a file of :func:`save_folds`.

    Raises:
        DataError: the file is missing, damaged or of another kind, or a sample or a group is in two parts.

    Example:
        >>> import tempfile
        >>> samples = {"a.png": {"label": 0, "group": "p1"}, "b.png": {"label": 1, "group": "p2"}}
        >>> plan = {"test": [], "folds": [{"train": ["a.png"], "val": ["b.png"]}], "samples": samples}
        >>> file = f"{tempfile.mkdtemp()}/folds.json"
        >>> save_folds(plan | {"settings": dict.fromkeys(SETTINGS)}, file)
        >>> read_folds(file)["folds"]
        [{'train': ['a.png'], 'val': ['b.png']}]
    """
    with refusing(file, "Delete it to have the folds drawn again.", OSError, ValueError):
        if Path(file).stat().st_size > MOST_BYTES:
            raise ValueError("it is too large")
        content = read_json(file)
    reason = _fault(content)
    if reason:
        raise DataError(f"{named(file)} holds no folds of this version: {reason}.\nDelete it to have them drawn again.")
    del content["version"]
    return dict(content)


def _fault(content: Any) -> str | None:
    if not isinstance(content, dict) or content.get("version") != VERSION:
        return f"its version is not {VERSION}"
    if not isinstance(content.get("settings"), dict) or not set(SETTINGS) <= set(content["settings"]):
        return "its settings are incomplete"
    samples = content.get("samples")
    if not isinstance(samples, dict) or not all(_is_sample(sample) for sample in samples.values()):
        return "its samples have no label and group"
    folds = content.get("folds")
    if not isinstance(folds, list) or not folds or not all(isinstance(fold, dict) for fold in folds):
        return "it lists no folds"
    for number, fold in enumerate(folds):
        parts = {"train": fold.get("train"), "val": fold.get("val"), "test": content.get("test")}
        if reason := _fault_of_parts(parts, samples):
            return f"in fold {number}, {reason}"
    return None


def _is_sample(sample: Any) -> bool:
    return isinstance(sample, dict) and all(isinstance(sample.get(key), int | str) for key in ("label", "group"))


def _fault_of_parts(parts: Mapping[str, Any], samples: Mapping[str, Any]) -> str | None:
    for part, names in parts.items():
        if not isinstance(names, list) or not all(isinstance(name, str) and name in samples for name in names):
            return f"'{part}' is not a list of its samples"
        if len(set(names)) < len(names):
            return f"'{part}' lists a sample twice"
    groups = {part: {repr(samples[name]["group"]) for name in names} for part, names in parts.items()}
    for one, other in combinations(groups, 2):
        if shared := groups[one] & groups[other]:
            return f"the group {min(shared)} is in {one} and {other}"
    return None


def compare_folds(one: Plan, other: Plan) -> list[str]:
    """Say how two plans differ.

    Args:
        one: first plan.
        other: second plan.

    Returns:
        A phrase for each difference; none if the plans are equal.

    Example:
        >>> sample = {"a.png": {"label": 0, "group": "p1"}, "b.png": {"label": 1, "group": "p2"}}
        >>> plan = {"settings": {}, "samples": sample, "test": ["a.png"], "folds": []}
        >>> compare_folds(plan, {**plan, "test": ["b.png"]})
        ['test: 1 only in the first (a.png), 1 only in the second (b.png)']
    """
    settings = [
        f"{name} is {one['settings'].get(name)!r} in the first, {other['settings'].get(name)!r} in the second"
        for name in sorted(set(one["settings"]) | set(other["settings"]))
        if one["settings"].get(name) != other["settings"].get(name)
    ]
    found = [*settings, *_unshared("samples", one["samples"], other["samples"])]
    for name in sorted(set(one["samples"]) & set(other["samples"])):
        for key in ("label", "group"):
            first, second = one["samples"][name][key], other["samples"][name][key]
            if first != second:
                found.append(f"the {key} of {shown(name)} is {first!r} in the first, {second!r} in the second")
    found += _unshared("test", one["test"], other["test"])
    if len(one["folds"]) != len(other["folds"]):
        found.append(f"{len(one['folds'])} folds in the first, {len(other['folds'])} in the second")
    for number, (first, second) in enumerate(zip(one["folds"], other["folds"], strict=False)):
        for part in ("train", "val"):
            found += _unshared(f"{part} of fold {number}", first[part], second[part])
    return found


def _unshared(title: str, first: Any, second: Any) -> list[str]:
    only = {"first": sorted(set(first) - set(second)), "second": sorted(set(second) - set(first))}
    phrases = [f"{len(names)} only in the {where} ({shown(names[0])})" for where, names in only.items() if names]
    return [f"{title}: {', '.join(phrases)}"] if phrases else []
