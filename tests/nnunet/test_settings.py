"""Settings of the fusion in the plans of nnU-Net."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

from monai_freq.nnunet import __main__ as command
from monai_freq.nnunet import fusion_settings
from monai_freq.nnunet.settings import KEY, in_plane_axes

SAGITTAL = {"patch_size": [24, 64, 48], "spacing": [4.0, 0.5, 1.0]}
NO_TRANSPOSE = [0, 1, 2]


def transposed(zyx):
    """Spacing and ``transpose_forward`` as nnU-Net plans them: the largest spacing first, the others in their order."""
    first = max(range(3), key=lambda axis: zyx[axis])
    order = [first, *(axis for axis in range(3) if axis != first)]
    return [zyx[axis] for axis in order], order


@pytest.mark.parametrize(
    ("zyx", "plane"),
    [
        ((5.0, 0.8, 0.8), "yx"),  # axial slices
        ((0.8, 5.0, 0.8), "zx"),  # coronal
        ((0.8, 0.8, 5.0), "zy"),  # sagittal
        ((1.0, 1.0, 1.0), "yx"),
        ((1.0, 1.00001, 1.0), "yx"),  # a median's rounding decides nothing
        ((1.0, 1.0, 1.00001), "yx"),
        ((4.5, 6.8, 6.8), "yx"),  # fine along z
        ((0.7, 0.36, 0.36), "yx"),
    ],
)
def test_the_slices_plane_is_cut(zyx, plane):
    spacing, order = transposed(zyx)
    axes = in_plane_axes(spacing, order)
    assert sorted("zyx"[order[axis]] for axis in axes) == sorted(plane)


def test_both_axes_of_a_slice_are_cut():
    configuration = {"patch_size": [32, 48], "spacing": [4.5, 6.8]}
    for order in itertools.permutations(range(3)):
        assert fusion_settings(configuration, "early", order).axes == (0, 1)


def test_the_entry_is_read_and_written_back():
    entry = {"theta": [0.2, 0.3], "convention": "equation1", "axes": [0, 2], "features": 4}
    settings = fusion_settings({**SAGITTAL, KEY: entry}, "late", NO_TRANSPOSE)
    assert settings.entry == entry
    assert fusion_settings({**SAGITTAL, KEY: settings.entry}, "late", NO_TRANSPOSE) == settings
    default = fusion_settings(SAGITTAL, "late", NO_TRANSPOSE)
    assert default.entry == {"theta": 0.1, "convention": "figure2", "axes": [1, 2], "features": 8}
    assert fusion_settings({**SAGITTAL, KEY: default.entry}, "late", NO_TRANSPOSE) == default


def test_a_cutoff_in_mm_holds_along_axes_of_any_spacing():
    entry = {"cutoff_per_mm": 0.1}
    settings = fusion_settings({**SAGITTAL, KEY: entry}, "early", NO_TRANSPOSE)
    assert settings.theta == (0.1, 0.2)
    assert "longer than 10, 10 mm" in settings.described(SAGITTAL["spacing"], SAGITTAL["patch_size"])
    assert settings.entry["theta"] == [0.1, 0.2]  # what is recorded needs no spacing


def test_the_wavelength_in_the_log_is_that_at_which_the_block_ends():
    """Waves of a patch a little longer and shorter than it, of which one is in the block."""
    from torch import allclose, arange, cos, ones, pi, zeros_like

    from monai_freq.spectral.bands import split

    spacing, size = [4.0, 0.5, 0.5], [4, 200, 200]
    for convention, word in (("figure2", "longer than 5 mm"), ("released", "shorter than 1.25 mm")):
        entry = {"theta": 0.2, "axes": [1], "convention": convention}
        configuration = {"patch_size": size, "spacing": spacing, KEY: entry}
        settings = fusion_settings(configuration, "early", NO_TRANSPOSE)
        assert word in settings.described(spacing, size)
        length = float(word.split()[2])
        border = round(size[1] * spacing[1] / length)  # waves in the patch
        for waves in (border - 1, border + 1):
            wave = cos(2 * pi * waves * arange(200) / 200)[None, None, :, None] * ones(size)
            low, _ = split(wave, 0.2, spatial_dims=3, axes=(1,), convention=convention)
            inside = (waves < border) == word.startswith("longer")
            assert allclose(low, wave if inside else zeros_like(wave), atol=1e-4)


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"tetha": 0.2}, "must have entries of axes, theta, convention, features, cutoff_per_mm, got ['tetha']"),
        (0.2, "got 0.2"),
        ({"theta": 1.5}, "'theta' must be in (0, 1), got 1.5"),
        ({"theta": "0.1"}, "'theta' must be in (0, 1), got '0.1'"),
        ({"axes": [1, 3]}, "'axes' must be different spatial axes in [0, 2], got [1, 3]"),
        ({"axes": 1}, "'axes' must be"),
        ({"convention": "figure3"}, "'convention' must be one of"),
        ({"features": 0}, "'features' must be a positive integer, got 0"),
        ({"features": True}, "'features' must be a positive integer, got True"),
        ({"theta": 0.1, "cutoff_per_mm": 0.1}, "'theta' or 'cutoff_per_mm', got both"),
        ({"cutoff_per_mm": 0.1, "convention": "released"}, "'cutoff_per_mm' is of a block around DC"),
        ({"cutoff_per_mm": 0.5}, "below 0.5, the Nyquist frequency of a spacing of 1 mm"),
    ],
)
def test_a_wrong_entry_is_refused(entry, told):
    with pytest.raises(ValueError, match=f"^'{KEY}' in the plans.*{re.escape(told)}"):
        fusion_settings({**SAGITTAL, KEY: entry}, "early", NO_TRANSPOSE)


def test_the_command_prints_the_folder_without_torch():
    code = (
        "import runpy, sys; runpy.run_module('monai_freq.nnunet', run_name='__main__'); print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == [str(command.external_folder()), "False"]
    assert Path(run.stdout.split()[0], "monai_freq_trainers.py").is_file()


def test_the_trainers_name_the_extra_without_nnunet(monkeypatch):
    for name in ("nnunetv2", "nnunetv2.training.nnUNetTrainer.nnUNetTrainer"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "monai_freq.nnunet.trainers", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r'^These trainers need nnU-Net: pip install "monai_freq\[nnunet\]"$'):
        __import__("monai_freq.nnunet.trainers")
