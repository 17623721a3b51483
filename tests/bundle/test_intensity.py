"""An intensity window is two increasing numbers, or none; a magnitude image is scaled without a shift."""

import math

import pytest
import torch

from monai_freq.bundle import check_window, over_maximum


@pytest.mark.parametrize("window", [None, [-160, 240], (0.0, 1.5)])
def test_windows_that_work(window):
    check_window(window)


@pytest.mark.parametrize(
    "window",
    [[240, -160], [1, 1], [0], [0, 1, 2], "[0,1]", 5, [0, math.nan], [-math.inf, 0], [False, True], ["0", "1"]],
)
def test_windows_that_do_not(window):
    with pytest.raises(SystemExit) as stop:
        check_window(window)
    assert str(stop.value).startswith("'intensity_window' must be two increasing numbers or None, got ")
    assert len(str(stop.value).splitlines()) == 2


def test_over_its_maximum_an_image_keeps_its_zero():
    image = torch.tensor([[3.0, 0.0], [12.0, 6.0]])
    assert over_maximum(image).tolist() == [[0.25, 0.0], [1.0, 0.5]]
    assert over_maximum(torch.zeros(2, 2)).tolist() == [[0.0, 0.0], [0.0, 0.0]]
