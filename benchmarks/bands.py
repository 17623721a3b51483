"""Split and fuse as thin matrix products against Fourier transforms, and the cost of fusion in a training step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import fft_bands
import measure
import torch
from builds import Build
from measure import Call, Clocks, Target, Times
from torch import Tensor, nn

from monai_freq.spectral.bands import coarse_low, fuse, split

THETA = 0.1
LARGE = ((1, 1, 320, 320, 128), (1, 8, 160, 160, 128))
SMALL = (2, 8, 64, 64, 32)
TINY = (1, 2, 20, 20, 8)
#: Time after which a comparison on large volumes stops, if it has three rounds.
BUDGET_S = 15.0
TOLERANCE = 1e-5
TRAIN = Path(__file__).parents[1] / "bundles" / "heart_fd" / "configs" / "train.json"
ARMS = ("none", "early", "late")
#: Number of training steps, which are short, in each round.
STEPS_PER_ROUND = 3

Shape = tuple[int, ...]
Function = Callable[..., Tensor | tuple[Tensor, ...]]


class Race(NamedTuple):
    """One interleaved comparison."""

    device: str
    shape: Shape
    direction: str
    times: Times


def main() -> None:
    """Measure, print, and write the section."""
    arguments = measure.options(__doc__ or "")
    shapes: tuple[Shape, ...] = (TINY,) if arguments.quick else (*LARGE, SMALL)
    rounds = 1 if arguments.quick else arguments.rounds
    splits = [race for case in cases(shapes) for race in race_split(*case, rounds, arguments.against)]
    fuses = [race for case in cases(shapes) for race in race_fuse(*case, rounds)]
    memory = list(memory_rows(TINY_MEMORY if arguments.quick else MEMORY, shapes[:1], arguments.threads))
    training = [race for device in measure.devices() for race in race_training(device, rounds, arguments.quick)]
    parts = report(splits, fuses, memory, training)
    measure.publish("Bands", parts, arguments)


def cases(shapes: Sequence[Shape]) -> list[tuple[str, Shape]]:
    return [(device, shape) for device in measure.devices() for shape in shapes]


def split_into_one(x: Tensor, theta: float, split: Function = split) -> tuple[Tensor, Tensor]:
    """Both parts in one new tensor, as in the transform."""
    parts = torch.empty((2, *x.shape), device=x.device)
    low, high = split(x, theta, spatial_dims=3, out=(parts[0], parts[1]))
    return low, high


def disentangle(x: Tensor, theta: float) -> tuple[Tensor, Tensor]:
    """The transform itself, which also looks for NaN; batch and channels become channels."""
    from monai_freq.transforms.fourier import FourierDisentangle

    low, high = FourierDisentangle(theta)(x.flatten(0, -4)).chunk(2)
    return low.view(x.shape), high.view(x.shape)


def clone_twice(x: Tensor, theta: float) -> tuple[Tensor, Tensor]:
    return x.clone(), x.clone()


SPLITS: dict[str, Function] = {
    "`split`": partial(split, spatial_dims=3),
    "`split(out=...)` into one new tensor": split_into_one,
    "`FourierDisentangle`": disentangle,
    "complex FFT": fft_bands.complex_split,
    "real FFT": fft_bands.real_split,
    "real FFT, one inverse": fft_bands.real_split_once,
    "clone twice": clone_twice,
}
OUR_SPLIT, INTO_ONE, TRANSFORM, COMPLEX, REAL, ONCE, CLONES = SPLITS

FUSES: dict[str, Function] = {
    "`fuse`": partial(fuse, spatial_dims=3),
    "complex FFT": fft_bands.complex_fuse,
    "real FFT": fft_bands.real_fuse,
}
COARSE_FUSES: dict[str, Function] = {
    "`fuse`, coarse low": partial(fuse, spatial_dims=3),
    "complex FFT, coarse low": fft_bands.complex_fuse_coarse,
    "real FFT, coarse low": fft_bands.real_fuse_coarse,
}
OUR_FUSE, OUR_COARSE = "`fuse`", "`fuse`, coarse low"

#: Contenders for peak memory, each in a fresh process; a quick run has only one.
MEMORY = [("split", name) for name in SPLITS] + [("fuse", name) for name in FUSES | COARSE_FUSES]
TINY_MEMORY = [("split", INTO_ONE)]


def race_split(device: str, shape: Shape, rounds: int, build: Build | None) -> Iterator[Race]:
    x = torch.rand(shape, device=device)
    calls: dict[str, Call] = {name: partial(function, x, THETA) for name, function in SPLITS.items()}
    if build:
        calls[build.name] = partial(split_into_one, x, THETA, build.module("spectral.bands").split)
    require_agreement({name: call for name, call in calls.items() if name != CLONES})
    yield Race(device, shape, "forward", measure.interleave(calls, rounds, BUDGET_S))
    differentiable = {name: SPLITS[name] for name in (OUR_SPLIT, COMPLEX, REAL, ONCE)}
    calls = with_backward(differentiable, [x], [torch.rand_like(x), torch.rand_like(x)])
    require_agreement(calls)
    yield Race(device, shape, "forward + backward", measure.interleave(calls, rounds, BUDGET_S))


def race_fuse(device: str, shape: Shape, rounds: int) -> Iterator[Race]:
    low, high, seen = (torch.rand(shape, device=device) for _ in range(3))
    coarse = coarse_low(low, THETA, spatial_dims=3)
    whole: dict[str, Call] = {name: partial(function, low, high, THETA) for name, function in FUSES.items()}
    small: dict[str, Call] = {name: partial(function, coarse, high, THETA) for name, function in COARSE_FUSES.items()}
    require_agreement(whole | small)
    yield Race(device, shape, "forward", measure.interleave(whole | small, rounds, BUDGET_S))
    whole, small = with_backward(FUSES, [low, high], [seen]), with_backward(COARSE_FUSES, [coarse, high], [seen])
    require_agreement(whole)
    require_agreement(small)
    yield Race(device, shape, "forward + backward", measure.interleave(whole | small, rounds, BUDGET_S))


def with_backward(
    functions: Mapping[str, Function], inputs: Sequence[Tensor], seen: Sequence[Tensor]
) -> dict[str, Call]:
    """Calls that return the gradients of all inputs, given the gradients ``seen`` of the outputs."""
    leaves = [tensor.detach().requires_grad_() for tensor in inputs]

    def gradients(function: Function) -> tuple[Tensor, ...]:
        result = function(*leaves, THETA)
        return torch.autograd.grad(result if isinstance(result, tuple) else (result,), leaves, seen)

    return {name: partial(gradients, function) for name, function in functions.items()}


def require_agreement(calls: Mapping[str, Call]) -> None:
    """Refuse to compare functions with different results; this is also the warm-up, at full size."""
    first, *others = calls
    expected = tensors(calls[first]())
    for name in others:
        for ours, theirs in zip(expected, tensors(calls[name]()), strict=True):
            error = float((ours - theirs).abs().max() / ours.abs().max())
            if not error < TOLERANCE:
                raise RuntimeError(f"{first} and {name} differ by {error:.1e} of the largest value.")


def tensors(result: object) -> Sequence[Tensor]:
    return [result] if isinstance(result, Tensor) else list(result)


def memory_rows(
    contenders: Sequence[tuple[str, str]], shapes: Sequence[Shape], threads: int
) -> Iterator[tuple[str, str, Shape, float]]:
    """Device, operation, shape, and peak memory as a multiple of the operation's results."""
    for device, shape in cases(shapes):
        for operation, name in contenders:
            peak = measure.peak_memory(ready, operation, name, shape, device, device=device, threads=threads)
            outputs = 4 * math.prod(shape) * (2 if operation == "split" else 1)
            yield device, f"{operation}: {name}", shape, peak / outputs


def ready(operation: str, name: str, shape: Shape, device: str) -> Call:
    """A call with its input resident, warmed up on a tiny one."""
    function = SPLITS[name] if operation == "split" else (FUSES | COARSE_FUSES)[name]
    operands(name, operation, TINY, device, function)()
    return operands(name, operation, shape, device, function)


def operands(name: str, operation: str, shape: Shape, device: str, function: Function) -> Call:
    high = torch.rand(shape, device=device)
    if operation == "split":
        return partial(function, high, THETA)
    low = coarse_low(high, THETA, spatial_dims=3) if name in COARSE_FUSES else torch.rand(shape, device=device)
    return partial(function, low, high, THETA)


def race_training(device: str, rounds: int, quick: bool) -> Iterator[Race]:
    for name, network, shape in (("heart_fd", heart, SMALL), ("SegResNet16", segresnet, (1, *SMALL[1:]))):
        size: Shape = (shape[0], 1, *((16, 16, 16) if quick else shape[2:]))
        calls: dict[str, Call] = {arm: training_step(network(arm), size, device) for arm in ARMS}
        measure.interleave(calls, 1)
        yield Race(device, size, name, measure.interleave(calls, STEPS_PER_ROUND * rounds, 2 * BUDGET_S, at_least=5))


def heart(fusion: str) -> nn.Module:
    """The network of the bundle."""
    from monai.bundle import ConfigParser

    parser = ConfigParser()
    parser.read_config(TRAIN)
    parser["fusion"] = fusion
    network: nn.Module = parser.get_parsed_content("network_def")
    return network


def segresnet(fusion: str) -> nn.Module:
    from monai.networks.nets import SegResNet

    from monai_freq.networks import FrequencyFusion

    backbone = SegResNet(spatial_dims=3, init_filters=16, in_channels=8, out_channels=2)
    return FrequencyFusion(backbone, in_channels=1, out_channels=2, theta=THETA, fusion=fusion)


def training_step(network: nn.Module, shape: Shape, device: str) -> Call:
    """Forward, loss, backward and optimiser, as the bundle trains."""
    from monai.losses import DiceLoss

    network = network.to(device).train()
    image, label = torch.rand(shape, device=device), torch.rand(shape, device=device).round()
    loss, optimizer = DiceLoss(to_onehot_y=True, softmax=True), torch.optim.Adam(network.parameters(), lr=0.004)

    def step() -> None:
        optimizer.zero_grad()
        loss(network(image), label).backward()
        optimizer.step()

    return step


def report(
    splits: Sequence[Race], fuses: Sequence[Race], memory: Sequence[Sequence[object]], training: Sequence[Race]
) -> Iterator[measure.Part]:
    """Parts of the section."""
    yield (
        f"theta = {THETA}, float32. The contenders take turns within each round. Times are medians; ratios are medians "
        "of each round's ratio. Results agree to 1e-5 of the largest value, and so do gradients."
    )
    yield measure.targets_table(targets(splits, fuses, memory, training))
    yield "### Split\n\nTimes faster than each FFT, and the cost in units of cloning the image twice."
    yield measure.table(
        [*_LEADING, COMPLEX, REAL, ONCE, "/ clone twice"],
        [row for race in splits for row in split_rows(race)],
    )
    yield from measure.beside_earlier(((race.shape, race.times) for race in splits), INTO_ONE)
    yield (
        "### Fuse\n\nTimes faster than each FFT, with gradients of both inputs. The network fuses on the coarse grid, "
        "and the FFTs get the same input. The last column has FFTs of two full-size maps, as published."
    )
    yield measure.table(
        [*_LEADING, COMPLEX, REAL, "complex FFT, full-size low"], [row for race in fuses for row in fuse_rows(race)]
    )
    yield "### Peak memory\n\nBeyond the input, as a multiple of the results (split: two images, fuse: one)."
    yield measure.table(["device", "operation", "shape", "peak / outputs"], memory)
    yield "### Training step\n\nForward, DiceLoss, backward and Adam, float32; as a multiple of fusion `none`."
    yield measure.table(
        ["device", "network", "input", "rounds", "none (ms)", "early", "late"], map(training_row, training)
    )


_LEADING = ("device", "shape", "pass", "rounds", "ours", "ms")


def split_rows(race: Race) -> Iterator[Sequence[object]]:
    for name in (OUR_SPLIT, INTO_ONE, TRANSFORM):
        if name in race.times:
            yield [
                *_leading(race, name),
                *(compare(race, other, name) for other in (COMPLEX, REAL, ONCE)),
                _clones(race, name),
            ]


def fuse_rows(race: Race) -> Iterator[Sequence[object]]:
    for name, peers in ((OUR_FUSE, FUSES), (OUR_COARSE, COARSE_FUSES)):
        yield [
            *_leading(race, name),
            *(compare(race, other, name) for other in [*peers][1:]),
            compare(race, COMPLEX, name),
        ]


def training_row(race: Race) -> Sequence[object]:
    ratios = [compare(race, arm, "none") for arm in ARMS[1:]]
    return [
        race.device,
        race.direction,
        race.shape,
        len(race.times["none"]),
        measure.milliseconds(race.times, "none"),
        *ratios,
    ]


def compare(race: Race, numerator: str, denominator: str) -> Clocks:
    return measure.ratio(race.times, numerator, denominator)


def _leading(race: Race, name: str) -> Sequence[object]:
    rounds = len(race.times[name])
    return [race.device, race.shape, race.direction, rounds, name, measure.milliseconds(race.times, name)]


def _clones(race: Race, name: str) -> Clocks:
    return compare(race, name, CLONES)


def targets(
    splits: Sequence[Race], fuses: Sequence[Race], memory: Sequence[Sequence[object]], training: Sequence[Race]
) -> Iterator[Target]:
    """Targets of the design on a CPU, beside the measurements."""
    for race in _promised(splits, "forward"):
        yield f"split {race.shape}: times faster than complex FFT", compare(race, COMPLEX, INTO_ONE), 8, True
        yield f"split {race.shape}: cost in units of cloning twice", compare(race, INTO_ONE, CLONES), 1.3, False
    for race in splits:
        if (race.device, race.shape, race.direction) == ("cpu", SMALL, "forward"):
            yield f"split {SMALL}: cost in units of cloning twice", compare(race, INTO_ONE, CLONES), 2, False
    for race in _promised(fuses, "forward + backward"):
        promise = f"fuse {race.shape}, forward + backward: times faster than complex FFT"
        yield promise, compare(race, COMPLEX, OUR_FUSE), 4, True
        yield f"{promise}, both on the coarse grid", compare(race, "complex FFT, coarse low", OUR_COARSE), 4, True
    for device, operation, shape, multiple in memory:
        if device == "cpu" and operation in (f"split: {OUR_SPLIT}", f"split: {INTO_ONE}", f"split: {TRANSFORM}"):
            yield f"{operation} {shape}: peak memory / outputs", float(multiple), 1.2, False
    for race, early, late in zip(training, (1.3, 1.15), (2.0, 1.3), strict=False):
        yield f"{race.direction} training step: early / none", compare(race, "early", "none"), early, False
        yield f"{race.direction} training step: late / none", compare(race, "late", "none"), late, False


def _promised(races: Sequence[Race], direction: str) -> list[Race]:
    """Races on the CPU, on large volumes if there are any."""
    large = [race for race in races if race.device == "cpu" and race.direction == direction and race.shape in LARGE]
    return large or [race for race in races if race.device == "cpu" and race.direction == direction]


if __name__ == "__main__":
    main()
