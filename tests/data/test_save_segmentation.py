"""Class numbers are saved as they are or not at all; where they lie:  tests/bundle/test_native_space.py."""

import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_freq.data.save_segmentation import SaveSegmentationd


def saved(tmp_path, classes):
    nibabel.save(nibabel.Nifti1Image(np.zeros(classes.shape[1:], np.int16), np.eye(4)), tmp_path / "a.nii.gz")
    pred = MetaTensor(classes, meta={"filename_or_obj": str(tmp_path / "a.nii.gz")})
    SaveSegmentationd("pred", tmp_path / "out")({"pred": pred})
    return np.asarray(nibabel.load(tmp_path / "out/a_seg.nii.gz").dataobj)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bfloat16, torch.float32, torch.float64])
def test_every_class_number_comes_back(tmp_path, dtype):
    classes = torch.arange(256).reshape(1, 8, 8, 4).to(dtype)
    np.testing.assert_array_equal(saved(tmp_path, classes), classes[0].double())


@pytest.mark.parametrize("value", [256, -1, 0.7, float("nan"), float("inf")])
def test_what_is_no_class_number_is_refused_before_anything_is_written(tmp_path, value):
    classes = torch.zeros(1, 4, 4, 4)
    classes[0, 1, 2, 3] = value
    with pytest.raises(ValueError, match="'pred' must hold class numbers, whole and from 0 to 255"):
        saved(tmp_path, classes)
    assert not (tmp_path / "out/a_seg.nii.gz").exists()
