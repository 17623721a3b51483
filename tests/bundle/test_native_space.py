"""Images brought to the network's grid and segmentations brought back: nothing moves, whatever the file's axes."""

import itertools

import nibabel
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import decollate_batch, list_data_collate
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, ornt_transform
from running import ROOT, TASKS, tasks_of

pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file:UserWarning")

#: all 48 ways to store three axes
CODES = ["".join(c) for p in itertools.permutations(("LR", "PA", "IS")) for c in itertools.product(*p)]
SHAPES = {"volume": (20, 24, 14), "4d": (20, 24, 14, 1), "slice": (20, 24, 1), "4d slice": (20, 24, 1, 1)}


def parts(config, *names, size, output_dir="", bundle="heart_fd"):
    """What a bundle does before and after its network."""
    parser = ConfigParser()
    parser.read_config(ROOT / f"bundles/{bundle}/configs/{config}.json")
    parser["image_size"] = list(size)
    parser["output_dir"] = str(output_dir)
    return [parser.get_parsed_content(name) for name in names]


def turned(voxels, codes, zooms=(1.3, 0.7, 2.9)):
    """The same volume with its axes stored in another order, and an affine that is oblique."""
    tilt = nibabel.eulerangles.euler2mat(0.1, 0.2, -0.15)
    affine = nibabel.affines.from_matvec(tilt @ np.diag(zooms), (-31, 12, 7))
    ornt = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(codes))
    stored = nibabel.apply_orientation(voxels, ornt)
    return stored, affine @ inv_ornt_aff(ornt, voxels.shape)


def blob(shape):
    """An ellipsoid beside the middle, so that no turn of it is the same."""
    axes = np.meshgrid(*[(np.arange(n) + 0.5) / n for n in shape[:3]], indexing="ij")
    centre = (0.45, 0.6, 0.5)
    return sum(((x - c) / 0.3) ** 2 for x, c in zip(axes, centre, strict=True)).reshape(shape) < 1


@pytest.mark.parametrize("kind", SHAPES)
def test_what_is_saved_lies_on_its_image_for_every_orientation(kind, tmp_path):
    shape = SHAPES[kind]
    mask = blob(shape)
    preprocessing, postprocessing = parts(
        "inference", "preprocessing", "postprocessing", size=(32, 40, 16), output_dir=tmp_path
    )
    for codes in CODES if kind == "slice" else CODES[::5]:
        stored, affine = turned(mask.reshape(shape[:3]), codes)
        stored = stored.reshape(*stored.shape, *shape[3:])
        image = nibabel.Nifti1Image(900 * stored.astype("i2"), affine)
        image.set_sform(affine, 1)
        image.set_qform(affine, 1)
        image.header.set_xyzt_units("mm", "sec")
        nibabel.save(image, tmp_path / f"{codes}.nii")

        batch = list_data_collate([preprocessing({"image": str(tmp_path / f"{codes}.nii")})])
        assert batch["image"].shape == (1, 1, 32, 40, 16)
        batch["pred"] = torch.cat([0.5 - batch["image"], batch["image"] - 0.5], dim=1)
        for item in decollate_batch(batch):
            postprocessing(item)

        saved = nibabel.load(tmp_path / "segmentations" / f"{codes}_seg.nii.gz")
        loaded = nibabel.load(tmp_path / f"{codes}.nii")
        assert saved.shape == loaded.shape
        assert nibabel.aff2axcodes(saved.affine) == tuple(codes)
        np.testing.assert_array_equal(saved.affine, loaded.affine)
        for field in ("qform_code", "sform_code", "xyzt_units", "pixdim", "srow_x", "quatern_b"):
            np.testing.assert_array_equal(saved.header[field], loaded.header[field])
        found = np.asarray(saved.dataobj) > 0
        overlap = 2 * (found & stored).sum() / (found.sum() + stored.sum())
        assert overlap > 0.97, (codes, overlap)


def save(tmp_path, **volumes):
    affine = turned(np.zeros((2, 2, 2)), "LPS")[1]
    paths = {key: str(tmp_path / f"{key}.nii") for key in volumes}
    for key, voxels in volumes.items():
        nibabel.save(nibabel.Nifti1Image(voxels, affine), paths[key])
    return paths


def ellipsoids(shape):
    """Two classes, each with its centre on a voxel or between two, as an even grid and an odd one need."""
    x, y, z = np.meshgrid(*[(np.arange(n) + 0.5) / n - 0.5 for n in shape], indexing="ij")
    inner, outer = ((x / a) ** 2 + (y / b) ** 2 + (z / c) ** 2 < 1 for a, b, c in ((0.2, 0.15, 0.2), (0.4, 0.35, 0.4)))
    return outer.astype("u1") + inner


@pytest.mark.parametrize("native", [(80, 96, 30), (35, 51, 37), (64, 40, 20)])
@pytest.mark.parametrize("bundle", tasks_of("segmentation"))
def test_labels_stay_where_they_are_and_come_back(bundle, native, tmp_path):
    size = (48, 40, 24)
    label = ellipsoids(native)
    image = np.full(native, 7.0, "f4")
    item = save(tmp_path, image=image, label=label)
    (preprocessing,) = parts("train", "train#preprocessing", size=size, bundle=bundle)
    step = preprocessing(item)
    for number in (1, 2):
        inside = (step["label"][0] >= number).nonzero().double()
        centre = (torch.tensor(size) - 1) / 2
        assert (inside.mean(0) - centre).abs().max() < 0.02, "the ellipsoids lie in the middle"
    back = preprocessing.inverse(step)["label"][0].numpy()
    for number in (1, 2):
        overlap = 2 * ((back >= number) & (label >= number)).sum() / ((back >= number).sum() + (label >= number).sum())
        assert overlap > 0.94, (number, overlap)


@pytest.mark.parametrize(("config", "name"), [("train", "train#preprocessing"), ("evaluate", "preprocessing")])
def test_a_constant_stays_constant_up_to_its_corners(config, name, tmp_path):
    parser = ConfigParser()
    parser.read_config(ROOT / f"bundles/heart_fd/configs/{config}.json")
    parser["image_size"] = [32, 32, 16]
    parser["intensity"] = {"_target_": "monai.transforms.Identityd", "keys": "image"}
    item = save(tmp_path, image=np.full((96, 90, 50), 0.5, "f4"), label=np.zeros((96, 90, 50), "u1"))
    assert (parser.get_parsed_content(name)(item)["image"] - 0.5).abs().max() < 1e-5


def test_no_bundle_resizes_in_a_way_that_moves_labels_or_darkens_faces():
    steps = []

    def collect(part):
        if isinstance(part, dict):
            if str(part.get("_target_", "")).endswith(("Resize", "Resized")):
                steps.append(part)
            part = list(part.values())
        if isinstance(part, list):
            for below in part:
                collect(below)

    for task in TASKS:
        for config in sorted((ROOT / "bundles" / task / "configs").glob("*.json")):
            collect(ConfigParser.load_config_file(config))
    assert len(steps) >= 3 * len(TASKS) - 3
    for step in steps:
        modes = step["mode"] if isinstance(step["mode"], list) else [step["mode"]]
        assert set(modes) <= {"bilinear", "trilinear", "nearest-exact"}
        assert not step.get("anti_aliasing")
