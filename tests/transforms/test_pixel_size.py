"""The size of a pixel is right in every slice that MONAI cuts out of a volume, or said to be unknown."""

import math
import warnings

import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import EnsureChannelFirst, LoadImage, Orientation, SqueezeDim

from monai_freq.data.load_slice import LoadSlice
from monai_freq.transforms import PhotonNoise
from monai_freq.transforms.pixel_size import pixel_size_mm, slice_axes

SIZES, SHAPE = (0.4, 0.7, 5.0), (24, 32, 9)


def turned(degrees, axis):
    others = [each for each in range(3) if each != axis]
    matrix, turn = np.eye(3), math.radians(degrees)
    matrix[np.ix_(others, others)] = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    return matrix


UPRIGHT = np.eye(3)
TILTED = turned(20, 0)  # about x: what is lost cannot be seen in what is left
OBLIQUE = turned(20, 0) @ turned(30, 1) @ turned(10, 2)
MATRICES = {"upright": UPRIGHT, "tilted": TILTED, "oblique": OBLIQUE}
ORDERS = [(0, 1, 2), (2, 0, 1), (0, 2, 1), (1, 0, 2)]


def volume(folder, directions, order=(0, 1, 2), sizes=SIZES):
    """A file whose voxels have ``sizes`` along x, y and z, with its axes in another order."""
    affine = np.eye(4)
    affine[:3, :3] = (directions * sizes)[:, order]
    shape = [SHAPE[axis] for axis in order]
    nibabel.save(nibabel.Nifti1Image(np.full(shape, 40, np.int16), affine), folder / "ct.nii")
    return EnsureChannelFirst()(LoadImage()(folder / "ct.nii"))


def sizes_of(image):
    axes, doubt = slice_axes(image)
    assert not doubt
    return pixel_size_mm(image, axes)


def sizes_or_refusal(image):
    try:
        return sizes_of(image)
    except ValueError as error:
        if "give 'spacing' or 'extent_mm'" not in str(error):
            raise
        return None


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("gone", [0, 1, 2])
@pytest.mark.parametrize("directions", MATRICES)
def test_an_indexed_slice_has_the_sizes_of_the_axes_that_are_left(tmp_path, directions, gone, order):
    image = volume(tmp_path, MATRICES[directions], order).select(1 + gone, 3)
    left = [SIZES[axis] for place, axis in enumerate(order) if place != gone]
    np.testing.assert_allclose(sizes_of(image), left, rtol=1e-5)


@pytest.mark.filterwarnings("ignore:After SqueezeDim, img.affine is ill-posed")
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("gone", [0, 1, 2])
@pytest.mark.parametrize("directions", MATRICES)
def test_a_squeezed_slice_has_the_sizes_of_its_file(tmp_path, directions, gone, order):
    image = SqueezeDim(1 + gone)(volume(tmp_path, MATRICES[directions], order).narrow(1 + gone, 3, 1))
    assert image.affine.shape == (3, 3)
    left = [SIZES[axis] for place, axis in enumerate(order) if place != gone]
    found = sizes_or_refusal(image)
    if found is not None:
        np.testing.assert_allclose(found, left, rtol=1e-5)
    else:  # the columns that are left are zero
        assert (directions, order[gone] == gone) == ("upright", False)


@pytest.mark.parametrize("codes", ["RAS", "LPS", "ASR"])
@pytest.mark.parametrize("directions", MATRICES)
def test_a_turned_and_squeezed_slice_keeps_its_sizes(tmp_path, directions, codes):
    image = Orientation(codes, labels=None)(volume(tmp_path, MATRICES[directions]))
    order = [("RL", "AP", "SI").index(next(pair for pair in ("RL", "AP", "SI") if code in pair)) for code in codes]
    gone = order.index(2)
    squeezed = SqueezeDim(1 + gone)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where its matrix is singular
        cut = squeezed(image.narrow(1 + gone, 3, 1))
    found = sizes_or_refusal(cut)
    if found is not None:
        np.testing.assert_allclose(found, [SIZES[axis] for axis in order if axis != 2], rtol=1e-5)
    else:
        assert codes == "ASR"


def test_a_size_that_is_lost_is_refused():
    lost = torch.tensor(OBLIQUE[:2, :2] * SIZES[:2])
    affine = torch.eye(3, dtype=torch.float64)
    affine[:2, :2] = lost
    with pytest.raises(ValueError, match=r"has lost a part of the size of a pixel, .*give 'spacing' or 'extent_mm'"):
        pixel_size_mm(MetaTensor(torch.zeros(1, 8, 8), affine), (0, 1))
    original = np.eye(4)
    original[:3, :3] = TILTED * SIZES
    resampled = MetaTensor(torch.zeros(1, 8, 8), torch.diag(torch.tensor([0.8, 1.3, 1])), {"original_affine": original})
    with pytest.raises(ValueError, match="squeezed out of a volume that is tilted"):
        pixel_size_mm(resampled, (0, 1))
    singular = torch.tensor([[0, 0.4, 0], [0, 0, 0], [0, 0, 1]])
    with pytest.raises(ValueError, match="give 'spacing'"):
        PhotonNoise(n_angles=9)(MetaTensor(torch.full((1, 8, 8), 40.0), singular))


def test_a_slice_whose_axes_are_not_known_is_told_of_once(tmp_path):
    image = volume(tmp_path, UPRIGHT)[:, 4:20, 4:20, 3]  # cropped: neither 24 nor 32
    assert "assumed" in slice_axes(image)[1]
    noise = PhotonNoise(1e5, n_angles=9)
    with pytest.warns(UserWarning, match=r"pixels of 0.4 x 0.7 mm are assumed. Else give 'spacing' or 'extent_mm'"):
        noise(image)
    noise(image)
    alike = volume(tmp_path, UPRIGHT, sizes=(0.5, 0.5, 0.5))[:, 4:20, 4:20, 3]
    assert slice_axes(alike) == ((0, 1), "")


def test_a_loaded_slice_that_is_not_axial_is_told_of(tmp_path):
    volume(tmp_path, UPRIGHT)
    PhotonNoise(1e5, n_angles=9)(LoadSlice()(f"{tmp_path}/ct.nii#3"))
    volume(tmp_path, OBLIQUE)
    with pytest.warns(UserWarning, match="slices are tilted by"):
        PhotonNoise(1e5, n_angles=9)(LoadSlice()(f"{tmp_path}/ct.nii#3"))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (2, 1, 0)])
def test_noise_of_a_slice_is_that_of_its_size_in_mm(tmp_path, order):
    image = volume(tmp_path, UPRIGHT, order)
    noise = PhotonNoise(1e5, n_angles=60).set_random_state(0)(image.select(1 + order.index(2), 3))
    expected = PhotonNoise(1e5, n_angles=60, spacing=[SIZES[axis] for axis in order if axis != 2]).set_random_state(0)
    plain = torch.full(noise.shape, 40.0)
    torch.testing.assert_close(noise.as_tensor(), expected(plain), rtol=1e-4, atol=1e-2)
