"""The trainings with spectral decoupling on radiographs: their draws, their search and their statistics."""

import importlib.util
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from monai_freq.audit import Case, Cases
from monai_freq.spectral.band_grid import BandGrid
from monai_freq.spectral.band_match import band_densities

RESULTS = Path(__file__).parent.parent / "docs/results"


@pytest.fixture
def decoupled(monkeypatch):
    monkeypatch.syspath_prepend(RESULTS)
    spec = importlib.util.spec_from_file_location("decoupled_radiographs", RESULTS / "decoupled_radiographs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def some_cases(n):
    """Two patients of three have one radiograph, the third two of either label; n radiographs of each kind or more."""
    cases, counts = [], Counter()
    for source in ("nih", "kermany"):
        for patient in range(3 * n):
            labels = [("normal", "pneumonia"), ("normal",), ("pneumonia",)][patient % 3]
            for label in labels:
                counts[source, label] += 1
                cases.append(Case(f"{source}-{patient}-{label}.png", label, source, f"{source} {patient}"))
    assert min(counts.values()) >= n
    return cases


@pytest.mark.parametrize("share", [1.0, 0.9, 0.75, 0.5])
def test_a_share_goes_together_and_patients_are_apart(decoupled, share):
    cases = some_cases(200)
    parts = decoupled.drawn(cases, share, 3)
    for part, n in zip(parts, (120, 40), strict=True):
        together = round(n * share)
        wanted = {("nih", "normal"): together, ("kermany", "pneumonia"): together}
        wanted |= {("kermany", "normal"): n - together, ("nih", "pneumonia"): n - together}
        assert Counter((case.group, case.label) for case in part) == Counter(wanted)
        assert len(set(part)) == len(part)
    patients = [{case.patient for case in part} for part in parts]
    assert not patients[0] & patients[1]
    assert decoupled.drawn(cases, share, 3) == parts
    assert set(decoupled.drawn(cases, share, 4)[0]) != set(parts[0])
    larger = set(decoupled.drawn(cases, 1.0, 3)[0])
    assert {case for case in parts[0] if decoupled.TAUGHT["together"](case)} <= larger


def test_the_search_takes_the_highest_auc_then_the_lowest_loss(decoupled):
    seen = {"a": (0.9004, 0.5), "b": (0.9001, 0.4), "c": (0.8, 0.1)}
    found = {
        decoupled.Run(0.9, arm, decoupled.PILOT): {"validation": {"auc": auc, "cross_entropy": loss}}
        for arm, (auc, loss) in seen.items()
    }
    assert decoupled.best(found, 0.9, ["a", "b", "c"]) == "b"
    assert decoupled.best(found, 0.9, ["a", "c"]) == "a"


def test_intervals_are_those_of_weighted_resamples_of_patients(decoupled, monkeypatch):
    monkeypatch.setattr(decoupled, "RESAMPLES", 40)
    test = Cases(some_cases(20))
    rng, lam = np.random.default_rng(0), next(iter(decoupled.LAMS))
    signal = np.array([case.label == "pneumonia" for case in test])
    runs = [(arm, seed) for arm in (decoupled.PLAIN, lam) for seed in range(3)]
    scores = {run: rng.standard_normal(len(test)) + (1 + (run[0] == lam)) * signal for run in runs}
    found = {
        decoupled.Run(0.9, *run): {"test": {"log_odds": each.tolist()}, "validation": {}}
        for run, each in scores.items()
    }
    summary = decoupled.figures(found, {0.9: {"decoupling": lam}}, test)
    row = next(row for row in summary["arms"] if row["arm"] == lam)
    patients = sorted({case.patient for case in test if case.group == "nih"})
    here = [k for k, case in enumerate(test) if case.group == "nih"]
    times = np.random.default_rng(0).multinomial(len(patients), [1 / len(patients)] * len(patients), 40)
    weights = times[:, [patients.index(test[k].patient) for k in here]]

    def means(arm, weight):
        return np.mean(
            [roc_auc_score(signal[here], scores[arm, seed][here], sample_weight=weight) for seed in range(3)]
        )

    gained = [means(lam, weight) - means(decoupled.PLAIN, weight) for weight in weights]
    less = row["less plain"]["NIH alone"]
    assert less["mean"] == pytest.approx(means(lam, None) - means(decoupled.PLAIN, None))
    assert (less["low"], less["high"]) == pytest.approx(tuple(np.quantile(gained, [0.025, 0.975])))
    each = [
        roc_auc_score(signal[here], scores[lam, seed][here])
        - roc_auc_score(signal[here], scores[decoupled.PLAIN, seed][here])
        for seed in range(3)
    ]
    assert less["sd"] == pytest.approx(np.std(each, ddof=1))
    text = "\n".join(decoupled.tables(summary))
    assert f"| 90% | {lam} | {less['mean']:+.3f}"[:30] in text.replace(
        "| 90% | " + lam + " | ", "| 90% | " + lam + " | "
    )
    assert decoupled.gains(less) == f"{sum(one > 0 for one in each)} of 3"


def test_the_remedy_gives_both_sources_one_spectrum(decoupled):
    generator = torch.Generator().manual_seed(0)
    cases = [case for case in some_cases(40) if decoupled.TAUGHT["together"](case)]
    images = torch.randn(len(cases), 1, 32, 32, generator=generator)
    images[:, :, :, 1:] += torch.tensor([0.8 * (case.group == "nih") for case in cases]).view(-1, 1, 1, 1) * (
        images[:, :, :, :-1].clone()
    )
    transform, said = decoupled.remedy("SpectrumMatchd", "group", images, cases, 0)
    assert said["verdict"] == "leak found"
    # below .15 cycles per pixel the audit finds few cells, and leaves the rest alone
    bands, nih = BandGrid((0.15, 0.35, 0.75)), torch.tensor([case.group == "nih" for case in cases])

    def ratio(x):
        densities = band_densities(x.double(), bands, spatial_dims=2)[:, 0].log()
        return (densities[nih].mean(0) - densities[~nih].mean(0)).abs().max()

    assert ratio(images) > 0.3
    assert ratio(transform(images)) < 0.1
