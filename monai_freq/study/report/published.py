"""The published tables, for comparison."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import NamedTuple

import pandas as pd

__all__ = ["PAPER", "TASKS", "Published", "published", "task_of", "tasks_counted"]

#: where the figures are from
PAPER = "Fu et al. 2024, Tables 2 and 3 (https://doi.org/10.1117/12.2692286)"
#: in the order of the paper's tables
TASKS = ("red_nucleus", "dentate_nucleus", "spleen", "heart", "hippocampus")
#: over which the paper corrected: it counts the two nuclei, of one cohort, as one
_COUNTED = 4


class Published(NamedTuple):
    """A line of the paper's tables: mean and SEM over test cases; the unit of the Hausdorff distance is not stated.

    Example:
        >>> line = published("heart_fd", 4, "early")
        >>> line.dice, line.dice_sem
        (84.01, 1.83)
    """

    task: str
    size: int
    percent: float
    arm: str
    dice: float
    dice_sem: float
    hd95: float
    hd95_sem: float


def published(bundle: str, size: int | None, arm: str) -> Published | None:
    """What the paper reports for a task, a training size and an arm; None where it reports nothing.

    Args:
        bundle: name of the bundle, such as ``heart_fd``.
        size: number of training cases; None for all, which the paper's data set has other numbers of.
        arm: fusion, ``"none"``, ``"early"`` or ``"late"``.

    Example:
        >>> published("heart_fd", 4, "early").dice
        84.01
        >>> published("heart_fd", None, "none").size
        12
        >>> published("heart_fd", 5, "early") is None
        True
    """
    lines = [line for line in _lines() if line.task == task_of(bundle) and line.arm == arm]
    return next((line for line in lines if (line.percent == 100 if size is None else line.size == size)), None)


def task_of(bundle: str) -> str:
    """Task of a bundle: its name without the family's ending.

    Args:
        bundle: name of the bundle.

    Example:
        >>> task_of("red_nucleus_fd")
        'red_nucleus'
    """
    return bundle.removesuffix("_fd")


def tasks_counted(bundles: set[str]) -> int:
    """Over how many tasks the paper's correction is made: as many as there are, and 4 for the paper's own five.

    Args:
        bundles: names of the bundles.

    Example:
        >>> tasks_counted({"heart_fd", "spleen_fd"}), tasks_counted({f"{task}_fd" for task in TASKS})
        (2, 4)
    """
    tasks = {task_of(bundle) for bundle in bundles}
    return _COUNTED if tasks == set(TASKS) else len(tasks)


@cache
def _lines() -> tuple[Published, ...]:
    with (files(__package__) / "published" / "fu2024_tables_2_3.csv").open(encoding="utf-8") as table:
        rows = pd.read_csv(table, comment="#", dtype={"percent": float}).drop(columns="bold")
    return tuple(Published(*row) for row in rows.itertuples(index=False))
