"""Frequencies in cycles per mm keep their unit, and do not pass for cycles per voxel."""

import copy
import io
import pickle

import numpy as np
import pytest
import torch

from monai_freq.spectral.frequency_unit import PerMillimetre, require_per_voxel, unit_of
from monai_freq.spectral.psd import radial_psd

NUMBERS = torch.tensor([0.0, 0.1, 0.2])
PER_MM = NUMBERS.as_subclass(PerMillimetre)


def saved(frequencies):
    file = io.BytesIO()
    torch.save(frequencies, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


KEEPING = {
    "double": torch.Tensor.double,
    "to": lambda f: f.to(torch.bfloat16),
    "cpu": torch.Tensor.cpu,
    "clone": torch.Tensor.clone,
    "detach": torch.Tensor.detach,
    "part": lambda f: f[1:],
    "one": lambda f: f[1],
    "mask": lambda f: f[f > 0],
    "copy": copy.copy,
    "deep copy": copy.deepcopy,
    "pickle": lambda f: pickle.loads(pickle.dumps(f)),
    "torch.save": saved,
    "cat": lambda f: torch.cat([f, f + 1, f]),
    "cat with the zero": lambda f: torch.cat([torch.zeros(1), f[1:]]),
    "concat": lambda f: torch.concat([f, f]),
    "stack": lambda f: torch.stack([f, f]),
    "hstack": lambda f: torch.hstack([f, f]),
    "squeeze": lambda f: f[None].squeeze(0),
    "unsqueeze": lambda f: torch.unsqueeze(f, 0),
    "narrow": lambda f: f.narrow(0, 1, 2),
    "select": lambda f: torch.select(f, 0, 1),
    "index_select": lambda f: torch.index_select(f, 0, torch.tensor([2, 0])),
    "masked_select": lambda f: f.masked_select(f.gt(0)),
    "gather": lambda f: f.gather(0, torch.tensor([2, 0])),
    "take": lambda f: f.take(torch.tensor([2, 0])),
    "expand": lambda f: f.expand(2, 3),
    "repeat": lambda f: f.repeat(2),
    "sort": lambda f: f.sort(descending=True).values,
    "torch.sort": lambda f: torch.sort(f)[0],
    "flip": lambda f: torch.flip(f, [0]),
    "roll": lambda f: f.roll(1),
    "unique": lambda f: f.unique(),
    "torch.unique": lambda f: torch.unique(f, return_inverse=True)[0],
    "split": lambda f: torch.split(f, 2)[0],
    "chunk": lambda f: f.chunk(2)[1],
    "unbind": lambda f: f.unbind()[2],
    "one after the other": lambda f: list(f)[1],
    "transpose": lambda f: f[None].mT,
    "permute": lambda f: f[None].permute(1, 0),
    "data": lambda f: f.data,
    "max": lambda f: f.max(),
    "largest two": lambda f: f.topk(2).values,
    "clamp": lambda f: f.clamp(min=0.1),
}


@pytest.mark.parametrize("keep", KEEPING.values(), ids=KEEPING)
def test_the_same_frequencies_keep_their_unit(keep):
    found = keep(PER_MM)
    assert unit_of(found) == "cycles / mm"
    torch.testing.assert_close(found.as_subclass(torch.Tensor), keep(NUMBERS))


OTHER = {
    "cycles per voxel of 2 mm": lambda f: f * 2,
    "mask": lambda f: f > 0,
    "sum": torch.Tensor.sum,
    "product with a density": lambda f: f * torch.ones(4, 3),
    "integers": lambda f: f.to(torch.int64),
    "places": lambda f: f.sort().indices,
    "argsort": torch.Tensor.argsort,
    "square": torch.Tensor.square,
}


@pytest.mark.parametrize("compute", OTHER.values(), ids=OTHER)
def test_other_results_are_plain_tensors(compute):
    found = compute(PER_MM)
    assert type(found) is torch.Tensor
    torch.testing.assert_close(found, compute(NUMBERS))


def test_frequencies_per_mm_act_as_numbers():
    assert f"{PER_MM[1]:.2f} {float(PER_MM[2]):.1f}" == "0.10 0.2"
    assert repr(PER_MM) == "PerMillimetre([0.0000, 0.1000, 0.2000])"
    np.testing.assert_array_equal(np.asarray(PER_MM), NUMBERS)
    deep = copy.deepcopy({"one": PER_MM, "two": PER_MM})
    assert deep["one"] is deep["two"]
    assert deep["one"].data_ptr() != PER_MM.data_ptr()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("spacing", [(1.0, 1.0), (0.5, 0.5), (3.0, 3.0), (0.7, 2.5)])
def test_a_voxel_size_gives_frequencies_per_mm(spacing, dtype):
    image = torch.rand(1, 12, 9, dtype=dtype)
    frequencies, density = radial_psd(image, spacing, spatial_dims=2)
    assert (type(frequencies), unit_of(frequencies)) == (PerMillimetre, "cycles / mm")
    assert type(density) is torch.Tensor
    plain = radial_psd(image, spatial_dims=2)[0]
    assert (type(plain), unit_of(plain), unit_of(plain.numpy())) == (torch.Tensor, *["cycles / voxel"] * 2)
    if spacing[0] == spacing[1]:
        torch.testing.assert_close(frequencies * spacing[0], plain)
        require_per_voxel(frequencies * spacing[0])


def test_writing_into_frequencies_changes_no_later_call():
    image = torch.rand(8, 8)
    radial_psd(image, spatial_dims=2)[0].mul_(100)
    assert radial_psd(image, spatial_dims=2)[0].tolist() == [0, 0.125, 0.25, 0.375, 0.5]


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize(
    "shape",
    [(1, 1), (2, 2), (3, 3), (3, 1), (1, 40), (31, 33), (5, 40), (2, 2, 2), (9, 8, 3), (7, 5, 3), (64, 64, 9)],
)
def test_all_axes_of_images_in_cycles_per_voxel_pass(shape, corners):
    require_per_voxel(radial_psd(torch.rand(shape), spatial_dims=len(shape), corners=corners)[0])


K = torch.linspace(0, 0.5, 6)


@pytest.mark.parametrize(
    ("frequencies", "message"),
    [
        (K.as_subclass(PerMillimetre), r"^'axis' must be in cycles per voxel, got cycles per mm"),
        (K / 3, "^'axis' must end at 0.5 cycles per voxel, at 0.87 with corners, but end at 0.167: are they in"),
        (K * 2, "but end at 1: are they in cycles per mm"),
        (torch.arange(33) / 64 / 0.6, "but end at 0.833: are they in cycles per mm"),  # as far as corners do
        (torch.arange(33) / 64 / 0.9, "but end at 0.556"),
        (torch.arange(33) / 64 / 1.1, "but end at 0.455"),
        (torch.arange(129) / 256 / 0.7, "but end at 0.714"),
        (K.flip(0), "^'axis' must be rising from 0 in one dimension"),
        (K - 0.1, "must be rising from 0"),
        (torch.tensor([0.0, float("nan"), 0.5]), "must be rising from 0"),
        (torch.tensor([0.0, 0.5, 0.5]), "must be rising from 0"),
        (K[None], "must be rising from 0 in one dimension"),
    ],
)
def test_other_axes_are_refused(frequencies, message):
    with pytest.raises(ValueError, match=message):
        require_per_voxel(frequencies, "axis")
