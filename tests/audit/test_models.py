"""Each kind of source gives the probabilities that its own way of inference gives."""

import io
import json
import pickle
import zipfile

import nibabel
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from monai.data import MetaTensor
from monai.networks.nets import UNet, resnet10
from PIL import Image
from running import run
from torch import nn

from monai_freq import phantoms
from monai_freq.audit import Case, load_model
from monai_freq.audit.model.bundle_models import open_bundle
from monai_freq.audit.model.models import AuditModel
from monai_freq.audit.model.preparing import scaled_to
from monai_freq.bundle.shipped_bundles import copy_bundle
from monai_freq.errors import DataError, UsageError

TINY = {"spatial_dims": 2, "n_input_channels": 1, "num_classes": 2}
TEXT = "monai.networks.nets.resnet10(spatial_dims=2, n_input_channels=1, num_classes=2)"


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    return resnet10(**TINY, widen_factor=0.125, conv1_t_stride=2).eval()


@pytest.fixture(scope="module")
def images():
    return torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def expected(network, images):
    with torch.no_grad():
        return network(images).softmax(1)


def agree(model, images, expected, **tolerance):
    torch.testing.assert_close(model.predict(images), expected, **({"atol": 1e-5, "rtol": 1e-4} | tolerance))


def test_modules_and_functions(network, images, expected):
    model = load_model(network, classes=["no", "yes"])
    agree(model, images, expected)
    assert (model.kind, model.task, model.classes) == ("module", "classification", ("no", "yes"))
    assert model.n_parameters == sum(p.numel() for p in network.parameters())
    agree(load_model(lambda x: {"out": network(x)}), images, expected)
    agree(load_model(lambda x: network(x).softmax(1)), images, expected)  # probabilities stay


def test_a_module_is_its_own_plan_where_all_its_layers_can_draw_weights(network, images):
    model = load_model(network)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    other = model.untrained(0).network
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    weights = [name for name, value in other.named_parameters() if value.ndim > 1]
    assert not any(torch.equal(before[name], other.state_dict()[name]) for name in weights)
    network.own = nn.Parameter(torch.zeros(3))  # which no layer draws
    assert load_model(network).untrained(0) is None
    del network.own


def test_the_mode_of_a_network_stays(network, images):
    network.train()
    load_model(network).predict(images)
    assert network.training
    assert network.layer1.training
    network.eval()


def test_weights_with_a_constructor_in_words(tmp_path, images):
    torch.manual_seed(0)
    network = resnet10(**TINY).eval()
    torch.save({"state_dict": network.state_dict()}, tmp_path / "model.pt")
    model = load_model(tmp_path / "model.pt", network=TEXT)
    with torch.no_grad():
        agree(model, images, network(images).softmax(1))
    assert model.kind == "weights"
    other = [model.untrained(seed).network.fc.weight for seed in (1, 1, 2)]
    assert torch.equal(other[0], other[1])
    assert not torch.equal(other[0], other[2])
    with pytest.raises(UsageError, match="Say its constructor"):
        load_model(tmp_path / "model.pt")
    with pytest.raises(DataError, match="another network"):
        load_model(tmp_path / "model.pt", network=TEXT.replace("num_classes=2", "num_classes=3"))


@pytest.mark.parametrize(
    "text",
    [
        "monai.networks.nets.resnet10(__import__('os').system('true'))",
        "__import__('os').system('true')",
        "[1][0].x(1)",
        "resnet10(2)",
        "monai.networks.nets.resnet10(**{'spatial_dims': 2})",
        "os.system('true')",
        "monai.networks.nets.NoSuchNet(2)",
        "monai.networks.nets.resnet10(spatial_dims=7)",
        "a.b(" * 300,
    ],
)
def test_a_constructor_is_no_program(text):
    with pytest.raises(UsageError):
        load_model(__file__, network=text)


class Evil:
    def __reduce__(self):
        return exec, ("raise SystemExit('code of a file was run')",)


def test_no_pickle_is_run(tmp_path):
    torch.save({"state_dict": Evil()}, tmp_path / "model.pt")
    with pytest.raises(DataError, match="cannot be read as weights"):
        load_model(tmp_path / "model.pt", network=TEXT)


def exported(network, images, path):
    torch.export.save(torch.export.export(network, (images,)), path)
    return path


@pytest.mark.parametrize(
    "member", ["data/sample_inputs/model.pt", "data/weights/weight_0", "data/constants/custom_obj_0"]
)
def test_no_pickle_of_a_program_is_run(tmp_path, member):
    file, evil = exported(nn.Conv2d(1, 2, 3).eval(), torch.rand(1, 1, 8, 8), tmp_path / "a.pt2"), io.BytesIO()
    torch.save(Evil(), evil)
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(tmp_path / "b.pt2", "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name.endswith("model_weights_config.json") and "weights" in member:
                config = json.loads(content)
                config["config"]["weight"]["use_pickle"] = True
                content = json.dumps(config).encode()
            target.writestr(name, evil.getvalue() if name.endswith(member) else content)
        if "custom" in member:
            target.writestr(f"a/data/{member}", pickle.dumps(Evil()))
    with pytest.raises(DataError, match="needs no code"):
        load_model(tmp_path / "b.pt2")


def test_torchscript(tmp_path, network, images, expected):
    with torch.no_grad():
        torch.jit.trace(network, images).save(tmp_path / "model.ts")
    model = load_model(tmp_path / "model.ts")
    agree(model, images, expected)
    assert model.kind == "TorchScript"


def test_programs_of_torch_export(tmp_path, network, images, expected):
    model = load_model(exported(network, images[:1], tmp_path / "one.pt2"))  # one image at a time
    agree(model, images, expected)
    assert model.kind == "exported program"


@pytest.mark.slow
def test_onnx(tmp_path, network, images, expected):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    program = torch.onnx.export(network, (images[:1],), dynamo=True, verbose=False)
    program.save(tmp_path / "model.onnx")
    model = load_model(tmp_path / "model.onnx")
    agree(model, images, expected, atol=1e-4, rtol=1e-3)
    assert (model.kind, model.network) == ("ONNX", None)
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(DataError, match="cannot be opened as ONNX"):
        load_model(tmp_path / "model.onnx")


def test_what_cannot_be_a_network_is_refused(tmp_path):
    with pytest.raises(DataError, match="There is no file"):
        load_model(tmp_path / "none.pt")
    with pytest.raises(UsageError, match="is no bundle"):
        load_model(tmp_path)
    with pytest.raises(UsageError, match="'source' must be"):
        load_model(3)
    with pytest.raises(DataError, match="task='segmentation'"):
        load_model(nn.Conv2d(1, 2, 3)).predict(torch.rand(1, 1, 8, 8))
    with pytest.raises(DataError, match="refuses images of the shape"):
        load_model(nn.Conv2d(3, 2, 3), task="segmentation").predict(torch.rand(1, 1, 8, 8))


def zoo_bundle(folder, transforms, network, weights, metadata):
    (folder / "configs").mkdir(parents=True)
    (folder / "models").mkdir()
    config = {
        "imports": ["$import torch"],
        "bundle_root": "/nowhere",
        "device": "$torch.device('cpu')",
        "network_def": network,
        "network": "$@network_def.to(@device)",
        "preprocessing": {"_target_": "Compose", "transforms": transforms},
        "inferer": {"_target_": "SimpleInferer"},
    }
    (folder / "configs/inference.json").write_text(json.dumps(config))
    (folder / "configs/metadata.json").write_text(json.dumps(metadata))
    torch.save(weights, folder / "models/model.pt")
    return folder


def pred(kind, **channels):
    return {"network_data_format": {"outputs": {"pred": {"format": kind, "channel_def": channels}}}}


def test_a_bundle_of_pictures_like_those_of_the_model_zoo(tmp_path):
    """Its pipeline begins with MONAI's reader, which swaps the axes of a picture."""
    torch.manual_seed(0)
    network = resnet10(**TINY).eval()
    transforms = [
        {"_target_": "LoadImaged", "keys": "image", "reader": "PILReader"},
        {"_target_": "EnsureChannelFirstd", "keys": "image"},
        {"_target_": "ScaleIntensityRanged", "keys": "image", "a_min": 0, "a_max": 255, "b_min": -1, "b_max": 1},
        {"_target_": "Resized", "keys": "image", "spatial_size": [32, 24]},
    ]
    definition = {"_target_": "monai.networks.nets.resnet10", **TINY}
    folder = zoo_bundle(
        tmp_path / "zoo", transforms, definition, network.state_dict(), pred("classes", **{"0": "no", "1": "ill"})
    )
    picture = np.random.default_rng(0).integers(0, 256, (40, 60), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")

    model = load_model(folder)
    assert (model.kind, model.task, model.classes, model.source) == ("bundle", "classification", ("no", "ill"), "zoo")
    own = ConfigParser({"own": {"_target_": "Compose", "transforms": transforms}}).get_parsed_content("own")
    prepared = own({"image": str(tmp_path / "a.png")})["image"]
    image, spacing = Case(str(tmp_path / "a.png")).load()
    assert image.shape == (1, 40, 60)
    torch.testing.assert_close(model.prepare(image[None], spacing)[0].as_tensor(), prepared.as_tensor())
    with torch.no_grad():
        agree(model, image[None], network(prepared[None].as_tensor()).softmax(1))


def test_a_bundle_of_volumes_brings_segmentations_back_to_the_grid_of_the_image(tmp_path):
    """A network that thresholds intensity: its segmentation must lie where the image is bright, whatever the axes."""
    network = UNet(3, 1, 2, channels=(2, 4), strides=(2,))
    transforms = [
        {"_target_": "LoadImaged", "keys": "image"},
        {"_target_": "EnsureChannelFirstd", "keys": "image"},
        {"_target_": "Orientationd", "keys": "image", "axcodes": "RAS", "labels": None},
        {"_target_": "Spacingd", "keys": "image", "pixdim": [1, 1, 1]},
        {"_target_": "ScaleIntensityd", "keys": "image"},
    ]
    definition = {"_target_": "UNet", "spatial_dims": 3, "in_channels": 1, "out_channels": 2, "channels": [2, 4]}
    folder = zoo_bundle(
        tmp_path / "zoo", transforms, definition | {"strides": [2]}, network.state_dict(), pred("segmentation")
    )
    found = open_bundle(folder)
    assert found.task == "segmentation"
    model = AuditModel(lambda x: torch.cat([0.5 - x, x - 0.5], 1) * 20, "segmentation", preprocess=found.preprocess)
    image = torch.zeros(1, 16, 12, 8)
    image[:, 2:9, 3:8, 1:4] = 1
    affine = torch.diag(torch.tensor([-2.0, -1.0, 1.0, 1.0], dtype=torch.float64))
    affine[:3, 3] = torch.tensor([40, 30, -5])
    inside = model.predict(image[None], like=MetaTensor(image, affine))[0, 1]
    assert inside.shape == image.shape[1:]
    assert ((inside > 0.5) == (image[0] > 0.5)).float().mean() > 0.97
    assert inside[5, 5, 2] > 0.99 > 0.01 > inside[13, 9, 6]


@pytest.mark.slow
def test_runs_of_a_bundle_of_ours(tmp_path):
    folder = copy_bundle("heart_fd", tmp_path / "heart")
    data = phantoms.write_phantom("heart", tmp_path / "data", cases=6, test_cases=1, size=(24, 24, 16), seed=1)
    options = ["--epochs", 1, "--image_size", "[16,16,16]", "--val_cases", 1, "--dataset_dir", data, "--theta", 0.25]
    done = run(folder / "configs/train.json", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    image = Case(str(next((data / "imagesTr").glob("*.nii.gz")))).load_placed()

    model, of_bundle = load_model(folder / "runs/early"), load_model(folder)  # its only run
    assert (model.kind, model.task, model.classes) == ("run", "segmentation", ("background", "left atrium"))
    assert model.network.theta == 0.25  # as its settings were recorded
    found = model.predict(image[None].as_tensor(), like=image)
    assert found.shape == (1, 2, *image.shape[1:])
    torch.testing.assert_close(found.sum(1), torch.ones(1, *image.shape[1:]))
    torch.testing.assert_close(of_bundle.predict(image[None].as_tensor(), like=image), found)
    assert model.untrained(0).predict(image[None].as_tensor(), like=image).shape == found.shape

    moved = (folder / "runs/early").rename(tmp_path / "moved")
    torch.testing.assert_close(load_model(moved, bundle=folder).predict(image[None].as_tensor(), like=image), found)
    with pytest.raises(UsageError, match="does not say which bundle"):
        load_model(moved)


def test_pictures_of_a_bundle_of_ours_have_their_white(tmp_path):
    """``source_pretrain`` divides by full scale, which a plain tensor does not state."""
    folder = copy_bundle("source_pretrain", tmp_path / "pretrain")
    network = open_bundle(folder, _untrained(folder, tmp_path / "model.pt"))
    model = AuditModel(network.forward, preprocess=network.preprocess)
    Image.fromarray(np.full((96, 96), 51, np.uint8)).save(tmp_path / "a.png")
    case = Case(str(tmp_path / "a.png"))
    with_meta = model.prepare(case.load()[0][None], like=case.load_placed())[0]
    without = model.prepare(torch.full((1, 1, 96, 96), 255.0))[0]
    torch.testing.assert_close(with_meta.mean().item(), 0.2)
    torch.testing.assert_close(without.mean().item(), 1.0)


def _untrained(folder, path):
    config = ConfigParser(ConfigParser.load_config_file(folder / "configs/inference.json"))
    config["bundle_root"], config["checkpoint"] = str(folder), str(path)
    torch.save(config.get_parsed_content("network_def").state_dict(), path)
    return path


def test_a_loaded_case_keeps_its_place_in_the_patient(tmp_path):
    affine = np.array([[-2.0, 0, 0, 40], [0, 1, 0, -7], [0, 0, 3, 5], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(np.ones((4, 5, 6), "f4"), affine), tmp_path / "a.nii")
    placed = Case(str(tmp_path / "a.nii")).load_placed()
    np.testing.assert_allclose(placed.affine, affine)
    scaled = Case(str(tmp_path / "a.nii"), spacing=(1.0, 1.0, 6.0)).load_placed()
    np.testing.assert_allclose(scaled.affine[:3, :3], np.diag([-1.0, 1, 6]))
    assert scaled.shape == (1, 4, 5, 6)


def test_scaling_for_networks_without_a_preprocessing():
    image = torch.rand(1, 40, 40, generator=torch.Generator().manual_seed(0)) * 300 + 7
    x = scaled_to((20, 20), "standard", 3)(image)
    assert x.shape == (3, 20, 20)
    torch.testing.assert_close((x.mean().item(), x.std(correction=0).item()), (0.0, 1.0), atol=1e-5, rtol=0)
    volume = torch.rand(1, 8, 8, 8)
    torch.testing.assert_close(scaled_to((4, 4, 4), "none")(volume)[0, 0, 0, 0], volume[0, :2, :2, :2].mean())
    with pytest.raises(ValueError, match="'size' must be"):
        scaled_to((0, 3))
