"""The verdict on a network, from leaks and a counterfactual."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from monai_freq.audit import AuditModel, Cases, Leak, audit_data, band_features, find_leak
from monai_freq.audit.model.counterfactual import Counterfactual
from monai_freq.audit.model.exchange import Exchange
from monai_freq.audit.model.model_verdicts import MODEL_VERDICTS, bands_of, leak_to_try, model_verdict, try_leak
from monai_freq.audit.remedies import remedies
from monai_freq.spectral.band_grid import BandGrid

BANDS = BandGrid((0.0, 0.1, 0.2, 0.35, 0.75))
MOVED = Exchange(("0.2 to 0.35",), 0.6, 0.5, 0.7, 0.4, 0.3, 0.5, 2.0, 1.5, 2.5, 0.61, 0.5, 0.7, 80)
STILL = dataclasses.replace(MOVED, share=0.0, probability=-0.02)
SIZES = {"separation": 3.3, "limited": 0.0, "p": 0.003, "p_against": 1.0, "n_permutations": 999, "alpha": 0.01}
SIZES |= {"smallest": 0.4, "smallest_seen": 0.12, "used": True, "in_part": False, "against": False}
FOUND = Counterfactual("label", ("a", "b"), 90, 80, MOVED, STILL, 0.6, 0.5, 0.7, **SIZES)
UNSEEN = dataclasses.replace(FOUND, used=False, p=0.4)


def leak(found=True, within=None, smallest=0.62, of="label", auc=0.8):
    return Leak(of, within, ("a", "b"), auc, 0.7, 0.9, 0.001, 0.0, 0.01, 999, smallest, 0.01, found, (), 90, 80)


@pytest.mark.parametrize(
    ("leaks", "found", "verdict", "says"),
    [
        (
            [leak()],
            FOUND,
            "leak and used",
            "beyond the control towards the donors' class by 0.60 of the way (0.50 to 0.70; p = 0.003)",
        ),
        (
            [leak()],
            FOUND,
            "leak and used",
            "move by +0.60 in the leaking cells (probability +0.40) and +0.00 in the control (probability -0.02).",
        ),
        ([leak()], UNSEEN, "leak, not seen to be used", "A shift of 0.12 would have been seen"),
        (
            [leak()],
            dataclasses.replace(FOUND, difference=0.2, used=False, in_part=True),
            "leak, followed in part",
            "So do some networks that never saw what leaks",
        ),
        (
            [leak()],
            dataclasses.replace(
                UNSEEN, difference=-0.3, low=-0.4, high=-0.25, p=1.0, p_against=0.001, n_permutations=999, against=True
            ),
            "leak, followed against the label",
            "beyond the control away from the donors' class by 0.30 of the way (0.25 to 0.40; p <= 0.001)",
        ),
        (
            [leak()],
            dataclasses.replace(UNSEEN, limited=0.75),
            "leak, not seen to be used",
            "Doubt this verdict: the probabilities of 75% of the images are exactly 0 or 1",
        ),
        ([leak()], dataclasses.replace(UNSEEN, separation=0.0), "leak, not seen to be used", "the same answer"),
        ([leak()], None, "leak, not seen to be used", "was not tried"),
        ([leak()], dataclasses.replace(UNSEEN, smallest_seen=0.7), "too few cases", "With 80 patients"),
        ([leak(found=False)], None, "no leak found", "A leak of AUC 0.62 would have been found"),
        ([leak(found=False, smallest=0.95)], None, "too few cases", "too few patients"),
        ([leak(found=False, smallest=None)], None, "too few cases", "too few patients"),
        ([leak(of="group")], None, "too few cases", "too few patients"),
        ([], None, "too few cases", "too few patients"),
    ],
)
def test_each_verdict_has_its_reasons(leaks, found, verdict, says):
    result = model_verdict(leaks, found)
    assert result.verdict == verdict
    assert verdict in MODEL_VERDICTS
    assert says in " ".join(result.said)
    assert "  " not in " ".join(result.said)


def test_what_lacks_a_control_says_so():
    said = " ".join(model_verdict([leak()], dataclasses.replace(FOUND, control=None)).said)
    assert "no control" in said
    assert "beyond" not in said
    assert "61% of 80 decisions change to the donors' class (50% to 70%)." in said


def test_the_leak_within_groups_is_tried_first():
    within = leak(within="group", auc=0.6)
    assert leak_to_try([leak(), within, leak(of="group", auc=1.0)]) is within
    assert leak_to_try([leak(), leak(found=False, within="group")]) == leak()


@pytest.mark.parametrize("uses", [True, False])
def test_from_images_to_the_verdict(uses):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(64, 1, 24, 24, generator=generator)
    images += 6 * torch.rand(64, 1, 1, 1, generator=generator) * torch.cos(torch.arange(24) / 4)
    high = BANDS.scaled(images[1::2], torch.tensor([1.0, 1.0, 1.6, 1.0]), spatial_dims=2)
    images[1::2] = high
    cases = Cases.of_arrays(images, [0, 1] * 32)
    leaks = [find_leak(band_features(cases, BANDS), cases.labels, n_permutations=200)]
    network = (lambda x: 4 * (x.diff(dim=-1).square().mean((2, 3)) - 2.6)) if uses else (lambda x: 9 * x.mean((2, 3)))
    found = try_leak(AuditModel(network), cases, leaks, BANDS, progress=False)
    assert model_verdict(leaks, found).verdict == ("leak and used" if uses else "leak, not seen to be used")
    assert try_leak(AuditModel(network, task="segmentation"), cases, leaks, BANDS) is None


def test_bands_come_back_from_their_description():
    for unit in ("voxel", "mm", "image"):
        bands = BandGrid((0.0, 0.1, 0.4), unit, directional=unit == "mm")
        described = {"unit": bands.unit_name, "edges": list(bands.edges), "directional": bands.directional}
        assert bands_of(described) == bands


@pytest.mark.slow
def test_from_the_audit_of_data_to_verdict_and_remedies():
    """In all directions, as the audit of data has them: more of one line of the spectrum, a part of cells of many."""
    rows = torch.randn(80, 1, 48, 1, generator=torch.Generator().manual_seed(1)).expand(-1, -1, -1, 48)
    images = torch.randn(80, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    images[1::2] += 0.35 * rows[1::2]
    cases = Cases.of_arrays(images, [0, 1] * 40)
    audit = audit_data(cases, n_permutations=200)
    bands = bands_of(audit.bands)
    assert audit.verdict == "leak found"
    by_rows = AuditModel(lambda x: 60 * (x.mean(-1).square().mean(-1) - 0.08))
    by_mean = AuditModel(lambda x: 9 * x.mean((2, 3)))
    verdicts = [
        model_verdict(audit.leaks, try_leak(model, cases, audit.leaks, bands, progress=False)).verdict
        for model in (by_rows, by_mean)
    ]
    assert verdicts == ["leak, followed in part", "leak, not seen to be used"]
    config = json.loads(remedies(audit.leaks, cases, bands)[0].config)  # whose bands have the ends of the spectrum, too
    moved = BandGrid(tuple(config["edges"]), bands.unit, directional=bands.directional)
    names = np.array(moved.names(2))[config["cells"]]
    assert np.mean(["along axis 0" in name for name in names]) > 0.5
