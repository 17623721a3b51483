"""Power spectrum densities from a training loop of plain PyTorch."""

from __future__ import annotations

import logging
import operator
import os
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from ..quoting import written
from .engine_parts import bare, is_first_process
from .kept_samples import KeptSamples
from .psd_log import PSDLog, folder_of_events

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["PSDLogger"]

_log = logging.getLogger(__name__)


class PSDLogger:
    """Log from a loop of your own what :class:`~monai_freq.handlers.PSDHandler` logs from a trainer.

    Call :meth:`batch` with each batch and :meth:`epoch` after each epoch; that is all. The first ``max_samples``
    samples of an epoch are looked at, with the weights at its end. TensorBoard and ``<tag>.npz`` get what
    :class:`~monai_freq.handlers.PSDHandler` describes, the same numbers bit for bit.

    Training is the same bit for bit with and without it: random states, BatchNorm's buffers, gradients and weights are
    left alone. Under several processes of ``torch.distributed`` the first one logs, with the network unwrapped, so that
    none waits for another. Nothing need be closed.

    Args:
        network: network to differentiate, in evaluation mode; parallel and compiled ones are unwrapped.
        loss: loss of what the network returns for a batch, and the labels, as in the loop; called with one sample at a
            time.
        log_dir: folder of the events and of the file.
        interval: number of epochs from one log to the next.
        max_samples: largest number of samples to log from; their device holds them until the next epoch has some.
        artifact: any transform of MONAI or TorchIO, or what :func:`monai_freq.transforms.artifact_psd` returned, as of
            :class:`~monai_freq.handlers.PSDHandler`.
        summary_writer: writer shared with the loop, which closes it; one for ``log_dir`` by default.
        tag: first word of the names in TensorBoard, and name of the file: loggers of one folder need different ones.

    Raises:
        ValueError: interval or max_samples is not a positive integer; the tag leads out of the folder; the artifact's
            frequencies and density are none, or not in cycles per voxel.
        TypeError: the network is no module, the loss cannot be called; the artifact can be neither called nor unpacked;
            log_dir is no path.

    Reference:
        Y. Lu et al. (2025), "Exploring connections of spectral analysis and transfer learning in medical imaging",
        DOI 10.1117/12.3047670, Equation 1 and Figure 3.

    Example:
        >>> import tempfile, torch
        >>> network, loss = nn.Sequential(nn.Flatten(), nn.Linear(256, 2)), nn.CrossEntropyLoss()
        >>> optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        >>> logger = PSDLogger(network, loss, log_dir=tempfile.mkdtemp(), interval=2)
        >>> for number in range(1, 5):
        ...     for images, labels in [(torch.rand(4, 1, 16, 16), torch.tensor([0, 1, 1, 0]))]:
        ...         optimizer.zero_grad()
        ...         loss(network(images), labels).backward()
        ...         optimizer.step()
        ...         logger.batch(images, labels)
        ...     print(number, sorted(logger.epoch(number))[:2])
        1 []
        2 ['psd images/centroid', 'psd images/high share']
        3 []
        4 ['psd images/centroid', 'psd images/high share']
    """

    def __init__(
        self,
        network: nn.Module,
        loss: Callable[[Any, Tensor], Tensor],
        log_dir: str | os.PathLike[str] = "runs",
        interval: int = 1,
        max_samples: int = 8,
        artifact: Callable[..., Any] | tuple[Tensor, Tensor] | None = None,
        summary_writer: SummaryWriter | None = None,
        tag: str = "psd",
    ) -> None:
        if not isinstance(network, nn.Module):
            raise TypeError(f"'network' must be a torch.nn.Module, got {written(network)}.")
        if not callable(loss) or isinstance(loss, type):
            raise TypeError(f"'loss' must be callable, made and ready, got {written(loss)}.")
        self.network, self.loss = network, loss
        self._log = PSDLog("PSDLogger", interval, max_samples, artifact, tag)
        self._folder = folder_of_events(summary_writer, log_dir)
        self._log.file = self._folder / f"{tag}.npz"
        self._given_writer = summary_writer
        self._samples = KeptSamples(max_samples, "pass the network's input and a label for each image")
        self._logged: int | None = None  # number of the epoch that was logged last
        self._warned = False

    @cached_property
    def _writer(self) -> SummaryWriter:
        """Made when it is needed, so that other processes have none."""
        if self._given_writer is not None:
            return self._given_writer
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self._folder))

    def batch(self, images: Tensor, labels: Tensor) -> None:
        """Keep copies of the first samples of an epoch.

        Args:
            images: images as the network gets them.
            labels: labels as the loss gets them.

        Shape:
            images ``(B, C, *spatial)``, labels ``(B, ...)``.

        Raises:
            ValueError: images or labels are no tensors, or not of these shapes.
        """
        if is_first_process() and self._samples.missing > 0:
            self._samples.keep(images, labels)

    def epoch(self, number: int, last: bool = False) -> dict[str, float]:
        """Log the epoch that ends here, if it is due.

        A run that continues later, by its first number, continues the file, too: see
        :class:`~monai_freq.handlers.PSDHandler`.

        Args:
            number: how many epochs have been trained, from 1.
            last: whether to log it in any case, as the last one; an epoch that is logged is not logged again.

        Returns:
            Name -> value of the scalars that were logged, for a logger of your own; none where the epoch is not due.

        Raises:
            ValueError: number is no integer from 0.
        """
        epoch = _counted(number)
        if not is_first_process():
            return {}
        self._log.begin(epoch)
        if not (last or self._log.is_due(epoch)):
            self._samples.start_epoch()  # they are kept for an end that is told later
            return {}
        batches = self._samples.take_last() if last else self._samples.take()
        if not batches and epoch != self._logged and not self._warned:
            self._warned = True
            _log.warning(f"'{self._log.tag}' has no samples of epoch {epoch}: call batch(images, labels) in the loop.")
        if not self._log.add(epoch, bare(self.network), self.loss, batches):
            return {}
        self._logged = epoch
        self._log.show(self._writer)
        if self._given_writer is None:
            self._writer.flush()
        return self._log.scalars()


def _counted(number: int) -> int:
    try:
        counted = -1 if isinstance(number, bool) else operator.index(number)
    except TypeError:
        counted = -1
    if counted < 0:
        raise ValueError(f"'number' must be how many epochs have been trained, got {written(number)}.")
    return counted
