"""A plain loop logs what MONAI's trainer logs, bit for bit, and never notices."""

import logging

import numpy as np
import pytest
import torch
from loops import LOSS, Listing, batches_of, classifier, trained
from monai.engines import SupervisedTrainer
from monai.transforms import RandGibbsNoise
from sameness import assert_same
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import distributed, nn
from torch.utils.tensorboard import SummaryWriter

from monai_freq.handlers import PSDHandler, PSDHistory, PSDLogger
from monai_freq.spectral.learning_priority import learning_priority
from monai_freq.transforms import FourierLowPass

pytestmark = pytest.mark.usefixtures("undrawn")


def logged(folder, tag="psd"):
    return PSDHistory.load(folder / f"{tag}.npz")


def events_of(folder):
    return EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0}).Reload()


def logger_in(folder, **settings):
    return lambda network, loss: PSDLogger(network, loss, folder, **settings)


def loss_of_outputs(outputs, labels):
    return sum(LOSS(output.mean((2, 3)), labels) / 2**place for place, output in enumerate(outputs))


def listing():
    torch.manual_seed(0)
    return Listing()


# what is logged


@pytest.mark.parametrize(
    ("network_of", "loss", "settings"),
    [
        (classifier, LOSS, {}),
        (classifier, LOSS, {"interval": 2, "max_samples": 6, "artifact": RandGibbsNoise(prob=1)}),
        (classifier, LOSS, {"artifact": (torch.tensor([0, 0.25, 0.5]), torch.tensor([7.0, 1, 3])), "tag": "train/psd"}),
        (listing, loss_of_outputs, {"max_samples": 1}),
    ],
    ids=["alone", "artifact", "density", "several outputs"],
)
def test_it_is_what_the_handler_logs_bit_for_bit(tmp_path, network_of, loss, settings):
    network, batches = network_of(), batches_of()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    items = [{"image": images, "label": labels} for images, labels in batches]
    torch.manual_seed(1)
    trainer = SupervisedTrainer("cpu", 5, items, network, optimizer, loss)
    PSDHandler(log_dir=tmp_path / "handler", **settings).attach(trainer)
    trainer.run()

    network = network_of()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    torch.manual_seed(1)
    logger = PSDLogger(network, loss, tmp_path / "logger", **settings)
    for number in range(1, 6):
        network.train()
        for images, labels in batches:
            optimizer.zero_grad()
            loss(network(images), labels).backward()
            optimizer.step()
            logger.batch(images, labels)
        logger.epoch(number, last=number == 5)
    files = [folder / f"{settings.get('tag', 'psd')}.npz" for folder in (tmp_path / "handler", tmp_path / "logger")]
    assert files[0].read_bytes() == files[1].read_bytes()
    first, second = (events_of(folder) for folder in (tmp_path / "handler", tmp_path / "logger"))
    assert first.Tags() == second.Tags()
    for tag in first.Tags()["scalars"]:
        assert [(e.step, e.value) for e in first.Scalars(tag)] == [(e.step, e.value) for e in second.Scalars(tag)]


@pytest.mark.usefixtures("drawn")
def test_tensorboard_and_the_loop_get_what_the_file_has(tmp_path):
    network, (images, labels) = classifier(), batches_of(1)[0]
    logger = PSDLogger(network, LOSS, tmp_path, max_samples=3, artifact=FourierLowPass(0.2))
    logger.batch(images, labels)
    scalars = logger.epoch(1)
    events, history = events_of(tmp_path), logged(tmp_path)
    assert sorted(scalars) == sorted(events.Tags()["scalars"])
    for name, value in scalars.items():
        assert [(event.step, event.value) for event in events.Scalars(name)] == [(1, pytest.approx(value, rel=1e-6))]
    assert len(events.Tags()["images"]) == 6
    artifact = history.mean["artifact"][-1]
    expected = {
        f"psd {title}/{name}": value
        for kind, title in (("images", "images"), ("gradients", "input gradients"), ("artifact", "artifact"))
        for name, value in history.scalars(kind, artifact if kind == "gradients" else None).items()
    }
    assert scalars == expected
    by_hand = learning_priority(network, LOSS, images[:3], labels[:3])[1]
    np.testing.assert_allclose(history.mean["gradients"][0], by_hand.mean(0), rtol=1e-4, atol=1e-5)
    assert history.samples == [3]


@pytest.mark.parametrize(("interval", "last", "expected"), [(1, None, [1, 2, 3, 4]), (3, None, [3]), (3, 4, [3, 4])])
def test_every_interval_and_where_it_is_asked_for(tmp_path, interval, last, expected):
    trained(4, logger_in(tmp_path, interval=interval), last=last)
    assert logged(tmp_path).epochs == expected


@pytest.mark.parametrize("epochs", [5, 6])
def test_an_end_that_is_told_after_the_loop_is_logged_once(tmp_path, epochs):
    made = []
    network = trained(epochs, lambda *parts: made.append(PSDLogger(*parts, tmp_path, interval=3)) or made[0]).network
    before = logged(tmp_path)
    assert bool(made[0].epoch(epochs, last=True)) == (epochs == 5)
    assert made[0].epoch(epochs, last=True) == {}
    assert logged(tmp_path).epochs == ([3, 5] if epochs == 5 else [3, 6])
    if epochs == 5:
        assert logged(tmp_path).samples == [8, 8]
        assert not np.allclose(before.mean["gradients"][-1], logged(tmp_path).mean["gradients"][-1])
        assert network.training


def test_epochs_may_count_from_0(tmp_path):
    trained(4, logger_in(tmp_path, interval=2), first=0)
    trained(6, logger_in(tmp_path, interval=2), first=5)
    assert logged(tmp_path).epochs == [0, 2, 4, 6]


def test_samples_may_come_from_inference_mode_and_be_written_over(tmp_path):
    network, (images, labels) = classifier(), batches_of(1)[0]
    expected, buffer = images.clone(), images.clone()
    logger = PSDLogger(network, LOSS, tmp_path)
    with torch.inference_mode():
        logger.batch(buffer * 1, labels)
        logger.epoch(1)
    logger.batch(buffer, labels)
    buffer.zero_()
    with torch.no_grad():
        logger.epoch(2)
    np.testing.assert_array_equal(*logged(tmp_path).mean["gradients"])
    density = learning_priority(network, LOSS, expected, labels)[1].mean(0)
    np.testing.assert_allclose(logged(tmp_path).mean["gradients"][0], density, rtol=1e-4, atol=1e-5)


def test_a_shared_writer_and_tags(tmp_path):
    with SummaryWriter(tmp_path / "shared") as writer:
        for tag in ("train", "again"):
            trained(1, lambda *parts, tag=tag: PSDLogger(*parts, tmp_path / "no", summary_writer=writer, tag=tag))
    assert {tag.split()[0] for tag in events_of(tmp_path / "shared").Tags()["scalars"]} == {"train", "again"}
    assert not (tmp_path / "no").exists()
    assert logged(tmp_path / "shared", "again").epochs == [1]


# the training never notices


@pytest.mark.parametrize("settings", [{}, {"interval": 2, "max_samples": 5, "artifact": RandGibbsNoise(prob=1)}])
def test_the_training_is_the_same_bit_for_bit(tmp_path, settings):
    expected = trained(3)
    assert_same(trained(3).states, expected.states)
    found = trained(3, logger_in(tmp_path, **settings))
    assert_same(found.states, expected.states)
    assert found.losses == expected.losses
    assert logged(tmp_path).epochs


def test_a_parallel_network_is_unwrapped(tmp_path):
    network, (images, labels) = classifier(), batches_of(1)[0]
    for name, wrapped in (("bare", network), ("parallel", nn.DataParallel(network))):
        logger = PSDLogger(wrapped, LOSS, tmp_path / name)
        logger.batch(images, labels)
        assert logger.epoch(1)
    assert (tmp_path / "bare" / "psd.npz").read_bytes() == (tmp_path / "parallel" / "psd.npz").read_bytes()


@pytest.mark.usefixtures("single_process_group")
def test_other_processes_than_the_first_do_nothing(tmp_path, monkeypatch):
    logger = PSDLogger(classifier(), LOSS, tmp_path / "runs")
    for rank in (1, 0):
        monkeypatch.setattr(distributed, "get_rank", lambda rank=rank: rank)
        logger.batch(*batches_of(1)[0])
        assert bool(logger.epoch(1)) == (tmp_path / "runs").exists() == (rank == 0)


# files


def test_a_resumed_run_goes_on_and_a_new_one_sets_the_file_aside(tmp_path):
    trained(3, logger_in(tmp_path))
    first = (tmp_path / "psd.npz").read_bytes()
    trained(5, logger_in(tmp_path), first=4)
    assert logged(tmp_path).epochs == [1, 2, 3, 4, 5]
    assert not (tmp_path / "previous").exists()
    before = PSDHistory.load(tmp_path / "psd.npz").mean["gradients"][:3]
    np.testing.assert_array_equal(before, logged(tmp_path).mean["gradients"][:3])
    trained(3, logger_in(tmp_path))
    assert (tmp_path / "psd.npz").read_bytes() == first
    assert logged(tmp_path / "previous" / "1").epochs == [1, 2, 3, 4, 5]


def test_a_second_run_of_one_logger_is_a_new_run(tmp_path):
    network = classifier()
    logger = PSDLogger(network, LOSS, tmp_path)
    for _ in range(2):
        trained(2, lambda *parts: logger, network=network)
    assert logged(tmp_path).epochs == [1, 2]
    assert logged(tmp_path / "previous" / "1").epochs == [1, 2]


# what is refused


def test_an_epoch_without_a_batch_is_told_once(tmp_path, caplog):
    logger = PSDLogger(classifier(), LOSS, tmp_path)
    with caplog.at_level(logging.WARNING, logger="monai_freq"):
        assert [logger.epoch(number) for number in (1, 2)] == [{}, {}]
    assert [record.message for record in caplog.records] == [
        "'psd' has no samples of epoch 1: call batch(images, labels) in the loop."
    ]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [-1, 1.0, True, "1", None, torch.tensor(0.5)])
def test_what_is_no_number_of_an_epoch_is_refused(tmp_path, number):
    logger = PSDLogger(classifier(), LOSS, tmp_path)
    with pytest.raises(ValueError, match="'number' must be how many epochs have been trained, got "):
        logger.epoch(number)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.rand(2, 1, 8, 8), None, "'label' that is a tensor, got NoneType: pass the network's input and a label"),
        (np.zeros((2, 1, 8, 8)), torch.zeros(2), "'image' that is a tensor, got ndarray"),
        (torch.rand(2, 1, 8, 8), torch.zeros(3), r"a label for each, got \(2, 1, 8, 8\) and \(3,\)"),
        (torch.rand(2, 8), torch.zeros(2), r"must have images \(B, C, \*spatial\)"),
    ],
)
def test_a_bad_batch_is_refused(tmp_path, images, labels, message):
    with pytest.raises(ValueError, match=message):
        PSDLogger(classifier(), LOSS, tmp_path).batch(images, labels)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"network": 3}, TypeError, r"'network' must be a torch.nn.Module, got 3"),
        ({"loss": nn.CrossEntropyLoss}, TypeError, "'loss' must be callable, made and ready, got the class Cross"),
        ({"loss": None}, TypeError, "'loss' must be callable"),
        ({"interval": 0}, ValueError, "'interval' must be a positive integer, got 0"),
        ({"max_samples": 1.5}, ValueError, "'max_samples' must be a positive integer"),
        ({"tag": "../a"}, ValueError, "'tag' must name a file within the folder"),
        ({"artifact": 3}, TypeError, "'artifact' must be a transform"),
        ({"log_dir": None}, TypeError, "'log_dir' must be the path of a folder"),
    ],
)
def test_a_bad_setting_is_refused_and_leaves_no_folder(tmp_path, settings, error, message):
    parts = {"network": classifier(), "loss": LOSS, "log_dir": tmp_path / "runs"}
    with pytest.raises(error, match=message):
        PSDLogger(**parts | settings)
    assert list(tmp_path.iterdir()) == []


def test_a_loss_that_fails_says_what_can_be_done(tmp_path):
    logger = PSDLogger(listing(), LOSS, tmp_path)  # which takes no list
    logger.batch(*batches_of(1)[0])
    with pytest.raises(TypeError) as caught:
        logger.epoch(1)
    assert any("PSDLogger(network=..., loss=...)" in note for note in caught.value.__notes__)
