"""The audit of data as a whole: its verdicts, and what it says of what was not given."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from PIL import Image

from monai_freq.audit import Case, Cases, ImageFacts, audit_data, bands_for, leaks_of, read_cases
from monai_freq.audit.data.confounding import confounding
from monai_freq.audit.data.features import band_features
from monai_freq.audit.data.verdicts import (
    BETWEEN_GROUPS,
    DATA_VERDICTS,
    LEAK,
    NO_LEAK,
    TOO_FEW,
    data_verdict,
    said_of_leak,
    said_of_verdict,
)
from monai_freq.errors import DataError
from monai_freq.spectral.band_grid import BandGrid

FAST = {"n_bands": 4, "n_permutations": 199}


def noise(n, shape=(32, 32), seed=0):
    return torch.randn(n, 1, *shape, generator=torch.Generator().manual_seed(seed))


def smoothed(images, which):
    """Images of which some have less of the high frequencies along the last axis."""
    images = images.clone()
    images[which] = images[which] + 0.5 * images[which].roll(1, -1)
    return images


LABELS = torch.arange(80) % 2
GROUPS = torch.where(torch.rand(80, generator=torch.Generator().manual_seed(1)) < 0.2, 1 - LABELS, LABELS)


def audit(images, labels=LABELS, groups=None, patients=None, **settings):
    columns = [None if each is None else [str(int(k)) for k in each] for each in (labels, groups, patients)]
    return audit_data(Cases.of_arrays(images, *columns), **{**FAST, **settings})


def test_no_leak():
    found = audit(noise(80))
    assert found.verdict == NO_LEAK
    assert "The test finds a leak of AUC" in found.summary[1]
    assert [(leak.of, leak.within) for leak in found.leaks] == [("label", None)]


@pytest.mark.parametrize("shape", [(32, 32), (16, 16, 12)])
def test_a_leak_is_found_where_it_lies(shape):
    found = audit(smoothed(noise(80, shape), LABELS == 1))
    assert found.verdict == LEAK
    strongest = max(found.leaks[0].cells, key=lambda cell: cell.auc_alone)
    assert strongest.name.endswith(f"along axis {len(shape) - 1}")
    assert strongest.name in found.bands["cells"]
    assert any("A disease can change the spectrum" in said for said in found.summary)


def test_a_leak_between_groups():
    found = audit(smoothed(noise(80), GROUPS == 1), groups=GROUPS)
    assert found.verdict == BETWEEN_GROUPS
    assert found.confounding.label_from_group == pytest.approx(float((GROUPS == LABELS).double().mean()), abs=0.03)
    overall, within, of_group = (found.leaks[k] for k in (0, 1, 2))
    assert (found.confounding.overall, found.confounding.within, found.confounding.of_group) == (0, 1, 2)
    assert (overall.found, within.found, of_group.found) == (True, False, True)
    assert of_group.auc > overall.auc > 0.7
    assert any("go together" in said for said in found.summary)


def test_a_leak_within_groups():
    found = audit(smoothed(noise(80), LABELS == 1), groups=torch.arange(80) // 40)
    assert found.verdict == LEAK
    assert found.leaks[1].found
    assert not found.leaks[2].found


def test_groups_of_one_label_each_cannot_be_told_apart():
    found = audit(smoothed(noise(80), LABELS == 1), groups=LABELS)
    assert found.verdict == BETWEEN_GROUPS
    assert found.confounding.within is None
    assert any("label and group cannot be told apart" in said for said in found.summary)
    counts = {(one.group, one.label): one.n_cases for one in found.confounding.counts}
    assert counts == {("0", "0"): 40, ("0", "1"): 0, ("1", "0"): 0, ("1", "1"): 40}


def test_too_few():
    assert audit(noise(16), LABELS[:16]).verdict == TOO_FEW  # of 8 patients each
    assert audit(noise(22), LABELS[:22], alpha=0.01).verdict == TOO_FEW  # no likely leak would be found
    patients = torch.arange(80) // 10
    assert audit(smoothed(noise(80), patients % 2 == 1), patients % 2, patients=patients).verdict == TOO_FEW


def test_groups_alone():
    found = audit(smoothed(noise(80), GROUPS == 1), labels=None, groups=GROUPS)
    assert found.verdict == BETWEEN_GROUPS
    assert found.confounding is None
    assert any("No labels were given" in said for said in found.unknown)
    with pytest.raises(DataError, match="neither labels nor groups"):
        audit(noise(4), labels=None)


def test_what_is_not_given_is_said():
    unknown = audit(noise(24), LABELS[:24]).unknown
    assert any("No groups were given" in said for said in unknown)
    assert any("No patients were given" in said for said in unknown)
    known = audit(noise(24), LABELS[:24], groups=LABELS[:24], patients=torch.arange(24))
    assert not any("No groups" in said or "No patients" in said for said in known.unknown)


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["image,label"]
    for k in range(30):
        pixels = rng.integers(0, 256, (24, 24 + 4 * (k % 2)), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{k}.png")
        lines.append(f"{k}.png,{'ab'[k % 2]}")
    (tmp_path / "29.png").write_bytes(b"damaged")
    Image.new("L", (24, 24), 3).save(tmp_path / "28.png")
    (tmp_path / "index.csv").write_text("\n".join(lines))
    return tmp_path


def test_workers_and_kept_records_change_nothing(folder):
    cases = read_cases(folder / "index.csv")
    first = audit_data(cases, **FAST)
    assert audit_data(cases, **FAST, workers=2) == first
    again = [audit_data(cases, **FAST, output_dir=folder / "out") for _ in range(2)]
    assert again == [first, first]
    assert audit_data(cases, **{**FAST, "seed": 1}).leaks[0].low != first.leaks[0].low


def test_faulty_images_are_left_out_and_said(folder):
    found = audit_data(read_cases(folder / "index.csv"), **FAST)
    assert found.data["left_out"] == 2
    assert found.data["n_cases"] == 28
    assert found.data["sizes"] == {"24 x 24": 14, "24 x 28": 14}
    assert found.data["labels"] == {"a": 14, "b": 14}
    assert found.data["n_patients"] is None
    assert any(said.startswith("2 left out") for said in found.summary)
    assert any(said.startswith("Number of voxels") for said in found.summary)


def test_some_cases():
    found = audit(noise(80), n_cases=40)
    assert found.data["n_cases"] == 40
    assert "40 of 80 images were looked at." in found.summary


def test_it_is_plain_data():
    plain = dataclasses.asdict(audit(noise(40), LABELS[:40], groups=GROUPS[:40]))
    back = json.loads(json.dumps(plain, allow_nan=False))
    assert back["bands"]["unit"] == "cycles per voxel"
    assert back["verdict"] in DATA_VERDICTS
    assert len(back["spectra"]) == 6
    assert len(back["spectra"][0]["frequencies"]) == len(back["spectra"][0]["mean"])


def test_images_of_several_sizes_are_compared_on_the_frequencies_they_share():
    facts = [ImageFacts((100, 80), (0.5, 0.5)), ImageFacts((60, 90), (1.0, 2.0))]
    assert bands_for(facts).edges[0] == 2 / 90
    per_mm = bands_for(facts, 5, "mm", directional=False)
    assert (per_mm.edges[0], per_mm.edges[-1], per_mm.n_bands) == (pytest.approx(2 / 50), 0.5, 5)
    assert bands_for(facts, unit="image").edges[-1] == 45
    with pytest.raises(DataError, match="share no frequency"):
        bands_for([ImageFacts((8, 8), (0.01, 0.01)), ImageFacts((8, 8), (10.0, 10.0))], unit="mm")


def test_one_scene_on_two_grids_differs_per_voxel_alone():
    """Scenes without detail below 1.25 mm, sampled every 0.5 or 1 mm over the same 48 mm."""
    low = torch.fft.fftfreq(96, 0.5)[:, None].square() + torch.fft.rfftfreq(96, 0.5).square() < 0.4**2
    scenes = torch.fft.irfft2(torch.fft.rfft2(noise(60, (96, 96))) * low)
    images = [scene[:, :: k % 2 + 1, :: k % 2 + 1] for k, scene in enumerate(scenes)]
    plain = Cases.of_arrays(images, labels=["fine", "coarse"] * 30)
    cases = Cases([dataclasses.replace(case, spacing=(0.5 + k % 2 / 2,) * 2) for k, case in enumerate(plain)])
    edges = {"voxel": (0.05, 0.15, 0.25, 0.35), "mm": (0.05, 0.15, 0.25, 0.35), "image": (2.0, 8.0, 12.0, 16.0)}
    told = {
        unit: leaks_of(cases, band_features(cases, BandGrid(own, unit)), n_permutations=199)[0]
        for unit, own in edges.items()
    }
    assert told["voxel"].auc > 0.95
    assert not told["mm"].found
    assert not told["image"].found


def test_several_labels_of_few_patients_are_said():
    labels = torch.cat([LABELS, torch.full((5,), 2)])
    found = audit(noise(85), labels)
    assert "Too few patients, not looked at: 2." in found.summary


def test_confounding_without_a_link():
    cases = Cases.of_arrays(torch.zeros(80, 1, 4, 4), LABELS.tolist(), (torch.arange(80) // 40).tolist())
    found = confounding(cases, (), n_permutations=199)
    assert found.label_from_group == pytest.approx(0.5, abs=0.1)
    assert "was not found to tell" in found.said[0]
    assert confounding(Cases.of_arrays(torch.zeros(4, 1, 4, 4), [0, 1, 0, 1]), ()) is None


def test_sentences_state_the_strength():
    strong = audit(smoothed(smoothed(noise(80), LABELS == 1), LABELS == 1)).leaks[0]
    assert "The spectrum tells the label well: AUC 1.00" in said_of_leak(strong)
    weak = dataclasses.replace(strong, auc=0.58)
    assert "tells the label a little: AUC 0.58" in said_of_leak(weak)
    assert "p <= 0.005" in said_of_leak(strong)


def test_verdicts_of_leaks():
    leak = audit(noise(80)).leaks[0]
    found, missed = dataclasses.replace(leak, found=True), dataclasses.replace(leak, found=False)
    blind = dataclasses.replace(missed, smallest_auc=None)
    verdicts = {
        (found, None, None): LEAK,
        (missed, None, None): NO_LEAK,
        (blind, None, None): TOO_FEW,
        (None, None, None): TOO_FEW,
        (found, found, found): LEAK,
        (missed, found, missed): LEAK,
        (found, missed, found): BETWEEN_GROUPS,
        (found, None, found): BETWEEN_GROUPS,
        (found, None, missed): LEAK,  # the spectrum does not tell the group
        (found, blind, missed): LEAK,
        (found, blind, found): BETWEEN_GROUPS,
        (missed, missed, found): NO_LEAK,
    }
    for leaks, verdict in verdicts.items():
        assert data_verdict(*leaks, labelled=True) == verdict
    assert data_verdict(None, None, found, labelled=False) == BETWEEN_GROUPS
    assert data_verdict(None, None, missed, labelled=False) == NO_LEAK
    within = {"leak between groups": "within groups it does not", "leak found": "no known group explains it"}
    told = dataclasses.replace(found, auc=0.9)
    said = said_of_verdict("leak between groups", told, dataclasses.replace(missed, smallest_auc=0.8), grouped=True)
    assert said.endswith(f"{within['leak between groups']}.")
    for verdict, other in (("leak between groups", blind), ("leak found", None)):
        said = said_of_verdict(verdict, told, other, grouped=True)
        assert said.endswith("; whether it does within groups, these patients cannot tell.")
    assert within["leak found"] in said_of_verdict("leak found", told, None, grouped=False)


def test_a_group_that_is_the_label_is_not_said_to_be_without_a_leak():
    images = smoothed(noise(80), LABELS == 1)
    found = audit(images, LABELS, groups=LABELS)
    assert found.verdict == BETWEEN_GROUPS
    assert found.summary[0] == (
        "The spectrum tells groups, and with them the label; whether it does within groups, these patients cannot tell."
    )
    each = audit(images, LABELS, groups=range(80))
    assert each.verdict == LEAK
    assert each.summary[0] == "The spectrum tells the label; whether it does within groups, these patients cannot tell."


def test_what_is_missing_for_a_test_is_said():
    one = audit(noise(30), torch.zeros(30))
    assert one.summary[1].startswith("All images have the label 0, so that there is nothing")
    few = audit(noise(12), torch.arange(12) % 2)
    assert "Two labels of at least 10 patients are needed; there are 0 (6), 1 (6)." in few.summary


def test_a_file_that_is_listed_twice_is_of_one_patient(tmp_path):
    cases = Cases([Case(str(tmp_path / f"{k % 3}.png")) for k in range(6)])
    assert cases.patients == ("case 0", "case 1", "case 2") * 2


def test_an_image_that_is_too_small_is_named():
    images = [*noise(30), torch.rand(1, 2, 2)]
    with pytest.raises(DataError, match=r"share no frequency.*\n.*2 x 2.*Leave it out"):
        audit_data(Cases.of_arrays(images, labels=[0, 1] * 15 + [0]))
    with pytest.raises(DataError, match="has the fewest"):
        audit_data(Cases.of_arrays([*noise(30), torch.rand(1, 5, 5)], labels=[0, 1] * 15 + [0]), n_bands=3)


def test_harmonised_images_have_no_leak():
    noise = torch.randn(80, 1, 96, 96, generator=torch.Generator().manual_seed(0))
    squared = torch.fft.fftfreq(96)[:, None].square() + torch.fft.rfftfreq(96).square()
    noise[::2] = torch.fft.irfft2(torch.fft.rfft2(noise[::2]) * torch.exp(-10 * squared), s=(96, 96))
    settings = {"labels": ["smooth", "sharp"] * 40}
    found = audit_data(Cases.of_arrays(noise, **settings), n_permutations=200)
    assert found.verdict == "leak found"
    remedy = next(each for each in found.remedies if "SpectrumMatchd" in each.config and "Rand" not in each.config)
    transform = ConfigParser({"it": json.loads(remedy.config)}).get_parsed_content("it")
    moved = [torch.Tensor(transform({"image": image})["image"]) for image in noise]
    pictures = [(40 * image + 128).round().clamp(0, 255) for image in moved]
    for images in (moved, pictures):
        again = audit_data(Cases.of_arrays(images, **settings), n_permutations=200)
        assert again.verdict == "no leak found"
