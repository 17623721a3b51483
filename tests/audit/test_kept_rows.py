"""What is kept of an audit is read again for the same network, images and labels, and for no others."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from monai_freq.audit import AuditModel, Case, Cases, scaled_to
from monai_freq.audit.model.kept_rows import case_rows


def saturated(weight):
    """A network whose answers to any image are 0 and 1, so that they do not tell it from another."""
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 2))
    torch.nn.init.constant_(network[1].weight, weight)
    network[1].bias.data = torch.tensor([0.0, 1000.0])
    return AuditModel(network, network=network)


@pytest.fixture
def cases(tmp_path):
    rng = np.random.default_rng(0)
    files = [tmp_path / f"{k}.png" for k in range(4)]
    for file in files:
        Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(file)
    return Cases([Case(str(file), label="ab"[k % 2], name=file.name) for k, file in enumerate(files)])


def test_rows_are_read_again_for_the_same_alone(cases, tmp_path):
    computed = []

    def rows(cases, model, settings=None):
        def compute(k, case):
            computed.append(k)
            return model.predict(case.load_placed()[None])[0].double().numpy()

        before = len(computed)
        case_rows(cases, compute, "answers", settings or {}, tmp_path, model=model, progress=False)
        return len(computed) - before

    model = saturated(0.0)
    assert rows(cases, model) == 4
    assert rows(cases, model) == 1  # the first, to compare
    assert rows(cases, saturated(0.0)) == 1
    assert rows(cases, saturated(1e-6)) == 4
    assert rows(cases, dataclasses.replace(saturated(1e-6), preprocess=scaled_to(intensity="unit"))) == 4
    relabelled = Cases([dataclasses.replace(case, label="ba"[k % 2]) for k, case in enumerate(cases)])
    assert rows(relabelled, model) == 4
    assert rows(relabelled, model, {"seed": 1}) == 4
    Image.fromarray(np.zeros((8, 9), np.uint8)).resize((8, 8)).save(cases[3].image)
    assert rows(relabelled, model, {"seed": 1}) == 4
    in_memory = Cases.of_arrays(torch.zeros(3, 1, 8, 8))
    assert rows(in_memory, model) == 3
    assert rows(in_memory, model) == 1
    assert rows(Cases.of_arrays(torch.eye(8).expand(3, 1, 8, 8)), model) == 3


def test_a_damaged_file_is_computed_again(cases, tmp_path):
    found = case_rows(cases, lambda k, case: np.array([k]), "sums", {}, tmp_path, progress=False)
    file = tmp_path / "steps" / "sums.npz"
    file.write_bytes(file.read_bytes()[:-30])
    again = case_rows(cases, lambda k, case: np.array([k]), "sums", {}, tmp_path, progress=False)
    assert np.array_equal(again, found)
