"""Power spectrum densities of images, input gradients and artifacts in TensorBoard, as a network learns."""

from __future__ import annotations

import copy
import logging
import os
import re
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from ignite import distributed as idist
from ignite.engine import Engine, Events
from monai.engines import Evaluator
from monai.handlers import TensorBoardHandler
from torch import Tensor, nn

from ..files import set_aside
from ..quoting import written
from ..seeding.generators import seeded
from ..spectral.frequency_axis import finest_axis, on_axis
from ..spectral.learning_priority import Loss, learning_priority
from ..spectral.psd import radial_psd
from ..transforms.artifact import artifact_residual
from ..transforms.foreign import as_artifact, dictionary_keys
from .engine_parts import bare, folder_of, positive
from .first_samples import FirstSamples
from .psd_history import KINDS, PSDHistory, as_float64, axis_per_voxel
from .sample_losses import InferredNetwork, SampleLosses

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["PSDHandler"]

_log = logging.getLogger(__name__)

Found = tuple[Tensor, dict[str, Tensor]]  # frequencies, and by kind the densities of samples

#: by which the images' size drops out of a density: white noise has one level on any grid
_NORM = "ortho"


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
        >>> import tempfile
        >>> from monai.engines import SupervisedTrainer
        >>> batches = [{"image": torch.rand(4, 1, 16, 16), "label": torch.tensor([0, 1, 1, 0])}]
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(256, 2))
        >>> optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        >>> trainer = SupervisedTrainer("cpu", 2, batches, network, optimizer, nn.CrossEntropyLoss())
        >>> folder = tempfile.mkdtemp()
        >>> PSDHandler(log_dir=folder).attach(trainer)
        >>> trainer.run()
        >>> PSDHistory.load(Path(folder, "psd.npz")).epochs
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
        self.interval = positive("interval", interval)
        self.max_samples = positive("max_samples", max_samples)
        self._given = _as_density(artifact)
        # A copy: a random transform that a pipeline uses as well would draw otherwise there.
        self.artifact = None if artifact is None or self._given else copy.deepcopy(as_artifact(artifact))
        if trainer is not None and evaluator is not None:
            raise ValueError("give 'evaluator' and attach to the trainer, or 'trainer' and attach to the evaluator.")
        self.network, self.loss, self.trainer, self.evaluator = network, loss, trainer, evaluator
        _check_tag(tag)
        self.tag = tag
        folder = getattr(summary_writer, "log_dir", None) or getattr(summary_writer, "logdir", None)  # tensorboardX's
        self.file = (Path(str(folder)) if folder else folder_of("log_dir", log_dir)) / f"{tag}.npz"
        self.internal_writer = False
        if idist.get_rank() == 0:
            super().__init__(summary_writer=summary_writer, log_dir=str(log_dir))
        self._samples = FirstSamples(self.max_samples, self._is_wanted)
        self._history: PSDHistory | None = None
        self._last_epoch: int | None = None
        self._looked_at = 0  # last epoch of which samples were taken
        self._trained: int | None = None  # last epoch in which the trainer has made a step
        self._logged_step: int | None = None  # of the trainer, with whose weights was logged last
        self._warned = False

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
        epoch = self._epoch(engine)
        if self._last_epoch is None or epoch < self._last_epoch:  # another run
            self._history = self._earlier(epoch)
            self._looked_at = self._history.epochs[-1] if self._history else 0
        self._last_epoch = epoch

    def _is_due(self, engine: Engine) -> bool:
        """An evaluator runs in some of the trainer's epochs, which need not be multiples of the interval."""
        epoch = self._epoch(engine)
        return epoch % self.interval == 0 or epoch // self.interval > self._looked_at // self.interval

    def _is_wanted(self, engine: Engine) -> bool:
        """Any epoch can turn out to be the last one, if there is a trainer to tell."""
        return self.trainer is not None or self._is_due(engine)

    def _end_epoch(self, engine: Engine) -> None:
        if self._is_due(engine):
            # of an evaluator with a trainer, they are those of the end, too, if it does not run again
            kept = self.trainer is not None and engine is not self.trainer
            batches = self._samples.of_this_epoch if kept else self._samples.take()
            self._write(engine, self._epoch(engine), batches)

    def _finish(self, trainer: Engine, looked_at: Engine) -> None:
        """Log the final weights, unless they are logged or there was no step."""
        batches, self._samples.batches = self._samples.batches, []
        if self._trained is not None and self._logged_step != trainer.state.iteration:
            self._last_epoch = self._trained
            self._write(looked_at, self._trained, batches)

    def _earlier(self, epoch: int) -> PSDHistory | None:
        """What the run that continues at an epoch has logged; the rest of the file is kept in ``previous/<n>``."""
        if not self.file.is_file():
            return None
        try:
            logged = PSDHistory.load(self.file)
        except ValueError as error:
            _log.warning(f"{error} It is set aside.")
            set_aside(self.file.parent, [self.file.name])
            return None
        kept = logged.before(epoch if epoch > 1 else 0)
        known = {"artifact"} if self.artifact is not None or self._given is not None else set()
        if kept.epochs and kept.norm != _NORM:
            _log.warning(f"{self.file} is of an earlier version, whose densities have another scale. It is set aside.")
        same = set(kept.kinds) == {"images", "gradients"} | known and kept.norm == _NORM
        if not same or kept.epochs != logged.epochs:
            set_aside(self.file.parent, [self.file.name])
        if not same or not kept.epochs:
            return None
        kept.save(self.file)  # now, as the run may be killed before it logs again
        return kept

    def _write(self, engine: Engine, epoch: int, batches: list[tuple[Tensor, Tensor]]) -> None:
        if batches:
            self._looked_at = epoch
            self._logged_step = None if self.trainer is None else self.trainer.state.iteration
        network, loss = self._parts(engine)
        sound = [batch for batch in map(_finite, batches) if len(batch[0])]
        found = self._found(network, loss, sound)
        logged = sum(len(densities["images"]) for _, densities in found)
        self._warn(sum(len(images) for images, _ in batches) - logged)
        if not logged:
            return
        earlier = self._history.before(epoch) if self._history else PSDHistory(found[0][0], _NORM)
        known = [torch.from_numpy(earlier.frequencies)] if earlier.epochs else []
        axis = finest_axis(known + [own for own, _ in found])
        history = earlier.over(axis)
        joined = {
            kind: torch.cat([on_axis(axis, own, densities[kind]) for own, densities in found]) for kind in found[0][1]
        }
        if self._given is not None:
            joined["artifact"] = on_axis(axis, *self._given).expand(logged, -1)
        history.add(epoch, joined)  # a second look at the epoch has taken the first one's place
        history.save(self.file)
        self._history = history
        self._show(history)

    def _found(self, network: nn.Module, loss: Loss, batches: list[tuple[Tensor, Tensor]]) -> list[Found]:
        """Densities of each batch, with the artifact's draws that ``artifact_psd`` would make on all images."""
        if not batches:
            return []
        places = accumulate((len(images) for images, _ in batches), initial=0)
        device = next(network.parameters(), batches[0][0]).device
        with seeded(0, device):
            return [
                self._densities(network, loss, images.to(device), labels.to(device), place)
                for (images, labels), place in zip(batches, places, strict=False)
            ]

    def _densities(self, network: nn.Module, loss: Loss, images: Tensor, labels: Tensor, place: int) -> Found:
        """Frequencies, and of each kind the densities of the samples where all are finite."""
        frequencies, of_channels = radial_psd(images, spatial_dims=images.ndim - 2, norm=_NORM)
        found = {"images": of_channels.mean(1), "gradients": self._priority(network, loss, images, labels)}
        if self.artifact is not None:
            key = min(dictionary_keys(self.artifact) or {"image"}, key=str)
            residuals = [
                artifact_residual(self.artifact, image, key, seed=seed) for seed, image in enumerate(images, place)
            ]
            _, of_channels = radial_psd(torch.stack(residuals), spatial_dims=images.ndim - 2, norm=_NORM)
            found["artifact"] = of_channels.mean(1)
        sound = torch.stack([density.isfinite().all(1) for density in found.values()]).all(0)
        return frequencies.cpu().double(), {kind: density[sound].cpu().double() for kind, density in found.items()}

    def _priority(self, network: nn.Module, loss: Loss, images: Tensor, labels: Tensor) -> Tensor:
        weight = next(network.parameters(), images)
        if images.is_floating_point() and weight.is_floating_point():
            images = images.to(weight.dtype)  # autocast, which is off here, would have cast them
        try:
            if self.loss is None:
                return learning_priority(SampleLosses(network, loss, labels), _itself, images, labels)[1]
            return learning_priority(network, loss, images, labels)[1]
        except Exception as error:
            error.add_note(
                "PSDHandler calls the network in evaluation mode and the loss with one sample at a time: "
                "where that differs too much from the training, use PSDHandler(network=..., loss=...)."
            )
            raise

    def _warn(self, left_out: int) -> None:
        if left_out and not self._warned:
            self._warned = True
            _log.warning(f"'{self.tag}' leaves out samples with NaN or infinity in the image or its gradient.")

    def _show(self, history: PSDHistory) -> None:
        epoch = history.epochs[-1]
        artifact = history.mean["artifact"][-1] if "artifact" in history.kinds else None
        shown = [kind for kind in history.kinds if kind != "artifact" or self._given is None]  # what is given stays
        for kind in shown:
            name = f"{self.tag} {KINDS[kind].title}"
            against = artifact if kind == "gradients" else None
            others = {} if against is None else {"artifact": against}
            self._writer.add_figure(f"{name}/curve", history.curve(kind, others=others), epoch)
            self._writer.add_figure(f"{name}/epochs", history.heat_map(kind), epoch)
            for label, value in history.scalars(kind, against).items():
                self._writer.add_scalar(f"{name}/{label}", value, epoch)
        if self.internal_writer:
            self._writer.flush()


def _finite(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The samples without NaN or infinity."""
    images, labels = batch
    finite = images.flatten(1).isfinite().all(1)
    return images[finite], labels[finite.to(labels.device)]


def _itself(value: Tensor, label: Tensor) -> Tensor:
    return value


def _check_tag(tag: str) -> None:
    """Refuse a tag that would name a file outside its folder, or none."""
    parts = re.split(r"[/\\]", tag) if isinstance(tag, str) and tag.isprintable() else [""]
    if any(part.strip() in ("", ".", "..") or part[1:2] == ":" for part in parts):
        raise ValueError(f'\'tag\' must name a file within the folder, as "psd" or "train/psd", got {written(tag)}.')


def _as_density(artifact: object) -> tuple[Tensor, Tensor] | None:
    """Frequencies and density, where that is what was given."""
    if not isinstance(artifact, tuple):
        return None
    parts = [torch.from_numpy(as_float64("artifact", part)) for part in artifact]
    shapes = [tuple(part.shape) for part in parts]
    if len(parts) != 2 or shapes[0] != shapes[1] or len(shapes[0]) != 1 or shapes[0] == (0,):
        raise ValueError(f"'artifact' must be frequencies and a density of one length, got the shapes {shapes}.")
    frequencies, density = parts
    if not (bool((frequencies.diff() > 0).all()) and bool((density.isfinite() & (density >= 0)).all())):
        given = f"{frequencies.tolist()} and {density.tolist()}"
        raise ValueError(f"'artifact' must be rising frequencies and a density of at least 0, got {given}.")
    axis_per_voxel("artifact", artifact[0])
    on_axis(torch.tensor([0.0, 0.5]), frequencies, density)  # as far as those of images go
    return frequencies, density
