"""Bundles run as people run them, in processes of their own, and what they left."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from monai import bundle
from monai.bundle import ConfigParser, ConfigWorkflow
from sameness import assert_same

ROOT = Path(__file__).parent.parent
TASKS = {file.stem: json.loads(file.read_text()) for file in sorted((ROOT / "bundles/_source/tasks").glob("*.json"))}


def tasks_of(family):
    return [name for name, task in TASKS.items() if family in task["family"]]


def environment(**more):
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore", "CUDA_VISIBLE_DEVICES": ""} | more


def run(config, *options, cwd, program=(sys.executable, "-m"), **more):
    """Of a file, or of a list of them."""
    command = [*program, "monai.bundle", "run", "--config_file", str(config), *map(str, options)]
    return subprocess.run(command, cwd=cwd, env=environment(**more), capture_output=True, text=True, timeout=300)


def succeed(*args, **kwargs):
    done = run(*args, **kwargs)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def started(config, **arguments):
    """Process that runs a configuration, a child of one that has all libraries from the start."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["monai.bundle", "monai.engines", "monai.handlers", "monai_freq.bundle"])
    process = context.Process(target=bundle.run, kwargs={"config_file": str(config), "device": "cpu", **arguments})
    process.start()
    return process


def save_untrained(name, path):
    """Weights of a bundle's network as chance draws them."""
    config = ConfigParser(ConfigParser.load_config_file(ROOT / "bundles" / name / "configs/evaluate.json"))
    torch.save(config.get_parsed_content("network_def").state_dict(), path)


def root_for_other_tools(name, config, kind, *, output_dir, **settings):
    """Root of a bundle whose configuration has all properties that other tools ask for."""
    save_untrained(name, Path(output_dir) / "model.pt")
    names = [config] if isinstance(config, str) else config
    file = [str(ROOT / "bundles" / name / f"configs/{one}.json") for one in names]
    settings |= {"output_dir": output_dir, "threads": 1}
    workflow = ConfigWorkflow(config_file=file, workflow_type=kind, logging_file=False, **settings)
    workflow.initialize()
    assert workflow.check_properties() == []
    root = Path(workflow.bundle_root)
    workflow.finalize()
    return root


def files_below(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def wait_for(path, process):
    for _ in range(6000):
        if path.exists():
            return
        assert process.poll() is None, "the run ended before it could be killed"
        time.sleep(0.02)
    process.kill()
    pytest.fail(f"there is still no {path}: the run hangs")


def assert_same_weights(*folders):
    """Of trainings that ended in these folders."""
    for file in ("models/last.pt", "models/model.pt"):
        first, *others = (torch.load(folder / file, weights_only=True) for folder in folders)
        for other in others:
            assert_same(other, first)


def undisturbed_and_killed(config, options, tmp_path):
    """Folders of a training and of one that was killed in between and resumed, which ends with the same weights."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    succeed(config, *options, "--output_dir", whole, cwd=ROOT)
    command = [sys.executable, "-m", "monai.bundle", "run", "--config_file", str(config), *options]
    process = subprocess.Popen(
        [*command, "--output_dir", str(killed)], cwd=ROOT, env=environment(), stdout=-3, stderr=-3
    )
    wait_for(killed / "models/last.pt", process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    stopped = torch.load(killed / "models/last.pt", weights_only=True)["epoch"]
    assert 1 <= stopped < int(options[options.index("--epochs") + 1])
    said = succeed(config, *options, "--output_dir", killed, "--resume", "true", cwd=ROOT)
    assert f"after epoch {stopped}." in said
    assert_same_weights(whole, killed)
    return whole, killed


#: each process keeps its weights
KEPT = "$torch.save([*@network.parameters()], '{}/rank' + os.environ['RANK'])"


def trained_by_two_processes(configs, options, folder, *overlays):
    """State after a training on two processes, whose gradients were those of both: they have the same weights."""
    overlay = folder / "kept.json"
    overlay.write_text(json.dumps({"+finalize": [KEPT.format(folder)]}))
    files = [*(configs / f"{name}.json" for name in ("train", *overlays, "multi_gpu_train")), overlay]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m"]
    succeed([*map(str, files)], *options, cwd=folder, program=torchrun)
    assert_same(*(torch.load(folder / rank, weights_only=True) for rank in ("rank0", "rank1")))
    assert (folder / "models/model.pt").is_file()
    state = torch.load(folder / "models/last.pt", weights_only=True)
    assert not any(key.startswith("module.") for key in state["network"])
    return state


def scalars_and_images(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return set(events.Tags()["scalars"]) | set(events.Tags()["images"])
