"""Power spectrum densities of images, input gradients and artifacts in TensorBoard, as a network learns."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from ignite import distributed as idist
from ignite.engine import Engine, Events
from monai.engines import Evaluator
from monai.handlers import TensorBoardHandler
from torch import Tensor, nn

from ..spectral.learning_priority import Loss
from .engine_parts import bare
from .first_samples import FirstSamples
from .kept_samples import Batch
from .psd_log import PSDLog, folder_of_events
from .sample_losses import InferredNetwork

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["PSDHandler"]


class PSDHandler(TensorBoardHandler):
    r"""Log which spatial frequencies the images hold, and on which of them the loss depends, as training goes on.

    At the end of every ``interval``-th epoch, or of the first one after it that the engine runs, and at the end of the
    training with its final weights, from the first ``max_samples`` samples of the epoch: the power spectrum density of
    the images, of the loss' gradient with respect to them (the learning priority, see
    :func:`monai_freq.spectral.learning_priority.learning_priority`), and of what an artifact changes in them. Each is

    - a curve, the mean with one SD over the samples to either side, and a heat map of epochs and frequencies;
    - the scalars ``low share``, ``mid share``, ``high share`` (of (0, 1/6], (1/6, 1/3] and (1/3, 1/2] cycles per
      voxel), ``centroid`` (cycles per voxel), and ``overlap`` with the artifact's density (0 to 1);
    - in ``<tag>.npz`` beside the events, which :class:`monai_freq.handlers.PSDHistory` reads and draws.

    The transform is divided by the root of the number of voxels, so that images of several sizes have one scale; their
    densities are put on the frequencies of the largest, see :mod:`monai_freq.spectral.frequency_axis`.

    Training is the same bit for bit with and without it: random states, BatchNorm's buffers, gradients and weights are
    left alone. Under several processes the first one logs, with the network unwrapped, so that none waits for another.

    Args:
        summary_writer: writer shared with other handlers; one for ``log_dir`` by default.
        log_dir: folder of the events.
        interval: number of epochs from one log to the next, counted by the trainer where the engine is an evaluator.
        max_samples: largest number of samples to log from; the network's device holds them until the next ones.
        artifact: any transform of MONAI or TorchIO for images ``(C, *spatial)``, of which a copy is called (a function
            cannot be copied, and should draw from the global generators only), or what
            :func:`monai_freq.transforms.artifact_psd` returned: frequencies in cycles per voxel and a density, kept in
            the file.
        network: network to differentiate; the engine's by default.
        loss: loss of a batch of predictions and labels; of several outputs of a network, the first is the prediction;
            the ``loss_function`` of the engine or of ``trainer`` by default, which is given all outputs, as there. The
            network is in evaluation mode, in which some have fewer outputs than their training's loss expects.
        trainer: engine whose epoch counts, and whose end is logged, where the handler is attached to an evaluator; that
            one's own epoch by default, and no end.
        evaluator: engine whose samples are looked at, where the handler is attached to the trainer, as a configuration
            needs it, whose trainer does not exist before its evaluator.
        tag: first word of the names in TensorBoard, and name of the file: handlers of one folder need different ones.

    Raises:
        ValueError: interval or max_samples is not a positive integer; the tag leads out of the folder; the artifact's
            frequencies and density are none, or not in cycles per voxel; trainer and evaluator are both given; the
            engine has no network or loss and none is given; a batch has no image or label.
        TypeError: the artifact can be neither called nor unpacked; log_dir is no path.

    Reference:
        Y. Lu et al. (2025), "Exploring connections of spectral analysis and transfer learning in medical imaging",
        DOI 10.1117/12.3047670, Equation 1 and Figure 3.

    Example:
        >>> import tempfile, torch
        >>> from monai.engines import SupervisedTrainer
        >>> from monai_freq.handlers import PSDHistory
        >>> batches = [{"image": torch.rand(4, 1, 16, 16), "label": torch.tensor([0, 1, 1, 0])}]
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(256, 2))
        >>> optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        >>> trainer = SupervisedTrainer("cpu", 2, batches, network, optimizer, nn.CrossEntropyLoss())
        >>> folder = tempfile.mkdtemp()
        >>> PSDHandler(log_dir=folder).attach(trainer)
        >>> trainer.run()
        >>> PSDHistory.load(f"{folder}/psd.npz").epochs
        [1, 2]
    """

    def __init__(
        self,
        summary_writer: SummaryWriter | None = None,
        log_dir: str | os.PathLike[str] = "runs",
        interval: int = 1,
        max_samples: int = 8,
        artifact: Callable[..., Any] | tuple[Tensor, Tensor] | None = None,
        network: nn.Module | None = None,
        loss: Loss | None = None,
        trainer: Engine | None = None,
        tag: str = "psd",
        evaluator: Engine | None = None,
    ) -> None:
        log = PSDLog("PSDHandler", interval, max_samples, artifact, tag)
        if trainer is not None and evaluator is not None:
            raise ValueError("give 'evaluator' and attach to the trainer, or 'trainer' and attach to the evaluator.")
        self.network, self.loss, self.trainer, self.evaluator = network, loss, trainer, evaluator
        self.file = log.file = folder_of_events(summary_writer, log_dir) / f"{tag}.npz"
        self.internal_writer = False
        if idist.get_rank() == 0:
            super().__init__(summary_writer=summary_writer, log_dir=str(log_dir))
        self._log = log
        self._samples = FirstSamples(max_samples, self._is_wanted)
        self._trained: int | None = None  # last epoch in which the trainer has made a step
        self._logged_step: int | None = None  # of the trainer, with whose weights was logged last

    def attach(self, engine: Engine) -> None:
        """Log what ``engine``, a trainer or an evaluator, is given, or what the evaluator is, if there is one."""
        looked_at = self.evaluator or engine
        if self.trainer is None and not isinstance(engine, Evaluator):
            self.trainer = engine
        looked_at.add_event_handler(Events.STARTED, self._parts)  # now, MONAI's engines have no network yet
        if idist.get_rank() > 0:
            return
        looked_at.add_event_handler(Events.EPOCH_STARTED, self._start_epoch)
        self._samples.attach(looked_at)
        looked_at.add_event_handler(Events.EPOCH_COMPLETED, self._end_epoch)
        if self.trainer is not None:
            self.trainer.add_event_handler(Events.STARTED, self._start)
            self.trainer.add_event_handler(Events.ITERATION_COMPLETED, self._count)
            for end in (Events.TERMINATE, Events.COMPLETED):  # the second one can be left out by who ends a training
                self.trainer.add_event_handler(end, self._finish, looked_at)

    def _parts(self, engine: Engine) -> tuple[nn.Module, Loss]:
        network = getattr(engine, "network", None) if self.network is None else self.network
        losses = (self.loss, *(getattr(source, "loss_function", None) for source in (engine, self.trainer)))
        loss = next((loss for loss in losses if loss is not None), None)
        if not isinstance(network, nn.Module):
            raise ValueError("'network' is needed, as the engine has none: PSDHandler(network=...).")
        if loss is None:
            raise ValueError("'loss' is needed, as the engine has no loss_function: PSDHandler(loss=...).")
        return InferredNetwork(bare(network), getattr(engine, "inferer", None)), cast(Loss, loss)

    def _epoch(self, engine: Engine) -> int:
        return (self.trainer or engine).state.epoch

    def _start(self, engine: Engine) -> None:
        self._trained = self._logged_step = None

    def _count(self, engine: Engine) -> None:
        self._trained = engine.state.epoch

    def _start_epoch(self, engine: Engine) -> None:
        self._log.begin(self._epoch(engine))

    def _is_wanted(self, engine: Engine) -> bool:
        """Any epoch can turn out to be the last one, if there is a trainer to tell."""
        return self.trainer is not None or self._log.is_due(self._epoch(engine))

    def _end_epoch(self, engine: Engine) -> None:
        """An evaluator runs in some of the trainer's epochs, which need not be multiples of the interval."""
        if self._log.is_due(self._epoch(engine)):
            # of an evaluator with a trainer, they are those of the end, too, if it does not run again
            kept = self.trainer is not None and engine is not self.trainer
            batches = self._samples.kept.of_this_epoch if kept else self._samples.take()
            self._write(engine, self._epoch(engine), batches)

    def _finish(self, trainer: Engine, looked_at: Engine) -> None:
        """Log the final weights, unless they are logged or there was no step."""
        batches = self._samples.kept.take_last()
        if self._trained is not None and self._logged_step != trainer.state.iteration:
            self._write(looked_at, self._trained, batches)

    def _write(self, engine: Engine, epoch: int, batches: list[Batch]) -> None:
        if batches and self.trainer is not None:
            self._logged_step = self.trainer.state.iteration
        network, loss = self._parts(engine)
        if self._log.add(epoch, network, loss, batches, of_all_outputs=self.loss is None):
            self._log.show(self._writer)
            if self.internal_writer:
                self._writer.flush()
