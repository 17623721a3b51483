"""What a remedy did in a short training, on the page on a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ...documents import Block, Heading, Paragraph, Table
from ...documents.texts import ABSENT, plain
from .cell_figures import number
from .common_blocks import interval
from .model_figures import metric_name

__all__ = ["trial_blocks"]

Record = Mapping[str, Any]


def trial_blocks(trial: Record) -> Iterator[Block]:
    """Both networks of a trial, side by side.

    Args:
        trial: a trial, as in ``audit.json``.

    Example:
        >>> names = ("verdict", "metric", "reference", "low", "high", "used", "without", "amplitude")
        >>> one = dict.fromkeys((*names, "difference", "difference_low", "difference_high"))
        >>> one |= {"metric": "auc", "verdict": "leak and used"}
        >>> trial = {"title": "Cut it off", "before": one, "after": one}
        >>> [type(block).__name__ for block in trial_blocks(trial)]
        ['Heading', 'Paragraph', 'Table']
    """
    before, after = trial["before"], trial["after"]
    yield Heading("What a remedy did in a short training")
    yield Paragraph(
        f"The bundle was trained twice, as it is and with the first remedy ({trial['title']}), from the same seed and "
        "as long, and both networks were judged alike. One training each: a small difference may be chance."
    )
    rows: list[tuple[str, Callable[[Record], str]]] = [
        ("verdict", lambda one: str(one["verdict"])),
        (f"{metric_name(before)} on whole images", _reference),
        ("depends on frequencies", _used),
        ("falls most without", lambda one: _drop(one["without"])),
        ("falls most with amplitudes of another image", lambda one: _drop(one["amplitude"])),
        ("shift to the donors' class beyond the control", _shift),
    ]
    yield Table(["what", "as it is", "with the remedy"], [[name, text(before), text(after)] for name, text in rows])


def _reference(one: Record) -> str:
    return _value(one["reference"], one["low"], one["high"])


def _shift(one: Record) -> str:
    return _value(one["difference"], one["difference_low"], one["difference_high"], signed=True)


def _value(value: Any, low: Any, high: Any, *, signed: bool = False) -> str:
    if value is None:
        return ABSENT
    text = f"{value + 0.0:+.2f}" if signed else plain(number(value), 2)
    return text if low is None or high is None else f"{text} ({interval(low, high)})"


def _used(one: Record) -> str:
    return ABSENT if one["used"] is None else f"{one['used'][0]:.3g} to {one['used'][1]:.3g}"


def _drop(experiment: Record | None) -> str:
    if experiment is None:
        return "none is known"
    low, high = experiment["drop_low"], experiment["drop_high"]
    return f"{experiment['cell']}: by {_value(experiment['drop'], low, high)}"
