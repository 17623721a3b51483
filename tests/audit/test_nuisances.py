"""Properties of images that go with labels: planted ones are named, and others are not."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import kstest

from monai_freq.audit import Case, Cases, ImageFacts
from monai_freq.audit.data.image_facts import image_facts
from monai_freq.audit.data.nuisances import nuisances
from monai_freq.spectral.flags import FLAGS


def cases(labels, groups=None, patients=None):
    return Cases.of_arrays(torch.zeros(len(labels), 1, 4, 4), labels, groups, patients)


def facts(has, name="jpeg_blocks"):
    return [ImageFacts((32, 32), (1.0, 1.0), traces={name: "x"} if each else {}) for each in has]


def named(found):
    return {one.name: one for one in found}


def test_a_trace_of_one_label_is_named():
    rng = np.random.default_rng(0)
    labels = np.arange(100) % 2
    has = rng.random(100) < np.where(labels, 0.8, 0.3)
    found = nuisances(cases(labels.tolist()), facts(has))
    first = found[0]
    assert first.name == "jpeg_blocks"
    assert first.tells_label
    assert first.n_cases == has.sum()
    assert first.share_by_label == {"0": has[::2].mean(), "1": has[1::2].mean()}
    assert first.said.startswith("Blocks of JPEG: ")
    assert first.said.endswith("It tells the label.")
    assert {one.name for one in found} >= set(FLAGS) | {"voxels", "aspect", "spacing", "lowest", "highest"}
    assert not any(one.tells_label or one.p is not None for one in found[1:])


def test_p_values_are_uniform_and_corrected():
    smallest = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        own = [
            ImageFacts((32, int(rng.integers(30, 40))), (1.0, float(rng.random() + 0.5)), highest=float(rng.random()))
            for _ in range(40)
        ]
        found = nuisances(cases((np.arange(40) % 2).tolist()), own, n_permutations=99, seed=seed)
        smallest.append(min(one.p for one in found if one.p is not None))
    spread = np.array(smallest) - np.random.default_rng(0).random(100) / 100
    assert kstest(spread, "uniform").pvalue > 0.001


def test_images_of_one_patient_are_no_independent_draws():
    patients = np.repeat(np.arange(12), 10)
    labels, has = patients % 2, patients < 5
    found = named(nuisances(cases(labels.tolist(), patients=patients.tolist()), facts(has)))["jpeg_blocks"]
    alone = named(nuisances(cases(labels.tolist()), facts(has)))["jpeg_blocks"]
    assert found.p > 0.2
    assert alone.p >= 0.001
    assert found.p > 2 * alone.p


def test_within_groups():
    """A trace of one group tells the label between groups, not within."""
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    groups = np.where(rng.random(200) < 0.25, 1 - labels, labels)
    one = named(nuisances(cases(labels.tolist(), groups.tolist()), facts(groups == 1)))["jpeg_blocks"]
    assert one.tells_label
    assert one.tells_group
    assert one.p_within > 0.05
    assert one.said.endswith("It tells the label between groups. It tells the group.")
    has = rng.random(200) < np.where(labels, 0.8, 0.3)
    one = named(nuisances(cases(labels.tolist(), groups.tolist()), facts(has)))["jpeg_blocks"]
    assert one.p_within <= 0.01
    assert "also within groups" in one.said


def test_numbers_are_told_by_rank():
    labels = np.arange(60) % 2
    own = [ImageFacts((32, 32 + int(4 * label)), (0.5, 0.5 + label)) for label in labels]
    found = named(nuisances(cases(labels.tolist()), own))
    assert found["voxels"].tells_label
    assert found["voxels"].share_by_label == {"0": 0.0, "1": 1.0}
    assert found["spacing"].tells_label
    assert found["aspect"].tells_label
    assert found["lowest"].p is None


def test_without_labels_groups_are_told():
    unlabelled = Cases.of_arrays(torch.zeros(40, 1, 4, 4), groups=["x"] * 20 + ["y"] * 20)
    one = named(nuisances(unlabelled, facts([False] * 20 + [True] * 20)))["jpeg_blocks"]
    assert (one.p, one.share_by_label, one.tells_label, one.tells_group) == (None, None, False, True)
    assert one.said == "Blocks of JPEG: 0% of x, 100% of y. It tells the group."


@pytest.mark.parametrize("workers", [0, 2])
def test_facts_of_files(tmp_path, workers):
    rng = np.random.default_rng(0)
    texture = np.cumsum(np.cumsum(rng.standard_normal((64, 80)), 0), 1)
    pixels = (255 * (texture - texture.min()) / np.ptp(texture)).astype(np.uint8)
    bordered = np.pad(pixels, ((0, 0), (16, 0)))
    Image.fromarray(bordered).save(tmp_path / "a.png")
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=20)
    (tmp_path / "b.png").write_bytes(buffer.getvalue())  # the name lies
    Image.new("L", (32, 32), 5).save(tmp_path / "c.png")
    (tmp_path / "d.png").write_bytes(b"nothing")
    found = image_facts(Cases([Case(str(tmp_path / f"{name}.png")) for name in "abcd"]), workers=workers)
    assert [fact.kind for fact in found[:2]] == ["PNG", "JPEG"]
    assert (found[0].sizes, found[0].spacing, found[0].channels) == ((64, 96), (1.0, 1.0), 1)
    assert (found[0].lowest, found[0].highest) == (bordered.min(), bordered.max())
    assert "constant_border" in found[0].traces
    assert "jpeg_quantised" in found[1].traces
    assert "constant" in found[2].fault
    assert "d.png cannot be read" in found[3].fault
