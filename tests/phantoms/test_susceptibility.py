"""Spheres and cylinders make the fields of textbooks, and thresholded division finds back what it can."""

import numpy as np
import pytest

from monai_freq.phantoms.canvas import Canvas
from monai_freq.phantoms.solids import ellipsoid, tube
from monai_freq.phantoms.susceptibility import dipole_field, dipole_kernel, threshold_division

CHI = 100.0  # ppb
MAGIC = np.arccos(1 / np.sqrt(3))


def paint(shape, size=(64, 64, 64), spacing=(1.0, 1.0, 1.0)):
    """A body of 100 ppb around the middle of the grid, and the coordinates in mm."""
    origin = [-step * (n - 1) / 2 for n, step in zip(size, spacing, strict=True)]
    canvas = Canvas(size, spacing, origin, labels=0)
    canvas.paint(shape, CHI)
    axes = [first + step * np.arange(n) for first, step, n in zip(origin, spacing, size, strict=True)]
    return canvas.layers[0], np.meshgrid(*axes, indexing="ij")


def noise(shape=(24, 20, 18), seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def plain_kernel(shape, spacing=(1, 1, 1)):
    """1/3 - cos^2 of the angle to z, on the whole grid of fftn."""
    kx, ky, kz = np.meshgrid(*(np.fft.fftfreq(n, step) for n, step in zip(shape, spacing, strict=True)), indexing="ij")
    angle = np.arctan2(np.hypot(kx, ky), kz)
    kernel = 1 / 3 - np.cos(angle) ** 2
    kernel[0, 0, 0] = 0
    return kernel


@pytest.mark.parametrize("spacing", [(1, 1, 1), (1, 1.25, 1.5)])
def test_a_sphere_makes_no_field_inside_and_a_dipole_outside(spacing):
    radius = 10.0
    body, (x, y, z) = paint(ellipsoid((0, 0, 0), (radius,) * 3), spacing=spacing)
    field = dipole_field(body, spacing, padding=64)
    r = np.sqrt(x**2 + y**2 + z**2)
    analytic = CHI / 3 * (radius / r) ** 3 * (3 * (z / r) ** 2 - 1)
    largest = 2 / 3 * CHI  # at the poles
    inside, outside = r < radius - 2.5, (r > radius + 2.5) & (r < 28)
    assert np.abs(field[inside]).max() < 0.01 * largest
    assert np.abs(field - analytic)[outside].max() < 0.01 * largest
    assert np.sqrt(((field - analytic)[outside] ** 2).mean()) < 0.001 * largest
    assert analytic[outside].max() > 0.3 * largest


@pytest.mark.parametrize(("end", "share"), [((0, 0, 99), 1 / 3), ((99, 0, 0), -1 / 6), ((0, 99, 0), -1 / 6)])
def test_an_endless_cylinder_is_shifted_by_a_third_along_the_field_and_by_minus_a_sixth_across(end, share):
    body, (x, y, z) = paint(tube(-np.array(end), end, 5.0))
    field = dipole_field(body)  # periodic: without padding the cylinder has no ends
    along = np.array(end) / 99
    distance = np.linalg.norm(np.stack([x, y, z], -1) * (1 - along), axis=-1)
    # Fields are relative to their mean, in which the whole cylinder with its Lorentz sphere counts for nothing.
    inside = field[distance < 2.5] + share * body.mean()
    np.testing.assert_allclose(inside, share * CHI, atol=0.02 * CHI)


def test_the_kernel_is_a_third_across_minus_two_thirds_along_and_zero_at_the_origin():
    kernel = dipole_kernel((16, 18, 20))
    assert kernel.shape == (16, 18, 11)
    assert kernel[0, 0, 0] == 0
    np.testing.assert_allclose(kernel[:, :, 0].ravel()[1:], 1 / 3, atol=1e-6)
    np.testing.assert_allclose(kernel[0, 0, 1:], -2 / 3, atol=1e-6)
    assert kernel.min() >= np.float32(-2 / 3)
    assert kernel.max() <= np.float32(1 / 3)


def test_the_kernel_changes_its_sign_at_the_magic_angle():
    kernel = dipole_kernel((64, 64, 64))
    kx, kz = np.meshgrid(np.fft.fftfreq(64), np.fft.rfftfreq(64), indexing="ij")
    angle = np.arctan2(np.abs(kx), kz)
    plane = kernel[:, 0, :]
    assert (plane[angle > MAGIC + 0.01] > 0).all()
    steep = (angle < MAGIC - 0.01) & (kz > 0)
    assert (plane[steep] < 0).all()


@pytest.mark.parametrize("spacing", [(1, 1, 1), (1, 1.5, 2.5)])
def test_the_kernel_is_the_angle_s(spacing):
    shape = (12, 13, 14)
    np.testing.assert_allclose(dipole_kernel(shape, spacing), plain_kernel(shape, spacing)[:, :, :8], atol=1e-6)


def test_the_unit_of_length_does_not_matter():
    np.testing.assert_allclose(
        dipole_kernel((8, 10, 12), (10, 20, 30)), dipole_kernel((8, 10, 12), (1, 2, 3)), atol=1e-6
    )


def test_the_field_is_linear_and_its_operator_is_its_own_adjoint():
    a, b = noise(seed=1), noise(seed=2)
    np.testing.assert_allclose(dipole_field(2 * a - b), 2 * dipole_field(a) - dipole_field(b), atol=1e-5)
    for padding in (0, 10):
        left, right = (dipole_field(a, padding=padding) * b).sum(), (a * dipole_field(b, padding=padding)).sum()
        assert left == pytest.approx(right, rel=1e-3)


def test_padding_keeps_the_field_from_coming_in_on_the_other_side():
    body, _ = paint(ellipsoid((0, 0, 9), (4, 4, 4)), size=(32, 32, 32))
    far = dipole_field(body, padding=96)
    errors = [np.abs(dipole_field(body, padding=padding) - far).max() for padding in (0, 16, 48)]
    assert errors[0] > 4 * errors[1] > 12 * errors[2]
    assert errors[2] < 0.01 * CHI / 3


@pytest.mark.parametrize("threshold", [0.02, 0.15, 1 / 3])
def test_division_inverts_above_the_threshold_and_shrinks_below(threshold):
    tissue = noise((24, 25, 26))
    kernel = np.abs(plain_kernel(tissue.shape))
    found = np.fft.fftn(threshold_division(dipole_field(tissue), threshold=threshold))
    shares = np.minimum(kernel / threshold, 1)
    original = np.fft.fftn(tissue)
    np.testing.assert_allclose(found, shares * original, atol=1e-4 * np.abs(original).max())
    assert (shares == 1).any()
    assert (shares < 1).any()


@pytest.mark.parametrize("threshold", [0.05, 0.15, 0.3])
def test_a_sphere_shrinks_by_the_mean_over_all_directions(threshold):
    body, (x, y, z) = paint(ellipsoid((0, 0, 0), (6, 6, 6)), size=(128, 128, 128))
    found = threshold_division(dipole_field(body), threshold=threshold)
    cosine = (np.arange(10_000) + 0.5) / 10_000
    expected = np.minimum(np.abs(1 / 3 - cosine**2) / threshold, 1).mean()
    # A sphere's spectrum has no direction, so at its centre every direction counts alike.
    centre = found[np.sqrt(x**2 + y**2 + z**2) < 2].mean() + expected * body.mean()
    assert centre == pytest.approx(expected * CHI, rel=0.01)


def test_a_lower_threshold_is_truer_without_noise_and_worse_with_much():
    body, _ = paint(ellipsoid((3, -2, 0), (7, 5, 6)), size=(48, 48, 48))
    field = dipole_field(body)
    errors = {
        sigma: [
            (threshold_division(field + sigma * noise(body.shape), threshold=t) - (body - body.mean())).std()
            for t in (0.02, 0.1, 0.3)
        ]
        for sigma in (0.0, 20.0)
    }
    assert errors[0.0] == sorted(errors[0.0])
    assert errors[20.0] == sorted(errors[20.0], reverse=True)


def test_white_noise_grows_by_the_divisor_s_mean_square():
    field = noise((48, 48, 48))
    divisor = 1 / np.maximum(np.abs(plain_kernel(field.shape)), 0.15)
    divisor[0, 0, 0] = 0
    found = threshold_division(field, threshold=0.15)
    assert found.std() == pytest.approx(np.sqrt((divisor**2).mean()), rel=0.01)


def test_streaks_run_along_the_magic_angle():
    body, (x, y, z) = paint(ellipsoid((0, 0, 0), (3, 3, 3)))
    found = threshold_division(dipole_field(body), threshold=0.1)
    r, angle = np.sqrt(x**2 + y**2 + z**2), np.arctan2(np.hypot(x, y), np.abs(z))
    ring = (r > 8) & (r < 20)
    # What is missing on a cone in k-space is missing along its normals, at the complementary angle to the axis.
    streaks = ring & (np.abs(angle - (np.pi / 2 - MAGIC)) < np.deg2rad(10))
    assert found[streaks].std() > 4 * found[ring & (angle > np.deg2rad(60))].std()


def test_the_input_stays_and_the_output_is_single_precision():
    tissue = noise()
    before = tissue.copy()
    for result in (dipole_field(tissue, padding=3), threshold_division(tissue, padding=3)):
        assert (result.dtype, result.shape) == (np.float32, tissue.shape)
    np.testing.assert_array_equal(tissue, before)


@pytest.mark.parametrize("threshold", [0, -0.1, 0.34, float("nan")])
def test_a_threshold_out_of_range_is_refused(threshold):
    with pytest.raises(ValueError, match=r"'threshold' must be in \(0, 1/3\], got"):
        threshold_division(noise(), threshold=threshold)


def test_a_negative_padding_is_refused():
    with pytest.raises(ValueError, match="'padding' must be at least 0 voxels, got -1"):
        dipole_field(noise(), padding=-1)
