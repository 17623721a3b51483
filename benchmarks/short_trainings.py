"""A study of 36 trainings of seconds each, from its command to its end; against an earlier build."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import measure
from builds import REFERENCE, TODAY, Build
from measure import Target

BUNDLES = ["bundles/heart_fd", "bundles/hippocampus_fd"]
RUNS = ["--sizes", "4", "8", "--draws", "3", "--epochs", "5"]
QUICK_RUNS = ["--sizes", "4", "--arms", "none", "early", "--epochs", "2"]


class Study(NamedTuple):
    """A study of a build: seconds from the command to its end, number of runs, and the Dice of each test case."""

    build: Build
    seconds: float
    runs: int
    dice: dict[tuple[str, str, str], float]


def main() -> None:
    """Run the studies of all builds in turn, print, and write the section."""
    arguments = measure.options(__doc__ or "", rounds=3)
    builds = [TODAY] + ([arguments.against] if arguments.against else [])
    runs = QUICK_RUNS if arguments.quick else RUNS
    with tempfile.TemporaryDirectory() as folder:
        for build in builds:  # generates the phantoms, and fills the cache of the disk
            study(build, QUICK_RUNS, Path(folder))
        rounds = [
            [study(build, runs, Path(folder)) for build in builds]
            for _ in range(1 if arguments.quick else arguments.rounds)
        ]
    measure.publish("Short trainings", report(rounds), arguments)


def study(build: Build, runs: Sequence[str], room: Path) -> Study:
    """Run a study with one core for each run, as many at a time as there are cores."""
    output = room / "out"
    words = ["-m", "monai_freq.study", "run", *BUNDLES, *runs, "--output_dir", str(output)]
    threads = os.environ.get("OMP_NUM_THREADS", "1")
    start = time.perf_counter()
    build.run(words, {"MONAI_FREQ_CACHE": str(room / build.commit), "OMP_NUM_THREADS": threads})
    seconds = time.perf_counter() - start
    # the format of a result has changed since, but not that of its cases
    files = [*output.glob("results/*/*.json")]
    results = {str(file.relative_to(output)): json.loads(file.read_text()) for file in files}
    dice = {
        (name, case["case"], key): value
        for name, result in results.items()
        for case in result["cases"]
        for key, value in case.items()
        if key.startswith("dice_")
    }
    shutil.rmtree(output)
    return Study(build, seconds, len(results), dice)


def report(rounds: Sequence[Sequence[Study]]) -> Iterator[measure.Part]:
    """Parts of the section."""
    turns = f"{len(rounds)} round{'s' if len(rounds) > 1 else ''} in turn"
    yield (
        f"{rounds[0][0].runs} runs through the study's command, each a training of `heart_fd` or `hippocampus_fd` on 4 "
        "or 8 cases of the phantom and its evaluation, with one core each and as many at a time as there are cores; "
        f"{turns}. The time is that from the command to its end, phantoms there already. CPU time cannot be had of a "
        "study: Ray's processes end unobserved. Where a phantom or the rounding of bands has changed between two "
        "builds, their Dice differ, as from commit 6c743e8."
    )
    yield measure.targets_table(targets(rounds))
    header = ["round", "build", "seconds", "as a multiple of today's", "largest difference of Dice from today's"]
    yield measure.table(header, [row for number, one in enumerate(rounds, 1) for row in rows(number, one)])


def targets(rounds: Sequence[Sequence[Study]]) -> Iterator[Target]:
    earlier = f"commit {REFERENCE}"
    ratios = [today.seconds / other.seconds for today, *others in rounds for other in others]
    compared = rounds[0][-1].build.name == earlier
    yield f"study of 36 runs / {earlier}", median(ratios) if compared else float("nan"), 0.5, False


def rows(number: int, studies: Sequence[Study]) -> Iterator[Sequence[object]]:
    today = studies[0]
    for one in studies:
        name = "today's" if one is today else one.build.name
        difference = max(abs(one.dice[key] - today.dice[key]) for key in today.dice)
        yield number, name, one.seconds, one.seconds / today.seconds, f"{difference:.6f}"


if __name__ == "__main__":
    main()
