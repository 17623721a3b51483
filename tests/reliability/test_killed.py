"""A training that is killed again and again ends with the weights of one that was left alone."""

import random
import signal
import time

import pytest
import torch
from running import ROOT, assert_same_weights, started

from monai_freq import phantoms

SIZE = (32, 32, 16)
EPOCHS = 60
KILLS = {"early": 20, "none": 5, "late": 5}


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    """Start a training of the heart bundle in a process of its own, into a folder."""
    root = tmp_path_factory.mktemp("heart")
    dataset = phantoms.write_phantom("heart", root, cases=8, test_cases=0, size=SIZE, seed=1)
    settings = {"dataset_dir": str(dataset), "image_size": list(SIZE), "val_cases": 2, "test_cases": 1, "threads": 1}
    settings |= {"epochs": EPOCHS, "val_interval": 1, "psd_interval": 5, "logging_file": False, "resume": "true"}
    config = ROOT / "bundles/heart_fd/configs/train.json"
    return lambda fusion, folder: started(config, fusion=fusion, output_dir=str(folder), **settings)


def epoch_of(folder):
    """How far the last checkpoint is; reading it fails when it is not whole."""
    last = folder / "models/last.pt"
    return torch.load(last, weights_only=True)["epoch"] if last.is_file() else 0


@pytest.mark.slow
@pytest.mark.parametrize("fusion", KILLS)
def test_kills_at_random_moments(training, fusion, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    begin = time.monotonic()
    process = training(fusion, whole)
    process.join(timeout=600)
    duration = time.monotonic() - begin
    assert process.exitcode == 0
    moments = random.Random(0)
    epochs = []
    while len(epochs) < KILLS[fusion]:
        process = training(fusion, killed)
        process.join(timeout=moments.uniform(0, duration / 4))  # so that they do not reach the end too soon
        process.kill()
        process.join()
        if process.exitcode == 0:  # it had come to its end: what follows begins anew, and is killed too
            (killed / "models/last.pt").unlink()
            continue
        assert process.exitcode == -signal.SIGKILL
        epochs.append(epoch_of(killed))
    print(f"killed with {epochs} of {EPOCHS} epochs saved; an undisturbed run took {duration:.0f} s")
    process = training(fusion, killed)
    process.join(timeout=600)
    assert process.exitcode == 0
    assert len(set(epochs)) > KILLS[fusion] // 4  # within the training, not all before it
    assert_same_weights(whole, killed)
