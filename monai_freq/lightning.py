"""Power spectrum densities from a Lightning training."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from .handlers.engine_parts import bare, folder_of
from .handlers.kept_samples import Batch, KeptSamples
from .handlers.psd_log import PSDLog
from .quoting import written
from .seeding.generators import seeded
from .spectral.scalars import check_choice

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ImportError as error:
    raise ImportError('PSDCallback needs Lightning: pip install "monai_freq[lightning]"') from error

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PSDCallback"]

#: strategies under which no process has the whole network
_SHARDED = {"FSDPStrategy", "ModelParallelStrategy", "DeepSpeedStrategy"}
_ADVICE = "PSDCallback(prepare_batch=...) takes a function from batch to images and labels"


class PSDCallback(Callback):
    r"""Log from Lightning's trainer what :class:`~monai_freq.handlers.PSDHandler` logs from MONAI's.

    After every ``interval``-th epoch, and at the end of the training with its final weights, the first ``max_samples``
    samples of the epoch are looked at. The scalars go to every logger of the trainer, the curves and heat maps to those
    of TensorBoard, Weights & Biases and MLflow, at the step of Lightning's own metrics of the epoch; the densities go
    to ``<tag>.npz``, which :class:`~monai_freq.handlers.PSDHistory` reads. These are, bit for bit, the numbers of
    :class:`~monai_freq.handlers.PSDHandler`.

    Training is the same bit for bit with and without it. Under several processes the first one logs, and none waits
    for another. The validation that checks the sanity of a module is not looked at, and a ``fast_dev_run`` writes
    nothing.

    Args:
        log_dir: folder of the file; that of the trainer's first logger by default. A training that is resumed from a
            checkpoint continues the file in this folder, and Lightning's loggers use another one each time.
        interval: number of epochs from one log to the next.
        max_samples: largest number of samples to log from; their device holds them until the next epoch has some.
        artifact: any transform of MONAI or TorchIO, or what :func:`monai_freq.transforms.artifact_psd` returned, as of
            :class:`~monai_freq.handlers.PSDHandler`.
        network: network to differentiate, in evaluation mode; the module itself by default, through its ``forward``.
        loss: loss of what the network returns for a batch, and the labels; the module's ``loss`` by default; called
            with one sample at a time.
        tag: first word of the names in the loggers, and name of the file.
        keys: where a batch has its images and its labels; ``"image"`` and ``"label"`` of a dictionary, or the items of
            a pair, by default.
        prepare_batch: function from a batch, on the network's device, to images and labels, in the place of ``keys``.
        on: whose batches are looked at, ``"train"`` or ``"validation"``.

    Raises:
        ValueError: interval or max_samples is not a positive integer; the tag leads out of the folder; the artifact's
            frequencies and density are none, or not in cycles per voxel; keys are no two, or given with prepare_batch;
            ``on`` is another. As the training starts: the module has no loss and none is given; the strategy splits the
            network; the logger's folder is not on this machine; a batch has no images or labels.
        TypeError: the artifact can be neither called nor unpacked; log_dir is no path; prepare_batch or loss cannot be
            called.
        ImportError: as this module is imported, Lightning is missing.

    Reference:
        Y. Lu et al. (2025), "Exploring connections of spectral analysis and transfer learning in medical imaging",
        DOI 10.1117/12.3047670, Equation 1 and Figure 3.

    Example:
        >>> import tempfile, torch
        >>> from monai_freq.handlers import PSDHistory
        >>> class Classifier(LightningModule):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.network = nn.Sequential(nn.Flatten(), nn.Linear(256, 2))
        ...         self.loss = nn.CrossEntropyLoss()
        ...
        ...     def forward(self, images):
        ...         return self.network(images)
        ...
        ...     def training_step(self, batch, batch_idx):
        ...         return self.loss(self(batch[0]), batch[1])
        ...
        ...     def configure_optimizers(self):
        ...         return torch.optim.SGD(self.parameters(), lr=0.1)
        >>> folder = tempfile.mkdtemp()
        >>> trainer = Trainer(
        ...     accelerator="cpu",
        ...     max_epochs=3,
        ...     callbacks=[PSDCallback(folder, interval=2)],
        ...     logger=False,
        ...     enable_checkpointing=False,
        ...     enable_progress_bar=False,
        ...     enable_model_summary=False,
        ... )
        >>> data = torch.utils.data.TensorDataset(torch.rand(4, 1, 16, 16), torch.tensor([0, 1, 1, 0]))
        >>> trainer.fit(Classifier(), torch.utils.data.DataLoader(data, batch_size=2))
        >>> PSDHistory.load(f"{folder}/psd.npz").epochs
        [2, 3]
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        interval: int = 1,
        max_samples: int = 8,
        artifact: Callable[..., Any] | tuple[Tensor, Tensor] | None = None,
        network: nn.Module | None = None,
        loss: Callable[[Any, Tensor], Tensor] | None = None,
        tag: str = "psd",
        keys: Sequence[Hashable] | None = None,
        prepare_batch: Callable[[Any], tuple[Tensor, Tensor]] | None = None,
        on: str = "train",
    ) -> None:
        self._log = PSDLog("PSDCallback", interval, max_samples, artifact, tag)
        self._samples = KeptSamples(max_samples, _ADVICE)
        self.folder = None if log_dir is None else folder_of("log_dir", log_dir)
        for name, function in (("loss", loss), ("prepare_batch", prepare_batch)):
            if function is not None and (not callable(function) or isinstance(function, type)):
                raise TypeError(f"'{name}' must be callable, made and ready, got {written(function)}.")
        two = isinstance(keys, Sequence) and not isinstance(keys, str) and len(keys) == 2
        if keys is not None and (prepare_batch is not None or not two):
            raise ValueError(
                "'keys' must be the key of the images and that of the labels, without a 'prepare_batch', "
                f"got {written(keys)}."
            )
        check_choice("on", on, ("train", "validation"))
        self.network, self.loss, self.keys, self.prepare_batch, self.on = network, loss, keys, prepare_batch, on
        self._trained: int | None = None  # last epoch in which there was a step
        self._logged_step: int | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find the loss and the folder, before time is spent."""
        self._parts(pl_module)
        if strategies := _SHARDED & {kind.__name__ for kind in type(trainer.strategy).__mro__}:
            raise ValueError(
                f"PSDCallback needs the whole network in one process, and {min(strategies)} splits it: "
                "train with strategy='ddp', or without the callback."
            )
        self._trained = self._logged_step = None
        if trainer.is_global_zero and not trainer.fast_dev_run:  # type: ignore[attr-defined]
            self._log.file = (self.folder or _folder_of_logger(trainer)) / f"{self._log.tag}.npz"

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """What is kept is of an earlier epoch from now on."""
        if self.on == "train":
            self._samples.start_epoch()

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """What is kept is of an earlier validation from now on."""
        if self.on == "validation":
            self._samples.start_epoch()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Copy samples, before a step can change them."""
        self._see("train", trainer, pl_module, batch)

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Copy samples, before a step can change them."""
        self._see("validation", trainer, pl_module, batch)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count."""
        self._trained = trainer.current_epoch + 1

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log, if it is due."""
        self._end("train", trainer, pl_module)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log, if it is due."""
        self._end("validation", trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the final weights, unless they are logged or there was no step."""
        batches = self._samples.take_last()
        if trainer.is_global_zero and self._trained is not None and self._logged_step != trainer.global_step:
            self._write(trainer, pl_module, self._trained, batches)

    def _parts(self, pl_module: LightningModule) -> tuple[nn.Module, Callable[[Any, Tensor], Tensor]]:
        loss = getattr(pl_module, "loss", None) if self.loss is None else self.loss
        if not callable(loss):
            raise ValueError(
                f"'loss' is needed, as {type(pl_module).__name__} has no function of that name: PSDCallback(loss=...)."
            )
        return bare(pl_module if self.network is None else self.network), loss

    def _looks_at(self, stage: str, trainer: Trainer) -> bool:
        fitting = trainer.state.fn == "fit" and not trainer.sanity_checking
        return stage == self.on and fitting and trainer.is_global_zero

    def _see(self, stage: str, trainer: Trainer, pl_module: LightningModule, batch: Any) -> None:
        if self._looks_at(stage, trainer):
            self._log.begin(trainer.current_epoch + 1)
            if self._samples.missing > 0:
                with seeded(0, pl_module.device):  # a random prepare_batch is called twice
                    images, labels = self._pair(batch)
                self._samples.keep(images, labels)

    def _pair(self, batch: Any) -> tuple[Any, Any]:
        """Images and labels of a batch."""
        if self.prepare_batch is not None:
            return self.prepare_batch(batch)
        of_mapping = isinstance(batch, Mapping)
        first, second = self.keys or (("image", "label") if of_mapping else (0, 1))
        pair = isinstance(batch, Sequence) and (self.keys is not None or len(batch) == 2)
        try:
            if of_mapping or pair:
                return batch[first], batch[second]
        except (LookupError, TypeError):
            pass
        kind = f"one of {sorted(map(str, batch))}" if of_mapping else written(batch)
        raise ValueError(
            f"a batch must have images at {written(first)} and labels at {written(second)}, got {kind}: "
            f"name others with PSDCallback(keys=...), or {_ADVICE}."
        )

    def _end(self, stage: str, trainer: Trainer, pl_module: LightningModule) -> None:
        epoch = trainer.current_epoch + 1
        if self._looks_at(stage, trainer) and self._log.is_due(epoch):
            # of a validation, they are those of the end, too, if there is no other one
            batches = self._samples.of_this_epoch if stage == "validation" else self._samples.take()
            self._write(trainer, pl_module, epoch, batches)

    def _write(self, trainer: Trainer, pl_module: LightningModule, epoch: int, batches: list[Batch]) -> None:
        self._logged_step = trainer.global_step if batches else self._logged_step
        if not self._log.add(epoch, *self._parts(pl_module), batches):
            return
        step = max(trainer.global_step - 1, 0)  # where Lightning's metrics of an epoch are
        for logger in trainer.loggers:
            logger.log_metrics(self._log.scalars() | {"epoch": epoch - 1}, step)  # which Lightning counts from 0
        shows = [show for logger in trainer.loggers for show in _shows(logger)]
        for name, figure in self._log.figures() if shows else ():
            for show in shows:
                show(name, figure, step)


def _folder_of_logger(trainer: Trainer) -> Path:
    """Folder that a run's first logger has for itself, or the trainer's where there is no logger."""
    folder = trainer.default_root_dir
    for logger in trainer.loggers[:1]:
        version = logger.version if isinstance(logger.version, str) else f"version_{logger.version}"
        folder = logger.log_dir or os.path.join(logger.save_dir or folder, str(logger.name), version)
    if "://" in folder:
        raise ValueError(
            f"'log_dir' is needed, as {folder}, where the logger writes, is no folder of this machine: "
            "PSDCallback(log_dir=...)."
        )
    return Path(folder)


def _shows(logger: Any) -> Iterator[Callable[[str, Figure, int], object]]:
    """How a logger shows a picture, if it can: Lightning's for TensorBoard, Weights & Biases and MLflow."""
    experiment: Any = getattr(logger, "experiment", None)
    if hasattr(experiment, "add_figure"):
        yield experiment.add_figure
    elif hasattr(logger, "log_image"):
        yield lambda name, figure, step: logger.log_image(name, [figure], step)
    elif hasattr(experiment, "log_figure") and hasattr(logger, "run_id"):
        yield lambda name, figure, step: experiment.log_figure(logger.run_id, figure, f"{name}/step_{step:06d}.png")
