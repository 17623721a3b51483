"""The cases of an audit: from tables, files and memory."""

from collections import Counter

import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from PIL import Image

from monai_freq.audit import Case, Cases, read_cases
from monai_freq.errors import DataError


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["image,label,site,person,mask"]
    for k in range(6):
        Image.fromarray(rng.integers(0, 256, (12, 10), np.uint8)).save(tmp_path / f"{k}.png")
        lines.append(f"{k}.png,{'ill' if k % 2 else 'well'},site {k // 3},p{k // 2},{k}.png")
    (tmp_path / "index.csv").write_text("\n".join(lines))
    return tmp_path / "index.csv"


def test_columns_are_read_by_their_names(table):
    cases = read_cases(table, group="site", patient="person", segmentation="mask")
    assert cases.labels == ("well", "ill") * 3
    assert cases.groups == ("site 0",) * 3 + ("site 1",) * 3
    assert cases.patients == ("p0", "p0", "p1", "p1", "p2", "p2")
    assert cases.patients_known
    image, spacing = cases[1].load()
    expected = np.asarray(Image.open(table.parent / "1.png"))
    np.testing.assert_array_equal(image.numpy(), expected[None])
    assert image.dtype == torch.float32
    assert spacing == (1.0, 1.0)
    np.testing.assert_array_equal(cases[1].load_segmentation().numpy(), expected[None])


def test_what_is_not_given_is_unknown(table):
    cases = read_cases(table, label=None)
    assert cases.labels is None
    assert cases.groups is None
    assert not cases.patients_known
    assert len(set(cases.patients)) == 6


def test_lines_are_chosen_by_a_text(table):
    assert read_cases(table, where={"site": "site 1", "label": "ill"}).labels == ("ill", "ill")
    with pytest.raises(DataError, match="no line with site=nowhere"):
        read_cases(table, where={"site": "nowhere"})


def test_missing_columns_and_cells_are_named(table):
    with pytest.raises(DataError, match="no column 'hospital'"):
        read_cases(table, group="hospital")
    table.write_text("image,label\n0.png,\n")
    with pytest.raises(DataError, match="'label' in line 2"):
        read_cases(table)


def test_volumes_have_their_spacing(tmp_path):
    values = np.random.default_rng(0).standard_normal((6, 5, 4)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([0.5, 1.0, 2.5, 1])), tmp_path / "a.nii.gz")
    image, spacing = Case(str(tmp_path / "a.nii.gz")).load()
    np.testing.assert_array_equal(image[0].numpy(), values)
    assert spacing == (0.5, 1.0, 2.5)
    assert Case(str(tmp_path / "a.nii.gz"), spacing=(1, 1, 3)).load()[1] == (1.0, 1.0, 3.0)


def test_slices_of_a_volume(tmp_path):
    values = np.random.default_rng(0).standard_normal((6, 5, 4)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / "a.nii.gz")
    assert Case(f"{tmp_path / 'a.nii.gz'}#2").load()[0].ndim == 3


def test_images_in_memory_keep_their_spacing():
    affine = torch.diag(torch.tensor([0.5, 2.0, 1.0, 1.0], dtype=torch.float64))
    assert Case(MetaTensor(torch.rand(1, 8, 8), affine=affine)).load()[1] == (0.5, 2.0)
    assert Cases.of_arrays(torch.rand(2, 1, 8, 8), spacing=(3, 4))[0].load()[1] == (3.0, 4.0)
    assert Case(torch.rand(1, 8, 8)).load()[1] == (1.0, 1.0)
    assert type(Case(MetaTensor(torch.rand(1, 8, 8))).load()[0]) is torch.Tensor


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.rand(8, 8), "must be an image in 2D or 3D"),
        (torch.rand(1, 0, 8), "must be an image in 2D or 3D"),
        (torch.full((1, 8, 8), torch.nan), "holds NaN or infinity"),
        ("nothing.png", "nothing.png cannot be read"),
    ],
)
def test_faulty_images_are_refused(image, message):
    with pytest.raises(DataError, match=message):
        Case(image, name="a").load()
    with pytest.raises(DataError, match="spacing 3 numbers"):
        Case(torch.rand(1, 8, 8), spacing=(1.0, 1.0, 1.0)).load()
    with pytest.raises(DataError, match="has no segmentation"):
        Case(torch.rand(1, 8, 8), name="a").load_segmentation()


def test_a_column_is_whole_or_not_there():
    with pytest.raises(DataError, match="case 1 has no label"):
        Cases([Case(torch.rand(1, 4, 4), label="a"), Case(torch.rand(1, 4, 4))])
    with pytest.raises(DataError, match="There is no case"):
        Cases([])
    with pytest.raises(ValueError, match="'labels' must have 2 entries"):
        Cases.of_arrays(torch.rand(2, 1, 4, 4), labels=[1])


def drawn(seed=0):
    rng = np.random.default_rng(seed)
    patients = np.repeat(np.arange(60), rng.integers(1, 4, 60))
    labels, groups = patients % 2, (patients % 6) // 4  # four times as many pairs of one group
    return Cases.of_arrays(torch.zeros(len(patients), 1, 4, 4), labels.tolist(), groups.tolist(), patients.tolist())


def test_a_subset_has_whole_patients_in_equal_shares():
    cases = drawn()
    some = cases.subset(40, seed=3)
    assert 40 <= len(some) <= 42
    whole = Counter(cases.patients)
    assert all(whole[patient] == count for patient, count in Counter(some.patients).items())
    pairs = Counter(zip(some.labels, some.groups, strict=True))
    assert max(pairs.values()) - min(pairs.values()) <= 3
    names = [case.name for case in cases]
    assert [names.index(case.name) for case in some] == sorted(names.index(case.name) for case in some)


def test_the_seed_decides_a_subset():
    cases = drawn()
    names = [[case.name for case in cases.subset(20, seed)] for seed in (0, 0, 1)]
    assert names[0] == names[1] != names[2]
    assert cases.subset(1000) is cases
    with pytest.raises(ValueError, match="'n' must be a whole number"):
        cases.subset(0)


def test_slicing_keeps_names():
    cases = drawn()
    assert cases[2:4][0].name == cases[2].name == "case 2"
