"""The cost of logging power spectrum densities in a training."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any, NamedTuple

import measure
import torch
from ignite.engine import Engine
from measure import Clocks, Target

TRAIN = Path(__file__).parents[1] / "bundles" / "heart_fd" / "configs" / "train.json"


def main() -> None:
    """Measure, print, and write the section."""
    arguments = measure.options(__doc__ or "", rounds=3)
    trainings = list(race_handlers(2 if arguments.quick else arguments.rounds, arguments.threads, arguments.quick))
    parts = report(trainings)
    measure.publish("PSDHandler", parts, arguments)


class Run(NamedTuple):
    """Seconds of a training, and those spent in the handler."""

    seconds: Clocks
    inside: Clocks


class Trainings(NamedTuple):
    """The same training with and without ``PSDHandler``, in turn."""

    device: str
    name: str
    without: list[Run]
    logged: list[Run]

    @property
    def share(self) -> Clocks:
        """Median of: time in the handler's own callbacks / time of the run."""
        times = {"inside": [run.inside for run in self.logged], "run": [run.seconds for run in self.logged]}
        return measure.ratio(times, "inside", "run")

    @property
    def longer(self) -> Clocks:
        """Increase of the median run's time by the handler, relative to a run without it."""
        logged, without = (measure.median(run.seconds for run in runs) for runs in (self.logged, self.without))
        return Clocks(logged.wall / without.wall - 1, logged.cpu / without.cpu - 1)


def race_handlers(rounds: int, threads: int, quick: bool) -> Iterator[Trainings]:
    trainings: dict[str, Callable[[bool, str], Run]] = {
        "`heart_fd`, 40 epochs, logged in two": partial(train_heart, threads=threads, quick=quick),
        "ResNet-18, 224 x 224, one epoch of 40 batches of 8, logged": partial(train_resnet, quick=quick),
    }
    for device in measure.devices():
        for name, train in trainings.items():
            runs = [(train(False, device), train(True, device)) for _ in range(rounds)]
            yield Trainings(device, name, *map(list, zip(*runs, strict=True)))


def train_heart(logged: bool, device: str, threads: int, quick: bool) -> Run:
    """The bundle for two thirds of its epochs, timed without its set-up."""
    from monai.bundle import ConfigWorkflow

    settings = {"epochs": 2, "psd_interval": 2, "train_size": 2} if quick else {"epochs": 40}
    with tempfile.TemporaryDirectory() as folder:
        workflow = ConfigWorkflow(
            str(TRAIN),
            workflow_type="train",
            logging_file=False,
            device=f"$torch.device('{device}')",
            threads=threads,
            bundle_root=str(TRAIN.parents[1]),
            output_dir=folder,
            **settings,
        )
        handlers = workflow.parser["train#handlers"]
        place = next(i for i, handler in enumerate(handlers) if handler["_target_"].endswith(".PSDHandler"))
        workflow.parser["logging"] = handlers.pop(place)
        workflow.parser["train#handlers"] = handlers
        workflow.initialize()
        trainer = workflow.parser.get_parsed_content("train#trainer")
        run = timed(trainer, workflow.parser.get_parsed_content("logging") if logged else None)
        workflow.finalize()
    return run


def train_resnet(logged: bool, device: str, quick: bool) -> Run:
    """A classifier of random images, with a first stride of 2 as in the published ResNets."""
    from monai.engines import SupervisedTrainer
    from monai.networks.nets import resnet18

    from monai_freq.handlers import PSDHandler

    size, count, batches = (32, 2, 2) if quick else (224, 8, 40)
    network = resnet18(spatial_dims=2, n_input_channels=1, num_classes=2, conv1_t_stride=2).to(device)
    data = [{"image": torch.rand(count, 1, size, size), "label": torch.randint(2, (count,))} for _ in range(batches)]
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)
    trainer = SupervisedTrainer(torch.device(device), 1, data, network, optimizer, torch.nn.CrossEntropyLoss())
    with tempfile.TemporaryDirectory() as folder:
        return timed(trainer, PSDHandler(log_dir=folder) if logged else None)


def timed(trainer: Any, handler: Any) -> Run:
    """Run a trainer, with a stopwatch in the handler's callbacks."""
    spent: list[Clocks] = []
    if handler is not None:
        with stopwatch(trainer, spent):
            handler.attach(trainer)
    whole = measure.timed(trainer.run)
    return Run(whole, Clocks(sum(each.wall for each in spent), sum(each.cpu for each in spent)))


@contextmanager
def stopwatch(engine: Engine, spent: list[Clocks]) -> Iterator[None]:
    """Let callbacks that are added in the block report the seconds of each call."""
    add = engine.add_event_handler

    def add_timed(event: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> None:
            spent.append(measure.timed(partial(function, *args, **kwargs)))

        return add(event, call, *args, **kwargs)

    engine.add_event_handler = add_timed  # type: ignore[method-assign]
    try:
        yield
    finally:
        del engine.add_event_handler


def report(trainings: Sequence[Trainings]) -> Iterator[measure.Part]:
    """Parts of the section."""
    yield (
        "The same training with and without `PSDHandler`, in turn, without the set-up. *Share*: median of the time "
        "within the handler's own callbacks / time of the run. *Longer*: increase of the median run's time over that "
        "of the median run without the handler, with the noise of both."
    )
    yield measure.targets_table(targets(trainings))
    yield measure.table(
        ["device", "training", "rounds", "without (s)", "with (s)", "in the handler (s)", "share", "longer"],
        map(training_row, trainings),
    )


def training_row(trainings: Trainings) -> Sequence[object]:
    columns = [
        [run.seconds for run in trainings.without],
        [run.seconds for run in trainings.logged],
        [run.inside for run in trainings.logged],
    ]
    leading = [trainings.device, trainings.name, len(trainings.logged)]
    return [*leading, *map(measure.median, columns), percent(trainings.share, ".1%"), percent(trainings.longer, "+.1%")]


def percent(ratio: Clocks, form: str) -> str:
    return f"{ratio.wall:{form}} ({ratio.cpu:{form}})"


def targets(trainings: Sequence[Trainings]) -> Iterator[Target]:
    """Targets of the design on a CPU, beside the measurements."""
    for each in trainings:
        if each.device == "cpu" and "heart_fd" in each.name:
            yield "`PSDHandler`: share of a `heart_fd` run", each.share, 0.05, False


if __name__ == "__main__":
    main()
