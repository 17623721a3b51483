"""One image under two addresses: spellings of a path, links of files and of folders, slices."""

import pytest

from monai_freq.data.same_images import repeated_image


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imagesTr").mkdir()
    for name in ("a.nii", "b.nii", "c#1"):
        (tmp_path / "imagesTr" / name).touch()
    (tmp_path / "imagesTr/link.nii").symlink_to("a.nii")
    (tmp_path / "imagesTr/second.nii").symlink_to("link.nii")
    (tmp_path / "linked").symlink_to("imagesTr")
    (tmp_path / "hard.nii").hardlink_to("imagesTr/a.nii")
    return tmp_path


@pytest.mark.parametrize(
    "other",
    [
        "imagesTr/a.nii",
        "./imagesTr/a.nii",
        "imagesTr//a.nii",
        "imagesTr/../imagesTr/a.nii",
        "{root}/imagesTr/a.nii",
        "imagesTr/link.nii",
        "imagesTr/second.nii",
        "linked/a.nii",
        "linked/link.nii",
        "hard.nii",
    ],
)
def test_another_spelling_or_a_link_is_found(root, other):
    other = other.format(root=root)
    assert repeated_image(["imagesTr/b.nii", "imagesTr/a.nii", other]) == ("imagesTr/a.nii", other)
    assert repeated_image(["imagesTr/a.nii#3", f"{other}#3"]) == ("imagesTr/a.nii#3", f"{other}#3")


@pytest.mark.parametrize(
    "addresses",
    [
        ["imagesTr/a.nii", "imagesTr/b.nii", "imagesTr/A.nii", "imagesTr/a.nii.gz"],
        ["imagesTr/a.nii#1", "imagesTr/link.nii#2", "imagesTr/a.nii"],
        ["imagesTr/c#1", "imagesTr/c"],  # a file of that name
        ["no/such/a.nii", "no/such/b.nii"],
        [],
    ],
)
def test_different_images_pass(root, addresses):
    assert repeated_image(addresses) is None


def test_a_link_in_a_circle_is_one_image_of_its_own(root):
    (root / "x.nii").symlink_to("y.nii")
    (root / "y.nii").symlink_to("x.nii")
    assert repeated_image(["x.nii", "imagesTr/a.nii"]) is None
