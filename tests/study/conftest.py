"""A training that takes a second: what a bundle leaves behind, without learning anything."""

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEART = ROOT / "bundles/heart_fd"

#: Takes the place of ``python -m monai.bundle run``. A weight is trained by adding to it, so that a wrongly continued
#: training ends with another one.
PRETENDED = """
import hashlib, json, os, pathlib, sys, time

def replace(path, content):
    aside = path.with_name("." + path.name)
    aside.write_text(json.dumps(content))
    aside.replace(path)

def settings():
    words = sys.orig_argv[sys.orig_argv.index("--config_file"):]
    return {key[2:]: value for key, value in zip(words[::2], words[1::2])}

def train(given, folder):
    same = {key: given[key] for key in ("fusion", "train_size", "draw", "seed")}
    last = folder / "models/last.pt"
    last.parent.mkdir(exist_ok=True)
    replace(folder / "settings.json", same | {"dataset_dir": given.get("dataset_dir"), "threads": given["threads"]})
    print("Training", flush=True)
    state = {"epoch": 0, "weight": 0, "starts": []}
    if given["resume"] == "True" and last.exists():
        state = json.loads(last.read_text())
    if state["epoch"] < 0:
        os._exit(1)
    state["starts"].append(state["epoch"])
    config = json.loads(pathlib.Path(given["config_file"].strip("[]").split(", ")[-1].strip("'")).read_text())
    curve = pathlib.Path(config["+validate#handlers"][0]["file"])
    for epoch in range(state["epoch"] + 1, int(given.get("epochs", 4)) + 1):
        time.sleep(float(os.environ.get("PRETENDED_EPOCH", 0.05)))
        if os.environ.get("PRETENDED_FAILURE") == f"{given['fusion']} {epoch}":
            print(" 10%\\\\r 50%\\\\nRuntimeError: planted", flush=True)
            os._exit(3)
        state["epoch"], state["weight"] = epoch, state["weight"] + epoch * (int(given["draw"]) + 1)
        with curve.open("a") as file:
            file.write(json.dumps([epoch, state["weight"] / 1000]) + "\\\\n")
        replace(last, state)
    replace(folder / "models/model.pt", state["weight"])

def evaluate(given, folder):
    weight = json.loads((folder / "models/model.pt").read_text())
    (folder / "eval").mkdir(exist_ok=True)
    dice = (weight + len(given["fusion"])) / 1000
    (folder / "eval/cases.csv").write_text(f"case,dice_left_atrium\\\\nla_001,{dice}\\\\nla_002,{dice / 2}\\\\n")

given = settings()
folder = pathlib.Path(given["output_dir"])
with (folder / "pids").open("a") as file:
    file.write(f"{os.getpid()}\\\\n")
evaluate(given, folder) if "evaluate.json" in given["config_file"] else train(given, folder)
""".replace("\\\\", "\\")

#: Lets that take place in every Python that runs bundles, or forks to run them; everything else stays as it is.
ASIDE = """
import sys
if "monai.bundle" in sys.orig_argv or "serving" in sys.orig_argv[-1]:
    sys.path.insert(0, {!r})
"""


@pytest.fixture
def instead_of_bundles():
    """Write a program that is run in place of MONAI's bundles where its folder is in the PYTHONPATH."""

    def write(folder, program):
        (folder / "instead/monai/bundle").mkdir(parents=True)
        for name, content in (("__init__", ""), ("bundle/__init__", ""), ("bundle/__main__", program)):
            (folder / f"instead/monai/{name}.py").write_text(content)
        (folder / "sitecustomize.py").write_text(ASIDE.format(str(folder / "instead")))

    return write


@pytest.fixture
def pretended(tmp_path, instead_of_bundles):
    """Environment in which trainings are pretended."""
    instead_of_bundles(tmp_path / "pretended", PRETENDED)
    path = os.pathsep.join([str(tmp_path / "pretended"), *filter(None, [os.environ.get("PYTHONPATH")])])
    here = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    cache = os.environ.get("MONAI_FREQ_CACHE") or str(tmp_path / "cache")
    return os.environ | here | {"MONAI_FREQ_CACHE": cache}


@pytest.fixture(scope="session")
def heart(tmp_path_factory):
    """Folder of the heart's bundle, copied from the repository."""
    folder = tmp_path_factory.mktemp("bundles") / "heart_fd"
    shutil.copytree(HEART, folder, ignore=shutil.ignore_patterns(".cache", "runs"))
    return folder


@pytest.fixture
def marked(tmp_path, pretended):
    """Environment of a test's processes, by which those that outlive their parents are found and ended."""
    mark = f"STUDY_TEST={tmp_path}"
    yield pretended | dict([mark.split("=")])
    for _ in range(3):  # what is being started meanwhile is found the next time
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if mark.encode() in (process / "environ").read_bytes().split(b"\0"):
                    os.kill(int(process.name), signal.SIGKILL)
        time.sleep(0.2)


@pytest.fixture
def study(heart, tmp_path, marked):
    """Start the command of a small study; whatever it has started is gone in the end."""
    started = []

    def start(*options, output_dir=tmp_path / "out", bundle=heart, **environment):
        command = [sys.executable, "-m", "monai_freq.study", "run", str(bundle), "--output_dir", str(output_dir)]
        small = ["phantom#cases=12", "phantom#size=[16,16,16]"]
        process = subprocess.Popen(
            [*command, *map(str, options), "--set", *small],
            env=marked | environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
