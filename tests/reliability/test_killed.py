"""A training that is killed again and again ends with the weights of one that was left alone."""

import random
import signal
import time

import pytest
import torch
from running import ROOT, same, started

from monai_freq import phantoms

KILLS = 20
SIZE = (32, 32, 16)


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    """Start a training of the heart bundle in a process of its own, into a folder."""
    dataset = phantoms.write_heart(tmp_path_factory.mktemp("heart"), cases=8, test_cases=0, size=SIZE, seed=1)
    settings = {"dataset_dir": str(dataset), "image_size": list(SIZE), "val_cases": 2, "test_cases": 1, "threads": 1}
    settings |= {"epochs": 60, "val_interval": 1, "psd_interval": 5, "logging_file": False, "resume": "true"}
    return lambda folder: started(ROOT / "bundles/heart_fd/configs/train.json", output_dir=str(folder), **settings)


def epoch_of(folder):
    """How far the last checkpoint is; reading it fails when it is not whole."""
    last = folder / "last.pt"
    return torch.load(last, weights_only=True)["epoch"] if last.is_file() else 0


@pytest.mark.slow
def test_20_kills_at_random_moments(training, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    begin = time.monotonic()
    process = training(whole)
    process.join(timeout=600)
    duration = time.monotonic() - begin
    assert process.exitcode == 0
    moments = random.Random(0)
    epochs = []
    while len(epochs) < KILLS:
        process = training(killed)
        process.join(timeout=moments.uniform(0, duration / 4))  # so that 20 do not reach the end too soon
        process.kill()
        process.join()
        if process.exitcode == 0:  # it had come to its end: what follows begins anew, and is killed too
            (killed / "last.pt").unlink()
            continue
        assert process.exitcode == -signal.SIGKILL
        epochs.append(epoch_of(killed))
    print(f"killed with {epochs} of 60 epochs saved; an undisturbed run took {duration:.0f} s")
    process = training(killed)
    process.join(timeout=600)
    assert process.exitcode == 0
    assert len(set(epochs)) > 5  # within the training, not all before it
    for file in ("last.pt", "model.pt"):
        one, two = (torch.load(folder / file, weights_only=True) for folder in (whole, killed))
        assert same(one, two)
