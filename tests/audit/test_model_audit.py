"""Learning priority, maps of where a band matters, and the audit as a whole."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from monai_freq.audit import AuditModel, Case, Cases, audit_data, load_model
from monai_freq.audit.model.model_summary import doubts
from monai_freq.audit.model.model_verdicts import NOT_SEEN, ModelVerdict
from monai_freq.audit.model.priority import priority
from monai_freq.audit.model.reliance import reliance
from monai_freq.audit.model.where import band_maps, where
from monai_freq.audit.model_audit import audit_model
from monai_freq.errors import DataError
from monai_freq.spectral.band_grid import BandGrid

WAVE = torch.cos(2 * math.pi * 4 * torch.arange(16.0) / 16)  # 0.25 cycles per voxel
BANDS = BandGrid((0, 0.2, 0.3, 0.75))


@pytest.fixture
def cases():
    images = torch.randn(24, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    images[1::2] += 1.5 * WAVE
    return Cases.of_arrays(images, labels=["no", "yes"] * 12, patients=[k // 2 for k in range(24)])


def linear(weight):
    network = nn.Sequential(nn.Flatten(), nn.Linear(256, 1))
    network[1].weight.data.copy_(weight.reshape(1, 256))
    network[1].bias.data.fill_(-0.7)
    return network


def test_the_priority_of_a_filter_is_its_frequency(cases):
    found = priority(load_model(linear(WAVE.expand(16, 16) / 128)), cases, progress=False)
    assert found.frequencies[int(np.argmax(found.mean))] == pytest.approx(0.25)
    assert (found.n_cases, found.n_patients, found.target, found.scale) == (24, 12, "label", 1)
    shrunk = load_model(linear(WAVE.expand(16, 16)), preprocess=lambda x: nn.functional.avg_pool2d(x, 2))
    big = Cases.of_arrays(torch.rand(2, 1, 32, 32), labels=[0, 1])
    assert priority(shrunk, big, progress=False).scale == 0.5
    assert priority(AuditModel(lambda x: x.mean((2, 3))), cases, progress=False) is None


def test_of_a_segmenter_the_priority_is_that_of_its_own_answer():
    torch.manual_seed(0)
    network = nn.Conv2d(1, 2, 3, padding=1)
    cases = Cases.of_arrays(torch.rand(2, 1, 16, 16))
    found = priority(load_model(network, task="segmentation"), cases, progress=False)
    assert found.target == "own answer"
    assert 0.5 < max(found.mean) <= 1  # the peaks of both cases need not be in one place


def test_attributions_sum_to_the_change_of_the_answer():
    """Of any smooth network, since gradients are integrated from the image without the band to the one with it."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 4, 5), nn.Tanh(), nn.Flatten(), nn.Linear(4 * 144, 3))
    model, image = load_model(network), torch.randn(1, 16, 16)
    maps = band_maps(model, Case(image), BANDS, steps=50)
    spectrum, radius = np.fft.fft2(image[0].numpy()), np.hypot(np.fft.fftfreq(16)[:, None], np.fft.fftfreq(16))
    with torch.no_grad():
        whole = network(image[None]).softmax(1)[0]
        for k, (low, high) in enumerate([(0, 0.2), (0.2, 0.3), (0.3, 0.75)]):
            inside = (radius > low * (1 + 1e-6)) & (radius <= high * (1 + 1e-6))
            without = torch.from_numpy(np.fft.ifft2(np.where(inside, 0, spectrum)).real).float()
            odds = network(without[None, None]).softmax(1)[0].logit() - whole.logit()
            assert float(maps[k].sum()) == pytest.approx(-float(odds[whole.argmax()]), abs=2e-3)


def test_a_band_matters_where_the_network_looks():
    weight = torch.zeros(16, 16)
    weight[:8] = WAVE / 8  # the upper half
    images = torch.randn(3, 1, 16, 16, generator=torch.Generator().manual_seed(0)) + 3 * WAVE
    found = where(load_model(linear(weight)), Cases.of_arrays(images), BANDS, size=4, progress=False)
    assert (found.kind, found.size, found.cells) == ("attribution", (4, 4), BANDS.names(2))
    maps = np.array(found.maps)
    assert maps.shape == (3, 3, 4, 4)
    np.testing.assert_allclose(maps.sum((1, 2, 3)), 1, rtol=1e-4)
    assert maps[:, 1, :2].sum() > 0.999 * maps[:, 1].sum()
    assert found.shares[1] > 0.5
    assert where(AuditModel(lambda x: x.mean((2, 3))), Cases.of_arrays(images), BANDS, progress=False) is None


def test_of_a_segmenter_a_band_matters_where_the_answer_changes():
    inside = torch.hann_window(32)[:, None].roll(8, 0)  # brightest in row 24
    image = (inside * torch.cos(2 * math.pi * 8 * torch.arange(32.0) / 32))[None]
    model = AuditModel(lambda x: torch.cat([-x, x], 1), "segmentation")
    maps = band_maps(model, Case(image), BandGrid((0, 0.1, 0.3, 0.75)))
    assert maps[1, 20:28].mean() > 10 * maps[1, 4:12].mean()
    assert maps[1].mean() > 100 * maps[2].mean()


def test_an_audit_of_a_network(cases, tmp_path):
    build = lambda: linear(WAVE.expand(16, 16) / 128)  # noqa: E731
    model = load_model(build(), network=lambda: nn.Sequential(nn.Flatten(), nn.Linear(256, 1)), classes=["no", "yes"])
    found = audit_model(model, cases, bands=BANDS, output_dir=tmp_path, n_resamples=100, progress=False)
    assert found.reliance.used == (0.2, 0.3)
    assert any(one.startswith("Without 0.2 to 0.3 cycles per voxel it is lower by") for one in found.summary)
    assert max(found.sensitivity.experiments, key=lambda each: each.moved).cell == "0.2 to 0.3, along axis 1"
    assert found.data["labels"] == {"no": 12, "yes": 12}
    assert found.data["n_patients"] == 12
    assert found.model == {
        "source": "Sequential",
        "kind": "module",
        "task": "classification",
        "classes": ["no", "yes"],
        "n_parameters": 257,
    }
    text = json.dumps(dataclasses.asdict(found), allow_nan=False)
    assert {file.name for file in (tmp_path / "steps").iterdir()} == {
        "reliance.npz",
        "reliance_untrained.npz",
        "sensitivity.npz",
        "learning_priority.npz",
        "where.npz",
        "counterfactual.npz",
        "counterfactual_powers.npz",
    }
    again = audit_model(model, cases, bands=BANDS, output_dir=tmp_path, n_resamples=100, progress=False)
    assert json.dumps(dataclasses.asdict(again)) == text
    alone = reliance(model, cases, BANDS, n_resamples=100, progress=False)
    assert alone == found.reliance


def test_what_is_unknown_is_said(cases):
    model = AuditModel(lambda x: (x * WAVE).mean((2, 3)) - 0.4)
    found = audit_model(model, Cases([*cases]), n_cases=10, n_resamples=50, progress=False)
    assert found.settings["n_cases"] == {"reliance": 10, "sensitivity": 10, "priority": 10, "where": 2}
    assert any("10 of 24 cases, drawn by patient" in one for one in found.summary)
    assert (found.priority, found.where, found.reliance.untrained_reference) == (None, None, None)
    assert [text.split(":")[0] for text in found.unknown] == [
        "The order of the classes was not given",
        "How to build the network is unknown",
        "The network gives no gradients",
        "The network gives no gradients",
        "No preprocessing is known",
        "No groups were given",
        "All voxels have 1 mm, which is what files that know of no voxel size have, too.",
    ]
    with pytest.raises(ValueError, match="'n_cases' must be"):
        audit_model(model, cases, n_cases=0)


def test_a_network_may_return_logits_or_probabilities(cases):
    """The same verdict and shift, whatever the answers come as; a second sigmoid would hide most of the shift."""

    def sure(x):
        return 8 * ((x * WAVE).mean((2, 3)) - 0.4)

    forms = {
        "logit": sure,
        "logits": lambda x: torch.cat([-sure(x), sure(x)], 1) / 2,
        "one logit for each image": lambda x: sure(x)[:, 0],
        "dictionary": lambda x: {"out": sure(x), "features": x},
        "probability": lambda x: sure(x).sigmoid(),
        "probabilities": lambda x: torch.cat([1 - sure(x).sigmoid(), sure(x).sigmoid()], 1),
    }
    data = audit_data(cases, n_bands=3, n_permutations=99)
    assert data.verdict == "leak found"
    found = {
        name: audit_model(AuditModel(form), cases, data, bands=BANDS, n_resamples=50, progress=False)
        for name, form in forms.items()
    }
    shifts = [one.counterfactual.difference for one in found.values()]
    assert shifts == pytest.approx([shifts[0]] * len(forms), abs=1e-5)
    assert shifts[0] > 0.2
    assert len({one.verdict for one in found.values()}) == 1
    said = [name for name, one in found.items() if any("taken for these" in text for text in one.unknown)]
    assert said == ["probability", "probabilities"]


def test_answers_that_are_no_numbers_are_refused(cases):
    for value in (float("nan"), float("inf")):
        model = AuditModel(lambda x, value=value: torch.full((len(x), 2), value))
        with pytest.raises(DataError, match="returns NaN or infinity"):
            audit_model(model, cases, progress=False)
    with pytest.raises(DataError, match="Wrap it so that it returns a tensor"):
        audit_model(AuditModel(lambda x: "well"), cases, progress=False)


def test_classes_in_another_order_are_noticed(cases):
    model = AuditModel(lambda x: 0.4 - (x * WAVE).mean((2, 3)), classes=("no", "yes"))
    found = audit_model(model, cases, n_resamples=50, progress=False)
    assert found.reliance.reference_high < 0.5
    assert any("worse than chance: if the classes are in another order" in text for text in found.summary)


def test_images_that_cannot_be_used_are_left_out(cases):
    model = AuditModel(lambda x: (x * WAVE).mean((2, 3)) - 0.4)
    faulty = [dataclasses.replace(cases[0], image=image) for image in ("nowhere.png", torch.ones(1, 16, 16))]
    found = audit_model(model, [faulty[0], *cases, faulty[1]], n_resamples=50, progress=False)
    alone = audit_model(model, cases, n_resamples=50, progress=False)
    assert found.reliance == alone.reliance
    assert found.counterfactual == alone.counterfactual
    assert found.summary[-1].startswith("2 left out as they cannot be used. The first: nowhere.png")
    with pytest.raises(DataError, match="No image can be used"):
        audit_model(model, faulty, progress=False)
    with pytest.raises(DataError, match="Some images are in 2D and others in 3D"):
        audit_model(model, [*cases, dataclasses.replace(cases[0], image=torch.rand(1, 8, 8, 8))], progress=False)


def test_a_segmenter_has_no_verdict_on_labels(cases):
    images = torch.stack([case.load()[0] for case in cases])
    model = AuditModel(lambda x: torch.cat([-x, x], 1), "segmentation")
    parts = {"labels": cases.labels, "segmentations": (images > 0).long()}
    found = audit_model(model, Cases.of_arrays(images, **parts), n_resamples=50, progress=False)
    assert found.verdict == "no label to leak"
    assert found.leaks[0].found
    assert "was not asked for a leak" in found.summary[0]
    parts["segmentations"] = 5 * parts["segmentations"]
    with pytest.raises(DataError, match="holds values from 0 to 5, the network has 2 classes"):
        audit_model(model, Cases.of_arrays(images, **parts), n_resamples=50, progress=False)
    empty = Cases.of_arrays(images, segmentations=torch.zeros_like(images))
    found = audit_model(model, empty, n_resamples=50, progress=False)
    assert found.summary[1] == "The Dice is unknown: no case has any of the classes."


def test_a_use_that_probabilities_hide_is_found(cases):
    """All answers are of one class with near certainty; their order still follows the leak."""
    sure = AuditModel(lambda x: 6 + 3 * (x * WAVE).mean((2, 3)))
    found = audit_model(sure, cases, bands=BANDS, n_resamples=100, progress=False)
    assert found.reliance.reference > 0.95
    assert abs(found.counterfactual.leaking.probability) < 0.01
    assert found.verdict == "leak and used"
    assert not any("Doubt" in text for text in found.summary)
    (doubt,) = doubts(ModelVerdict(NOT_SEEN, ("The network was not seen to use the leak.",)), found.reliance)
    assert doubt.startswith("Doubt this verdict: with the amplitudes of an image of another label in 0.2 to 0.3")
    blind = AuditModel(lambda x: 6 + 3 * x.mean((2, 3)))
    other = audit_model(blind, cases, bands=BANDS, progress=False)
    assert other.verdict != "leak and used"
    assert not any("Doubt" in text for text in other.summary)
