"""From the command of ``make heart`` to its first training step, and to its end; against an earlier build."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import measure
import torch
from builds import REFERENCE, TODAY, Build
from measure import Call, Target, Times

TRAIN = "bundles/heart_fd/configs/train.json"
FIRST_STEP, WHOLE = "to the first training step, data sets there", "`make heart`, from nothing to its end"
#: Most by which the best Dice may differ. Since that commit the bases of bands are made by other operations, whose
#: results are rounded otherwise; builds that share them show the same digits in the table.
SAME = 0.01
#: Ends the process when the first training step has its data.
STOP = "$@train#trainer.add_event_handler(Events.ITERATION_STARTED, lambda engine: os._exit(0))"


def main() -> None:
    """Run the commands of all builds in turn, print, and write the section."""
    arguments = measure.options(__doc__ or "", rounds=5)
    builds = [TODAY] + ([arguments.against] if arguments.against else [])
    epochs = ["--epochs", "2"] if arguments.quick else []
    with tempfile.TemporaryDirectory() as folder:
        room = Path(folder)
        starts: dict[str, Call] = {build.name: partial(start, build, room) for build in builds}
        measure.interleave(starts, 1)  # generates the phantoms, and fills the cache of the disk
        wholes: dict[str, Call] = {build.name: partial(train, build, room, epochs) for build in builds}
        races = {
            FIRST_STEP: measure.interleave(starts, 1 if arguments.quick else arguments.rounds),
            WHOLE: measure.interleave(wholes, 1 if arguments.quick else max(1, arguments.rounds // 2)),
        }
        dice = {build.name: best_dice(room / build.commit / "whole") for build in builds}
    measure.publish("Start-up", report(races, dice), arguments)


def start(build: Build, room: Path) -> None:
    """The command of ``make heart``, ended by its first training step."""
    overlay = room / f"{build.commit}.json"
    config = json.loads((build.folder / TRAIN).read_text())
    imports = [*config["imports"], "$from ignite.engine import Events"]
    overlay.write_text(json.dumps({"imports": imports, "run": [STOP, *config["run"]]}))
    command = [f"['{TRAIN}','{overlay}']" if word == TRAIN else word for word in words_of(build)]
    run(build, command, room / build.commit / "start", cache=room / build.commit / "cache")


def train(build: Build, room: Path, more: Sequence[str]) -> None:
    """The command of ``make heart``, with a folder for the phantoms that has nothing yet."""
    with tempfile.TemporaryDirectory(dir=room) as cache:
        run(build, [*words_of(build), *more], room / build.commit / "whole", Path(cache))


def words_of(build: Build) -> list[str]:
    """What ``make heart`` gives to Python, with everything installed."""
    command = ["make", "--no-print-directory", "--dry-run", "--assume-old=.venv/.installed", "heart"]
    shown = subprocess.run(command, cwd=build.folder, check=True, capture_output=True, text=True).stdout
    return shlex.split(shown.splitlines()[-1])[1:]


def run(build: Build, words: Sequence[str], output: Path, cache: Path) -> None:
    variables = {"MONAI_FREQ_CACHE": str(cache), "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    build.run([*words, "--output_dir", str(output)], variables)


def best_dice(output: Path) -> float:
    """Best mean Dice of the validation, as the checkpoint of a run has it."""
    last = next(output.rglob("last.pt"))
    return float(torch.load(last, weights_only=True)["best"])


def report(races: Mapping[str, Times], dice: Mapping[str, float]) -> Iterator[measure.Part]:
    """Parts of the section."""
    yield (
        "`make heart` after the set-up: seconds from its command until the first training step of `heart_fd` has its "
        "data (phantoms there already), and until the end of the run, with the generation of the phantoms. Builds take "
        "turns. Each command is a process of its own, with one thread unless the environment says otherwise. Files are "
        "in the page cache."
    )
    yield measure.targets_table(targets(races, dice))
    header = ["what", "build", "rounds", "seconds", "as a multiple of today's", "best validation Dice"]
    yield measure.table(header, [row for what, times in races.items() for row in rows(what, times, dice)])


def rows(what: str, times: Times, dice: Mapping[str, float]) -> Iterator[Sequence[object]]:
    for name, found in times.items():
        said = "today's" if name == TODAY.name else name
        scores = f"{dice[name]:.6f}" if what == WHOLE else "-"
        seconds = measure.milliseconds(times, name) / 1000
        yield what, said, len(found), seconds, measure.ratio(times, name, TODAY.name), scores


def targets(races: Mapping[str, Times], dice: Mapping[str, float]) -> Iterator[Target]:
    earlier = f"commit {REFERENCE}"
    yield f"{WHOLE} / {earlier}", measure.ratio(races[WHOLE], TODAY.name, earlier), 0.8, False
    difference = abs(dice[TODAY.name] - dice[earlier]) if earlier in dice else float("nan")
    yield f"difference of the best validation Dice from {earlier}", difference, SAME, False


if __name__ == "__main__":
    main()
