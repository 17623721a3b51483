"""Files are what their content says, and what is left out of a folder is counted and named."""

import gzip
import os
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

from monai_freq.data import DataError
from monai_freq.data.file_kinds import kind_of, left_out, named_as


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP", "JPEG2000"])
def test_pictures_by_any_name(tmp_path, form):
    Image.new("RGB", (5, 4)).save(tmp_path / "x.dcm", format=form)
    assert kind_of(tmp_path / "x.dcm") == {"WEBP": "WebP", "JPEG2000": "JPEG 2000"}.get(form, form)


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
def test_nifti_packed_or_not(tmp_path, kind, ending):
    nibabel.save(kind(np.zeros((3, 4, 5), np.int16), np.eye(4)), tmp_path / f"x.{ending}")
    (tmp_path / f"x.{ending}").rename(tmp_path / "x")
    assert kind_of(tmp_path / "x") == "NIfTI"


def test_big_endian_pairs_and_freesurfer(tmp_path):
    voxels = np.zeros((3, 4, 5), np.float32)
    header = nibabel.Nifti1Header(endianness=">")
    nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4), header), tmp_path / "x.nii")
    nibabel.save(nibabel.Nifti1Pair(voxels, np.eye(4)), tmp_path / "y.img")
    nibabel.save(nibabel.MGHImage(voxels, np.eye(4)), tmp_path / "z.mgz")
    found = [kind_of(tmp_path / name) for name in ("x.nii", "y.hdr", "y.img", "z.mgz")]
    assert found == ["NIfTI", "half of a NIfTI pair", "Analyze", "MGH"]


def test_damaged_and_unknown_files_are_nothing(tmp_path):
    for content in (b"", b"\x1f\x8b", gzip.compress(b"x" * 999)[:-9], b"examId\n", bytes(600)):
        (tmp_path / "x.png").write_bytes(content)
        assert kind_of(tmp_path / "x.png") == ""
    assert named_as("X.PNG") == "PNG"
    with pytest.raises(DataError, match="is missing or not a file"):
        kind_of(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.png")
    with pytest.raises(DataError, match="is missing or not a file"):
        kind_of(tmp_path / "x.png")
    assert left_out([tmp_path / "x.png"], "no image").endswith("left out, as it is no image: x.png")


def test_what_is_left_out_is_named_harmlessly(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a\x1b[2J\n.txt").touch()
    Image.new("L", (2, 2)).save(tmp_path / "b.dat", format="GIF")
    said = left_out(tmp_path.iterdir(), "no image")
    assert said == f"3 entries of {tmp_path} left out, as they are no image: a\\x1b[2J\\n.txt, b.dat (GIF), sub/"
    many = [Path(f"no/such/{number:03}") for number in range(30)]
    assert left_out(many, "no image").endswith("018, 019 and 10 more")
