"""The samples of a classification bundle: divided into folds, checked, and marked for a shortcut."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from ..data import (
    SUPERCLASSES,
    check_images,
    divide_folds,
    plan_shortcut,
    read_imagenet,
    read_kneemri,
    read_labelled_images,
    read_lodopab,
    read_radimagenet,
)
from ..errors import DataError
from ..handlers.rows import column_names
from ..quoting import written
from .data_folder import data_folder, settings_at_fault

__all__ = [
    "CONDITIONS",
    "Samples",
    "class_names",
    "prepare_sources",
    "prepare_targets",
    "seen_in_all_conditions",
]

#: name -> what a classifier is tested on
CONDITIONS = {
    "clean": "no sample has the artifact",
    "iid": "as in training: a fraction of the positives has it",
    "ood": "all negatives have it, and no positive",
}
Item = dict[str, Any]

_TABLE = "table"
#: name of a data set -> its reader, what must not be in two parts, and what its folder holds
_TARGETS: dict[str, tuple[Callable[..., list[Item]], str, str]] = {
    "lodopab": (read_lodopab, "patient", "ground_truth_*.hdf5 and labels.csv"),
    "kneemri": (read_kneemri, "exam", "metadata.csv and vol01 to vol10"),
    _TABLE: (read_labelled_images, "patient", "index.csv and the images that it lists"),
}
_SOURCES = {"imagenet": "a folder for each wnid", "radimagenet": "RadiologyAI_*.csv"}
_HIERARCHY = "wordnet.is_a.txt"


class Samples(NamedTuple):
    """Items of each part: ``image``, an address, ``sample``, its name, ``label``, and what the task adds.

    For targets that is ``shortcut``, the mark of the artifact, and in the test part ``condition``.

    Example:
        >>> Samples([{"image": "a.png", "sample": "a", "label": 1}], [], []).train[0]["label"]
        1
    """

    train: list[Item]
    val: list[Item]
    test: list[Item]


def prepare_targets(
    dataset_dir: str | None,
    *,
    data: str,
    phantom: Mapping[str, Any],
    cache: str | os.PathLike[str],
    classes: Mapping[str, str],
    folds: Mapping[str, Any],
    fold: int = 0,
    fraction: float = 0.0,
    positive: int = 1,
    seed: int = 0,
    reading: Mapping[str, Any] | None = None,
    limits: Sequence[float] | None = None,
    check: Sequence[str] = (),
) -> Samples:
    """Find or generate a target data set, take a fold of it, and tie the artifact to the positives.

    Training and validation samples are marked alike, a fraction of the positives; test samples are there once for each
    of ``CONDITIONS``, under the key ``condition``.

    Args:
        dataset_dir: folder of the data set; None for the phantom.
        data: layout of the folder, ``"lodopab"``, ``"kneemri"``, or ``"table"`` of your own,
            see :func:`monai_freq.data.read_labelled_images`.
        phantom: settings of the phantom, see :func:`monai_freq.bundle.data_folder.data_folder`.
        cache: folder for phantoms.
        classes: class number -> name.
        folds: settings of :func:`monai_freq.data.divide_folds`: ``train``, ``val``, ``test``, ``folds``, ``seed``,
            ``file``.
        fold: number of the fold, from 0 on.
        fraction: part of the positives with the artifact.
        positive: class with the artifact.
        seed: seed of the choice of these positives.
        reading: settings of the reader, as ``aggregate`` and ``undecided`` of :func:`monai_freq.data.read_lodopab`.
        limits: lowest and highest value of a pixel, for images that are not scaled here; any by default.
        check: parts to read and check, of ``"train"``, ``"val"``, ``"test"``.

    Raises:
        UsageError: something is wrong with the data or the settings.

    Example:
        >>> import tempfile
        >>> phantom = {"task": "lodopab", "train": 12, "validation": 2, "test": 2, "size": 32, "seed": 0}
        >>> settings = {"data": "lodopab", "phantom": phantom, "cache": tempfile.mkdtemp(), "fraction": 0.5}
        >>> classes, folds = {"0": "benign", "1": "malignant"}, {"train": 8, "val": 4, "test": 4, "folds": 1}
        >>> samples = prepare_targets(None, classes=classes, folds=folds, **settings)
        >>> [len(part) for part in samples], samples.train[0]["sample"]
        ([8, 4, 12], 'ground_truth_train_000.hdf5#0')
        >>> [(item["condition"], item["label"]) for item in samples.test if item["shortcut"]]
        [('iid', 1), ('ood', 0), ('ood', 0)]
    """
    with settings_at_fault():
        read, group, holds = _known(_TARGETS, data, "data")
        _require_settings("folds", folds, divide_folds)
        reading = _of_table(reading or {}) if data == _TABLE else reading or {}
        _require_settings("reading", reading, read)
        folder = data_folder(dataset_dir, {} if data == _TABLE else phantom, cache, holds)
        named_classes = {"classes": classes} if "classes" in signature(read).parameters else {}
        items = _named(read(folder, **named_classes, **reading), folder)
        _require_classes(items, classes)
        parts = divide_folds(items, fold, group_key=group, **folds)
        _check(parts, check, limits=(-inf, inf) if limits is None else (limits[0], limits[1]), full_scale="any")
        marked = {name: plan_shortcut(parts[name], "label", positive, fraction, seed) for name in ("train", "val")}
        test = seen_in_all_conditions(parts["test"], fraction=fraction, positive=positive, seed=seed)
    return Samples(marked["train"], marked["val"], test)


def prepare_sources(
    dataset_dir: str | None,
    *,
    source: str,
    phantom: Mapping[str, Any],
    cache: str | os.PathLike[str],
    classes: int,
    merged: bool = False,
    shares: Sequence[float] = (0.75, 0.1),
    seed: int = 0,
    check: Sequence[str] = (),
) -> Samples:
    """Find or generate a source data set for pre-training, divided into training, validation and test samples.

    RadImageNet's tables say what is in which part; ImageNet's folders are divided by chance.

    Args:
        dataset_dir: folder of the data set; None for the phantom.
        source: ``"imagenet"`` or ``"radimagenet"``.
        phantom: settings of the phantom, see :func:`monai_freq.bundle.data_folder.data_folder`.
        cache: folder for phantoms.
        classes: number of classes of the network.
        merged: whether to merge ImageNet's classes into three: living thing, artifact and miscellaneous.
        shares: parts of the samples for training and validation, where the data set has no division.
        seed: seed of the division.
        check: parts to read and check.

    Raises:
        UsageError: something is wrong with the data or the settings.

    Example:
        >>> import tempfile
        >>> phantom = {"task": "radimagenet", "train": 2, "validation": 1, "test": 1, "size": 32, "seed": 0}
        >>> samples = prepare_sources(None, source="radimagenet", phantom=phantom, cache=tempfile.mkdtemp(), classes=6)
        >>> [len(part) for part in samples], samples.train[0]["sample"], samples.train[0]["name"]
        ([2, 1, 1], 'radiology_ai/CT/abd/disc/disc000000.png', 'disc')
    """
    with settings_at_fault():
        holds = _known(_SOURCES, source, "source")
        folder = data_folder(dataset_dir, phantom, cache, holds)
        if source == "radimagenet":
            if merged:
                raise DataError("RadImageNet's classes cannot be merged.\nUse --source imagenet, or do not merge them.")
            parts = {part: _named(items, folder) for part, items in read_radimagenet(folder).items()}
        else:
            items = _named(read_imagenet(folder, folder / _HIERARCHY if merged else None), folder)
            named = [{**item, "name": SUPERCLASSES[item["label"]] if merged else item["wnid"]} for item in items]
            parts = _divided(named, shares, seed)
        _require_count(parts, classes)
        _check(parts, check, full_scale="stated")
    return Samples(**parts)


def seen_in_all_conditions(
    items: Sequence[Mapping[str, Any]], *, fraction: float, positive: int = 1, seed: int = 0
) -> list[Item]:
    """Every test sample once for each of ``CONDITIONS``, marked for the artifact accordingly.

    Args:
        items: samples with a label.
        fraction: part of the positives with the artifact in training.
        positive: class with the artifact.
        seed: seed of the choice of these positives.

    Example:
        >>> items = [{"image": f"{name}.png", "label": label} for name, label in zip("abcd", [0, 1, 0, 1])]
        >>> seen = seen_in_all_conditions(items, fraction=0.5)
        >>> [(item["image"], item["condition"]) for item in seen if item["shortcut"]]
        [('b.png', 'iid'), ('a.png', 'ood'), ('c.png', 'ood')]
    """
    negatives = sorted({item["label"] for item in items} - {positive})
    planned = {
        "clean": plan_shortcut(items, "label", positive, 0.0, seed),
        "iid": plan_shortcut(items, "label", positive, fraction, seed),
        "ood": plan_shortcut(items, "label", negatives, 1.0, seed),
    }
    return [item | {"condition": condition} for condition, marked in planned.items() for item in marked]


def class_names(samples: Samples | None, count: int) -> dict[str, str]:
    """Class number -> its name in the data, or its number where they have none.

    Args:
        samples: samples of a source, with the key ``name``; None where there are no data.
        count: number of classes.

    Example:
        >>> class_names(Samples([{"label": 1, "name": "cyst"}], [], []), 2)
        {'0': 'class 0', '1': 'cyst'}
    """
    found = {item["label"]: str(item["name"]) for items in samples or () for item in items if "name" in item}
    return {str(number): found.get(number, f"class {number}") for number in range(count)}


def _named(items: Sequence[Mapping[str, Any]], folder: Path) -> list[Item]:
    """With a name that does not depend on where the data are, as an address gives way to its image."""
    root = os.path.abspath(folder)
    return [{**item, "sample": Path(os.path.relpath(item["image"], root)).as_posix()} for item in items]


def _known(table: Mapping[str, Any], name: str, argument: str) -> Any:
    if name not in table:
        raise DataError(
            f"'{argument}' must be one of {', '.join(table)}, got {written(name)}.\nAs in --{argument} {min(table)}"
        )
    return table[name]


def _of_table(reading: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of the reader of tables, without those of the layout that the bundle has by default."""
    own = set(signature(read_labelled_images).parameters)
    others = {name for read, *_ in _TARGETS.values() for name in signature(read).parameters} - own
    return {name: value for name, value in reading.items() if name not in others}


def _require_settings(name: str, given: Mapping[str, Any], function: Callable[..., Any]) -> None:
    known = [name for name in signature(function).parameters if name != "classes"][1:]  # which are the bundle's
    for key in given:
        if key not in known:
            raise DataError(f"'{name}' has no setting {written(key)}.\nThere are {', '.join(known)}.")


def _divided(items: Sequence[Item], shares: Sequence[float], seed: int) -> dict[str, list[Item]]:
    if len(shares) != 2 or not all(0 < share < 1 for share in shares) or sum(shares) >= 1:
        raise DataError(
            f"'shares' must be two parts of 1 for training and validation, got {list(shares)}.\nAs in [0.75, 0.1]"
        )
    train, val = (round(share * len(items)) for share in shares)
    return divide_folds(items, train=train, val=val, folds=1, seed=seed, group_key=None)


def _check(parts: Mapping[str, Sequence[Item]], check: Sequence[str], **wanted: Any) -> None:
    check_images([item for part in check for item in parts[part]], **wanted)


def _require_classes(items: Sequence[Item], classes: Mapping[str, str]) -> None:
    found, wanted = {item["label"] for item in items}, {*column_names(classes)}
    if found != wanted:
        raise DataError(
            f"The data have the labels {sorted(found)}, the bundle's classes are {sorted(wanted)}.\n"
            "Check the table of labels, or change 'classes'."
        )


def _require_count(parts: Mapping[str, Sequence[Item]], classes: int) -> None:
    most = max((item["label"] for items in parts.values() for item in items), default=-1)
    if most >= classes:
        raise DataError(f"The data have {most + 1} classes, the network has {classes}.\nAs in --num_classes {most + 1}")
