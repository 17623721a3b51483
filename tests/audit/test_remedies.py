"""Remedies do what they say: each is executed as printed, and takes the leak away where it should."""

import ast
import json

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.transforms import Randomizable

from monai_freq.audit import Cases, band_features, find_leak
from monai_freq.audit.model.model_verdicts import leak_to_try
from monai_freq.audit.remedies import remedies
from monai_freq.spectral.band_grid import BandGrid
from monai_freq.transforms import FourierLowPassd

BANDS = BandGrid((0.0, 0.06, 0.12, 0.25, 0.75))


def leaking(directional=False, groups=False, n=100):
    """Smooth textures in noise, of which class 1 has more."""
    bands = BandGrid(BANDS.edges, directional=directional)
    noise = torch.randn(n, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    images = BANDS.scaled(noise, torch.tensor([9.0, 3.0, 1.0, 0.3]), spatial_dims=2)
    images[1::2] = BANDS.scaled(images[1::2], torch.tensor([1.0, 1.0, 1.0, 1.6]), spatial_dims=2)
    labels = [0, 1] * (n // 2)
    cases = Cases.of_arrays(images, labels, groups=["x", "y"] * (n // 2) if groups else None)
    return cases, bands, [find_leak(band_features(cases, bands), cases.labels, n_permutations=200)]


def executed(code):
    """Value of the last line of a Python text."""
    *body, last = ast.parse(code).body
    names = {}
    exec(compile(ast.Module(body, []), "remedy", "exec"), names)
    return eval(compile(ast.Expression(last.value), "remedy", "eval"), names)


@pytest.mark.parametrize("directional", [False, True])
@pytest.mark.parametrize("groups", [False, True])
def test_each_runs_as_python_and_as_an_entry_of_a_configuration(directional, groups):
    cases, bands, leaks = leaking(directional, groups)
    found = remedies(leaks, cases, bands)
    assert len(found) == 5
    assert f"of a random {'group' if groups else 'label'}" in found[0].title
    for remedy in found:
        made = executed(remedy.code)
        parsed = ConfigParser({"it": json.loads(remedy.config)}).get_parsed_content("it")
        assert type(made) is type(parsed)
        if isinstance(made, torch.nn.Module):
            logits, target = torch.tensor([[3.0, -1.0]]), torch.tensor([0])
            assert torch.equal(made(logits, target), parsed(logits, target))
            continue
        results = []
        for each in (made, parsed):
            if isinstance(each, Randomizable):
                each.set_random_state(3)
            results.append(each({"image": cases[0].image, "label": 0})["image"])
        assert torch.equal(torch.as_tensor(results[0]), torch.as_tensor(results[1]))
        assert results[0].shape == (1, 32, 32)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_the_leak_is_gone_afterwards(which):
    cases, bands, leaks = leaking()
    assert leaks[0].found
    remedy = executed(remedies(leaks, cases, bands)[which].code)
    if which == 0:
        remedy.set_random_state(0)
    images = [torch.as_tensor(remedy({"image": case.image})["image"]).as_subclass(torch.Tensor) for case in cases]
    if isinstance(remedy, FourierLowPassd):
        assert remedy.transform.cutoff == 0.25
        bands = BandGrid(BANDS.edges[:-1])
    after = find_leak(band_features(Cases.of_arrays(images), bands), cases.labels, n_permutations=200)
    assert not after.found
    assert after.auc < leaks[0].auc - 0.2


def test_references_are_geometric_means_of_some_cases():
    cases, bands, leaks = leaking(n=60)
    entry = json.loads(remedies(leaks, cases, bands, n_references=10, seed=2)[0].config)
    rows = np.array(entry["references"])
    assert rows.shape == (2, 4)
    assert rows[1, 3] / rows[0, 3] == pytest.approx(1.8, rel=0.1)  # of a share of the variance
    assert entry["cells"] == [3]
    assert json.loads(remedies(leaks, cases, bands, n_references=10, seed=2)[0].config) == entry
    assert json.loads(remedies(leaks, cases, bands, n_references=10, seed=3)[0].config) != entry


def test_nothing_is_to_be_done_about_no_leak():
    cases, bands, leaks = leaking(n=60)
    assert remedies([], cases, bands) == ()
    assert leak_to_try(leaks) is leaks[0]
