"""A remedy tried on a bundle of ours: two short trainings that differ in the remedy alone."""

import json

import pytest
import torch
from monai.transforms import Compose, RandFlipd, Resized, ScaleIntensityd
from running import ROOT

from monai_freq import phantoms
from monai_freq.audit.remedies import Remedy
from monai_freq.audit.trial import try_remedy, with_remedy
from monai_freq.errors import UsageError
from monai_freq.transforms import FourierLowPassd

# MONAI's warnings about any configuration, and about validation images of one class, in tests of few images
pytestmark = pytest.mark.filterwarnings(
    "ignore:parsing config_file:UserWarning", "ignore:No hash value:UserWarning", "ignore:y values can not be all"
)
LOW_PASS = {"_target_": "monai_freq.transforms.FourierLowPassd", "keys": "image", "cutoff": 0.1}
MIXED = {
    "_target_": "monai_freq.transforms.RandSpectrumMatchd",
    "keys": "image",
    "references": [[1.0] * 11, [0.1] * 11],
    "prob": 1.0,
}
DECOUPLED = {
    "_target_": "monai_freq.losses.SpectralDecouplingLoss",
    "base": {"_target_": "torch.nn.CrossEntropyLoss"},
    "lam": 10.0,
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return phantoms.write_phantom("kneemri", tmp_path_factory.mktemp("knees"), exams=24, slices=16, size=64, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("entry", [LOW_PASS, MIXED, DECOUPLED], ids=lambda entry: entry["_target_"].split(".")[-1])
def test_trainings_differ_in_the_remedy_alone(entry, dataset, tmp_path):
    settings = {"dataset_dir": str(dataset), "threads": 1, "epochs": 2, "val_interval": 1, "image_size": [32, 32]}
    settings |= {"folds": {"train": 12, "val": 4, "test": 8, "folds": 2, "seed": 0}, "device": "cpu"}
    waves = torch.cos(torch.pi * torch.arange(64.0)).expand(1, 1, 64, 64)  # of 0.5 cycles per voxel
    probe = 500 + 100 * torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))

    def judge(model):
        weights = torch.cat([value.flatten().float() for value in model.network.state_dict().values()])
        moved = (model.predict(probe + 100 * waves) - model.predict(probe)).abs().max()
        return {"weights": weights, "moved": float(moved)}

    remedy = Remedy("the remedy", "", "", json.dumps(entry))
    found = try_remedy(ROOT / "bundles/kneemri_transfer", remedy, judge, tmp_path, **settings)
    assert found.title == "the remedy"
    assert not torch.equal(found.before["weights"], found.after["weights"])
    assert found.before["moved"] > 0
    assert (found.after["moved"] < 1e-4) == (entry is LOW_PASS)  # of what is cut off the network knows nothing
    plain, cured = (json.loads((tmp_path / name / "train.json").read_text()) for name in ("as_it_is", "with_remedy"))
    assert plain == json.loads((ROOT / "bundles/kneemri_transfer/configs/train.json").read_text())
    changed = {name for name in plain if plain[name] != cured[name]}
    assert changed == ({"loss"} if entry is DECOUPLED else {"train", "validate"} if entry is LOW_PASS else {"train"})


def test_a_remedy_comes_before_the_grid_changes_and_before_chance():
    remedy, scale = FourierLowPassd("image", 0.2), ScaleIntensityd("image")
    resize, flip = Resized("image", (8, 8)), RandFlipd("image")
    for parts, place in (([scale, resize, flip], 1), ([scale, flip], 1), ([scale], 1), ([resize], 0)):
        chain = with_remedy(Compose([Compose(parts[:1]), *parts[1:]]), remedy).transforms
        assert chain.index(remedy) == place
        assert [part for part in chain if part is not remedy] == parts


@pytest.mark.parametrize(
    ("config", "entry", "says"),
    [
        ({"train": {"dataset": {}}}, MIXED, "no train#dataset#transform"),
        ({"train": {"dataset": {"transform": 1}}}, LOW_PASS, "no validate#dataset#transform"),
        ({"train": {}}, DECOUPLED, "has no loss"),
    ],
)
def test_a_bundle_without_a_place_for_it_is_refused(config, entry, says, tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/train.json").write_text(json.dumps(config))
    with pytest.raises(UsageError, match=says):
        try_remedy(tmp_path, Remedy("t", "", "", json.dumps(entry)), lambda model: None, tmp_path / "out")
