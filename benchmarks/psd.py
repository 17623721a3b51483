"""The radial power spectrum density against its Fourier transform and a loop over rings; what logging it costs."""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any, NamedTuple

import measure
import numpy as np
import torch
from ignite.engine import Engine
from measure import Call, Target, Times
from numpy.typing import NDArray
from torch import Tensor

from monai_freq.spectral.psd import radial_psd

TRAIN = Path(__file__).parents[1] / "bundles" / "heart_fd" / "configs" / "train.json"
#: Calls of milliseconds differ from one to the next: this many rounds of them for each round of the rest.
ROUNDS_OF_SHORT_CALLS = 5
#: Seconds after which a comparison with the loop stops, once it has three rounds.
BUDGET_S = 20.0

Shape = tuple[int, ...]


class Case(NamedTuple):
    """Images, and how many of their axes are space."""

    shape: Shape
    spatial_dims: int

    def images(self, device: str) -> Tensor:
        """The same ones each time."""
        return torch.rand(self.shape, device=device, generator=torch.Generator(device).manual_seed(0))


LARGE = (Case((64, 1, 224, 224), 2), Case((160, 160, 128), 3))
SMALL = Case((8, 1, 64, 64), 2)
TINY = Case((2, 1, 16, 16), 2)


def main() -> None:
    """Measure, print, and write the section."""
    arguments = measure.options(__doc__ or "")
    rounds = 1 if arguments.quick else arguments.rounds
    cases = [
        (device, case) for device in measure.devices() for case in ((TINY,) if arguments.quick else (*LARGE, SMALL))
    ]
    races = [race(device, case, rounds) for device, case in cases]
    memory = [memory_row(device, case, arguments.threads) for device, case in cases if arguments.quick or case in LARGE]
    trainings = list(race_handlers(2 if arguments.quick else max(3, rounds // 2), arguments.threads, arguments.quick))
    parts = report(races, memory, trainings)
    body = "\n\n".join(["A quick run: the figures mean nothing.", *parts] if arguments.quick else parts)
    measure.publish("Power spectrum density", body, arguments)


class Race(NamedTuple):
    """One case: against its transform, against the loop, and how far it is from the loop in float64."""

    device: str
    case: Case
    against_transform: Times
    against_loop: Times
    difference: float


def density(x: Tensor, spatial_dims: int) -> Tensor:
    return radial_psd(x, spatial_dims=spatial_dims)[1]


def transform(x: Tensor, spatial_dims: int) -> Tensor:
    return torch.fft.rfftn(x, dim=tuple(range(-spatial_dims, 0)))


def loop(x: Tensor, spatial_dims: int) -> NDArray[np.floating]:
    """As one would write it: for each image a mask for each ring."""
    array = x.cpu().numpy()
    spatial = array.shape[-spatial_dims:]
    axes = [np.fft.fftshift(np.fft.fftfreq(size)) for size in spatial]
    radius = np.sqrt(sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij")))
    ring = np.floor(radius * max(spatial) + 0.5 + 1e-6)
    spectra = (np.abs(np.fft.fftshift(np.fft.fftn(image))) for image in array.reshape(-1, *spatial))
    means = [[spectrum[ring == k].mean() for k in range(max(spatial) // 2 + 1)] for spectrum in spectra]
    return np.reshape(means, (*array.shape[:-spatial_dims], -1))


CONTENDERS: dict[str, Callable[[Tensor, int], object]] = {
    "`radial_psd`": density,
    "`rfftn` alone": transform,
    "numpy loop": loop,
}
OURS, TRANSFORM, LOOP = CONTENDERS


def race(device: str, case: Case, rounds: int) -> Race:
    x = case.images(device)
    calls: dict[str, Call] = {name: partial(contender, x, case.spatial_dims) for name, contender in CONTENDERS.items()}
    measure.interleave(calls, 1)
    short = {name: calls[name] for name in (OURS, TRANSFORM)}
    slow = {name: calls[name] for name in (OURS, LOOP)}
    return Race(
        device,
        case,
        measure.interleave(short, ROUNDS_OF_SHORT_CALLS * rounds),
        measure.interleave(slow, rounds, BUDGET_S),
        largest_difference(x, case.spatial_dims),
    )


def largest_difference(x: Tensor, spatial_dims: int) -> float:
    """From the loop in float64, relative to its value."""
    expected = loop(x.double(), spatial_dims)
    return float(np.abs(density(x, spatial_dims).cpu().numpy() / expected - 1).max())


def memory_row(device: str, case: Case, threads: int) -> Sequence[object]:
    """Peak of each contender as a multiple of the input."""
    size = 4 * math.prod(case.shape)
    peaks = (measure.peak_memory(ready, name, case, device, device=device, threads=threads) for name in CONTENDERS)
    return [device, case.shape, *(peak / size for peak in peaks)]


def ready(name: str, case: Case, device: str) -> Call:
    """A call with its input resident, warmed up on a tiny one."""
    CONTENDERS[name](TINY.images(device), TINY.spatial_dims)
    return partial(CONTENDERS[name], case.images(device), case.spatial_dims)


class Run(NamedTuple):
    """A training: how long it took, and how much of that was spent in the handler."""

    seconds: float
    inside: float


class Trainings(NamedTuple):
    """The same training with and without ``PSDHandler``, in turn."""

    device: str
    name: str
    without: list[Run]
    logged: list[Run]

    @property
    def share(self) -> float:
        """Time in the handler's own callbacks / time of the run."""
        return statistics.median(run.inside / run.seconds for run in self.logged)

    @property
    def longer(self) -> float:
        """By how much the median run is longer with the handler, as a part of one without."""
        medians = [statistics.median(run.seconds for run in runs) for runs in (self.logged, self.without)]
        return medians[0] / medians[1] - 1


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
    """The bundle as it is, for two thirds of its epochs; the time in which it is set up is left out."""
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
    """A classifier of random images, with the first stride of 2 that ResNets were published with."""
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
    spent: list[float] = []
    if handler is not None:
        with stopwatch(trainer, spent):
            handler.attach(trainer)
    start = now()
    trainer.run()
    return Run(now() - start, sum(spent))


@contextmanager
def stopwatch(engine: Engine, spent: list[float]) -> Iterator[None]:
    """Callbacks that are added meanwhile report the seconds of each call."""
    add = engine.add_event_handler

    def add_timed(event: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> None:
            start = now()
            function(*args, **kwargs)
            spent.append(now() - start)

        return add(event, call, *args, **kwargs)

    engine.add_event_handler = add_timed  # type: ignore[method-assign]
    try:
        yield
    finally:
        del engine.add_event_handler


def now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def report(races: Sequence[Race], memory: Sequence[Sequence[object]], trainings: Sequence[Trainings]) -> Iterator[str]:
    """Parts of the section."""
    yield (
        "float32, no gradients. The contenders take turns within each round; times are medians, ratios are medians of "
        "each round's ratio. Everything here runs on CUDA tensors without moving them to the host, but for the loop."
    )
    yield measure.targets_table(targets(races, trainings))
    yield (
        "### Spectrum\n\nAgainst the real Fourier transform of all images in one call, which it contains, and against "
        "a loop in numpy: for each image the transform, `fftshift`, and for each ring a mask and a mean. The "
        "difference is the largest over all rings, from the same loop in float64, relative to its value."
    )
    yield measure.table(
        [*_LEADING, "`rfftn` (ms)", "/ `rfftn`", "loop (ms)", "times faster than the loop", "difference"],
        map(spectrum_row, races),
    )
    yield "### Peak memory\n\nBeyond the input, as a multiple of it."
    yield measure.table(["device", "shape", *CONTENDERS], memory)
    yield (
        "### `PSDHandler`\n\nThe same training with and without it, in turn; setting up is left out. *Share*: time "
        "within the handler's own callbacks / time of the run, median. *Longer*: how much longer the median run is "
        "than the median run without the handler, with the noise of both."
    )
    yield measure.table(
        ["device", "training", "rounds", "without (s)", "with (s)", "in the handler (s)", "share", "longer"],
        map(training_row, trainings),
    )


_LEADING = ("device", "shape", "rounds", "`radial_psd` (ms)")


def spectrum_row(race: Race) -> Sequence[object]:
    return [
        race.device,
        race.case.shape,
        len(race.against_transform[OURS]),
        measure.milliseconds(race.against_transform, OURS),
        measure.milliseconds(race.against_transform, TRANSFORM),
        measure.ratio(race.against_transform, OURS, TRANSFORM),
        measure.milliseconds(race.against_loop, LOOP),
        measure.ratio(race.against_loop, LOOP, OURS),
        f"{race.difference:.1e}",
    ]


def training_row(trainings: Trainings) -> Sequence[object]:
    columns = [
        [run.seconds for run in trainings.without],
        [run.seconds for run in trainings.logged],
        [run.inside for run in trainings.logged],
    ]
    leading = [trainings.device, trainings.name, len(trainings.logged)]
    return [*leading, *map(statistics.median, columns), f"{trainings.share:.1%}", f"{trainings.longer:+.1%}"]


def targets(races: Sequence[Race], trainings: Sequence[Trainings]) -> Iterator[Target]:
    """What the design promises on a CPU, beside what was measured."""
    promised = [race for race in races if race.device == "cpu" and race.case != SMALL]
    for race in promised:
        cost = measure.ratio(race.against_transform, OURS, TRANSFORM)
        yield f"`radial_psd` {race.case.shape}: price in units of its `rfftn`", cost, 1.5, False
    for each in trainings:
        if each.device == "cpu" and "heart_fd" in each.name:
            yield "`PSDHandler`: share of a `heart_fd` run", each.share, 0.05, False


if __name__ == "__main__":
    main()
