"""The windows on the ramp against their values in the literature, and the filters against scikit-image."""

import math
from typing import get_args

import numpy as np
import pytest
import torch
from skimage.transform import iradon

from monai_freq.spectral.ramp_filter import Filter, filter_window, ramp

#: name -> values at 0, 1/2 and 1 of the detector's Nyquist frequency
WINDOWS = {
    "ramp": (1, 1, 1),
    "shepp-logan": (1, 2 * math.sqrt(2) / math.pi, 2 / math.pi),
    "cosine": (1, math.sqrt(1 / 2), 0),
    "hann": (1, 1 / 2, 0),
}


@pytest.mark.parametrize("filter", get_args(Filter))
def test_windows_have_the_values_of_their_formulas(filter):
    window = filter_window(filter, torch.tensor([0, 0.5, 1], dtype=torch.float64))
    torch.testing.assert_close(window, torch.tensor(WINDOWS[filter], dtype=torch.float64), rtol=0, atol=1e-12)


@pytest.mark.parametrize("filter", get_args(Filter))
def test_filters_are_those_of_scikit_image(filter):
    """Impulse responses: one bin, reconstructed from one angle, gives pi times the filter in units of bins."""
    bins = 256
    impulse = np.zeros((bins, 1))
    impulse[bins // 2] = 1
    theirs = iradon(impulse, [0.0], bins, filter_name=filter, circle=False)[0] / math.pi
    response = torch.fft.irfft(ramp(2 * bins, filter, torch.zeros(1, dtype=torch.float64)), n=2 * bins)
    ours = torch.fft.fftshift(response)[bins // 2 : 3 * bins // 2].numpy()
    # scikit-image has numpy's Hann window, which ends at zero on both sides: half a step off
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-3 if filter == "hann" else 1e-12)
