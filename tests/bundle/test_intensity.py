"""An intensity window is two increasing numbers, or none."""

import math

import pytest

from monai_freq.bundle import check_window


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
