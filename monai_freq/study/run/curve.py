"""The validation curve of a run, kept point by point so that a killed run loses none."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from ignite import distributed as idist
from ignite.engine import Engine, Events

__all__ = ["ValidationCurve"]


class ValidationCurve:
    """Append the key metric of each validation to a file: a line ``[epoch, value]`` each.

    A point is on the disk before the checkpoint of its epoch is: what a resumed run validates again is a line twice,
    never a gap. (TensorBoard's events are written with a delay.)

    Args:
        file: file to append to.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "validation.jsonl")
        >>> evaluator = Engine(lambda engine, batch: None)
        >>> evaluator.state.key_metric_name, evaluator.state.metrics = "val_mean_dice", {"val_mean_dice": 0.5}
        >>> ValidationCurve(file).attach(evaluator)
        >>> _ = evaluator.run([0])
        >>> file.read_text()
        '[1, 0.5]\\n'
    """

    def __init__(self, file: str | os.PathLike[str]) -> None:
        self.file = Path(file)

    def attach(self, engine: Engine) -> None:
        """Append after each validation of ``engine``, in the first process of several."""
        if idist.get_rank() == 0:
            engine.add_event_handler(Events.COMPLETED, self._append)

    def _append(self, engine: Engine) -> None:
        state: Any = engine.state
        if state.key_metric_name in state.metrics:
            with self.file.open("a") as file:
                file.write(json.dumps([state.epoch, float(state.metrics[state.key_metric_name])]) + "\n")
