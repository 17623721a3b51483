"""Checkpoints from which a killed run continues to the same result."""

from __future__ import annotations

import logging
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ignite import distributed as idist
from ignite.engine import Engine, Events
from torch import nn

from ..errors import DataError, ending_readably
from ..files import release, replacing, set_aside
from ..places import CHECKPOINTS, last_of, weights_of
from ..quoting import named, reason_of, written
from .engine_parts import bare, folder_of

__all__ = ["Checkpoints"]

_log = logging.getLogger(__name__)


class Checkpoints:
    """Keep the best and the last state of a training; continue from the last.

    After each epoch ``models/last.pt`` holds the states of ``objects`` and how far the trainer is; ``models/model.pt``
    holds the weights of the epoch with the highest validation metric, or, when no validation gave one, or only NaN,
    those at the end. Both are written aside and renamed, so that a run killed at any moment leaves whole files. A run
    that an earlier version began keeps them where they were, without the folder ``models``. Attach it to the trainer
    after the validation. Together with :class:`~monai_freq.seeding.EpochSeed`, a resumed run ends with the weights of
    an undisturbed one.

    Args:
        output_dir: folder of the run.
        objects: parts with a ``state_dict``: ``network`` (required), ``optimizer``, ``lr_scheduler``, ...; None for one
            that this training does not have.
        evaluator: engine of the validation; the highest key metric picks ``model.pt``.
        resume: whether to continue from ``last.pt`` if there is one; ``"true"`` and ``"false"`` are accepted, as a
            command line gives them. Otherwise, the files of an earlier run are moved to ``previous/<n>``, never
            overwritten.

    Raises:
        ValueError: there is no network among the objects, or resume is neither true nor false.
        SystemExit: while the trainer runs, ``last.pt`` cannot be read or belongs to another network, or a checkpoint
            cannot be written.

    Example:
        >>> import tempfile
        >>> network = nn.Linear(2, 1)
        >>> folder = tempfile.mkdtemp()
        >>> trainer, evaluator = Engine(lambda engine, batch: None), Engine(lambda engine, batch: None)
        >>> Checkpoints(folder, {"network": network}, evaluator).attach(trainer)
        >>> _ = trainer.run([0], max_epochs=2)
        >>> torch.load(Path(folder, "models", "last.pt"), weights_only=True)["epoch"]
        2
    """

    def __init__(
        self,
        output_dir: str | os.PathLike[str],
        objects: Mapping[str, Any],
        evaluator: Engine,
        resume: bool | str = False,
    ) -> None:
        if not isinstance(objects.get("network"), nn.Module):
            raise ValueError(f"'objects' must hold the network under the key 'network', got {sorted(objects)}.")
        if str(resume).lower() not in ("true", "false"):
            raise ValueError(f"'resume' must be true or false, got {written(resume)}.")
        self.folder = folder_of("output_dir", output_dir)
        self.objects = {name: item for name, item in objects.items() if item is not None}
        self.evaluator = evaluator
        self.resume = str(resume).lower() == "true"
        self.best = -math.inf
        self._undefined = False

    def attach(self, engine: Engine) -> None:
        """Restore when the trainer starts, save when it completes an epoch."""
        readably = ending_readably()  # the trainer's expression in a bundle would show MONAI's error instead
        engine.add_event_handler(Events.STARTED, readably(self._start))
        engine.add_event_handler(Events.EPOCH_COMPLETED, readably(self._save))
        engine.add_event_handler(Events.COMPLETED, readably(self._finish))

    def _start(self, engine: Engine) -> None:
        self.best, self._undefined = -math.inf, False
        last = last_of(self.folder)
        if self.resume and last.is_file():
            self._restore(engine, last)
            return
        if self.resume:
            _log.info(f"There is no {named(last)} to resume from: the training starts from the beginning.")
        if idist.get_rank() == 0:
            set_aside(self.folder, CHECKPOINTS)

    def _restore(self, engine: Engine, last: Path) -> None:
        try:
            state = torch.load(last, map_location="cpu", weights_only=True)
            for name, item in self._stateful(engine).items():
                if name in state or name != "scaler":  # of mixed precision, which a CPU's checkpoint was made without
                    bare(item).load_state_dict(state[name])
            epoch, iteration, best = int(state["epoch"]), int(state["iteration"]), float(state["best"])
        except Exception as error:
            raise DataError(
                f"{named(last)} is not a checkpoint of this run: {reason_of(error)}.\n"
                "Resume with the settings that it was made with, or start anew with --resume false."
            ) from error
        engine.state.epoch, engine.state.iteration, self.best = epoch, iteration, best
        self._undefined = bool(state.get("undefined", False))
        _log.info(f"Resumed from {named(last)} after epoch {engine.state.epoch}.")

    def _save(self, engine: Engine) -> None:
        metric = self._new_metric(engine)
        self._undefined |= metric is not None and math.isnan(metric)
        improved = metric is not None and metric > self.best
        if improved and metric is not None:
            self.best = metric
        if idist.get_rank() > 0:
            return
        if improved:
            _save_whole(bare(self.objects["network"]).state_dict(), weights_of(self.folder))
        state = {name: bare(item).state_dict() for name, item in self._stateful(engine).items()}
        progress = {"epoch": engine.state.epoch, "iteration": engine.state.iteration, "best": self.best}
        _save_whole(state | progress | {"undefined": self._undefined}, last_of(self.folder))

    def _finish(self, engine: Engine) -> None:
        if self.best == -math.inf and idist.get_rank() == 0:
            best = weights_of(self.folder)
            _save_whole(bare(self.objects["network"]).state_dict(), best)
            reason = (
                "The metric to choose by was NaN in every validation, as an AUC is where a class is absent"
                if self._undefined
                else "No validation gave a metric to choose by"
            )
            _log.info(f"{reason}: {best} holds the weights at the end of the training.")
        release(self.folder)

    def _new_metric(self, engine: Engine) -> float | None:
        """Key metric of the validation that ran in this epoch, if one did."""
        state = self.evaluator.state
        name = getattr(state, "key_metric_name", None)
        if name is None or name not in state.metrics or state.epoch != engine.state.epoch:
            return None
        return float(state.metrics[name])

    def _stateful(self, engine: Engine) -> dict[str, Any]:
        scaler = getattr(engine, "scaler", None)
        return self.objects | ({} if scaler is None else {"scaler": scaler})


def _save_whole(content: object, path: Path) -> None:
    try:
        with replacing(path) as aside, aside.open("wb") as file:
            torch.save(content, file)
    except (OSError, RuntimeError) as error:  # of a full disk torch says no more than where its writing stopped
        reason = reason_of(error) if isinstance(error, OSError) else "a part of it could not be"
        free = shutil.disk_usage(path.parent).free // 2**20
        raise DataError(
            f"{named(path)} cannot be written, with {free} MB free there: {reason}.\n"
            "The checkpoint before it is whole: make room, and continue with --resume true."
        ) from error
