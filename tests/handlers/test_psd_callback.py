"""Lightning's trainer logs what MONAI's and a plain loop log, bit for bit, and never notices."""

import csv
import importlib
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from loops import LOSS, batches_of, classifier, optimizer_of, seed_all
from monai.engines import SupervisedTrainer
from monai.transforms import RandGibbsNoise
from sameness import assert_same
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from monai_freq.handlers import PSDHandler, PSDHistory, PSDLogger
from monai_freq.spectral.learning_priority import learning_priority

pl = pytest.importorskip("lightning.pytorch")
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger  # noqa: E402

from monai_freq.lightning import PSDCallback  # noqa: E402

pytestmark = [
    pytest.mark.usefixtures("undrawn"),
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),  # of a few batches
]


class Loader:
    """Batches that draw nothing; a list would be several loaders."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)

    def __len__(self):
        return len(self.batches)


class Module(pl.LightningModule):
    def __init__(self, network=None, noise=0):
        super().__init__()
        self.network = classifier() if network is None else network
        self.loss = LOSS
        self.noise = noise
        self.given, self.losses = [], []

    def forward(self, images):
        return self.network(images)

    def training_step(self, batch, batch_idx):
        images, labels = batch.values() if isinstance(batch, dict) else batch
        self.given.append(images.clone())
        if self.noise:
            images += self.noise * (torch.rand(1) + np.random.rand() + random.random())
        value = self.loss(self(images), labels)
        self.losses.append(value.detach())
        self.log("loss", value, on_step=False, on_epoch=True, batch_size=len(images))
        return value

    def validation_step(self, batch, batch_idx, dataloader_idx=0):
        images, labels = batch
        if dataloader_idx == 0:
            self.log("val_loss", self.loss(self(images), labels), add_dataloader_idx=False, batch_size=len(images))

    def configure_optimizers(self):
        return optimizer_of(self)


def trainer_in(folder, *callbacks, epochs=3, logger=None, **settings):
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    return pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        devices=1,
        logger=TensorBoardLogger(folder, name=None, version="") if logger is None else logger,
        callbacks=list(callbacks),
        default_root_dir=folder,
        **quiet | settings,
    )


def fitted(folder, *callbacks, module=None, batches=None, validation=None, ckpt_path=None, **settings):
    module, trainer = module or Module(), trainer_in(folder, *callbacks, **settings)
    seed_all()
    loaders = [Loader(batches or batches_of())] + ([Loader(validation)] if validation else [])
    trainer.fit(module, *loaders, ckpt_path=ckpt_path)
    return trainer, module


def logged(folder, tag="psd"):
    return PSDHistory.load(Path(folder, f"{tag}.npz"))


def events_of(folder):
    return EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0}).Reload()


# what is logged


@pytest.mark.parametrize(
    "settings",
    [{}, {"interval": 2, "max_samples": 6, "artifact": RandGibbsNoise(prob=1), "tag": "train/psd"}],
    ids=["alone", "artifact"],
)
def test_the_three_log_the_same_bit_for_bit(tmp_path, settings):
    folders = [tmp_path / name for name in ("handler", "logger", "callback")]
    network, batches, epochs = classifier(), batches_of(), 3
    items = [{"image": images, "label": labels} for images, labels in batches]
    seed_all()
    trainer = SupervisedTrainer("cpu", epochs, items, network, optimizer_of(network), LOSS)
    PSDHandler(log_dir=folders[0], **settings).attach(trainer)
    trainer.run()

    plain = classifier()
    seed_all()
    optimizer, logger = optimizer_of(plain), PSDLogger(plain, LOSS, folders[1], **settings)
    for number in range(1, epochs + 1):
        for images, labels in batches:
            optimizer.zero_grad()
            LOSS(plain(images), labels).backward()
            optimizer.step()
            logger.batch(images, labels)
        logger.epoch(number, last=number == epochs)

    _, module = fitted(tmp_path / "runs", PSDCallback(folders[2], **settings))
    assert_same(module.network.state_dict(), network.state_dict())
    assert_same(plain.state_dict(), network.state_dict())
    contents = {(folder / f"{settings.get('tag', 'psd')}.npz").read_bytes() for folder in folders}
    assert len(contents) == 1
    assert logged(folders[2], settings.get("tag", "psd")).epochs == ([2, 3] if settings else [1, 2, 3])


@pytest.mark.usefixtures("drawn")
def test_loggers_get_scalars_and_pictures_at_the_steps_of_lightnings_own(tmp_path):
    loggers = [TensorBoardLogger(tmp_path, name="board"), CSVLogger(tmp_path, name="table")]
    fitted(tmp_path, PSDCallback(interval=2), epochs=3, logger=loggers)
    history, events = logged(tmp_path / "board" / "version_0"), events_of(tmp_path / "board" / "version_0")
    assert history.epochs == [2, 3]
    steps = [event.step for event in events.Scalars("loss")][1:]
    with (tmp_path / "table" / "version_0" / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["psd images/centroid"]]
    assert [int(row["step"]) for row in rows] == steps
    assert [int(row["epoch"]) + 1 for row in rows] == history.epochs
    for kind, name in (("images", "psd images"), ("gradients", "psd input gradients")):
        for label, value in history.scalars(kind).items():
            found = events.Scalars(f"{name}/{label}")
            assert [event.step for event in found] == steps
            assert found[-1].value == pytest.approx(value, rel=1e-6)
            assert float(rows[-1][f"{name}/{label}"]) == pytest.approx(value, rel=1e-6)
        for figure in ("curve", "epochs"):
            assert [event.step for event in events.Images(f"{name}/{figure}")] == steps


def test_without_a_logger_there_is_the_file(tmp_path):
    fitted(tmp_path, PSDCallback(), logger=False, epochs=1)
    assert [path.name for path in tmp_path.iterdir()] == ["psd.npz"]


def test_samples_are_those_before_the_step_and_weights_those_after_the_epoch(tmp_path):
    weights = []

    class Copies(pl.Callback):
        def on_train_epoch_end(self, trainer, module):
            weights.append({name: value.clone() for name, value in module.network.state_dict().items()})

    module = Module(noise=0.5)  # the images are changed in place
    fitted(tmp_path, PSDCallback(max_samples=6), Copies(), module=module, epochs=2)
    for epoch, state in enumerate(weights):
        network = classifier()
        network.load_state_dict(state)
        images = torch.cat(module.given[3 * epoch : 3 * epoch + 2])[:6]
        expected = learning_priority(network, LOSS, images, torch.tensor([0, 1] * 3))[1].mean(0)
        np.testing.assert_allclose(logged(tmp_path).mean["gradients"][epoch], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("form", "settings"),
    [
        (lambda pair: {"image": pair[0], "label": pair[1]}, {}),
        (list, {}),
        (lambda pair: {"t1": pair[0], "torn": pair[1]}, {"keys": ("t1", "torn")}),
        (lambda pair: {"t1": pair[0], "torn": pair[1]}, {"prepare_batch": lambda batch: tuple(batch.values())}),
    ],
    ids=["dictionary", "list", "keys", "function"],
)
def test_forms_of_batches(tmp_path, form, settings):
    fitted(tmp_path / "pairs", PSDCallback(), epochs=1)
    fitted(tmp_path / "form", PSDCallback(**settings), batches=list(map(form, batches_of())), epochs=1)
    assert (tmp_path / "pairs/psd.npz").read_bytes() == (tmp_path / "form/psd.npz").read_bytes()


def test_places_of_a_longer_batch(tmp_path):
    class Third(Module):
        def training_step(self, batch, batch_idx):
            return super().training_step([batch[2], batch[0]], batch_idx)

    batches = [(labels, "name", images) for images, labels in batches_of()]
    fitted(tmp_path / "pairs", PSDCallback(), epochs=1)
    fitted(tmp_path / "form", PSDCallback(keys=(2, 0)), module=Third(), batches=batches, epochs=1)
    assert (tmp_path / "pairs/psd.npz").read_bytes() == (tmp_path / "form/psd.npz").read_bytes()


def test_a_network_and_a_loss_of_ones_own(tmp_path):
    class Bare(Module):
        forward = pl.LightningModule.forward  # not defined
        criterion = LOSS

        def __init__(self):
            super().__init__()
            del self.loss

        def training_step(self, batch, batch_idx):
            return self.criterion(self.network(batch[0]), batch[1])

    module = Bare()
    callback = PSDCallback(network=module.network, loss=module.criterion)
    fitted(tmp_path / "bare", callback, module=module, epochs=1)
    fitted(tmp_path / "usual", PSDCallback(), epochs=1)
    assert (tmp_path / "bare/psd.npz").read_bytes() == (tmp_path / "usual/psd.npz").read_bytes()


# when


def test_a_validation_is_looked_at_but_not_the_check_before_the_training(tmp_path):
    _, module = fitted(
        tmp_path,
        PSDCallback(on="validation", interval=2),
        validation=batches_of(2, seed=7),
        epochs=3,
        num_sanity_val_steps=2,
    )
    history, (images, labels) = (
        logged(tmp_path),
        (torch.cat(parts) for parts in zip(*batches_of(2, seed=7), strict=True)),
    )
    assert (history.epochs, history.samples) == ([2, 3], [8, 8])
    np.testing.assert_array_equal(*history.mean["images"])
    expected = learning_priority(module.network, LOSS, images, labels)[1].mean(0)
    np.testing.assert_allclose(history.mean["gradients"][-1], expected, rtol=1e-4, atol=1e-5)


def test_the_end_is_logged_with_the_samples_of_the_last_validation(tmp_path):
    _, module = fitted(
        tmp_path,
        PSDCallback(on="validation", interval=9),
        validation=batches_of(1, seed=7),
        epochs=3,
        check_val_every_n_epoch=2,
    )
    images, labels = batches_of(1, seed=7)[0]
    assert logged(tmp_path).epochs == [3]
    expected = learning_priority(module.network, LOSS, images, labels)[1].mean(0)
    np.testing.assert_allclose(logged(tmp_path).mean["gradients"][-1], expected, rtol=1e-4, atol=1e-5)


def test_several_validations_in_an_epoch_and_several_loaders(tmp_path):
    module, trainer = Module(), trainer_in(tmp_path, PSDCallback(on="validation"), epochs=2, val_check_interval=0.5)
    trainer.fit(module, Loader(batches_of(4)), [Loader(batches_of(1, seed=7)), Loader(batches_of(1, size=3, seed=8))])
    assert (logged(tmp_path).epochs, logged(tmp_path).samples) == ([1, 2], [7, 7])
    assert [event.step for event in events_of(tmp_path).Scalars("psd images/centroid")] == [1, 3, 5, 7]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({"max_steps": 4}, [1, 2]), ({"max_steps": 6}, [1, 2]), ({"max_steps": 4, "interval": 3}, [2])],
)
def test_a_training_that_ends_within_an_epoch(tmp_path, settings, expected):
    callback = PSDCallback(interval=settings.pop("interval", 1))
    fitted(tmp_path, callback, epochs=9, **settings)
    assert logged(tmp_path).epochs == expected
    assert logged(tmp_path).samples[-1] == (4 if settings["max_steps"] == 4 else 8)
    assert len(callback._samples.batches) == 0


def test_early_stopping(tmp_path):
    stop = pl.callbacks.EarlyStopping("val_loss", patience=1, min_delta=100)
    fitted(tmp_path, PSDCallback(interval=9), stop, validation=batches_of(1), epochs=9)
    assert logged(tmp_path).epochs == [2]


def test_a_fast_run_writes_nothing(tmp_path):
    callback = PSDCallback(tmp_path / "logs")
    fitted(tmp_path, callback, fast_dev_run=True)
    assert list(tmp_path.iterdir()) == []
    assert callback._log.history.epochs == [1]  # and yet all was tried


def test_evaluation_alone_logs_nothing(tmp_path):
    trainer = trainer_in(tmp_path, PSDCallback(tmp_path / "logs", on="validation"))
    trainer.validate(Module(), Loader(batches_of()), verbose=False)
    assert not (tmp_path / "logs").exists()


# the training never notices


def all_of(folder, *callbacks, **settings):
    trainer, module = fitted(folder, *callbacks, module=Module(noise=0.1), validation=batches_of(1, seed=7), **settings)
    return {
        "losses": module.losses,
        "weights": module.state_dict(),
        "modes": [part.training for part in module.modules()],
        "optimizer": trainer.optimizers[0].state_dict(),
        "draws": [torch.rand(2), np.random.rand(2).tolist(), random.random()],
    }


def noisy(batch):
    return batch[0] + torch.rand(1) + np.random.rand() + random.random(), batch[1]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"interval": 2, "artifact": RandGibbsNoise(prob=1), "prepare_batch": noisy},
        {"on": "validation", "artifact": RandGibbsNoise(prob=1)},
    ],
    ids=["train", "artifact and noise", "validation"],
)
@pytest.mark.parametrize(
    "training",
    [{}, {"accumulate_grad_batches": 2, "precision": "bf16-mixed", "gradient_clip_val": 0.5}],
    ids=["plain", "accumulated in half precision"],
)
def test_the_training_is_the_same_bit_for_bit(tmp_path, settings, training):
    expected = all_of(tmp_path / "without", **training)
    assert_same(all_of(tmp_path / "with", PSDCallback(**settings), **training), expected)
    assert logged(tmp_path / "with").epochs
    assert np.isfinite(logged(tmp_path / "with").mean["gradients"]).all()


def test_a_network_in_half_precision(tmp_path):
    fitted(tmp_path, PSDCallback(), epochs=1, precision="bf16-true")
    assert np.isfinite(logged(tmp_path).mean["gradients"]).all()


# resuming


def test_a_training_that_goes_on_from_a_checkpoint_goes_on_with_the_file(tmp_path):
    trainer, _ = fitted(tmp_path, PSDCallback(tmp_path / "whole"), epochs=4)
    trainer, _ = fitted(tmp_path, PSDCallback(tmp_path / "logs"), epochs=2)
    trainer.save_checkpoint(tmp_path / "last.ckpt", weights_only=False)
    before = logged(tmp_path / "logs")
    fitted(tmp_path, PSDCallback(tmp_path / "logs"), epochs=4, ckpt_path=tmp_path / "last.ckpt")
    history = logged(tmp_path / "logs")
    assert history.epochs == [1, 2, 3, 4]
    np.testing.assert_array_equal(history.mean["gradients"][:2], before.mean["gradients"])
    np.testing.assert_array_equal(history.mean["gradients"][:2], logged(tmp_path / "whole").mean["gradients"][:2])
    assert not (tmp_path / "logs" / "previous").exists()
    fitted(tmp_path, PSDCallback(tmp_path / "logs"), epochs=1)
    assert logged(tmp_path / "logs").epochs == [1]
    assert logged(tmp_path / "logs" / "previous" / "1").epochs == [1, 2, 3, 4]


def test_a_training_that_goes_on_within_an_epoch(tmp_path):
    trainer, _ = fitted(tmp_path, PSDCallback(tmp_path / "logs", interval=9), epochs=9, max_steps=5)
    trainer.save_checkpoint(tmp_path / "last.ckpt", weights_only=False)
    assert logged(tmp_path / "logs").epochs == [2]
    fitted(tmp_path, PSDCallback(tmp_path / "logs"), epochs=3, ckpt_path=tmp_path / "last.ckpt")
    assert logged(tmp_path / "logs").epochs[-1] == 3


@pytest.mark.slow
def test_two_processes(tmp_path):
    """The first one logs, none waits for another, and the weights are those of a training without the callback."""
    script = tmp_path / "train.py"
    script.write_text(TWO_PROCESSES)
    said = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert said.returncode == 0, said.stdout
    states = {path.name: torch.load(path, weights_only=True) for path in tmp_path.glob("*.pt")}
    assert set(states) == {"plain 0.pt", "plain 1.pt", "logged 0.pt", "logged 1.pt"}
    for rank in "01":
        assert_same(states[f"logged {rank}.pt"], states[f"plain {rank}.pt"])
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("psd.npz")] == ["logs/psd.npz"]
    assert (logged(tmp_path / "logs").epochs, logged(tmp_path / "logs").samples) == ([1, 2], [3, 3])


TWO_PROCESSES = """
import torch, lightning.pytorch as pl
from torch import nn
from monai_freq.lightning import PSDCallback

class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        parts = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.3), nn.Flatten(), nn.Linear(200, 2)
        self.network = nn.Sequential(*parts)
        self.loss = nn.CrossEntropyLoss()
    def forward(self, images):
        return self.network(images)
    def training_step(self, batch, batch_idx):
        return self.loss(self(batch[0]), batch[1])
    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)

images = torch.rand(12, 1, 12, 12, generator=torch.Generator().manual_seed(0))
data = torch.utils.data.TensorDataset(images, torch.arange(12) % 2)
for name in ("plain", "logged"):
    pl.seed_everything(0, verbose=False)
    module = Module()
    callbacks = [PSDCallback("logs", max_samples=3)] if name == "logged" else []
    trainer = pl.Trainer(
        max_epochs=2, accelerator="cpu", devices=2, strategy="ddp", logger=False, callbacks=callbacks,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )
    trainer.fit(module, torch.utils.data.DataLoader(data, batch_size=3, shuffle=True))
    state = {"network": module.network.state_dict(), "random": torch.get_rng_state()}
    torch.save(state, f"{name} {trainer.global_rank}.pt")
"""


# what is refused


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"t1": torch.rand(2, 1, 8, 8)}, r"images at 'image' and labels at 'label', got one of \['t1'\]: .*keys=..."),
        (
            (torch.rand(2, 1, 8, 8),) * 3,
            r"images at 0 and labels at 1, got .*: name others with PSDCallback\(keys=...\)",
        ),
        (torch.rand(2, 1, 8, 8), "got a Tensor: name others"),
        (
            [torch.rand(2, 1, 8, 8), ["torn", "healthy"]],
            r"an 'label' that is a tensor, got list: PSDCallback\(prepare_",
        ),
    ],
)
def test_a_batch_of_something_else_is_refused(tmp_path, batch, message):
    with pytest.raises(ValueError, match=message):
        fitted(tmp_path, PSDCallback(), batches=[batch])


def test_a_missing_loss_is_named_before_the_training(tmp_path):
    module = Module()
    del module.loss
    with pytest.raises(ValueError, match=r"'loss' is needed, as Module has no function .*: PSDCallback\(loss=...\)"):
        fitted(tmp_path, PSDCallback(), module=module)
    assert module.given == []


def test_a_strategy_that_splits_the_network_is_refused(tmp_path, monkeypatch):
    trainer = trainer_in(tmp_path)
    monkeypatch.setattr(type(trainer), "strategy", pl.strategies.FSDPStrategy())
    with pytest.raises(ValueError, match="needs the whole network in one process, and FSDPStrategy splits it"):
        PSDCallback().on_fit_start(trainer, Module())


def test_a_logger_that_writes_elsewhere_needs_a_folder_here(tmp_path):
    class Remote(CSVLogger):
        log_dir = "s3://bucket/runs"

    with pytest.raises(ValueError, match="'log_dir' is needed, as s3://bucket/runs, where the logger writes, is no"):
        PSDCallback().on_fit_start(trainer_in(tmp_path, logger=Remote(tmp_path)), Module())
    PSDCallback(tmp_path).on_fit_start(trainer_in(tmp_path, logger=Remote(tmp_path)), Module())


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"interval": 0}, ValueError, "'interval' must be a positive integer, got 0"),
        ({"max_samples": None}, ValueError, "'max_samples' must be a positive integer"),
        ({"tag": "a/../b"}, ValueError, "'tag' must name a file within the folder"),
        ({"artifact": 3}, TypeError, "'artifact' must be a transform"),
        ({"log_dir": 3}, TypeError, "'log_dir' must be the path of a folder, got 3"),
        ({"loss": nn.CrossEntropyLoss}, TypeError, "'loss' must be callable, made and ready, got the class Cross"),
        ({"prepare_batch": "image"}, TypeError, "'prepare_batch' must be callable"),
        ({"keys": "image"}, ValueError, "'keys' must be the key of the images and that of the labels.* got 'image'"),
        ({"keys": 3}, ValueError, "'keys' must be the key of the images and that of the labels.* got 3"),
        ({"keys": ("a", "b"), "prepare_batch": noisy}, ValueError, "without a 'prepare_batch'"),
        ({"on": "test"}, ValueError, "'on' must be one of train, validation, got 'test'"),
    ],
)
def test_a_bad_setting_is_refused(settings, error, message):
    with pytest.raises(error, match=message):
        PSDCallback(**settings)


def test_without_lightning_one_line_names_the_extra(monkeypatch):
    monkeypatch.delitem(sys.modules, "monai_freq.lightning")
    for name in [name for name in sys.modules if name.partition(".")[0] == "lightning"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r'^PSDCallback needs Lightning: pip install "monai_freq\[lightning\]"$'):
        importlib.import_module("monai_freq.lightning")
