"""Power spectrum densities of a training, epoch by epoch: what every logger of them shares."""

from __future__ import annotations

import copy
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..files import set_aside
from ..spectral.frequency_axis import finest_axis, on_axis
from ..spectral.learning_priority import Loss
from ..transforms.foreign import as_artifact
from .engine_parts import check_tag, folder_of, positive
from .kept_samples import Batch
from .psd_densities import NORM, Densities, as_density, sample_densities
from .psd_history import KINDS, PSDHistory

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["PSDLog", "folder_of_events"]

_log = logging.getLogger(__name__)


class PSDLog:
    """Which epochs are logged, what was logged of them in one file, and how it is shown.

    Args:
        caller: name of the class that logs, for its messages.
        interval: number of epochs from one log to the next.
        max_samples: largest number of samples to log from.
        artifact: any transform of MONAI or TorchIO for images ``(C, *spatial)``, of which a copy is called, or
            frequencies in cycles per voxel and a density.
        tag: first word of the names that are shown, and name of the file.

    Raises:
        ValueError: interval or max_samples is not a positive integer; the tag leads out of the folder; the artifact's
            frequencies and density are none, or not in cycles per voxel.
        TypeError: the artifact can be neither called nor unpacked.

    Attributes:
        file: where the history is kept; None to keep it in memory alone.
        history: densities of the epochs so far; None before there are any.

    Example:
        >>> log = PSDLog("PSDLogger", interval=5)
        >>> log.begin(1)
        >>> [epoch for epoch in range(1, 13) if log.is_due(epoch)]
        [5, 6, 7, 8, 9, 10, 11, 12]
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
        >>> batch = torch.rand(3, 1, 8, 8), torch.tensor([0, 1, 1])
        >>> log.add(5, network, nn.CrossEntropyLoss(), [batch])
        True
        >>> [epoch for epoch in range(1, 13) if log.is_due(epoch)], log.history.epochs
        ([5, 10, 11, 12], [5])
    """

    def __init__(
        self,
        caller: str,
        interval: int = 1,
        max_samples: int = 8,
        artifact: Callable[..., Any] | tuple[Tensor, Tensor] | None = None,
        tag: str = "psd",
    ) -> None:
        self.caller = caller
        self.interval = positive("interval", interval)
        self.max_samples = positive("max_samples", max_samples)
        self._given = as_density(artifact)
        # A copy: a random transform that a pipeline uses as well would draw otherwise there.
        self.artifact = None if artifact is None or self._given else copy.deepcopy(as_artifact(artifact))
        check_tag(tag)
        self.tag = tag
        self.file: Path | None = None
        self.history: PSDHistory | None = None
        self._epoch: int | None = None
        self._looked_at = 0  # last epoch of which samples were taken
        self._warned = False

    def begin(self, epoch: int) -> None:
        """Continue what the file has of the epochs before the first one, or a step back; later epochs change nothing.

        Args:
            epoch: number of the epoch, from 1; 0 is that of a look before the training.
        """
        if self._epoch is None or epoch < self._epoch:  # another run
            self.history = self._earlier(epoch)
            self._looked_at = self.history.epochs[-1] if self.history else 0
        self._epoch = epoch

    def is_due(self, epoch: int) -> bool:
        """Whether an epoch is to be logged: the first one from each multiple of the interval, as not all need be asked.

        Args:
            epoch: number of the epoch.
        """
        return epoch % self.interval == 0 or epoch // self.interval > self._looked_at // self.interval

    def add(
        self, epoch: int, network: nn.Module, loss: Loss, batches: Sequence[Batch], *, of_all_outputs: bool = True
    ) -> bool:
        """Log an epoch, in the place of what was logged of it before.

        Args:
            epoch: number of the epoch.
            network: network to differentiate.
            loss: loss of a batch of predictions and labels.
            batches: images and labels.
            of_all_outputs: whether the loss takes all that the network returns, or the first tensor of it.

        Returns:
            Whether there was a sound sample.
        """
        self._epoch = epoch
        self._looked_at = epoch if batches else self._looked_at
        found = sample_densities(
            network, loss, batches, self.artifact, of_all_outputs=of_all_outputs, caller=self.caller
        )
        logged = sum(len(densities["images"]) for _, densities in found)
        self._warn(sum(len(images) for images, _ in batches) - logged)
        if not logged:
            return False
        earlier = self.history.before(epoch) if self.history else PSDHistory(found[0][0], NORM)
        known = [torch.from_numpy(earlier.frequencies)] if earlier.epochs else []
        history = earlier.over(finest_axis(known + [own for own, _ in found]))
        history.add(epoch, self._joined(history, found, logged))
        if self.file is not None:
            history.save(self.file)
        self.history = history
        return True

    def _joined(self, history: PSDHistory, found: Sequence[Densities], logged: int) -> dict[str, Tensor]:
        """Densities of all samples over the frequencies of the history."""
        axis = torch.from_numpy(history.frequencies)
        joined = {
            kind: torch.cat([on_axis(axis, own, densities[kind]) for own, densities in found]) for kind in found[0][1]
        }
        if self._given is not None:
            joined["artifact"] = on_axis(axis, *self._given).expand(logged, -1)
        return joined

    def _earlier(self, epoch: int) -> PSDHistory | None:
        """What the run that continues at an epoch has logged; the rest of the file is kept in ``previous/<n>``."""
        if self.file is None or not self.file.is_file():
            return None
        try:
            logged = PSDHistory.load(self.file)
        except ValueError as error:
            _log.warning(f"{error} It is set aside.")
            set_aside(self.file.parent, [self.file.name])
            return None
        kept = logged.before(epoch if epoch > 1 else 0)
        known = {"artifact"} if self.artifact is not None or self._given is not None else set()
        if kept.epochs and kept.norm != NORM:
            _log.warning(f"{self.file} is of an earlier version, whose densities have another scale. It is set aside.")
        same = set(kept.kinds) == {"images", "gradients"} | known and kept.norm == NORM
        if not same or kept.epochs != logged.epochs:
            set_aside(self.file.parent, [self.file.name])
        if not same or not kept.epochs:
            return None
        kept.save(self.file)  # now, as the run may be killed before it logs again
        return kept

    def _warn(self, left_out: int) -> None:
        if left_out and not self._warned:
            self._warned = True
            _log.warning(f"'{self.tag}' leaves out samples with NaN or infinity in the image or its gradient.")

    def figures(self) -> Iterator[tuple[str, Figure]]:
        """Name and picture of the curve of the last epoch, and of the heat map of all of them, of each density."""
        for kind, name, history, others in self._shown():
            yield f"{name}/curve", history.curve(kind, others=others)
            yield f"{name}/epochs", history.heat_map(kind)

    def scalars(self) -> dict[str, float]:
        """Name and value of each scalar of the last epoch."""
        return {
            f"{name}/{label}": value
            for kind, name, history, others in self._shown()
            for label, value in history.scalars(kind, others.get("artifact")).items()
        }

    def _shown(self) -> Iterator[tuple[str, str, PSDHistory, dict[str, NDArray[np.float64]]]]:
        """Kind and name of each density, the history, and, by name, what is shown beside it."""
        if (history := self.history) is None:
            return
        for kind in history.kinds:
            artifact = {"artifact": history.mean["artifact"][-1]} if "artifact" in history.kinds else {}
            if kind != "artifact" or self._given is None:  # what is given stays
                yield kind, f"{self.tag} {KINDS[kind].title}", history, artifact if kind == "gradients" else {}

    def show(self, writer: SummaryWriter) -> None:
        """Write the last epoch to TensorBoard.

        Args:
            writer: writer of the events.
        """
        epoch = self.history.epochs[-1] if self.history else 0
        for name, figure in self.figures():
            writer.add_figure(name, figure, epoch)
        for name, value in self.scalars().items():
            writer.add_scalar(name, value, epoch)


def folder_of_events(summary_writer: SummaryWriter | None, log_dir: str | os.PathLike[str]) -> Path:
    """Folder that a writer writes to, or that of a writer to come.

    Args:
        summary_writer: writer of PyTorch or of tensorboardX, if there is one.
        log_dir: folder of the events otherwise.

    Raises:
        TypeError: log_dir is no path.

    Example:
        >>> folder_of_events(None, "runs").as_posix()
        'runs'
    """
    folder = getattr(summary_writer, "log_dir", None) or getattr(summary_writer, "logdir", None)  # tensorboardX's
    return Path(str(folder)) if folder else folder_of("log_dir", log_dir)
