"""What is logged is what was trained on, recomputed here by other means; and the training never notices."""

import copy
import logging
import math
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from faulty_artifacts import shortened
from ignite.engine import Engine, Events
from loops import Listing, classifier, optimizer_of, seed_all
from monai.data import CacheDataset, DataLoader, Dataset, MetaTensor
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import ValidationHandler
from monai.inferers import SlidingWindowInferer
from monai.networks.nets import DynUNet, SegResNetDS, UNet, ViT
from monai.transforms import Compose, RandGaussianNoise, RandGaussianNoised, RandGibbsNoise, RandGibbsNoised
from reference_psd import numpy_frequencies, numpy_psd
from sameness import assert_same
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch.utils.tensorboard import SummaryWriter

from monai_freq.handlers import PSDHandler, PSDHistory
from monai_freq.losses import SpectralDecouplingLoss
from monai_freq.spectral.learning_priority import learning_priority
from monai_freq.spectral.psd import band_shares, centroid, overlap, radial_psd
from monai_freq.transforms import FourierLowPass, artifact_psd

IMAGES, GRADIENTS, ARTIFACT = "psd images", "psd input gradients", "psd artifact"
SCALARS = {"low share", "mid share", "high share", "centroid"}


pytestmark = pytest.mark.usefixtures("undrawn")


def items_of(n=6, shape=(1, 16, 12), seed=0, task="classification"):
    generator = torch.Generator().manual_seed(seed)
    images = [torch.rand(shape, generator=generator) for _ in range(n)]
    labels = [torch.tensor(place % 2) for place in range(n)]
    if task == "segmentation":
        labels = [(image[0] > 0.5).long() for image in images]
    return [{"image": MetaTensor(image), "label": label} for image, label in zip(images, labels, strict=True)]


def trainer_of(items, network=None, epochs=1, loss=None, batch_size=2, loader=None, **settings):
    """A trainer of MONAI, of weights and generators that are always the same."""
    seed_all()
    network = classifier() if network is None else network()
    data = items if isinstance(items, torch.utils.data.Dataset) else Dataset(items)
    return SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=epochs,
        train_data_loader=loader or DataLoader(data, batch_size=batch_size),
        network=network,
        optimizer=optimizer_of(network),
        loss_function=nn.CrossEntropyLoss() if loss is None else loss,
        **settings,
    )


def evaluator_of(items, network, batch_size=2, **settings):
    loader = DataLoader(items if isinstance(items, Dataset) else Dataset(items), batch_size=batch_size)
    return SupervisedEvaluator(device=torch.device("cpu"), val_data_loader=loader, network=network, **settings)


def logged(folder, tag="psd"):
    return PSDHistory.load(Path(folder, f"{tag}.npz"))


def events_of(folder):
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    return events


def steps(events, tag):
    found = events.Scalars(tag) if tag in events.Tags()["scalars"] else events.Images(tag)
    return [event.step for event in found]


def input_gradient_psd(network, loss, image, label):
    """Learning priority of one sample by plain autograd."""
    x = image[None].clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(network.eval()(x), label[None]), x)
    density = unitary_psd(gradient[0].sum(0))
    return (density - density.min()) / (density.max() - density.min())


def unitary_psd(image):
    """Of the transform that keeps the norm, as the handler logs it."""
    return numpy_psd(image, norm="ortho")


def unitary_artifact_psd(artifact, images, *key):
    return artifact_psd(artifact, images, *key)[1] / images[0, 0].numel() ** 0.5


def stacked(items, n, key="image"):
    return torch.stack([torch.as_tensor(item[key]) for item in items[:n]])


def assert_logs(folder, kind, densities, place=-1, **tolerance):
    """Mean and SD of densities (n, K) are what the file has of an epoch."""
    history, densities = logged(folder), np.asarray(densities)
    tolerance = {"rtol": 1e-3, "atol": 1e-4 * np.abs(densities).max()} | tolerance
    assert history.samples[place] == len(densities)
    np.testing.assert_allclose(history.mean[kind][place], densities.mean(0), **tolerance)
    np.testing.assert_allclose(history.sd[kind][place], densities.std(0, ddof=1), **tolerance)


# what is logged, and when


@pytest.mark.parametrize(("interval", "expected"), [(1, [1, 2, 3, 4]), (2, [2, 4]), (3, [3, 4]), (5, [4])])
def test_curves_heat_maps_scalars_and_a_file_every_interval_and_at_the_end(tmp_path, interval, expected):
    trainer = trainer_of(items_of(), epochs=4)
    PSDHandler(log_dir=tmp_path, interval=interval).attach(trainer)
    trainer.run()
    events = events_of(tmp_path)
    names = IMAGES, GRADIENTS
    assert set(events.Tags()["scalars"]) == {f"{name}/{scalar}" for name in names for scalar in SCALARS}
    assert set(events.Tags()["images"]) == {f"{name}/{figure}" for name in names for figure in ("curve", "epochs")}
    for tag in events.Tags()["scalars"] + events.Tags()["images"]:
        assert steps(events, tag) == expected
    assert logged(tmp_path).epochs == expected


@pytest.mark.usefixtures("drawn")
def test_with_nothing_but_a_folder_a_bounded_number_of_samples_is_logged(tmp_path):
    trainer = trainer_of(items_of(30), epochs=2, batch_size=5)
    handler = PSDHandler(log_dir=tmp_path)
    handler.attach(trainer)
    kept = []
    trainer.add_event_handler(
        Events.ITERATION_COMPLETED, lambda: kept.append(sum(len(images) for images, _ in handler._samples.batches))
    )
    trainer.run()
    assert logged(tmp_path).samples == [8, 8]
    assert kept == [5, 8, 8, 8, 8, 8] * 2
    assert handler._samples.batches == []  # no memory is held between epochs


@pytest.mark.parametrize("max_samples", [1, 5, 100])
def test_values_are_those_of_the_first_samples_and_the_weights_at_the_end_of_the_epoch(tmp_path, max_samples):
    items = items_of(7, shape=(1, 15, 12))
    artifact = RandGibbsNoise(prob=1, alpha=(0.4, 0.9))
    trainer = trainer_of(items, epochs=2, batch_size=3)
    PSDHandler(log_dir=tmp_path, max_samples=max_samples, artifact=artifact).attach(trainer)
    weights = []
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: weights.append(copy.deepcopy(trainer.network)))
    trainer.run()
    history, count = logged(tmp_path), min(max_samples, 7)
    assert history.samples == [count, count]
    images, labels = stacked(items, count), stacked(items, count, "label")
    residual = unitary_artifact_psd(artifact, images)
    np.testing.assert_allclose(history.frequencies, numpy_frequencies((15, 12)), rtol=1e-6)
    for place, network in enumerate(weights):
        found = {kind: (history.mean[kind][place], history.sd[kind][place]) for kind in history.kinds}
        densities = {
            "images": [unitary_psd(image[0]) for image in images],
            "gradients": [
                input_gradient_psd(network, nn.functional.cross_entropy, image, label)
                for image, label in zip(images, labels, strict=True)
            ],
        }
        for kind, rows in densities.items():
            np.testing.assert_allclose(found[kind][0], np.mean(rows, 0), rtol=1e-3, atol=1e-4 * np.max(rows))
            spread = np.std(rows, 0, ddof=1) if count > 1 else 0
            np.testing.assert_allclose(found[kind][1], spread + 0 * rows[0], rtol=1e-3, atol=1e-4 * np.max(rows))
        by_hand = learning_priority(network, nn.CrossEntropyLoss(), images, labels)[1]
        np.testing.assert_allclose(found["gradients"][0], by_hand.mean(0), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(found["artifact"][0], residual, rtol=1e-5, atol=1e-6)
    assert not np.allclose(*history.mean["gradients"])  # the weights have moved
    np.testing.assert_array_equal(*history.mean["artifact"])  # and the artifact has not


@pytest.mark.usefixtures("drawn")
def test_scalars_are_those_of_the_densities_in_the_file(tmp_path):
    artifact = FourierLowPass(0.25)
    trainer = trainer_of(items_of(shape=(1, 24, 24)), epochs=2)
    PSDHandler(log_dir=tmp_path, artifact=artifact).attach(trainer)
    trainer.run()
    history, events = logged(tmp_path), events_of(tmp_path)
    frequencies = torch.from_numpy(history.frequencies)
    for kind, name in (("images", IMAGES), ("gradients", GRADIENTS), ("artifact", ARTIFACT)):
        for place in (0, 1):
            density = torch.from_numpy(history.mean[kind][place])
            expected = {f"{band} share": share for band, share in band_shares(frequencies, density).items()}
            expected["centroid"] = centroid(frequencies, density)
            if kind == "gradients":
                expected["overlap"] = overlap(density, torch.from_numpy(history.mean["artifact"][place]))
            for scalar, value in expected.items():
                assert events.Scalars(f"{name}/{scalar}")[place].value == pytest.approx(float(value), abs=1e-6)
    assert f"{IMAGES}/overlap" not in events.Tags()["scalars"]
    assert events.Scalars(f"{ARTIFACT}/low share")[0].value < 1e-4  # a low-pass filter takes away high frequencies


def test_the_overlap_with_a_given_density(tmp_path):
    items = items_of(shape=(1, 16, 16))
    given = artifact_psd(FourierLowPass(0.2), stacked(items, 6))
    trainer = trainer_of(items)
    PSDHandler(log_dir=tmp_path, artifact=given).attach(trainer)
    trainer.run()
    history, events = logged(tmp_path), events_of(tmp_path)
    assert history.kinds == ("images", "gradients", "artifact")
    np.testing.assert_allclose(history.mean["artifact"][0], given[1], rtol=1e-6)
    expected = overlap(torch.from_numpy(history.mean["gradients"][0]), given[1].double())
    assert events.Scalars(f"{GRADIENTS}/overlap")[0].value == pytest.approx(float(expected), abs=1e-6)
    assert f"{ARTIFACT}/curve" not in events.Tags()["images"]


def test_a_finer_density_is_averaged_over_the_rings(tmp_path):
    trainer = trainer_of(items_of(shape=(1, 16, 16)))
    k = torch.linspace(0, 0.5, 1001, dtype=torch.float64)
    fine = (2 * math.pi * k).sin().clamp(min=0)
    fine[0] = 50  # DC, which stays by itself
    PSDHandler(log_dir=tmp_path, artifact=(k, fine)).attach(trainer)
    trainer.run()
    history = logged(tmp_path)
    ring = np.floor(16 * k.numpy() + 0.5 + 1e-6).clip(1, 8)
    expected = np.array([50, *(fine[1:][ring[1:] == number].mean() for number in range(1, 9))])
    np.testing.assert_allclose(history.mean["artifact"][0], expected, rtol=1e-9)
    common = overlap(torch.from_numpy(history.mean["gradients"][0]), torch.from_numpy(expected))
    value = events_of(tmp_path).Scalars(f"{GRADIENTS}/overlap")[0].value
    assert value == pytest.approx(float(common), abs=1e-6)


def test_a_coarser_density_is_that_of_the_ring_in_which_each_frequency_lies(tmp_path):
    trainer = trainer_of(items_of(shape=(1, 16, 16)))
    coarse = torch.tensor([0, 0.25, 0.5]), torch.tensor([7.0, 1.0, 3.0])
    PSDHandler(log_dir=tmp_path, artifact=coarse).attach(trainer)
    trainer.run()
    assert logged(tmp_path).mean["artifact"][0].tolist() == [7, 1, 1, 1, 1, 1, 3, 3, 3]


@pytest.mark.usefixtures("drawn")
def test_pictures_are_those_that_the_file_redraws(tmp_path):
    trainer = trainer_of(items_of(), epochs=2)
    PSDHandler(log_dir=tmp_path / "one", tag="psd").attach(trainer)
    trainer.run()
    with SummaryWriter(tmp_path / "two") as writer:
        for kind, name in (("images", IMAGES), ("gradients", GRADIENTS)):
            writer.add_figure(f"{name}/curve", logged(tmp_path / "one").curve(kind), 2)
            writer.add_figure(f"{name}/epochs", logged(tmp_path / "one").heat_map(kind), 2)
    one, two = events_of(tmp_path / "one"), events_of(tmp_path / "two")
    for tag in two.Tags()["images"]:
        assert one.Images(tag)[-1].encoded_image_string == two.Images(tag)[-1].encoded_image_string


def test_a_shared_writer_and_a_tag(tmp_path):
    trainer = trainer_of(items_of())
    with SummaryWriter(tmp_path / "shared") as writer:
        PSDHandler(writer, log_dir=tmp_path / "unused", tag="train").attach(trainer)
        PSDHandler(writer, tag="again").attach(trainer)
        trainer.run()
    events = events_of(tmp_path / "shared")
    assert {tag.split()[0] for tag in events.Tags()["scalars"]} == {"train", "again"}
    assert sorted(path.name for path in (tmp_path / "shared").glob("*.npz")) == ["again.npz", "train.npz"]
    assert not (tmp_path / "unused").exists()


def test_many_channels_are_averaged_for_the_image_and_summed_for_the_gradient(tmp_path):
    items = items_of(4, shape=(3, 12, 12))
    trainer = trainer_of(items, lambda: nn.Sequential(nn.Flatten(), nn.Linear(3 * 144, 2)))
    PSDHandler(log_dir=tmp_path).attach(trainer)
    trainer.run()
    assert_logs(tmp_path, "images", [np.mean([unitary_psd(c) for c in image], 0) for image in stacked(items, 4)])
    expected = [
        input_gradient_psd(trainer.network, nn.functional.cross_entropy, torch.as_tensor(i["image"]), i["label"])
        for i in items
    ]
    assert_logs(tmp_path, "gradients", expected)


# the training never notices


class Chance(Dataset):
    """Items that depend on every generator there is."""

    def __getitem__(self, place):
        item = super().__getitem__(place)
        shift = random.random() + np.random.rand() + torch.rand(1)
        return {**item, "image": item["image"] + 0.1 * shift}


def chancy_loss(output, label):
    """Draws from the generators that a forward pass of the network usually leaves alone."""
    return nn.functional.cross_entropy(output, label) * (1 + random.random() + np.random.rand())


def trained(
    folder=None, *, network=classifier, loss=None, workers=0, on="trainer", prepare=False, cache=False, **settings
):
    """Train for three epochs, with the handler if there is a folder; everything that there is to know of it."""
    noise = RandGaussianNoised("image", prob=1, std=0.2)
    chain = Compose([noise, RandGibbsNoised("image", prob=0.5)]).set_random_state(3)
    data = CacheDataset(items_of(), chain, progress=False) if cache else Chance(items_of(), chain)
    of_batch = RandGaussianNoise(prob=1, std=0.1).set_random_state(5)

    def noisy_batch(batch, device, blocking, **kwargs):
        return of_batch(batch.pop("image")), batch.pop("label")

    loader = DataLoader(data, batch_size=2, num_workers=workers, shuffle=True)
    trainer = trainer_of(
        data, network, epochs=3, loss=loss, loader=loader, **({"prepare_batch": noisy_batch} if prepare else {})
    )
    evaluator = evaluator_of(Chance(items_of(seed=4), chain), trainer.network)
    ValidationHandler(1, evaluator).attach(trainer)
    if folder is not None:
        artifact = {"shared": noise, "array": noise.rand_gaussian_noise, None: None}[settings.pop("artifact", "shared")]
        engine = {"trainer": trainer, "evaluator": evaluator}[on]
        if on == "evaluator":
            settings["trainer"] = trainer
        PSDHandler(log_dir=folder, artifact=artifact, **settings).attach(engine)
    losses = []
    trainer.add_event_handler(Events.ITERATION_COMPLETED, lambda engine: losses.append(engine.state.output[0]["loss"]))
    trainer.run()
    return {
        "losses": losses,
        "network": trainer.network.state_dict(),
        "modes": [module.training for module in trainer.network.modules()],
        "gradients": [p.grad for p in trainer.network.parameters()],
        "optimizer": trainer.optimizer.state_dict(),
        "python": list(random.getstate()[1]),
        "numpy": [np.random.get_state()[1].tolist(), np.random.get_state()[2]],
        "torch": torch.get_rng_state(),
        "transforms": [
            noise.R.random_sample(),
            noise.rand_gaussian_noise.R.random_sample(),
            of_batch.R.random_sample(),
        ],
    }


class Checkpointed(nn.Module):
    """Gradient checkpointing: the forward pass runs again within the backward pass."""

    def __init__(self, reentrant):
        super().__init__()
        self.reentrant = reentrant
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.body = nn.Sequential(nn.BatchNorm2d(4), nn.Dropout(0.3), nn.ReLU(), nn.Conv2d(4, 4, 3))
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        x = self.stem(x)
        again = torch.is_grad_enabled()  # which a validation is without
        x = checkpoint(self.body, x, use_reentrant=self.reentrant) if again else self.body(x)
        return self.head(x.mean((2, 3)))


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, id="trainer"),
        pytest.param({"artifact": "array"}, id="inner transform"),
        pytest.param({"artifact": None, "interval": 2, "max_samples": 3}, id="no artifact"),
        pytest.param({"on": "evaluator"}, id="evaluator"),
        pytest.param({"prepare": True}, id="random prepare_batch that empties the batch"),
        pytest.param({"workers": 2}, id="workers"),
        pytest.param({"cache": True}, id="cache"),
        pytest.param({"loss": chancy_loss, "artifact": None}, id="random loss"),
        pytest.param({"network": lambda: Checkpointed(True)}, id="reentrant checkpoints"),
        pytest.param({"network": lambda: Checkpointed(False)}, id="checkpoints"),
    ],
)
def test_the_training_is_the_same_bit_for_bit(tmp_path, settings):
    setting_up = {key: settings[key] for key in settings if key in ("network", "loss", "workers", "prepare", "cache")}
    expected = trained(**setting_up)
    assert_same(trained(**setting_up), expected)  # without it, too
    found = trained(tmp_path, **settings)
    assert_same(found, expected)
    assert len(found["losses"]) == 9
    assert logged(tmp_path).epochs == ([2, 3] if "interval" in settings else [1, 2, 3])


def test_a_loss_that_counts_its_calls_is_not_disturbed(tmp_path):
    states = []
    for folder in (None, tmp_path):
        loss = SpectralDecouplingLoss(nn.CrossEntropyLoss(), lam=0.1, delay=4)
        trainer = trainer_of(items_of(), epochs=3, loss=loss)
        if folder:
            PSDHandler(log_dir=folder).attach(trainer)
        trainer.run()
        assert loss.training
        states.append([loss.state_dict(), trainer.network.state_dict()])
    assert states[0][0]
    assert_same(*states)


def test_what_is_logged_is_what_the_network_was_given(tmp_path):
    """A random ``prepare_batch`` is asked once, and its result is what is logged."""
    noise = RandGaussianNoise(prob=1, std=1).set_random_state(2)
    calls = []

    def noisy(batch, device, blocking, **kwargs):
        calls.append(len(batch["image"]))
        return noise(batch["image"].as_tensor()), batch["label"]

    trainer = trainer_of(items_of(), prepare_batch=noisy)
    given = []
    trainer.network.register_forward_pre_hook(lambda module, args: given.extend(args[0]) if module.training else None)
    PSDHandler(log_dir=tmp_path).attach(trainer)
    trainer.run()
    assert calls == [2, 2, 2]
    assert_logs(tmp_path, "images", [unitary_psd(image[0]) for image in given])


@pytest.mark.slow
def test_two_processes(tmp_path):
    """The first one logs, none waits for another, and the weights are what they are without the handler."""
    script = tmp_path / "train.py"
    script.write_text(TWO_PROCESSES)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "WORLD_SIZE": "2", "CUDA_VISIBLE_DEVICES": ""}
    processes = [
        subprocess.Popen(
            [sys.executable, str(script), str(tmp_path)],
            env=environment | {"RANK": rank, "LOCAL_RANK": rank},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in "01"
    ]
    for process in processes:
        said, _ = process.communicate(timeout=300)
        assert process.returncode == 0, said
    states = {path.name: torch.load(path, weights_only=True) for path in tmp_path.glob("*.pt")}
    assert set(states) == {"plain 0.pt", "plain 1.pt", "logged 0.pt", "logged 1.pt"}
    for rank in "01":
        assert_same(states[f"logged {rank}.pt"], states[f"plain {rank}.pt"])
    for name, weight in states["logged 0.pt"]["network"].items():
        assert "running" in name or torch.equal(weight, states["logged 1.pt"]["network"][name])
    assert [path.name for path in tmp_path.glob("logs*")] == ["logs"]
    assert len(list((tmp_path / "logs").glob("events*"))) == 1
    assert logged(tmp_path / "logs").epochs == [1, 2]
    assert logged(tmp_path / "logs").samples == [3, 3]
    assert_logs(tmp_path / "logs", "images", [unitary_psd(image) for image in states["plain 0.pt"]["images"]])


TWO_PROCESSES = """
import sys
from datetime import timedelta
import torch
from monai.engines import SupervisedTrainer
from torch import distributed, nn
from monai_freq.handlers import PSDHandler
from monai_freq.transforms import FourierLowPass

folder = sys.argv[1]
late = timedelta(seconds=120)
distributed.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=RANK, world_size=2, timeout=late)
rank = distributed.get_rank()
images = torch.rand(2, 3, 1, 12, 12, generator=torch.Generator().manual_seed(rank))
batches = [{"image": image, "label": torch.tensor([0, 1, 1])} for image in images]
for name in ("plain", "logged"):
    torch.manual_seed(0)
    bare = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(0.3), nn.Flatten(), nn.Linear(200, 2))
    network = nn.parallel.DistributedDataParallel(bare)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    trainer = SupervisedTrainer(torch.device("cpu"), 2, batches, network, optimizer, nn.CrossEntropyLoss())
    if name == "logged":
        handler = PSDHandler(log_dir=f"{folder}/logs", max_samples=3, artifact=FourierLowPass(0.2))
        handler.attach(trainer)
        assert str(handler.file) == f"{folder}/logs/psd.npz"
    trainer.run()
    state = {"network": bare.state_dict(), "random": torch.get_rng_state(), "images": images[0, :, 0]}
    torch.save(state, f"{folder}/{name} {rank}.pt")
handler.close()
distributed.barrier()
distributed.destroy_process_group()
""".replace("RANK", 'int(__import__("os").environ["RANK"])')


def test_samples_are_copies_of_what_may_be_written_over(tmp_path):
    """As loaders that fill one buffer again and again do, and networks that work in place."""
    items, buffer = items_of(6), torch.empty(2, 1, 16, 12)

    def batches():
        for start in (0, 2, 4):
            yield buffer.copy_(stacked(items, 6)[start : start + 2]), torch.tensor([0, 1])

    engine = Engine(lambda engine, batch: None)
    PSDHandler(log_dir=tmp_path, network=classifier(), loss=nn.CrossEntropyLoss()).attach(engine)
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: buffer.zero_())
    engine.run(batches(), epoch_length=3)
    assert_logs(tmp_path, "images", [unitary_psd(image[0]) for image in stacked(items, 6)])


# engines


def test_an_evaluator_with_a_loss_of_its_own(tmp_path):
    torch.manual_seed(0)
    network, items = classifier(), items_of(5)
    evaluator = evaluator_of(items, network)
    PSDHandler(log_dir=tmp_path, loss=nn.CrossEntropyLoss(), max_samples=4).attach(evaluator)
    for epoch in (3, 6, 6):  # a second look at an epoch takes the place of the first one
        evaluator.run(epoch)
    assert logged(tmp_path).epochs == [3, 6]
    assert not (tmp_path / "previous").exists()
    expected = learning_priority(network, nn.CrossEntropyLoss(), stacked(items, 4), stacked(items, 4, "label"))[1]
    assert_logs(tmp_path, "gradients", expected)


def test_an_evaluator_that_skips_the_epoch_that_is_due_logs_the_next(tmp_path):
    torch.manual_seed(0)
    evaluator = evaluator_of(items_of(5), classifier())
    PSDHandler(log_dir=tmp_path, loss=nn.CrossEntropyLoss(), interval=5).attach(evaluator)
    for epoch in range(2, 22, 2):
        evaluator.run(epoch)
    assert logged(tmp_path).epochs == [6, 10, 16, 20]


def test_an_evaluator_with_its_trainer_has_its_loss_and_its_epochs(tmp_path):
    trainer = trainer_of(items_of(), epochs=4)
    evaluator = evaluator_of(items_of(4, seed=9), trainer.network)
    PSDHandler(log_dir=tmp_path, trainer=trainer, interval=2, tag="val").attach(evaluator)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run())  # which counts from 1 each time
    trainer.run()
    assert logged(tmp_path, "val").epochs == [2, 4]
    assert steps(events_of(tmp_path), "val images/curve") == [2, 4]
    items = items_of(4, seed=9)
    expected = learning_priority(trainer.network, nn.CrossEntropyLoss(), stacked(items, 4), stacked(items, 4, "label"))
    np.testing.assert_allclose(logged(tmp_path, "val").mean["gradients"][-1], expected[1].mean(0), rtol=1e-3, atol=1e-5)


def test_a_plain_engine_with_tuples(tmp_path):
    torch.manual_seed(0)
    network, items = classifier(), items_of(4)
    batches = [(stacked(items, 4), stacked(items, 4, "label"))]
    engine = Engine(lambda engine, batch: None)
    PSDHandler(log_dir=tmp_path, network=network, loss=nn.CrossEntropyLoss()).attach(engine)
    engine.run(batches, max_epochs=2)
    assert logged(tmp_path).epochs == [1, 2]
    assert_logs(tmp_path, "gradients", learning_priority(network, nn.CrossEntropyLoss(), *batches[0])[1])


@pytest.mark.parametrize("as_batch", [tuple, list, lambda pair: {"image": pair[0], "label": pair[1]}])
def test_batches_are_pairs_or_dictionaries(tmp_path, as_batch):
    items = items_of(4)
    trainer = trainer_of(items, loader=[as_batch((stacked(items, 4), stacked(items, 4, "label")))])
    PSDHandler(log_dir=tmp_path).attach(trainer)
    trainer.run()
    assert_logs(tmp_path, "images", [unitary_psd(image[0]) for image in stacked(items, 4)])


def test_other_keys_through_prepare_batch(tmp_path):
    items = [{"t1": item["image"], "torn": item["label"]} for item in items_of(4)]
    trainer = trainer_of(items, prepare_batch=lambda batch, *args, **kwargs: (batch["t1"], batch["torn"]))
    PSDHandler(log_dir=tmp_path).attach(trainer)
    trainer.run()
    assert_logs(tmp_path, "images", [unitary_psd(image[0]) for image in stacked(items, 4, "t1")])


def test_an_iteration_of_ones_own(tmp_path):
    def update(engine, batch):
        image, label = engine.prepare_batch(batch)
        engine.optimizer.zero_grad()
        engine.loss_function(engine.network(image), label).backward()
        engine.optimizer.step()

    items = items_of(4)
    trainer = trainer_of(items, epochs=2, iteration_update=update)
    PSDHandler(log_dir=tmp_path).attach(trainer)
    trainer.run()
    assert logged(tmp_path).epochs == [1, 2]
    assert_logs(tmp_path, "images", [unitary_psd(image[0]) for image in stacked(items, 4)])


@pytest.mark.parametrize("shape", [(1, 16, 12), (1, 8, 10, 6)])
def test_a_segmenter_and_a_sliding_window(tmp_path, shape):
    dims = len(shape) - 1
    torch.manual_seed(0)
    network = UNet(dims, 1, 2, channels=(4, 8), strides=(2,))
    items = items_of(3, shape=shape, task="segmentation")
    inferer = SlidingWindowInferer(roi_size=(8, 6, 4)[:dims], sw_batch_size=4, overlap=0.25)
    evaluator = evaluator_of(items, network, inferer=inferer)
    PSDHandler(log_dir=tmp_path, loss=nn.CrossEntropyLoss()).attach(evaluator)
    evaluator.run()

    class Windows(nn.Module):
        def forward(self, x):
            return inferer(x, network.eval())

    images, labels = stacked(items, 3), stacked(items, 3, "label")
    expected = learning_priority(Windows(), nn.CrossEntropyLoss(), images, labels)[1]
    assert_logs(tmp_path, "gradients", expected)
    whole = learning_priority(network, nn.CrossEntropyLoss(), images, labels)[1]
    assert not np.allclose(logged(tmp_path).mean["gradients"][0], whole.mean(0), rtol=1e-2)
    assert_logs(tmp_path, "images", [unitary_psd(image[0]) for image in images])


# networks


def dyn_unet():
    return DynUNet(2, 1, 2, [3] * 3, [1, 2, 2], [2, 2], filters=[4, 8, 8], deep_supervision=True, deep_supr_num=1)


def dice_free_loss(output, label):
    """Cross-entropy of every output, stacked or listed, at the label's size."""
    outputs = output.unbind(1) if isinstance(output, torch.Tensor) and output.ndim == 5 else output
    outputs = [outputs] if isinstance(outputs, torch.Tensor) else outputs
    sized = [nn.functional.interpolate(each, label.shape[1:]) for each in outputs]
    return sum(nn.functional.cross_entropy(each, label) for each in sized)


@pytest.mark.parametrize(
    "network",
    [dyn_unet, lambda: SegResNetDS(2, 4, blocks_down=(1, 1), dsdepth=2, out_channels=2), Listing],
    ids=["DynUNet, stacked", "SegResNetDS, listed", "listed in evaluation too"],
)
def test_deep_supervision(tmp_path, network):
    items = items_of(4, shape=(1, 16, 16), task="segmentation")
    trainer = trainer_of(items, network, loss=dice_free_loss)
    PSDHandler(log_dir=tmp_path).attach(trainer)
    PSDHandler(log_dir=tmp_path, loss=nn.CrossEntropyLoss(), tag="first").attach(trainer)
    trainer.run()
    expected = [
        input_gradient_psd(trainer.network, dice_free_loss, torch.as_tensor(item["image"]), item["label"])
        for item in items
    ]
    assert_logs(tmp_path, "gradients", expected)
    images, labels = stacked(items, 4), stacked(items, 4, "label")
    of_first = learning_priority(trainer.network, nn.CrossEntropyLoss(), images, labels)[1].mean(0)
    np.testing.assert_allclose(logged(tmp_path, "first").mean["gradients"][0], of_first, rtol=1e-3, atol=1e-4)


def test_a_transformer_that_returns_its_hidden_states(tmp_path):
    items = items_of(4, shape=(1, 16, 16))

    def network():
        return ViT(1, (16, 16), (8, 8), 24, 48, 2, 4, classification=True, num_classes=2, spatial_dims=2)

    def loss(output, label):
        scores, hidden = output
        assert isinstance(hidden, list)
        assert len(hidden) == 2
        return nn.functional.cross_entropy(scores, label) + 1e-3 * hidden[0].square().mean()

    trainer = trainer_of(items, network, loss=loss)
    PSDHandler(log_dir=tmp_path).attach(trainer)
    trainer.run()
    expected = [
        input_gradient_psd(trainer.network, loss, torch.as_tensor(item["image"]), item["label"]) for item in items
    ]
    assert_logs(tmp_path, "gradients", expected)


class Named(nn.Module):
    """Outputs in a dictionary, with one that is of no sample."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(144, 2))

    def forward(self, x):
        return {"pred": self.body(x), "penalty": self.body[1].weight.square().sum()}


def test_outputs_in_a_dictionary(tmp_path):
    def loss(output, label):
        return nn.functional.cross_entropy(output["pred"], label) + output["penalty"]

    items = items_of(4, shape=(1, 12, 12))
    trainer = trainer_of(items, Named, loss=loss)
    PSDHandler(log_dir=tmp_path).attach(trainer)
    trainer.run()
    expected = [
        input_gradient_psd(trainer.network, loss, torch.as_tensor(item["image"]), item["label"]) for item in items
    ]
    assert_logs(tmp_path, "gradients", expected)


def test_a_loss_that_fails_says_what_can_be_done(tmp_path):
    trainer = trainer_of(items_of(task="segmentation"), dyn_unet, loss=lambda y, label: dice_free_loss(y, label))
    trainer.loss_function = lambda y, label: dice_free_loss(y.unbind(1), label)  # there is nothing to unbind later
    PSDHandler(log_dir=tmp_path).attach(trainer)
    with pytest.raises((RuntimeError, ValueError)) as caught:
        trainer.run()
    assert any("PSDHandler(network=..., loss=...)" in note for note in caught.value.__notes__)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_autocast_on_the_cpu(tmp_path, dtype):
    """Images in half precision go well with autocast, which is off while the gradient is taken."""
    torch.manual_seed(0)
    network = classifier()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)

    def step(engine, batch):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = nn.functional.cross_entropy(network(batch[0]), batch[1])
        loss.backward()
        optimizer.step()

    items = items_of(4)
    images, labels = stacked(items, 4).to(dtype), stacked(items, 4, "label")
    trainer = Engine(step)
    PSDHandler(log_dir=tmp_path, network=network, loss=nn.CrossEntropyLoss(), artifact=FourierLowPass(0.2)).attach(
        trainer
    )
    trainer.run([(images, labels)], max_epochs=2)
    assert_logs(tmp_path, "gradients", learning_priority(network, nn.CrossEntropyLoss(), images.float(), labels)[1])
    assert_logs(tmp_path, "images", [unitary_psd(image[0].float()) for image in images])
    expected = unitary_artifact_psd(FourierLowPass(0.2), images.float())
    np.testing.assert_allclose(logged(tmp_path).mean["artifact"][0], expected, rtol=1e-4, atol=1e-4)


def test_a_network_in_half_precision(tmp_path):
    items = items_of(4)
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 2)).to(torch.bfloat16)
    engine = Engine(lambda engine, batch: None)
    PSDHandler(log_dir=tmp_path, network=network, loss=nn.CrossEntropyLoss()).attach(engine)
    engine.run([(stacked(items, 4), stacked(items, 4, "label"))])
    assert np.isfinite(logged(tmp_path).mean["gradients"]).all()


@pytest.mark.cuda
@pytest.mark.parametrize("amp", [False, True])
def test_on_a_gpu(tmp_path, amp):
    runs = []
    for folder in (None, tmp_path):
        torch.manual_seed(0)
        network = classifier().cuda()
        trainer = SupervisedTrainer(
            device=torch.device("cuda"),
            max_epochs=2,
            train_data_loader=DataLoader(Dataset(items_of()), batch_size=2),
            network=network,
            optimizer=torch.optim.SGD(network.parameters(), lr=0.01),
            loss_function=nn.CrossEntropyLoss(),
            amp=amp,
        )
        if folder:
            PSDHandler(log_dir=folder, artifact=RandGibbsNoise(prob=1)).attach(trainer)
        trainer.run()
        runs.append([network.state_dict(), torch.cuda.get_rng_state(), torch.get_rng_state()])
    torch.testing.assert_close(runs[0], runs[1])
    images, labels = (stacked(items_of(), 6, key).cuda() for key in ("image", "label"))
    expected = learning_priority(network, nn.CrossEntropyLoss(), images, labels)[1].cpu()
    assert_logs(tmp_path, "gradients", expected, rtol=1e-2, atol=1e-3)


# files


def run_of(folder, epochs, start=0, seed=0, killed=False, **settings):
    """A training in a folder that is at an epoch when it starts, as one that has been resumed; or killed at its end."""
    trainer = trainer_of(items_of(seed=seed), epochs=epochs + killed)
    PSDHandler(log_dir=folder, **settings).attach(trainer)
    trainer.add_event_handler(Events.STARTED, lambda: setattr(trainer.state, "epoch", start))
    if killed:
        trainer.add_event_handler(Events.EPOCH_COMPLETED(once=epochs), kill)
        with pytest.raises(Killed):
            trainer.run()
    else:
        trainer.run()
    return trainer


class Killed(Exception):
    """As a training that has no time to end."""


def kill():
    raise Killed


def of_epochs(history, epochs):
    return [[history.mean[kind][history.epochs.index(epoch)] for epoch in epochs] for kind in history.kinds]


def test_a_resumed_run_keeps_the_epochs_before(tmp_path):
    run_of(tmp_path, 3)
    before = logged(tmp_path)
    run_of(tmp_path, 5, start=3, seed=1)
    history = logged(tmp_path)
    assert (history.epochs, history.samples) == ([1, 2, 3, 4, 5], [6] * 5)
    np.testing.assert_array_equal(of_epochs(history, before.epochs), of_epochs(before, before.epochs))
    assert not np.allclose(of_epochs(history, [4]), of_epochs(history, [3]))
    assert not (tmp_path / "previous").exists()
    assert steps(events_of(tmp_path), f"{GRADIENTS}/centroid") == [1, 2, 3, 4, 5]


def test_a_resumed_run_is_resumed_again_before_it_logs(tmp_path):
    run_of(tmp_path, 4, interval=2, killed=True)
    run_of(tmp_path, 5, start=4, interval=2, killed=True)  # before it logs
    run_of(tmp_path, 6, start=5, interval=2)
    assert logged(tmp_path).epochs == [2, 4, 6]


def test_a_run_that_goes_on_from_its_end_keeps_what_its_end_has_logged(tmp_path):
    run_of(tmp_path, 5, interval=2)
    whole = logged(tmp_path)
    run_of(tmp_path, 8, start=5, interval=2)
    assert logged(tmp_path).epochs == [2, 4, 5, 6, 8]
    np.testing.assert_array_equal(of_epochs(logged(tmp_path), [2, 4, 5]), of_epochs(whole, [2, 4, 5]))


def test_epochs_that_are_run_again_are_kept_aside(tmp_path):
    run_of(tmp_path, 4)
    whole = logged(tmp_path)
    run_of(tmp_path, 3, start=2, seed=1, interval=5, killed=True)  # nothing is logged, and yet nothing is lost
    assert logged(tmp_path).epochs == [1, 2]
    run_of(tmp_path, 3, start=2, seed=1)
    assert logged(tmp_path).epochs == [1, 2, 3]
    assert logged(tmp_path / "previous" / "1").epochs == [1, 2, 3, 4]
    every = range(1, 5)
    np.testing.assert_array_equal(of_epochs(logged(tmp_path / "previous" / "1"), every), of_epochs(whole, every))


@pytest.mark.parametrize("interval", [1, 7])
def test_a_new_run_sets_the_file_of_the_one_before_aside(tmp_path, interval):
    contents = []
    for seed in range(3):
        run_of(tmp_path, 2, seed=seed)
        contents.append((tmp_path / "psd.npz").read_bytes())
    run_of(tmp_path, 2, interval=interval, killed=True)
    moved = [tmp_path / "previous" / number / "psd.npz" for number in "123"]
    assert [path.read_bytes() for path in moved] == contents
    assert (tmp_path / "psd.npz").exists() == (interval == 1)  # killed now and resumed, none of the old goes on


def test_a_second_run_of_the_same_engine_is_a_new_run(tmp_path):
    trainer = trainer_of(items_of(), epochs=3)
    PSDHandler(log_dir=tmp_path).attach(trainer)
    trainer.run()
    before = (tmp_path / "psd.npz").read_bytes()
    trainer.state.epoch, trainer.state.max_epochs = 0, 2
    trainer.run()
    assert logged(tmp_path).epochs == [1, 2]
    assert (tmp_path / "previous" / "1" / "psd.npz").read_bytes() == before
    trainer.state.epoch, trainer.state.iteration, trainer.state.max_epochs = 1, 3, 3
    trainer.run()
    assert logged(tmp_path).epochs == [1, 2, 3]


def test_an_evaluation_before_the_training_is_epoch_0(tmp_path):
    for run in (1, 2):
        trainer = trainer_of(items_of(), epochs=2)
        evaluator = evaluator_of(items_of(4), trainer.network)
        PSDHandler(log_dir=tmp_path, trainer=trainer).attach(evaluator)
        if run == 1:
            evaluator.run()
        trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda engine, evaluator=evaluator: evaluator.run())
        trainer.run()
    assert logged(tmp_path).epochs == [1, 2]
    assert logged(tmp_path / "previous" / "1").epochs == [0, 1, 2]


def test_other_kinds_of_density_make_another_file(tmp_path):
    run_of(tmp_path, 2)
    run_of(tmp_path, 3, start=2, artifact=FourierLowPass(0.2))
    assert (logged(tmp_path).epochs, logged(tmp_path).kinds) == ([3], ("images", "gradients", "artifact"))
    assert logged(tmp_path / "previous" / "1").epochs == [1, 2]


@pytest.mark.parametrize("content", [b"", b"not an archive", None])
@pytest.mark.parametrize("start", [0, 1])
def test_a_broken_file_is_set_aside_and_does_not_end_the_training(tmp_path, caplog, content, start):
    run_of(tmp_path, 1)
    content = (tmp_path / "psd.npz").read_bytes()[:-40] if content is None else content
    (tmp_path / "psd.npz").write_bytes(content)
    with caplog.at_level(logging.WARNING, logger="monai_freq"):
        run_of(tmp_path, 2, start=start)
    assert logged(tmp_path).epochs == [1, 2][start:]
    assert (tmp_path / "previous" / "1" / "psd.npz").read_bytes() == content
    assert ["is no log of power spectrum densities" in record.message for record in caplog.records] == [True]


def test_a_tag_may_name_a_folder(tmp_path):
    run_of(tmp_path, 1, tag="train/psd")
    run_of(tmp_path, 1, tag="train/psd")
    assert logged(tmp_path, "train/psd").epochs == [1]
    assert logged(tmp_path, "train/previous/1/psd").epochs == [1]


# images


def batches_of(*images):
    """Batches of classification, each a tensor (B, C, *spatial)."""
    return [{"image": batch, "label": torch.arange(len(batch)) % 2} for batch in images]


def pooled():
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2)
    )


def ran(folder, *images, epochs=1, network=pooled, **settings):
    trainer = trainer_of([], network, epochs=epochs, loader=batches_of(*images))
    PSDHandler(log_dir=folder, **settings).attach(trainer)
    trainer.run()
    return trainer


def test_samples_with_nan_are_left_out_with_one_warning(tmp_path, caplog):
    images = torch.rand(4, 1, 8, 8)
    images[1, 0, 2, 3], images[3, 0, 0, 0] = float("nan"), float("inf")
    engine = Engine(lambda engine, batch: None)
    torch.manual_seed(0)
    network, artifact = pooled(), RandGaussianNoise(prob=1)
    handler = PSDHandler(log_dir=tmp_path, network=network, loss=nn.CrossEntropyLoss(), artifact=artifact)
    handler.attach(engine)
    label = torch.tensor([1, 0, 1, 0])
    with caplog.at_level(logging.WARNING, logger="monai_freq"):
        engine.run([(images[:3], label[:3]), (images[3:], label[3:])], max_epochs=3)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "'psd' leaves out samples with NaN or infinity" in caplog.text
    sound = images[[0, 2]]
    assert logged(tmp_path).samples == [2, 2, 2]
    assert_logs(tmp_path, "images", [unitary_psd(image[0]) for image in sound])
    assert_logs(tmp_path, "gradients", learning_priority(network, nn.CrossEntropyLoss(), sound, label[[0, 2]])[1])
    np.testing.assert_allclose(logged(tmp_path).mean["artifact"][0], unitary_artifact_psd(artifact, sound), rtol=1e-4)


@pytest.mark.parametrize("where", ["images", "weights"])
def test_where_nothing_is_finite_nothing_is_logged(tmp_path, caplog, where):
    images = torch.full((2, 1, 8, 8), float("nan")) if where == "images" else torch.rand(2, 1, 8, 8)

    def network():
        parts = pooled()
        if where == "weights":
            nn.init.constant_(parts[0].weight, float("nan"))
        return parts

    with caplog.at_level(logging.WARNING, logger="monai_freq"):
        ran(tmp_path, images, epochs=2, network=network)
    assert events_of(tmp_path).Tags()["scalars"] == events_of(tmp_path).Tags()["images"] == []
    assert not (tmp_path / "psd.npz").exists()
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "images",
    [
        pytest.param(torch.full((2, 1, 8, 8), 0.3), id="constant"),
        pytest.param(torch.zeros(2, 1, 8, 8), id="zero"),
        pytest.param(torch.rand(2, 1, 1, 1), id="1 pixel"),
        pytest.param(torch.rand(2, 1, 1, 9), id="1 row"),
        pytest.param(torch.rand(1, 1, 7, 12), id="1 sample"),
        pytest.param(torch.rand(2, 1, 5, 40), id="unequal sides"),
        pytest.param(1e12 * torch.rand(2, 1, 8, 8), id="huge"),
    ],
)
@pytest.mark.usefixtures("drawn")
def test_images_that_are_hardly_images(tmp_path, images):
    ran(tmp_path, images, artifact=FourierLowPass(0.2))
    history, events = logged(tmp_path), events_of(tmp_path)
    frequencies, density = radial_psd(images, spatial_dims=2, norm="ortho")
    np.testing.assert_allclose(history.frequencies, frequencies, rtol=1e-6)
    largest = float(density.max())
    np.testing.assert_allclose(history.mean["images"][0], density.mean((0, 1)), rtol=1e-4, atol=1e-5 * largest)
    for tag in events.Tags()["scalars"]:
        values = [event.value for event in events.Scalars(tag)]
        assert np.isfinite(values).all()
        assert min(values) >= 0
        assert max(values) <= 1 + 1e-6
    assert steps(events, f"{ARTIFACT}/epochs") == [1]


def test_integer_images(tmp_path):
    images = (100 * torch.rand(3, 1, 8, 8)).to(torch.uint8)

    def network():
        network = pooled()
        network.register_forward_pre_hook(lambda module, args: args[0].float())
        return network

    trainer = ran(tmp_path, images, network=network, artifact=FourierLowPass(0.2))
    assert_logs(tmp_path, "images", [unitary_psd(image[0]) for image in images])
    expected = learning_priority(trainer.network, nn.CrossEntropyLoss(), images.float(), torch.arange(3) % 2)[1]
    assert_logs(tmp_path, "gradients", expected)
    residual = unitary_artifact_psd(FourierLowPass(0.2), images.float())
    np.testing.assert_allclose(logged(tmp_path).mean["artifact"][0], residual, rtol=1e-4, atol=1e-4)


def test_a_dictionary_artifact_has_its_own_key(tmp_path):
    images = torch.rand(3, 1, 8, 8)
    artifact = RandGibbsNoised("t1", prob=1, alpha=(0.4, 0.9))
    ran(tmp_path, images, artifact=artifact)
    expected = unitary_artifact_psd(artifact, images, "t1")
    np.testing.assert_allclose(logged(tmp_path).mean["artifact"][0], expected, rtol=1e-4)


# what is refused


@pytest.mark.parametrize("argument", ["interval", "max_samples"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "2", None])
def test_a_bad_number_is_refused_and_leaves_no_folder(tmp_path, argument, value):
    with pytest.raises(ValueError, match=f"'{argument}' must be a positive integer, got {value!r}"):
        PSDHandler(log_dir=tmp_path / "runs", **{argument: value})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", [None, 3, True, ["runs"]])
def test_what_is_no_folder_is_refused_and_makes_none(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TypeError, match=r"'log_dir' must be the path of a folder, got "):
        PSDHandler(log_dir=folder)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "tag", ["a/../../b", "../b", "..", "", " ", "a/", "/b", "a\\..\\..\\b", "C:\\b", "C:b", "a\nb", "a\0b", None, 3]
)
def test_a_tag_that_leads_out_of_the_folder_is_refused_and_leaves_no_folder(tmp_path, tag):
    with pytest.raises(ValueError, match=r"'tag' must name a file within the folder, as"):
        PSDHandler(log_dir=tmp_path / "runs", tag=tag)
    assert list(tmp_path.iterdir()) == []


K = torch.linspace(0, 0.5, 5)


@pytest.mark.parametrize(
    ("artifact", "error", "message"),
    [
        (3, TypeError, "'artifact' must be a transform or another callable, made and ready, got 3"),
        ("gibbs", TypeError, "'artifact' must be a transform"),
        ([K, K], TypeError, "'artifact' must be a transform"),
        (RandGibbsNoise, TypeError, "made and ready, got RandGibbsNoise"),
        ((K, K[1:]), ValueError, r"must be frequencies and a density of one length, got the shapes \[\(5,\), \(4,\)"),
        ((K,), ValueError, "must be frequencies and a density of one length"),
        ((K, K, K), ValueError, "must be frequencies and a density of one length"),
        ((K[0], K[0]), ValueError, "must be frequencies and a density of one length"),
        ((K.flip(0), K), ValueError, "must be rising frequencies and a density of at least 0"),
        ((K, -K), ValueError, "must be rising frequencies and a density of at least 0"),
        ((K, K / 0), ValueError, "must be rising frequencies and a density of at least 0"),
        ((None, K), ValueError, "'artifact' must be real numbers, got object"),
        ((K, K * 1j), ValueError, "'artifact' must be real numbers, got complex64"),
        ((K[:0], K[:0]), ValueError, "must be frequencies and a density of one length"),
        ((), ValueError, "must be frequencies and a density of one length"),
    ],
)
def test_a_bad_artifact_is_refused_and_leaves_no_folder(tmp_path, artifact, error, message):
    with pytest.raises(error, match=message):
        PSDHandler(log_dir=tmp_path / "runs", artifact=artifact)
    assert list(tmp_path.iterdir()) == []


def test_an_engine_without_a_loss_or_a_network_is_refused_at_its_start(tmp_path):
    evaluator = evaluator_of(items_of(), classifier())
    PSDHandler(log_dir=tmp_path).attach(evaluator)
    with pytest.raises(ValueError, match=r"'loss' is needed, .* PSDHandler\(loss=...\)"):
        evaluator.run()
    engine = Engine(lambda engine, batch: None)
    PSDHandler(log_dir=tmp_path, loss=nn.CrossEntropyLoss()).attach(engine)
    with pytest.raises(ValueError, match=r"'network' is needed, .* PSDHandler\(network=...\)"):
        engine.run([0])


IMAGE, LABEL = torch.rand(2, 1, 8, 8), torch.tensor([0, 1])


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"t1": IMAGE, "label": LABEL}, r"must have an 'image', got only \['label', 't1'\]"),
        ({"image": IMAGE, "class": LABEL}, "must have an 'label' that is a tensor, got NoneType"),
        ({"image": IMAGE, "label": ["torn", "healthy"]}, "must have an 'label' that is a tensor"),
        (IMAGE, "must have an 'label' that is a tensor"),
        ({"image": IMAGE, "label": LABEL[:1]}, r"a label for each, got \(2, 1, 8, 8\) and \(1,\)"),
        ({"image": IMAGE, "label": LABEL[0]}, r"a label for each, got \(2, 1, 8, 8\) and \(\)"),
        ({"image": IMAGE[:, 0, 0], "label": LABEL}, r"must have images \(B, C, \*spatial\) .*, got \(2, 8\)"),
    ],
)
@pytest.mark.parametrize("plain", [False, True], ids=["MONAI", "plain"])
def test_a_batch_without_an_image_or_a_label_is_refused(tmp_path, batch, message, plain):
    trainer = trainer_of([], lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(2)), loader=[batch])
    engine = Engine(lambda engine, batch: None) if plain else trainer
    PSDHandler(log_dir=tmp_path, network=trainer.network, loss=nn.CrossEntropyLoss()).attach(engine)
    with pytest.raises(ValueError, match=message):
        engine.run([batch]) if plain else engine.run()


@pytest.mark.parametrize("batch", [(IMAGE, LABEL, LABEL), None, 3])
def test_a_batch_of_something_else_is_refused(tmp_path, batch):
    engine = Engine(lambda engine, batch: None)
    PSDHandler(log_dir=tmp_path, network=classifier(), loss=nn.CrossEntropyLoss()).attach(engine)
    with pytest.raises(ValueError, match=r"must be an \(image, label\) or a dictionary of them"):
        engine.run([batch])


def test_an_artifact_that_changes_the_shape_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"'artifact' must keep the shape, but shortened made"):
        ran(tmp_path, IMAGE, artifact=shortened)
