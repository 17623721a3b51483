"""The first images and labels that an engine works on in an epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import Workflow
from monai.engines.utils import IterationEvents, default_prepare_batch
from monai.utils import CommonKeys

from ..quoting import reason_of
from ..seeding.generators import seeded
from .kept_samples import Batch, KeptSamples

__all__ = ["FirstSamples"]


class FirstSamples:
    """Copies of the first images and labels of an epoch, as the engine has prepared them.

    They are kept as in :class:`~monai_freq.handlers.kept_samples.KeptSamples`, until they are taken, or the next epoch
    has some.

    MONAI's engines say after the forward pass what they gave the network. It is taken from there, for to prepare a
    batch twice could draw random numbers that are missing later. Of other engines the batch is prepared after the
    iteration, with their ``prepare_batch`` or else MONAI's default.

    Args:
        most: number of samples.
        wanted: whether to copy samples in this epoch of the engine.

    Raises:
        ValueError: a batch has no image or label, or images are not ``(B, C, *spatial)`` with a label each.

    Example:
        >>> engine = Engine(lambda engine, batch: None)
        >>> samples = FirstSamples(3, lambda engine: True)
        >>> samples.attach(engine)
        >>> _ = engine.run([(torch.rand(2, 1, 8, 8), torch.zeros(2))] * 5)
        >>> [len(images) for images, labels in samples.batches]
        [2, 1]
    """

    def __init__(self, most: int, wanted: Callable[[Engine], bool]) -> None:
        self.wanted = wanted
        self.kept = KeptSamples(most, "give it one, or the engine a prepare_batch")
        self._expected = False
        self._batch: Any = None

    def attach(self, engine: Engine) -> None:
        """Copy samples in every epoch of ``engine`` that wants them."""
        engine.add_event_handler(Events.EPOCH_STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_STARTED, self._expect)
        if isinstance(engine, Workflow):  # others lack the event
            engine.add_event_handler(IterationEvents.FORWARD_COMPLETED, self._from_output)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._from_batch)

    @property
    def batches(self) -> list[Batch]:
        """The batches that are kept."""
        return self.kept.batches

    def take(self) -> list[Batch]:
        """The batches of this epoch, of which none is kept."""
        return self.kept.take()

    def _start(self, engine: Engine) -> None:
        self.kept.start_epoch()

    def _expect(self, engine: Engine) -> None:
        self._expected = self.kept.missing > 0 and self.wanted(engine)
        self._batch = batch = engine.state.batch if self._expected else None
        usual = getattr(engine, "prepare_batch", default_prepare_batch) is default_prepare_batch
        if usual and isinstance(batch, Mapping) and CommonKeys.IMAGE not in batch:
            raise ValueError(
                f"a batch must have an '{CommonKeys.IMAGE}', got only {sorted(map(str, batch))}: "
                "rename the key, or give the engine a prepare_batch."
            )

    def _from_output(self, engine: Engine) -> None:
        output: Any = engine.state.output
        if self._expected and isinstance(output, Mapping) and CommonKeys.IMAGE in output:
            self._keep(output[CommonKeys.IMAGE], output.get(CommonKeys.LABEL))

    def _from_batch(self, engine: Engine) -> None:
        if self._expected:
            self._keep(*_prepared(engine, self._batch))

    def _keep(self, images: object, labels: object) -> None:
        self._expected, self._batch = False, None
        self.kept.keep(images, labels)


def _prepared(engine: Engine, batch: Any) -> tuple[object, object]:
    """Image and label of a batch, as an engine would prepare them."""
    prepare = getattr(engine, "prepare_batch", default_prepare_batch)
    device = getattr(engine.state, "device", None)
    blocking, kwargs = getattr(engine, "non_blocking", False), getattr(engine, "to_kwargs", {})
    try:
        with seeded(0, torch.device(device or "cpu")):
            prepared = prepare(batch, device, blocking, **kwargs)
    except (AssertionError, TypeError) as error:
        raise ValueError(f"a batch must be an (image, label) or a dictionary of them: {reason_of(error)}.") from error
    return (*prepared, None)[:2] if isinstance(prepared, (tuple, list)) else (prepared, None)
