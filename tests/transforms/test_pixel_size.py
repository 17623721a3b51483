"""The size of a pixel is right in every slice that MONAI cuts out of a volume, or said to be unknown."""

import math
import warnings

import nibabel
import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import (
    CenterSpatialCrop,
    EnsureChannelFirst,
    Flip,
    Lambda,
    LoadImage,
    Orientation,
    RandAffine,
    RandFlip,
    RandRotate,
    Rotate,
    Rotate90,
    Spacing,
    SplitDim,
    SqueezeDim,
)

from monai_freq.transforms import LoadSlice, PhotonNoise
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


TURNS = {
    "RAS": Orientation("RAS", labels=None),
    "SAR": Orientation("SAR", labels=None),
    "PIL": Orientation("PIL", labels=None),
    "Rotate90 of 0 and 1": Rotate90(1, (0, 1)),
    "Rotate90 of 1 and 2": Rotate90(3, (1, 2)),
    "Flip": Flip(1),
    "Lambda": Lambda(lambda image: image / 2),
}
CUTS = {
    "index": lambda image, axis: image[(slice(None),) * (1 + axis) + (3,)],
    "mean": lambda image, axis: image.mean(1 + axis),
    "squeeze": lambda image, axis: image.narrow(1 + axis, 3, 1).squeeze(1 + axis),
    "SplitDim": lambda image, axis: SplitDim(1 + axis, keepdim=False)(image)[3],
}


@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS)
@pytest.mark.parametrize("directions", [UPRIGHT, UPRIGHT[:, [1, 2, 0]], OBLIQUE], ids=["axial", "sagittal", "oblique"])
def test_a_turned_volume_has_the_sizes_of_the_axes_that_are_left(tmp_path, directions, turn, cut):
    """The shape in the file is in another order than the axes are."""
    image = turn(volume(tmp_path, directions))
    sizes = np.linalg.norm(image.affine[:3, :3], axis=0)
    for gone in range(3):
        np.testing.assert_allclose(sizes_of(cut(image, gone)), np.delete(sizes, gone), rtol=1e-5)


def test_a_sagittal_file_that_is_turned_has_the_noise_of_its_size_in_mm(tmp_path):
    image = volume(tmp_path, UPRIGHT[:, [1, 2, 0]])
    cut = Orientation("RAS", labels=None)(image)[:, 3]
    np.testing.assert_allclose(sizes_of(cut), (0.4, 0.7), rtol=1e-5)


CHANGES = {
    "crop": (CenterSpatialCrop((9, 9, 9)), None),
    "crop to the size of another axis": (CenterSpatialCrop((24, 24, 9)), None),
    "spacing": (Spacing((0.7, 0.7, 5.0)), None),
    "turned after the cut": (None, Rotate90(1, (0, 1))),
}


@pytest.mark.parametrize(("before", "after"), CHANGES.values(), ids=CHANGES)
def test_where_the_shape_is_no_longer_that_of_the_file_the_axes_are_not_known(tmp_path, before, after):
    image = volume(tmp_path, UPRIGHT)
    image = before(image) if before else image
    for gone in range(3):
        cut = image.select(1 + gone, 3)
        assert "give 'spacing' or 'extent_mm'" in slice_axes(after(cut) if after else cut)[1]


def test_a_flip_after_the_cut_changes_no_axis(tmp_path):
    for flip in (Flip(0), RandFlip(prob=1, spatial_axis=1), RandFlip(prob=0)):
        np.testing.assert_allclose(sizes_of(flip(volume(tmp_path, UPRIGHT)[:, 3])), SIZES[1:], rtol=1e-5)


def test_a_turned_volume_without_a_shape_does_not_tell_its_axes():
    image = MetaTensor(torch.zeros(1, 8, 8, 8), torch.diag(torch.tensor([*SIZES, 1.0])))
    assert "assumed" in slice_axes(Rotate90(1, (0, 2))(image)[:, 3])[1]
    assert slice_axes(image[..., 3]) == ((0, 1), "")


@pytest.mark.filterwarnings("ignore:After SqueezeDim, img.affine is ill-posed")
def test_the_rounding_of_a_turn_is_no_size(tmp_path):
    cut = SqueezeDim(1)(Rotate90(1, (0, 1))(volume(tmp_path, UPRIGHT))[:, 5:6])
    with pytest.raises(ValueError, match=r"tilted or was turned.*\n?.*give 'spacing' or 'extent_mm'"):
        sizes_of(cut)
    with pytest.raises(ValueError, match="give 'spacing'"):
        PhotonNoise(n_angles=9)(cut)
    cut.meta.pop("original_affine")
    with pytest.raises(ValueError, match="give 'spacing'"):
        pixel_size_mm(cut, (0, 1))
    residue = MetaTensor(torch.zeros(1, 8, 8), torch.diag(torch.tensor([1e-3, 5.0, 1.0])))
    with pytest.raises(ValueError, match="does not tell the size of a pixel"):
        pixel_size_mm(residue, (0, 1))


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


@pytest.mark.parametrize(
    "turn", [Rotate((0.3, 0, 0)), RandRotate(range_x=0.3, prob=1), RandAffine(rotate_range=(0.26,) * 3, prob=1)]
)
def test_a_size_that_a_rotation_took_is_refused(tmp_path, turn):
    """The columns that are left of the turned volume stand at right angles, and are too short."""
    if isinstance(turn, (RandRotate, RandAffine)):
        turn.set_random_state(0)
    image = turn(volume(tmp_path, UPRIGHT).float())
    with pytest.raises(ValueError, match="squeezed out of a volume that is tilted or was turned"):
        sizes_of(SqueezeDim(-1)(image[..., 4:5]))


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
