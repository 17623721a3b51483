"""A missing checkpoint ends the program before anything is read."""

import pytest

from monai_freq.bundle import check_checkpoint


def test_a_file_passes(tmp_path):
    (tmp_path / "model.pt").write_bytes(b"weights")
    check_checkpoint(str(tmp_path / "model.pt"))


@pytest.mark.parametrize("name", ["model.pt", "."])
def test_anything_else_ends_with_two_lines(tmp_path, name):
    with pytest.raises(SystemExit) as caught:
        check_checkpoint(str(tmp_path / name))
    first, second = str(caught.value).splitlines()
    assert str(tmp_path / name) in first
    assert "--checkpoint" in second
