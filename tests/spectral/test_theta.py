"""One width for each axis, and widths from cutoffs in cycles per mm."""

import math

import numpy as np
import pytest
import torch

from monai_freq.networks import FrequencyFusion, export_program
from monai_freq.phantoms.heart import draw_heart_case
from monai_freq.spectral.bands import check_bands, coarse_low, fuse, split
from monai_freq.spectral.basis import block_frequencies, coarse_size
from monai_freq.spectral.frequency_unit import theta_of
from monai_freq.transforms import FourierDisentangle

CONVENTIONS = ("figure2", "equation1", "released")


def block_axis_by_axis(x, theta, axes, convention):
    """The block of several axes as the product of those of single ones."""
    for width, axis in zip(theta, axes, strict=True):
        parts = split(x, width, spatial_dims=3, axes=(axis,), convention=convention)
        x = parts[1] if convention == "equation1" else parts[0]
    return x


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize(("theta", "axes"), [((0.2, 0.5), (0, 1)), ([0.5, 0.2], (2, 0)), ((0.3, 0.9, 0.6), (0, 1, 2))])
def test_each_axis_is_cut_at_its_own_width(theta, axes, convention):
    x = torch.randn(2, 24, 21, 12, dtype=torch.float64)
    parts = split(x, theta, spatial_dims=3, axes=axes, convention=convention)
    block = parts[1] if convention == "equation1" else parts[0]
    torch.testing.assert_close(block, block_axis_by_axis(x, theta, axes, convention), atol=1e-12, rtol=0)
    torch.testing.assert_close(sum(parts), x)
    torch.testing.assert_close(fuse(*parts, theta, spatial_dims=3, axes=axes, convention=convention), x)


def test_the_coarse_grid_has_the_nodes_of_each_axis():
    x = torch.randn(1, 40, 30, 8, dtype=torch.float64)
    coarse = coarse_low(x, (0.1, 0.4), spatial_dims=3)
    assert coarse.shape == (1, coarse_size(40, 0.1), coarse_size(30, 0.4), 8)
    torch.testing.assert_close(fuse(coarse, x, (0.1, 0.4), spatial_dims=3), x)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_same_width_for_each_axis_is_one_number_bit_for_bit(convention):
    x = torch.randn(1, 1, 32, 24, 6)
    for one, several in zip(
        *(split(x, t, spatial_dims=3, convention=convention) for t in (0.3, [0.3, 0.3])), strict=True
    ):
        assert torch.equal(one, several)
    torch.manual_seed(0)
    network = FrequencyFusion(torch.nn.Conv3d(8, 2, 1), 1, 2, fusion="late", theta=0.3, convention=convention)
    expected = network(x)
    network.theta = (0.3, 0.3)
    assert torch.equal(network(x), expected)


def test_transform_and_network_take_a_width_for_each_axis():
    widths = [0.2, 0.5]
    transform = FourierDisentangle(theta=widths)
    network = FrequencyFusion(torch.nn.Conv3d(8, 2, 1), 1, 2, theta=widths).eval()
    presplit = FrequencyFusion(torch.nn.Conv3d(8, 2, 1), 1, 2, theta=widths, presplit=True).eval()
    presplit.load_state_dict(network.state_dict())
    widths[0] = 7  # theirs are copies
    image = torch.rand(1, 32, 24, 6)
    parts = transform(image)
    assert torch.equal(parts[:1], split(image, (0.2, 0.5), spatial_dims=3)[0])
    torch.testing.assert_close(presplit(parts[None]), network(image[None]), atol=1e-5, rtol=1e-5)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
def test_a_graph_has_the_width_of_each_axis():
    network = FrequencyFusion(torch.nn.Conv2d(8, 2, 1), 1, 2, theta=(0.2, 0.5), fusion="late", spatial_dims=2).eval()
    traced = torch.jit.trace(network, torch.rand(1, 1, 32, 48))
    for size in ((45, 30), (7, 90)):
        image = torch.rand(1, 1, *size)
        torch.testing.assert_close(traced(image), network(image), atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_a_program_has_the_width_of_each_axis():
    network = FrequencyFusion(torch.nn.Conv2d(8, 2, 1), 1, 2, theta=(0.2, 0.5), fusion="late", spatial_dims=2).eval()
    program = export_program(network, (32, 48)).module()
    for size in ((45, 30), (12, 90)):
        image = torch.rand(1, 1, *size)
        torch.testing.assert_close(program(image), network(image), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "theta", [(0.1,), (0.1, 0.2, 0.3), (0.1, 1), [0.1, 0], (0.1, "0.2"), (0.1, None), [], [[0.1], 0.1]]
)
def test_other_widths_are_refused(theta):
    with pytest.raises(ValueError, match=r"^'theta' must be one number in \(0, 1\), or 2 of them for 'axes' \(0, 1\)"):
        check_bands(theta)


def tone_per_mm(frequency, size, spacing):
    """A cosine along the first axis, under a window, so that the ends of the image do not matter."""
    place = (torch.arange(size, dtype=torch.float64) - size / 2) * spacing
    wave = torch.cos(2 * math.pi * frequency * place) * torch.hann_window(size, periodic=False, dtype=torch.float64)
    return wave[:, None].expand(size, 4)


@pytest.mark.parametrize(("size", "spacing"), [(128, 0.7), (64, 1.4), (80, 2.0)])
def test_a_tone_below_the_cutoff_in_mm_is_low_on_every_grid(size, spacing):
    theta = theta_of(0.1, spacing)
    for frequency, part in ((0.05, 0), (0.15, 1)):
        wave = tone_per_mm(frequency, size, spacing)
        parts = split(wave, theta, spatial_dims=2, axes=(0,))
        assert (parts[part].square().sum() / wave.square().sum()) > 0.999


def test_theta_of_is_a_number_where_all_axes_are_alike():
    assert theta_of(0.05, 1) == theta_of(0.05, (1.0, 1.0)) == theta_of(0.05, np.float32([1, 1])) == 0.1
    assert theta_of(0.1, [0.7, 0.7]) == 0.14  # not 0.13999999999999999
    assert theta_of(0.05, torch.tensor([0.5, 2.0])) == (0.05, 0.2)
    assert isinstance(theta_of(np.float32(0.125), np.array([1, 2])), tuple)
    check_bands(theta_of(0.1, (0.7, 0.7, 3)), axes=(0, 1, 2))


@pytest.mark.parametrize(
    ("cutoff", "spacing", "message"),
    [
        (0.5, (0.7, 1), "^'cutoff_per_mm' must be below 0.5, the Nyquist frequency of a spacing of 1 mm, got 0.5: "),
        (0.2, (0.7, 0.7, 5), "below 0.1, the Nyquist frequency of a spacing of 5 mm, got 0.2: .*do not cut that axis"),
        (0, 1, "^'cutoff_per_mm' must be a positive number of cycles per mm, got 0"),
        (float("nan"), 1, "'cutoff_per_mm' must be a positive"),
        ("0.1", 1, "'cutoff_per_mm' must be a positive number of cycles per mm, got '0.1'"),
        (0.1, (1, 0), r"^'spacing_mm' must be positive voxel sizes in mm, got \(1, 0\)"),
        (0.1, (), "'spacing_mm' must be positive"),
        (0.1, None, "'spacing_mm' must be positive voxel sizes in mm, got None"),
        (0.1, "12", "'spacing_mm' must be positive"),
    ],
)
def test_cutoffs_that_no_grid_holds_are_refused(cutoff, spacing, message):
    with pytest.raises(ValueError, match=message):
        theta_of(cutoff, spacing)


@pytest.mark.parametrize("theta", [0.05, 0.1, 0.14, 1 / 3, 0.7])
def test_a_patch_keeps_the_cutoff_of_the_whole_within_one_step_of_the_patch(theta):
    for whole in (96, 160, 161, 320):
        end = block_frequencies(whole, theta)[-1] / whole
        assert theta / 2 - 1 / whole - 1e-12 <= end < theta / 2
        for patch in range(16, whole):
            assert abs(block_frequencies(patch, theta)[-1] / patch - end) < 1 / patch


def test_the_split_of_a_patch_differs_from_the_patch_of_the_split_most_at_its_border():
    volume, _, _ = draw_heart_case(np.random.default_rng(0), (128, 128, 8))
    image = torch.from_numpy(volume.astype(np.float64))
    image = (image - image.mean()) / image.std()
    whole, _ = split(image, 0.2, spatial_dims=3)
    place = torch.arange(64)
    along = torch.minimum(place, 63 - place)
    depth = torch.minimum(along[:, None], along[None])
    wrong = []
    for row in (0, 32, 64):
        for column in (0, 32, 64):
            here = slice(row, row + 64), slice(column, column + 64)
            wrong.append(split(image[here], 0.2, spatial_dims=3)[0] - whole[here])
    squared = torch.stack(wrong).square().mean((0, -1))
    outermost, outer, inner = (squared[among].mean().sqrt() for among in (depth < 1, depth < 8, depth >= 8))
    assert outermost > 0.4
    assert outermost > outer > 2 * inner
    assert inner < 0.1
