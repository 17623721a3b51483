"""A validation case in TensorBoard: the image, the reference and the prediction in three planes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from ignite.engine import Engine, Events
from monai.handlers import TensorBoardHandler

from ..figures import three_planes
from .engine_parts import folder_of, positive

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["SlicePictures"]


class SlicePictures(TensorBoardHandler):
    """Draw the first case of a validation, with its reference and its prediction, into TensorBoard.

    Args:
        summary_writer: writer shared with other handlers; one for ``log_dir`` by default.
        log_dir: folder of the events.
        interval: number of epochs of the trainer from one picture to the next.
        trainer: engine whose epoch is the step; the evaluator's own by default.
        classes: class number -> name.
        tag: name of the picture.

    Shape:
        ``image`` ``(1, X, Y, Z)``, ``label`` and ``pred`` one-hot ``(K, X, Y, Z)`` in the decollated output.

    Raises:
        ValueError: interval is not a positive integer.

    Example:
        >>> import tempfile, torch
        >>> from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        >>> case = {"image": torch.rand(1, 8, 8, 8), "label": torch.ones(2, 8, 8, 8), "pred": torch.ones(2, 8, 8, 8)}
        >>> folder, evaluator = tempfile.mkdtemp(), Engine(lambda engine, batch: [case])
        >>> pictures = SlicePictures(log_dir=folder)
        >>> pictures.attach(evaluator)
        >>> _ = evaluator.run([0])
        >>> pictures.close()
        >>> EventAccumulator(folder).Reload().Tags()["images"]
        ['validation case']
    """

    def __init__(
        self,
        summary_writer: SummaryWriter | None = None,
        log_dir: str | os.PathLike[str] = "runs",
        interval: int = 1,
        trainer: Engine | None = None,
        classes: Mapping[str, str] | None = None,
        tag: str = "validation case",
    ) -> None:
        self.interval = positive("interval", interval)
        super().__init__(summary_writer, str(folder_of("log_dir", log_dir)))
        self.trainer = trainer
        self.classes = {int(number): name for number, name in (classes or {}).items()}
        self.tag = tag

    def attach(self, engine: Engine) -> None:
        """Draw after the first batch of each validation of ``engine``."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._first_batch)

    def _first_batch(self, engine: Engine) -> None:
        epoch = (self.trainer or engine).state.epoch
        first = (engine.state.iteration - 1) % cast(int, engine.state.epoch_length) == 0
        if not first or epoch % self.interval:
            return
        case: dict[str, Any] = cast(Any, engine.state.output)[0]
        masks = {name: _classes(case[key]) for name, key in (("reference", "label"), ("prediction", "pred"))}
        image = np.asarray(case["image"][0].detach().float().cpu())
        spacing = [float(step) for step in getattr(case["image"], "pixdim", (1, 1, 1))]
        figure = three_planes(image, masks, spacing=spacing, classes=self.classes, title=f"epoch {epoch}")
        self._writer.add_figure(self.tag, figure, global_step=epoch)


def _classes(one_hot: Any) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.asarray(one_hot.detach().argmax(0).cpu()).astype(np.uint8)
