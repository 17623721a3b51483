"""Two hundred calls of a transform leave no memory behind."""

import resource
from pathlib import Path

import pytest
import torch
from monai.data import MetaTensor
from monai.transforms import RandGaussianNoise
from reliability.drawn import FAMILIES

from monai_freq.transforms import ApplyShortcutd, StaticShortcutd, artifact_psd

CALLS = 200
WARM_UP = 30
SIZE = 96
KEPT = 4 * SIZE * SIZE * CALLS / 2**20  # MB, if each call left an image of this size behind: 7
SETTINGS = {
    "FourierLowPass": {"cutoff": 0.2},
    "SpectrumMatch": {"reference": [1.0] * 11},
    "RandSpectrumMatch": {"references": [[1.0] * 11], "prob": 0.5},
    "NonLocalMeans": {"search_radius": 2},
    "RandNonLocalMeans": {"search_radius": 2, "prob": 0.5},
    "PhotonNoise": {"extent_mm": 200, "n_angles": 30},
    "RandPhotonNoise": {"extent_mm": 200, "n_angles": 30, "prob": 0.5},
}
FORMS = {
    form.__name__: (form, SETTINGS.get(family.name, {}))
    for family in FAMILIES
    for form in (family.array, family.dictionary)
}
NOISE = RandGaussianNoise(prob=1, std=10.0)  # seen in images of some hundreds
FORMS |= {
    "ApplyShortcutd": (ApplyShortcutd, {"artifact": NOISE}),
    "StaticShortcutd": (StaticShortcutd, {"artifact": NOISE}),
}


def resident_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's account of a process's memory")
@pytest.mark.filterwarnings("ignore:a detector bin expects:UserWarning", "ignore:slices are tilted:UserWarning")
@pytest.mark.parametrize("name", [*FORMS, "artifact_psd"])
def test_200_calls_leave_no_memory_behind(name, record_property):
    image = MetaTensor(1000 * torch.rand(1, SIZE, SIZE))
    if name == "artifact_psd":
        call = lambda: artifact_psd(NOISE, [image])  # noqa: E731
    elif name.endswith("d"):
        form, settings = FORMS[name]
        transform = form("image", **settings)
        call = lambda: transform({"image": image, "shortcut": True})  # noqa: E731
    else:
        transform = FORMS[name][0](**FORMS[name][1])
        call = lambda: transform(image)  # noqa: E731
    for _ in range(WARM_UP):  # caches of bases and of the allocator
        call()
    before = resident_mb()
    for _ in range(CALLS):
        call()
    grown = resident_mb() - before
    print(f"memory of {name}: {grown:+.2f} MB in {CALLS} calls")
    assert grown < KEPT / 4
