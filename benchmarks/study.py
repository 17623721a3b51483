"""Throughput of a study: four runs, two at a time, against the same one after another; overhead of the driver."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import measure
from measure import Target

from monai_freq.study import Result, read_results

BUNDLE = Path(__file__).parents[1] / "bundles" / "heart_fd"
FOUR = ["--sizes", "4", "--draws", "2", "--arms", "none", "early"]
ONE = ["--sizes", "4", "--arms", "none"]
EPOCHS, QUICK_EPOCHS = 40, 2
SIZE = "[64,64,32]"


class Study(NamedTuple):
    """Seconds from the command to its end, and the results."""

    seconds: float
    results: Sequence[Result]

    @property
    def trainings(self) -> float:
        """Seconds of all trainings and evaluations, one after another."""
        return sum(sum(result.seconds.values()) for result in self.results)

    @property
    def rest(self) -> float:
        """Seconds beyond that, if one runs at a time: start and end of Ray, and the overhead of each run."""
        return self.seconds - self.trainings


class Round(NamedTuple):
    """Three studies in turn."""

    one: Study
    one_by_one: Study
    two_at_a_time: Study

    @property
    def ratio(self) -> float:
        """Time of four runs two at a time / one after another."""
        return self.two_at_a_time.seconds / self.one_by_one.seconds

    @property
    def overhead(self) -> float:
        """Seconds that the driver adds to each further run."""
        return (self.one_by_one.rest - self.one.rest) / (len(self.one_by_one.results) - 1)


def main() -> None:
    """Run all ways in turn, print, and write the section."""
    arguments = measure.options(__doc__ or "", rounds=3)
    epochs = QUICK_EPOCHS if arguments.quick else EPOCHS
    study(ONE, QUICK_EPOCHS, 1)  # generates the phantoms, and fills the cache of the disk
    rounds = [
        Round(study(ONE, epochs, 1), study(FOUR, epochs, 1), study(FOUR, epochs, 2))
        for _ in range(1 if arguments.quick else arguments.rounds)
    ]
    measure.publish("Study", report(rounds, epochs), arguments)


def study(runs: Sequence[str], epochs: int, at_once: int) -> Study:
    """Run a study with one core for each run, in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "monai_freq.study", "run", str(BUNDLE), *runs, "--epochs", str(epochs)]
        where = ["--at_once", str(at_once), "--output_dir", folder, "--set", f"image_size={SIZE}"]
        start = time.perf_counter()
        subprocess.run([*command, *where], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        return Study(seconds, read_results(folder)[0])


def report(rounds: Sequence[Round], epochs: int) -> Iterator[measure.Part]:
    """Parts of the section."""
    yield (
        f"Four runs of the heart's phantom ({epochs} epochs of 4 cases of {SIZE[1:-1].replace(',', ' x ')}, then the "
        f"evaluation), one core each, through the study's command; median of {len(rounds)} rounds in turn. The "
        "driver's overhead for a run is the time of the command less that of its trainings and evaluations, four runs "
        "against one. The rest is spent once in a study: on checking the data, and on starting and ending Ray."
    )
    yield measure.targets_table(targets(rounds))
    header = ["round", "one after another, s", "of which runs, s", "two at a time, s", "ratio", "once a study, s"]
    yield measure.table(header, [row(number, one) for number, one in enumerate(rounds, start=1)])


def targets(rounds: Sequence[Round]) -> Iterator[Target]:
    yield "two at a time / one after another", statistics.median(one.ratio for one in rounds), 0.6, False
    yield "seconds that the driver adds to a run", statistics.median(one.overhead for one in rounds), 2, False


def row(number: int, one: Round) -> Sequence[object]:
    both = one.one_by_one, one.two_at_a_time
    return [number, both[0].seconds, both[0].trainings, both[1].seconds, one.ratio, one.one.rest - one.overhead]


if __name__ == "__main__":
    main()
