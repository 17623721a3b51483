"""Power spectrum densities of images, input gradients and artifacts in TensorBoard, as a network learns."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from ignite import distributed as idist
from ignite.engine import Engine, Events
from monai.data import MetaTensor
from monai.engines.utils import default_prepare_batch
from monai.handlers import TensorBoardHandler
from numpy.typing import NDArray
from torch import Tensor, nn

from ..files import set_aside
from ..spectral.learning_priority import Loss, learning_priority
from ..spectral.psd import radial_psd
from ..transforms.artifact import artifact_residual, as_artifact, seeded
from .engine_parts import bare, positive
from .psd_history import KINDS, PSDHistory

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["PSDHandler"]

_log = logging.getLogger(__name__)

Array = NDArray[np.float64]


class PSDHandler(TensorBoardHandler):
    r"""Log which spatial frequencies the images hold, and on which of them the loss depends, as training goes on.

    At the end of every ``interval``-th epoch, from its first ``max_samples`` samples: the power spectrum density of the
    images, of the loss' gradient with respect to them (the learning priority, see
    :func:`monai_freq.spectral.learning_priority.learning_priority`), and of what an artifact changes in them. Each is

    - a curve, the mean with one SD over the samples to either side, and a heat map of epochs and frequencies;
    - the scalars ``low share``, ``mid share``, ``high share`` (of (0, 1/6], (1/6, 1/3] and (1/3, 1/2] cycles per
      voxel), ``centroid`` (cycles per voxel), and ``overlap`` with the artifact's density (0 to 1);
    - in ``<tag>.npz`` beside the events, which :class:`monai_freq.handlers.PSDHistory` reads and draws.

    Training is the same bit for bit with and without it: random states, BatchNorm's buffers, gradients and weights are
    left alone. Under several processes the first one logs, with the network unwrapped, so that none waits for another.

    Args:
        summary_writer: writer shared with other handlers; one for ``log_dir`` by default.
        log_dir: folder of the events.
        interval: log every so many epochs.
        max_samples: most samples to log from; they are held on the network's device until the epoch ends.
        artifact: any transform of MONAI or TorchIO for images ``(C, *spatial)``, of which a copy is called, or what
            :func:`monai_freq.transforms.artifact_psd` returned: frequencies and a density.
        network: what to differentiate; the engine's by default.
        loss: of a batch of predictions and labels; the engine's ``loss_function`` by default, which evaluators lack.
        trainer: engine whose epoch counts, where the handler is attached to an evaluator; that one's own by default.
        tag: first word of the names in TensorBoard, and name of the file.

    Raises:
        ValueError: interval or max_samples is not a positive integer; the engine has no network or loss and none is
            given; a batch has no image or label.
        TypeError: the artifact can be neither called nor unpacked.

    Reference:
        Y. Lu et al. (2025), "Exploring connections of spectral analysis and transfer learning in medical imaging",
        Equation 1 and Figure 3.

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
    ) -> None:
        self.interval = positive("interval", interval)
        self.max_samples = positive("max_samples", max_samples)
        self._given = _as_density(artifact)
        # A copy: a random transform that a pipeline uses as well would draw otherwise there.
        self.artifact = None if artifact is None or self._given else copy.deepcopy(as_artifact(artifact))
        self.network, self.loss, self.trainer = network, loss, trainer
        self.tag = tag
        self.internal_writer = False
        if idist.get_rank() == 0:
            super().__init__(summary_writer=summary_writer, log_dir=str(log_dir))
        self._batches: list[tuple[Tensor, Tensor]] = []
        self._history: PSDHistory | None = None
        self._first_epoch: int | None = None
        self._warned = False

    @property
    def file(self) -> Path:
        """Where the densities of all epochs are kept."""
        folder = getattr(self._writer, "log_dir", None) or getattr(self._writer, "logdir", ".")  # or of tensorboardX
        return Path(str(folder)) / f"{self.tag}.npz"

    def attach(self, engine: Engine) -> None:
        """Log what ``engine``, a trainer or an evaluator, is given."""
        engine.add_event_handler(Events.STARTED, self._parts)  # now, MONAI's engines have no network yet
        if idist.get_rank() > 0:
            return
        engine.add_event_handler(Events.EPOCH_STARTED, self._start_epoch)
        engine.add_event_handler(Events.ITERATION_STARTED, self._keep)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._write)

    def _parts(self, engine: Engine) -> tuple[nn.Module, Loss]:
        network = getattr(engine, "network", None) if self.network is None else self.network
        losses = (getattr(source, "loss_function", None) for source in (engine, self.trainer))
        loss = self.loss or next(filter(None, losses), None)
        if not isinstance(network, nn.Module):
            raise ValueError("'network' is needed, as the engine has none: PSDHandler(network=...).")
        if loss is None:
            raise ValueError("'loss' is needed, as the engine has no loss_function: PSDHandler(loss=...).")
        return _Inferred(bare(network), getattr(engine, "inferer", None)), cast(Loss, loss)

    def _epoch(self, engine: Engine) -> int:
        return (self.trainer or engine).state.epoch

    def _start_epoch(self, engine: Engine) -> None:
        epoch = self._epoch(engine)
        self._batches = []
        if self._history is None or epoch < self._history.epochs[-1]:  # another run
            self._first_epoch = epoch if self._first_epoch is None else min(self._first_epoch, epoch)
            self._history = None

    def _keep(self, engine: Engine) -> None:
        missing = self.max_samples - sum(len(images) for images, _ in self._batches)
        if missing <= 0 or self._epoch(engine) % self.interval:
            return
        network, _ = self._parts(engine)
        images, labels = _prepared(engine, network)
        self._batches.append((images[:missing].detach().clone(), labels[:missing].clone()))

    def _write(self, engine: Engine) -> None:
        batches, self._batches = self._batches, []
        if not batches:
            return
        network, loss = self._parts(engine)
        with seeded(0, batches[0][0].device):
            found = list(filter(None, (self._densities(network, loss, *batch) for batch in batches)))
        self._warn(sum(len(images) for images, _ in batches) - sum(len(each["images"]) for _, each in found))
        if not found:
            return
        history = self._continued(*found[0])
        joined = {
            kind: np.concatenate([_at(history.frequencies, own, densities[kind]) for own, densities in found])
            for kind in found[0][1]
        }
        self._history = history.before(self._epoch(engine))  # a second look at the epoch takes the first one's place
        self._history.add(self._epoch(engine), joined)
        self._history.save(self.file)
        self._show(self._history)

    def _densities(
        self, network: nn.Module, loss: Loss, images: Tensor, labels: Tensor
    ) -> tuple[Array, dict[str, Array]] | None:
        """Frequencies, and of each kind the densities of the samples without NaN or infinity, if there are any."""
        finite = images.flatten(1).isfinite().all(1)
        images, labels = images[finite], labels[finite]
        if len(images) == 0:
            return None
        dims = images.ndim - 2
        frequencies, of_channels = radial_psd(images, spatial_dims=dims)
        found = {"images": of_channels.mean(1), "gradients": learning_priority(network, loss, images, labels)[1]}
        if self.artifact is not None:
            residuals = [artifact_residual(self.artifact, image, seed=place) for place, image in enumerate(images)]
            found["artifact"] = radial_psd(torch.stack(residuals), spatial_dims=dims)[1].mean(1)
        sound = torch.stack([density.isfinite().all(1) for density in found.values()]).all(0)
        if not sound.any():
            return None
        return _array(frequencies), {kind: _array(density[sound]) for kind, density in found.items()}

    def _warn(self, left_out: int) -> None:
        if left_out and not self._warned:
            self._warned = True
            _log.warning(f"'{self.tag}' leaves out samples with NaN or infinity in the image or its gradient.")

    def _continued(self, frequencies: Array, densities: dict[str, Array]) -> PSDHistory:
        """The history so far; where a run is resumed, from the file."""
        if self._history is not None:
            return self._history
        if self.file.is_file():
            earlier = PSDHistory.load(self.file).before(self._first_epoch or 0)
            if earlier.epochs and set(earlier.kinds) == set(densities):
                return earlier
            set_aside(self.file.parent, [self.file.name])
        return PSDHistory(frequencies)

    def _show(self, history: PSDHistory) -> None:
        epoch = history.epochs[-1]
        artifact = self._artifact_density(history)
        for kind in history.kinds:
            name = f"{self.tag} {KINDS[kind].title}"
            against = artifact if kind == "gradients" else None
            others = {} if against is None else {"artifact": against}
            self._writer.add_figure(f"{name}/curve", history.curve(kind, others=others), epoch)
            self._writer.add_figure(f"{name}/epochs", history.heat_map(kind), epoch)
            for label, value in history.scalars(kind, against).items():
                self._writer.add_scalar(f"{name}/{label}", value, epoch)
        if self.internal_writer:
            self._writer.flush()

    def _artifact_density(self, history: PSDHistory) -> Array | None:
        if self._given is not None:
            return _at(history.frequencies, *self._given)
        return history.mean["artifact"][-1] if "artifact" in history.kinds else None


class _Inferred(nn.Module):
    """Network as its engine calls it, through an inferer such as a sliding window."""

    def __init__(self, network: nn.Module, inferer: Callable[..., Any] | None) -> None:
        super().__init__()
        self.network = network
        self.inferer = inferer

    def forward(self, images: Tensor) -> Any:
        return self.network(images) if self.inferer is None else self.inferer(images, self.network)


def _prepared(engine: Engine, network: nn.Module) -> tuple[Tensor, Tensor]:
    """Images and labels of a batch, as the engine prepares them."""
    first = next(network.parameters(), torch.zeros(0))
    prepare = getattr(engine, "prepare_batch", default_prepare_batch)
    device = getattr(engine.state, "device", None) or first.device
    blocking, kwargs = getattr(engine, "non_blocking", False), getattr(engine, "to_kwargs", {})
    try:
        with seeded(0, first.device):
            prepared = prepare(cast(Any, engine.state.batch), device, blocking, **kwargs)
    except KeyError as error:
        raise ValueError(f"the batch has no {error}, which PSDHandler needs.") from error
    images, labels = prepared[:2] if isinstance(prepared, (tuple, list)) else (prepared, None)
    if not isinstance(images, Tensor) or not isinstance(labels, Tensor):
        raise ValueError("PSDHandler needs an image and a label, both tensors: the batch, as prepared, lacks one.")
    return _plain(images), _plain(labels)


def _plain(x: Tensor) -> Tensor:
    return x.as_tensor() if isinstance(x, MetaTensor) else x


def _array(x: Tensor) -> Array:
    return x.double().cpu().numpy()


def _at(frequencies: Array, own: Array, density: Array) -> Array:
    """Densities at other frequencies, as those of images of another size are."""
    if np.array_equal(frequencies, own):
        return density
    rows = [np.interp(frequencies, own, row) for row in np.atleast_2d(density)]
    return np.stack(rows).reshape(*density.shape[:-1], len(frequencies))


def _as_density(artifact: object) -> tuple[Array, Array] | None:
    """Frequencies and density, where that is what was given."""
    if not isinstance(artifact, tuple):
        return None
    frequencies, density = (np.asarray(torch.as_tensor(part).cpu(), dtype=np.float64) for part in artifact)
    if frequencies.ndim != 1 or frequencies.shape != density.shape:
        raise ValueError(
            f"'artifact' must be frequencies and a density of one length, got {frequencies.shape} and {density.shape}."
        )
    return frequencies, density
