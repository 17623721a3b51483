"""nnU-Net itself: a data set is converted, planned, preprocessed, learned for two epochs, and predicted, on a CPU.

`make test-nnunet` runs this in an environment of its own. All goes through the functions behind nnU-Net's commands, in
one process and on one thread; one prediction is a command, in a process that knows nothing but nnU-Net's variables.
"""

import importlib.metadata
import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from documents import blocks, words_of

from monai_freq.handlers import PSDHistory
from monai_freq.nnunet.__main__ import external_folder
from monai_freq.phantoms import write_phantom

if importlib.util.find_spec("nnunetv2") is None:
    pytest.skip("needs nnU-Net: make test-nnunet", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("default")  # nnU-Net's own

DATASET = "Dataset002_Heart"
#: in a folder of the user's own, as docs/nnunet.md shows it
SHORT = """
import torch
from monai_freq.nnunet import trainers
from nnunetv2.training.nnUNetTrainer.variants.data_augmentation.nnUNetTrainerNoDA import nnUNetTrainerNoDA


class Short:
    def __init__(self, plans, configuration, fold, dataset_json, device=torch.device("cuda")):
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.num_epochs, self.num_iterations_per_epoch, self.num_val_iterations_per_epoch = 2, 3, 1
        self.psd_interval, self.psd_samples = 1, 3


class ShortPlain(Short, nnUNetTrainerNoDA):
    pass


class ShortPSD(Short, trainers.nnUNetTrainerPSD, nnUNetTrainerNoDA):
    pass


class ShortNone(Short, trainers.nnUNetTrainerNoFusion):
    pass


class ShortEarly(Short, trainers.nnUNetTrainerEarlyFusion):
    pass


class ShortLate(Short, trainers.nnUNetTrainerLateFusion):
    pass
"""


def call(function, *words):
    """Call the function of one of nnU-Net's commands."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["nnunet", *map(str, words)])
        patch.setattr("multiprocessing.cpu_count", lambda: 1)  # threads that nnU-Net sets on a CPU
        module, name = function.split(":")
        getattr(importlib.import_module(f"nnunetv2.{module}"), name)()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A planned and preprocessed data set with the small configurations ``small`` and ``small_2d``."""
    home = tmp_path_factory.mktemp("nnunet")
    (home / "mine").mkdir()
    (home / "mine" / "short_trainers.py").write_text(SHORT)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("raw", "preprocessed", "results"):
            (home / name).mkdir()
            patch.setenv(f"nnUNet_{name}", str(home / name))
        patch.setenv("nnUNet_extTrainer", os.pathsep.join([str(external_folder()), str(home / "mine")]))
        patch.setenv("nnUNet_def_n_proc", "1")
        patch.setenv("nnUNet_n_proc_DA", "1")
        data = write_phantom("heart", home / "data", cases=5, test_cases=1, size=(32, 32, 24))
        call("dataset_conversion.convert_MSD_dataset:entry_point", "-i", data, "-np", 1)
        words = ["-d", 2, "-c", "2d", "3d_fullres", "-npfp", 1, "-np", 1, "--no_pbar"]
        call("experiment_planning.plan_and_preprocess_entrypoints:plan_and_preprocess_entry", *words)
        add_small(home / "preprocessed" / DATASET / "nnUNetPlans.json")
        patch.setenv("nnUNet_n_proc_DA", "0")  # augmentation in this process
        yield home


def add_small(file):
    """Configurations of fewer features, which inherit the rest."""
    plans = json.loads(file.read_text())
    for name, parent in (("small", "3d_fullres"), ("small_2d", "2d")):
        architecture = plans["configurations"][parent]["architecture"]
        kwargs = architecture["arch_kwargs"]
        features = [4 * 2**stage for stage in range(kwargs["n_stages"])]
        plans["configurations"][name] = {
            "inherits_from": parent,
            "batch_size": 2,
            "architecture": {**architecture, "arch_kwargs": {**kwargs, "features_per_stage": features}},
            "frequency_fusion": {"theta": 0.3},
        }
    file.write_text(json.dumps(plans))


def new_trainer(name, configuration):
    from nnunetv2.run.run_training import get_trainer_from_args

    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(0)
    return get_trainer_from_args("2", configuration, 0, name, device=torch.device("cpu"))


_TRAINED = {}


def trained(home, name, configuration="small"):
    """The trainer after its training, and the folder of its results."""
    if (name, configuration) not in _TRAINED:
        trainer = new_trainer(name, configuration)
        trainer.run_training()
        _TRAINED[name, configuration] = trainer
    return _TRAINED[name, configuration], home / "results" / DATASET / f"{name}__nnUNetPlans__{configuration}"


def predicted(home, name, configuration, folder):
    words = ["-i", home / "raw" / DATASET / "imagesTs", "-o", folder, "-d", 2, "-tr", name, "-c", configuration]
    call("inference.predict_from_raw_data:predict_entry_point", *words, *OPTIONS)
    return folder / "la_006.nii.gz"


OPTIONS = ["-f", "0", "-device", "cpu", "-npp", "0", "-nps", "0", "--disable_tta", "--disable_progress_bar"]
EACH = [("ShortEarly", "small"), ("ShortLate", "small"), ("ShortNone", "small"), ("ShortEarly", "small_2d")]


@pytest.mark.parametrize(("name", "configuration"), EACH)
def test_a_network_learns_and_predicts_in_the_images_space(home, tmp_path, name, configuration):
    import SimpleITK

    trainer, results = trained(home, name, configuration)
    first, second = trainer.logger.get_value("train_losses", step=None)
    assert second < first
    image = SimpleITK.ReadImage(str(home / "raw" / DATASET / "imagesTs" / "la_006_0000.nii.gz"))
    label = SimpleITK.ReadImage(str(predicted(home, name, configuration, tmp_path)))
    for property_ in ("GetSize", "GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(label, property_)() == pytest.approx(getattr(image, property_)(), abs=1e-6)
    assert set(np.unique(SimpleITK.GetArrayFromImage(label))) <= {0, 1}
    assert PSDHistory.load(results / "fold_0" / "psd.npz").epochs == [1, 2]


@pytest.mark.parametrize(("name", "configuration"), EACH)
def test_the_checkpoint_holds_the_network_and_its_settings(home, name, configuration):
    trainer, results = trained(home, name, configuration)
    checkpoint = torch.load(results / "fold_0" / "checkpoint_final.pth", weights_only=False)
    fusion = {"ShortEarly": "early", "ShortLate": "late", "ShortNone": "none"}[name]
    inside = {part.split(".")[1] for part in checkpoint["network_weights"] if part != "bands"}
    stems = {"stem"} if fusion == "none" else {"low_stem", "high_stem"}
    assert inside == {"backbone", *stems, *(["head"] if fusion == "late" else [])}
    axes = trainer.network.fusion.axes
    bands = [
        0,
        *(0.3 if fusion != "none" and axis in axes else 0 for axis in range(trainer.network.fusion.spatial_dims)),
    ]
    assert checkpoint["network_weights"]["bands"].tolist() == pytest.approx(bands)
    entry = {"theta": 0.3, "convention": "figure2", "axes": list(axes), "features": 8}
    for plans in (checkpoint["init_args"]["plans"], json.loads((results / "plans.json").read_text())):
        assert plans["configurations"][configuration]["frequency_fusion"] == entry


def test_the_slices_plane_of_the_file_is_cut(home):
    """nnU-Net has turned this phantom, whose slices lie closer than its pixels."""
    import SimpleITK

    trainer, _ = trained(home, "ShortEarly")
    assert trainer.plans_manager.transpose_forward == [1, 0, 2]
    x, y, z = SimpleITK.ReadImage(str(home / "raw" / DATASET / "imagesTs" / "la_006_0000.nii.gz")).GetSpacing()
    spacing = trainer.configuration_manager.spacing
    assert [spacing[axis] for axis in trainer.network.fusion.axes] == pytest.approx([y, x])
    assert min(abs(z - x), abs(z - y)) > 0.1


def test_a_process_that_knows_only_nnunets_variables_predicts_the_same(home, tmp_path):
    trained(home, "ShortEarly")
    here = predicted(home, "ShortEarly", "small", tmp_path / "here")
    command = Path(sys.executable).with_name("nnUNetv2_predict")
    words = ["-i", home / "raw" / DATASET / "imagesTs", "-o", tmp_path / "there", "-d", 2, "-tr", "ShortEarly"]
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([command, *map(str, words), "-c", "small", *OPTIONS], env=variables, check=True, cwd=tmp_path)
    assert (tmp_path / "there" / "la_006.nii.gz").read_bytes() == here.read_bytes()


def test_the_trainers_are_found_by_name_as_the_same_classes(home):
    from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name as find

    from monai_freq.nnunet import trainers

    assert [find(name) is getattr(trainers, name) for name in trainers.__all__] == [True] * 4


def test_the_logs_leave_the_training_as_it_is(home):
    plain, logged = trained(home, "ShortPlain")[0], trained(home, "ShortPSD")[0]
    weights = plain.network.state_dict()
    assert weights.keys() == logged.network.state_dict().keys()
    assert all(torch.equal(value, weights[name]) for name, value in logged.network.state_dict().items())
    assert plain.logger.get_value("val_losses", step=None) == logged.logger.get_value("val_losses", step=None)


def test_the_logged_loss_is_that_of_the_full_size_output(home):
    from monai_freq.nnunet.trainers import _FirstOutput

    trainer, results = trained(home, "ShortPSD")
    assert type(trainer.loss).__name__ == "DeepSupervisionWrapper"
    trainer.set_deep_supervision_enabled(True)
    batch = next(trainer.dataloader_val)
    outputs, labels = trainer.network(batch["data"]), batch["target"]
    assert len(outputs) == len(labels) > 1
    logged = _FirstOutput(trainer._full_size_loss())
    assert torch.equal(logged(outputs, labels[0]), trainer.loss.loss(outputs[0], labels[0]))
    assert torch.equal(logged(outputs[0], labels[0]), logged(outputs, labels[0]))
    assert set(PSDHistory.load(results / "fold_0" / "psd.npz").kinds) == {"images", "gradients"}


@pytest.mark.parametrize("name", ["ShortEarly", "ShortLate"])
def test_a_training_is_taken_up_again(home, name):
    trainer, results = trained(home, name)
    again = new_trainer(name, "small")
    again.load_checkpoint(str(results / "fold_0" / "checkpoint_final.pth"))
    assert again.current_epoch == 2
    weights = trainer.network.state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in again.network.state_dict().items())


def test_weights_of_another_theta_are_refused(home, tmp_path):
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    _, results = trained(home, "ShortEarly")
    shutil.copytree(results, tmp_path / "model")
    plans = json.loads((tmp_path / "model" / "plans.json").read_text())
    plans["configurations"]["small"]["frequency_fusion"]["theta"] = 0.2
    (tmp_path / "model" / "plans.json").write_text(json.dumps(plans))
    predictor = nnUNetPredictor(device=torch.device("cpu"), allow_tqdm=False)
    with pytest.raises(ValueError, match=r"trained with theta 0.3 .* the plans say theta 0.2 .* plans.json"):
        predictor.initialize_from_trained_model_folder(str(tmp_path / "model"), (0,))


def test_the_validation_is_nnunets_own(home):
    trainer, results = trained(home, "ShortLate")
    trainer.perform_actual_validation()
    summary = json.loads((results / "fold_0" / "validation" / "summary.json").read_text())
    assert 0 <= summary["foreground_mean"]["Dice"] <= 1
    assert len(summary["metric_per_case"]) == 1


def test_pretrained_weights_are_taken_over(home):
    from nnunetv2.run.load_pretrained_weights import load_pretrained_weights

    trainer, results = trained(home, "ShortEarly")
    other = new_trainer("ShortEarly", "small")
    other.initialize()
    load_pretrained_weights(other.network, str(results / "fold_0" / "checkpoint_final.pth"))
    weights = trainer.network.state_dict()
    taken = {name for name, value in other.network.state_dict().items() if torch.equal(value, weights[name])}
    assert {name for name in weights if ".seg_layers." not in name} <= taken


def test_nnunets_folder_is_a_list_of_monai_items_with_the_same_voxels(home):
    from monai.transforms import LoadImaged
    from nnunetv2.utilities.utils import get_filenames_of_train_images_and_targets

    from monai_freq.data import read_decathlon

    found = get_filenames_of_train_images_and_targets(str(home / "raw" / DATASET))
    items = [{"image": case["images"], "label": case["label"]} for case in found.values()]
    original = read_decathlon(home / "data" / "Task02_Heart").training
    assert len(items) == len(original) == 5
    load = LoadImaged(["image", "label"], ensure_channel_first=True)
    for item, case in zip(items, original, strict=True):
        there, here = load(item), load(case)
        for key in ("image", "label"):
            assert torch.equal(there[key], here[key])
            assert torch.equal(there[key].affine, here[key].affine)


def test_a_reader_can_follow_the_page(tmp_path, monkeypatch):
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    run_training = nnUNetTrainer.run_training

    def shortened(self):
        self.num_epochs = self.num_iterations_per_epoch = self.num_val_iterations_per_epoch = 1
        run_training(self)

    monkeypatch.setattr(nnUNetTrainer, "run_training", shortened)
    for name in ("raw", "preprocessed", "results"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"nnUNet_{name}", str(tmp_path / name))
    monkeypatch.setenv("nnUNet_def_n_proc", "1")
    monkeypatch.chdir(tmp_path)
    data = write_phantom("heart", tmp_path / "data", cases=5, test_cases=1, size=(32, 32, 24))
    (tmp_path / "data" / "new_images").mkdir()
    shutil.copy(data / "imagesTs" / "la_006.nii.gz", tmp_path / "data" / "new_images" / "la_006_0000.nii.gz")
    called = []
    for block in blocks("docs/nnunet.md", "python", "bash"):
        if block.language == "bash":
            called += [
                follow(command.replace("/data/", f"{tmp_path}/data/"), monkeypatch) for command in block.commands
            ]
        elif block.file:
            Path(block.file).parent.mkdir()
            Path(block.file).write_text(block.text)
        else:
            namespace = {}
            exec(compile(block.text, block.page, "exec"), namespace)
    assert [word for word in called if word.startswith("nnUNetv2")] == [
        "nnUNetv2_convert_MSD_dataset",
        "nnUNetv2_plan_and_preprocess",
        "nnUNetv2_train",
        "nnUNetv2_predict",
        "nnUNetv2_train",
        "nnUNetv2_train",
    ]
    assert [file.name for file in (tmp_path / "data" / "segmented").glob("*.nii.gz")] == ["la_006.nii.gz"]
    results = [folder.name for folder in (tmp_path / "results" / DATASET).iterdir()]
    of_early = "nnUNetTrainerEarlyFusion__nnUNetPlans__3d_"
    assert sorted(results) == ["EarlyFusion100__nnUNetPlans__3d_fullres", f"{of_early}fullres", f"{of_early}theta02"]
    assert namespace["first"]["image"].shape == namespace["first"]["label"].shape == (1, 32, 32, 24)


#: words that a CPU needs
ON_CPU = {
    "nnUNetv2_convert_MSD_dataset": ["-np", "1"],
    "nnUNetv2_plan_and_preprocess": ["-np", "1", "-npfp", "1", "--no_pbar"],
    "nnUNetv2_train": ["-device", "cpu"],
    "nnUNetv2_predict": OPTIONS[2:],
}


def follow(command, monkeypatch):
    """Run a command of the page; what is no command of nnU-Net and sets no variable is left out."""
    name, *words = words_of(command)
    if name == "export":
        variable, value = words[0].split("=", maxsplit=1)
        value = value.replace("$(python -m monai_freq.nnunet)", str(external_folder()))
        monkeypatch.setenv(variable, value.replace("$PWD", str(Path.cwd())))
    elif name in ON_CPU:
        (command,) = importlib.metadata.entry_points(group="console_scripts", name=name)
        monkeypatch.setenv("nnUNet_n_proc_DA", "0" if name == "nnUNetv2_train" else "1")
        call(command.value.removeprefix("nnunetv2."), *words, *ON_CPU[name])
    return name
