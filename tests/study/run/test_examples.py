"""A picture of the data, and whether patients or exams are in one part alone."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from monai_freq.study.run.examples import as_picture, overlapping_groups


@pytest.mark.parametrize(("low", "high"), [(-1000.0, 400.0), (0.2, 0.4)])
def test_the_picture_spans_black_and_white(low, high):
    ramp = np.linspace(low, high, 32).reshape(1, 4, 8)
    grey = np.asarray(Image.open(io.BytesIO(base64.b64decode(as_picture(ramp)))))
    np.testing.assert_array_equal(grey, np.rint(np.linspace(0, 255, 32)).reshape(4, 8))


def test_a_picture_of_one_value_is_black():
    assert not np.asarray(Image.open(io.BytesIO(base64.b64decode(as_picture(np.ones((1, 4, 4))))))).any()


def test_patients_and_exams_are_counted_once():
    def items(key, *names):
        return [{key: name} for name in names]

    assert overlapping_groups(items("patient", 1, 1, 2), items("patient", 3), items("patient", 4)) == 0
    assert overlapping_groups(items("exam", 1, 2), items("exam", 2, 1), items("exam", 2, 5)) == 2
    assert overlapping_groups(items("image", "a"), items("image", "a")) == 0  # nothing is known of these
