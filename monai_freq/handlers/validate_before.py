"""A validation of the network as the training finds it."""

from __future__ import annotations

from ignite.engine import Engine, Events
from monai.engines import Evaluator

__all__ = ["ValidateBefore"]


class ValidateBefore:
    """Validate before the first epoch, as epoch 0; not when a run is resumed.

    MONAI's ``ValidationHandler(exec_at_start=True)`` validates a resumed run again. Attach it to the trainer after
    :class:`~monai_freq.handlers.Checkpoints`, which says whether the run is one.

    Args:
        evaluator: engine of the validation.

    Example:
        >>> import torch
        >>> from monai.engines import SupervisedEvaluator
        >>> trainer = Engine(lambda engine, batch: print(f"training, epoch {engine.state.epoch}"))
        >>> evaluator = SupervisedEvaluator("cpu", [{"image": torch.ones(1, 1)}], torch.nn.Identity())
        >>> _ = evaluator.add_event_handler(Events.COMPLETED, lambda: print("validated"))
        >>> ValidateBefore(evaluator).attach(trainer)
        >>> _ = trainer.run([0])
        validated
        training, epoch 1
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator

    def attach(self, engine: Engine) -> None:
        """Validate when ``engine``, the trainer, starts."""
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Validate if no epoch has been trained."""
        if engine.state.epoch == 0:
            self.evaluator.run(0)
