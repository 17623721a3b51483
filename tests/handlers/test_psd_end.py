"""The final weights are logged, however a training ends, once, and as the last epoch in which there was a step."""

from pathlib import Path

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from ignite.handlers import EarlyStopping
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import ValidationHandler
from torch import nn

from monai_freq.handlers import PSDHandler, PSDHistory, ValidateBefore
from monai_freq.spectral.learning_priority import learning_priority

GENERATOR = torch.Generator().manual_seed(0)
BATCHES = [{"image": torch.rand(2, 1, 8, 8, generator=GENERATOR), "label": torch.tensor([0, 1])} for _ in range(3)]
VALIDATION = [{"image": torch.rand(4, 1, 8, 8, generator=GENERATOR), "label": torch.tensor([0, 1, 1, 0])}]
LOSS = nn.CrossEntropyLoss()


pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture
def saves(monkeypatch):
    """Epochs each time that the file is written."""
    found = []
    save = PSDHistory.save
    monkeypatch.setattr(PSDHistory, "save", lambda self, path: (found.append(list(self.epochs)), save(self, path)))
    return found


def trainer_of(epochs):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 2), nn.Dropout(0.2))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    return SupervisedTrainer("cpu", epochs, BATCHES, network, optimizer, LOSS)


def validated(trainer, interval):
    evaluator = SupervisedEvaluator("cpu", VALIDATION, trainer.network)
    ValidationHandler(interval, evaluator).attach(trainer)
    return evaluator


def logged(folder):
    return PSDHistory.load(Path(folder, "psd.npz"))


def priority(network, batches):
    images, labels = (torch.cat([batch[key] for batch in batches]) for key in ("image", "label"))
    return learning_priority(network, LOSS, images, labels)[1].mean(0)


def assert_of_final_weights(trainer, folder, batches=BATCHES):
    expected = priority(trainer.network, batches)
    np.testing.assert_allclose(logged(folder).mean["gradients"][-1], expected, rtol=1e-3, atol=1e-5)


def stop(*event):
    """Terminate a training at an event."""
    return lambda trainer: trainer.add_event_handler(*event, trainer.terminate)


ENDS = {
    "at its length": (lambda trainer: None, [2, 4, 5]),
    "after an epoch": (stop(Events.EPOCH_COMPLETED(once=3)), [2, 3]),
    "after an epoch that is logged": (stop(Events.EPOCH_COMPLETED(once=4)), [2, 4]),
    "before the first epoch": (stop(Events.STARTED), []),
    "within the first epoch": (stop(Events.ITERATION_COMPLETED(once=1)), [1]),
    "within an epoch": (stop(Events.ITERATION_COMPLETED(once=8)), [2, 3]),
    "as an epoch starts": (stop(Events.EPOCH_STARTED(once=4)), [2, 3]),
    "as an epoch starts after one that is logged": (stop(Events.EPOCH_STARTED(once=5)), [2, 4]),
    "within an epoch after one that is logged": (stop(Events.ITERATION_COMPLETED(once=13)), [2, 4, 5]),
}


@pytest.mark.parametrize(("end", "expected"), ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("attached_first", [True, False])
def test_a_training_ends(tmp_path, saves, end, expected, attached_first):
    trainer = trainer_of(5)
    handler = PSDHandler(log_dir=tmp_path, interval=2)
    if attached_first:
        handler.attach(trainer)
        end(trainer)
    else:
        end(trainer)
        handler.attach(trainer)
    trainer.run()
    assert saves == [expected[: n + 1] for n in range(len(expected))]  # each once
    assert handler._samples.batches == []
    if expected:
        assert logged(tmp_path).epochs == expected
        started = trainer.state.iteration - 3 * (expected[-1] - 1)  # batches of the last epoch
        assert_of_final_weights(trainer, tmp_path, BATCHES[:started])


@pytest.mark.parametrize("given", ["trainer", "evaluator"])
@pytest.mark.parametrize(
    ("epochs", "val_interval", "interval", "expected"),
    [(5, 2, 4, [0, 4, 5]), (5, 2, 99, [0, 5]), (4, 2, 2, [0, 2, 4]), (5, 1, 2, [0, 2, 4, 5]), (3, 9, 1, [0, 3])],
)
def test_on_an_evaluator_that_does_not_run_in_the_last_epoch(
    tmp_path, saves, given, epochs, val_interval, interval, expected
):
    """The images are those of its last run."""
    trainer = trainer_of(epochs)
    evaluator = validated(trainer, val_interval)
    ValidateBefore(evaluator).attach(trainer)
    if given == "trainer":
        PSDHandler(log_dir=tmp_path, interval=interval, trainer=trainer).attach(evaluator)
    else:
        PSDHandler(log_dir=tmp_path, interval=interval, evaluator=evaluator).attach(trainer)
    trainer.run()
    assert saves == [expected[: n + 1] for n in range(len(expected))]
    assert logged(tmp_path).samples == [4] * len(expected)
    assert_of_final_weights(trainer, tmp_path, VALIDATION)


@pytest.mark.parametrize(("iteration", "expected"), [(8, [2, 3]), (6, [2]), (13, [2, 4, 5])])
def test_on_an_evaluator_of_a_training_that_is_terminated(tmp_path, saves, iteration, expected):
    trainer = trainer_of(9)
    PSDHandler(log_dir=tmp_path, interval=2, evaluator=validated(trainer, 2)).attach(trainer)
    stop(Events.EPOCH_COMPLETED(once=2) if iteration == 6 else Events.ITERATION_COMPLETED(once=iteration))(trainer)
    trainer.run()
    assert saves == [expected[: n + 1] for n in range(len(expected))]
    assert_of_final_weights(trainer, tmp_path, VALIDATION)


def test_early_stopping(tmp_path):
    trainer = trainer_of(50)
    PSDHandler(log_dir=tmp_path, interval=20).attach(trainer)
    stopping = EarlyStopping(patience=2, score_function=lambda engine: -engine.state.epoch, trainer=trainer)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, stopping)
    trainer.run()
    assert logged(tmp_path).epochs == [trainer.state.epoch] == [3]
    assert_of_final_weights(trainer, tmp_path)


def test_an_evaluator_without_a_trainer_does_not_end_anything(tmp_path):
    trainer = trainer_of(5)
    evaluator = validated(trainer, 1)
    handler = PSDHandler(log_dir=tmp_path, interval=3, loss=LOSS)
    handler.attach(evaluator)
    trainer.run()
    assert logged(tmp_path).epochs == [3]
    assert handler._samples.batches == []


def test_two_runs_of_one_engine_each_log_their_end(tmp_path):
    trainer = trainer_of(3)
    PSDHandler(log_dir=tmp_path, interval=9).attach(trainer)
    trainer.run()
    first = (tmp_path / "psd.npz").read_bytes()
    trainer.state.epoch = trainer.state.iteration = 0
    trainer.run()
    assert logged(tmp_path).epochs == [3]
    assert (tmp_path / "previous/1/psd.npz").read_bytes() == first


def test_a_training_that_was_complete_when_it_was_resumed_logs_nothing(tmp_path):
    trainer = trainer_of(3)
    trainer.add_event_handler(Events.STARTED, lambda: setattr(trainer.state, "epoch", 3))
    PSDHandler(log_dir=tmp_path).attach(trainer)
    trainer.run()
    assert not (tmp_path / "psd.npz").exists()


def test_a_plain_engine_ends_too(tmp_path):
    network = trainer_of(1).network
    engine = Engine(lambda engine, batch: None)
    PSDHandler(log_dir=tmp_path, network=network, loss=LOSS, interval=9).attach(engine)
    engine.run([(batch["image"], batch["label"]) for batch in BATCHES], max_epochs=2)
    assert logged(tmp_path).epochs == [2]


def test_trainer_and_evaluator_are_not_both_given(tmp_path):
    trainer = trainer_of(1)
    with pytest.raises(ValueError, match="give 'evaluator' and attach to the trainer, or 'trainer' and attach to the"):
        PSDHandler(log_dir=tmp_path / "runs", trainer=trainer, evaluator=validated(trainer, 1))
    assert list(tmp_path.iterdir()) == []
