"""A progress bar over the whole training."""

from __future__ import annotations

import sys
from typing import Any

from ignite import distributed as idist
from ignite.engine import Engine, Events

__all__ = ["RunProgress"]


class RunProgress:
    r"""One bar for all epochs, with the mean loss of the epoch, the latest validation metric and the time left.

    Args:
        evaluator: engine whose key metric is shown, if any.

    Example:
        >>> from contextlib import redirect_stderr
        >>> from io import StringIO
        >>> trainer = Engine(lambda engine, batch: [{"loss": 0.5}])
        >>> RunProgress().attach(trainer)
        >>> with redirect_stderr(StringIO()) as bar:
        ...     _ = trainer.run([0], max_epochs=2)
        >>> [text in bar.getvalue() for text in ("Training: 100%", "2/2", "loss=0.500")]
        [True, True, True]
    """

    def __init__(self, evaluator: Engine | None = None) -> None:
        self.evaluator = evaluator
        self._bar: Any = None
        self._losses: list[float] = []

    def attach(self, engine: Engine) -> None:
        """Show the progress of ``engine``, in the first process of several."""
        if idist.get_rank() > 0:
            return
        engine.add_event_handler(Events.STARTED, self._open)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._collect)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._advance)
        engine.add_event_handler(Events.COMPLETED, self._close)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._fail)

    def _open(self, engine: Engine) -> None:
        from tqdm import tqdm

        interval = 0.1 if sys.stderr.isatty() else 15.0  # a log file gets a line now and then, not a flood
        self._bar = tqdm(
            total=engine.state.max_epochs,
            initial=engine.state.epoch,
            unit="epoch",
            desc="Training",
            mininterval=interval,
        )

    def _collect(self, engine: Engine) -> None:
        output = engine.state.output
        first = output[0] if isinstance(output, (list, tuple)) and output else output
        if isinstance(first, dict) and "loss" in first:
            self._losses.append(float(first["loss"]))

    def _advance(self, engine: Engine) -> None:
        shown = {}
        if self._losses:
            shown["loss"] = f"{sum(self._losses) / len(self._losses):.3f}"
            self._losses.clear()
        if self.evaluator is not None:
            name = getattr(self.evaluator.state, "key_metric_name", None)
            if name in self.evaluator.state.metrics:
                shown[name] = f"{float(self.evaluator.state.metrics[name]):.3f}"
        self._bar.set_postfix(shown, refresh=False)
        self._bar.update(engine.state.epoch - self._bar.n)

    def _close(self, engine: Engine) -> None:
        self._bar.close()

    def _fail(self, engine: Engine, error: BaseException) -> None:
        if self._bar is not None:
            self._bar.close()
        raise error
