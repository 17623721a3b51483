"""A killed run continues to the same result, the best epoch is the one that is kept, no file is half written."""

import inspect
import logging
import math
import os
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from monai.handlers import LrScheduleHandler, MeanDice, ValidationHandler, from_engine
from monai.transforms import AsDiscreted, RandGaussianNoised
from sameness import assert_same
from torch import nn

from monai_freq.handlers import Checkpoints
from monai_freq.seeding import EpochSeed

EPOCHS = 4
BATCHES = 3  # of an epoch


class Killed(Exception):
    """Stands for whatever ends a run in the middle."""


def cases(seed: int) -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    images = [torch.randn(1, 8, 8, generator=generator) for _ in range(2 * BATCHES)]
    return [{"image": image, "label": (image.roll(1, 1) > 0.2).float()} for image in images]


def train(folder: Path, *, start: int, resume: bool | str = False, kill_at: int | None = None) -> dict[str, Any]:
    """Train as the bundles do, from weights and generators that ``start`` seeds; the final states."""
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(start)
    network = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.Dropout(0.3), nn.ReLU(), nn.Conv2d(4, 2, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    evaluator = SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(cases(1)[:2]), batch_size=1),
        network=network,
        postprocessing=AsDiscreted(keys=["pred", "label"], argmax=[True, False], to_onehot=2),
        key_val_metric={"dice": MeanDice(include_background=False, output_transform=from_engine(["pred", "label"]))},
    )
    dataset = Dataset(cases(0), transform=RandGaussianNoised(keys="image", prob=1.0, std=0.3))
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=EPOCHS,
        train_data_loader=DataLoader(dataset, batch_size=2, shuffle=True),
        network=network,
        optimizer=optimizer,
        loss_function=lambda pred, label: nn.functional.cross_entropy(pred, label[:, 0].long()),
    )
    objects = {"network": network, "optimizer": optimizer, "lr_scheduler": scheduler}
    handlers = Checkpoints(folder, objects, evaluator, resume=resume)
    ValidationHandler(1, evaluator).attach(trainer)
    EpochSeed(seed=7).attach(trainer)
    LrScheduleHandler(scheduler, print_lr=False).attach(trainer)
    handlers.attach(trainer)
    if kill_at is not None:
        killer = trainer if kill_at >= 0 else evaluator

        @killer.on(Events.ITERATION_COMPLETED)
        def kill(engine: Engine) -> None:
            if trainer.state.iteration == abs(kill_at):
                raise Killed

    trainer.run()
    states = {name: item.state_dict() for name, item in objects.items()}
    return states | {"best": handlers.best, "iteration": trainer.state.iteration}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    return folder, train(folder, start=0)


# a negative number kills in the validation that follows the iteration
@pytest.mark.parametrize("kill_at", [1, BATCHES + 2, 2 * BATCHES, -2 * BATCHES, EPOCHS * BATCHES])
def test_a_killed_run_resumes_to_the_same_result(tmp_path, undisturbed, kill_at):
    folder, expected = undisturbed
    with pytest.raises(Killed):
        train(tmp_path, start=0, kill_at=kill_at)
    # one killed before its first checkpoint starts anew, so it needs the same first weights
    actual = train(tmp_path, start=0 if kill_at < BATCHES else 99, resume=True)
    assert_same(actual, expected)
    for name in ("models/last.pt", "models/model.pt"):
        assert_same(*(torch.load(where / name, weights_only=True) for where in (tmp_path, folder)))


def test_a_run_killed_twice_resumes_to_the_same_result(tmp_path, undisturbed):
    for resume, kill_at in ((False, 5), (True, 8)):
        with pytest.raises(Killed):
            train(tmp_path, start=10 * resume, resume=resume, kill_at=kill_at)
    assert_same(train(tmp_path, start=99, resume="true"), undisturbed[1])


def test_the_training_depends_on_what_is_resumed(tmp_path, undisturbed):
    actual = train(tmp_path, start=99)
    assert not torch.equal(actual["network"]["0.weight"], undisturbed[1]["network"]["0.weight"])


def test_a_finished_run_has_nothing_left_to_resume(tmp_path, undisturbed):
    train(tmp_path, start=0)
    assert_same(train(tmp_path, start=99, resume=True), undisturbed[1])


class Scripted:
    """A training whose weight is its epoch and whose validation metric is ``scores[epoch]``, None where none runs."""

    def __init__(self, folder: Path, scores: dict[int, float | None], network: nn.Module | None = None, **settings):
        self.network = nn.Linear(1, 1) if network is None else network
        self.evaluator = Engine(lambda engine, batch: None)
        self.evaluator.state.key_metric_name = "score"
        self.trainer = Engine(self.step)
        self.scores = scores
        self.trainer.add_event_handler(Events.EPOCH_COMPLETED, self.validate)
        self.checkpoints = Checkpoints(folder, {"network": self.network}, self.evaluator, **settings)
        self.checkpoints.attach(self.trainer)

    def step(self, engine: Engine, batch: int) -> None:
        with torch.no_grad():
            for weight in self.network.parameters():
                weight.fill_(engine.state.epoch)

    def validate(self, engine: Engine) -> None:
        score = self.scores.get(engine.state.epoch)
        if score is not None:
            self.evaluator.state.epoch = engine.state.epoch
            self.evaluator.state.metrics = {"score": score}

    def run(self, epochs: int) -> None:
        self.trainer.run([0, 1], max_epochs=epochs)


def epoch_of(file: Path) -> int:
    """Epoch whose weights a file holds, as :class:`Scripted` trains."""
    state = torch.load(file, weights_only=True)
    return int(state.get("network", state)["weight"].item())


@pytest.mark.parametrize(
    ("scores", "best"),
    [
        ((0.1, 0.3, 0.2), 2),
        ((0.3, 0.2, 0.1), 1),
        ((0.2, 0.2, 0.2), 1),  # of equals the first
        ((-3.0, -1.0, -2.0), 2),  # of a loss with its sign turned
        ((None, 0.1, None), 2),  # validation at intervals
        ((None, None, 0.1), 3),
        ((float("nan"), 0.1, 0.05), 2),
    ],
)
def test_model_holds_the_epoch_with_the_highest_metric(tmp_path, scores, best):
    Scripted(tmp_path, dict(enumerate(scores, start=1))).run(3)
    assert epoch_of(tmp_path / "models/model.pt") == best
    assert epoch_of(tmp_path / "models/last.pt") == 3


@pytest.mark.parametrize(("later", "best"), [(0.4, 2), (0.6, 4)])
def test_the_best_epoch_is_remembered_across_a_resume(tmp_path, later, best):
    Scripted(tmp_path, {1: 0.1, 2: 0.5, 3: 0.2}).run(3)
    Scripted(tmp_path, {4: later}, resume=True).run(4)
    assert epoch_of(tmp_path / "models/model.pt") == best
    assert epoch_of(tmp_path / "models/last.pt") == 4
    assert not (tmp_path / "previous").exists()


@pytest.mark.parametrize("scores", [{}, {1: float("nan"), 2: float("nan")}])
def test_without_a_metric_the_model_holds_the_final_weights(tmp_path, caplog, scores):
    with caplog.at_level(logging.INFO, logger="monai_freq"):
        Scripted(tmp_path, scores).run(2)
    assert epoch_of(tmp_path / "models/model.pt") == 2
    assert [str(tmp_path / "models/model.pt") in record.message for record in caplog.records] == [True]
    Scripted(tmp_path, scores, resume=True).run(3)
    assert epoch_of(tmp_path / "models/model.pt") == 3


@pytest.mark.parametrize(
    ("scores", "reason"), [({}, "No validation gave a metric"), ({1: math.nan}, "was NaN in every validation")]
)
def test_the_log_says_why_there_is_no_best_epoch_after_a_resume_too(tmp_path, caplog, scores, reason):
    with caplog.at_level(logging.INFO, logger="monai_freq.handlers.checkpoints"):
        Scripted(tmp_path, scores).run(1)
        Scripted(tmp_path, {}, resume=True).run(2)
    said = [record.message for record in caplog.records if "at the end" in record.message]
    assert [reason in message for message in said] == [True, True]


def test_a_metric_from_before_the_training_is_not_taken_for_an_epochs(tmp_path):
    run = Scripted(tmp_path, {2: 0.1})
    run.evaluator.state.epoch, run.evaluator.state.metrics = 5, {"score": 0.9}
    run.run(3)
    assert epoch_of(tmp_path / "models/model.pt") == 2


def test_a_killed_run_without_a_metric_leaves_no_model(tmp_path):
    run = Scripted(tmp_path, {})
    run.trainer.add_event_handler(Events.ITERATION_COMPLETED(once=4), lambda: (_ for _ in ()).throw(Killed))
    with pytest.raises(Killed):
        run.run(3)
    assert [file.name for file in (tmp_path / "models").iterdir()] == ["last.pt"]


def test_earlier_runs_are_set_aside_and_never_overwritten(tmp_path):
    kept = []
    for epochs in (1, 2, 3):
        Scripted(tmp_path, {1: 0.9}).run(epochs)
        kept.append((tmp_path / "models/last.pt").read_bytes())
    moved = [tmp_path / "previous" / number for number in ("1", "2")]
    assert sorted((tmp_path / "previous").iterdir()) == moved
    assert [epoch_of(folder / "models/last.pt") for folder in (*moved, tmp_path)] == [1, 2, 3]
    assert [(folder / "models/last.pt").read_bytes() for folder in (*moved, tmp_path)] == kept
    assert all((folder / "models/model.pt").is_file() for folder in moved)


def test_the_model_of_an_earlier_run_survives_a_resume_without_a_checkpoint(tmp_path):
    Scripted(tmp_path, {1: 0.9, 2: 0.95}).run(2)
    (tmp_path / "models/last.pt").unlink()
    Scripted(tmp_path, {1: 0.1}, resume=True).run(1)
    assert epoch_of(tmp_path / "models/model.pt") == 1
    assert epoch_of(tmp_path / "previous" / "1" / "models/model.pt") == 2


def test_a_second_run_of_the_same_engine_chooses_anew(tmp_path):
    run = Scripted(tmp_path, {1: 0.9})
    run.run(1)
    run.scores = {1: 0.1}
    run.run(1)
    assert run.checkpoints.best == 0.1
    assert (tmp_path / "models/model.pt").is_file()


def test_resume_without_a_checkpoint_starts_from_the_beginning(tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="monai_freq"):
        Scripted(tmp_path / "new", {1: 0.1}, resume=True).run(2)
    assert epoch_of(tmp_path / "new" / "models/last.pt") == 2
    assert "There is no" in caplog.text


@pytest.mark.parametrize("resume", ["true", "True", True])
def test_resume_is_read_as_a_command_line_gives_it(tmp_path, resume):
    Scripted(tmp_path, {1: 0.5}).run(2)
    continued = Scripted(tmp_path, {}, resume=resume)
    continued.run(3)
    assert continued.trainer.state.iteration == 6
    assert continued.checkpoints.best == 0.5


@pytest.mark.parametrize("resume", ["false", "False", False])
def test_not_to_resume_is_read_as_a_command_line_gives_it(tmp_path, resume):
    Scripted(tmp_path, {1: 0.5}).run(2)
    Scripted(tmp_path, {}, resume=resume).run(1)
    assert epoch_of(tmp_path / "previous" / "1" / "models/last.pt") == 2


@pytest.mark.parametrize("resume", ["maybe", "yes", 1, None, ""])
def test_anything_else_for_resume_is_refused(tmp_path, resume):
    with pytest.raises(ValueError, match="'resume' must be true or false"):
        Scripted(tmp_path, {}, resume=resume)


def test_a_network_is_required(tmp_path):
    with pytest.raises(ValueError, match=r"'network', got \['model'\]"):
        Checkpoints(tmp_path, {"model": nn.Linear(1, 1)}, Engine(lambda engine, batch: None))


class FullDisk:
    """``torch.save`` on a disk that is full after the first bytes of the n-th file."""

    def __init__(self, fail_at: int) -> None:
        self.fail_at, self.calls, self.save = fail_at, 0, torch.save

    def __call__(self, content: object, file: Any) -> None:
        self.calls += 1
        if self.calls < self.fail_at:
            self.save(content, file)
            return
        file.write(b"half a checkpoint")
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("fail_at", [1, 2, 3])
def test_a_full_disk_leaves_whole_files(tmp_path, monkeypatch, fail_at):
    Scripted(tmp_path, {1: 0.1}).run(1)
    monkeypatch.setattr(torch, "save", FullDisk(fail_at))
    with pytest.raises(SystemExit, match=r"cannot be written, with \d+ MB free there: No space left on device\.\nThe"):
        Scripted(tmp_path, {2: 0.2, 3: 0.3}, resume=True).run(3)  # saves model, last, model, last
    assert sorted(file.name for file in (tmp_path / "models").iterdir()) == ["last.pt", "model.pt"]
    assert epoch_of(tmp_path / "models/model.pt") == (1 if fail_at == 1 else 2)
    assert epoch_of(tmp_path / "models/last.pt") == (2 if fail_at == 3 else 1)


def foreign_network(path: Path) -> None:
    Scripted(path.parents[1], {}, network=nn.Linear(3, 2)).run(1)


def without_progress(path: Path) -> None:
    torch.save({"network": nn.Linear(1, 1).state_dict()}, path)


def truncated(path: Path) -> None:
    Scripted(path.parents[1], {}).run(1)
    path.write_bytes(path.read_bytes()[:-200])


BROKEN = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("not a checkpoint"),
    "truncated": truncated,
    "a list": lambda path: torch.save([1, 2], path),
    "other keys": lambda path: torch.save({"model": 1}, path),
    "weights alone": lambda path: torch.save(nn.Linear(1, 1).state_dict(), path),
    "without progress": without_progress,
    "foreign network": foreign_network,
}


@pytest.mark.parametrize("break_it", BROKEN.values(), ids=BROKEN)
def test_a_checkpoint_of_something_else_ends_with_two_lines(tmp_path, break_it):
    last = tmp_path / "models/last.pt"
    last.parent.mkdir()
    break_it(last)
    before = last.read_bytes()
    with pytest.raises(SystemExit) as caught:
        Scripted(tmp_path, {1: 0.1}, resume=True).run(2)
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{last} is not a checkpoint of this run: ")
    assert len(first) < len(str(last)) + 300
    assert "--resume false" in second
    assert last.read_bytes() == before


def test_a_run_of_an_earlier_version_goes_on_where_it_is(tmp_path):
    Scripted(tmp_path, {1: 0.1}).run(1)
    for file in (tmp_path / "models").iterdir():
        file.rename(tmp_path / file.name)
    (tmp_path / "models").rmdir()
    Scripted(tmp_path, {2: 0.2, 3: 0.1}, resume=True).run(3)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["last.pt", "model.pt"]
    assert [epoch_of(tmp_path / name) for name in ("model.pt", "last.pt")] == [2, 3]
    Scripted(tmp_path, {1: 0.1}).run(1)
    assert [epoch_of(tmp_path / "previous/1" / name) for name in ("model.pt", "last.pt")] == [2, 3]
    assert epoch_of(tmp_path / "models/last.pt") == 1


class Trap:
    """Creates a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_checkpoint_cannot_run_code(tmp_path):
    sprung = tmp_path / "sprung"
    (tmp_path / "models").mkdir()
    (tmp_path / "models/last.pt").write_bytes(pickle.dumps({"network": Trap(sprung)}))
    with pytest.raises(SystemExit):
        Scripted(tmp_path, {}, resume=True).run(1)
    assert not sprung.exists()
    pickle.loads((tmp_path / "models/last.pt").read_bytes())
    assert sprung.exists()  # the trap works where nobody is careful


def test_the_gradient_scaler_is_restored(tmp_path):
    from monai.engines import Trainer

    assert "self.scaler =" in inspect.getsource(Trainer)  # the name that MONAI gives it
    first = Scripted(tmp_path, {})
    first.trainer.scaler = torch.amp.GradScaler("cpu", init_scale=512.0)
    first.run(1)
    second = Scripted(tmp_path, {}, resume=True)
    second.trainer.scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    second.run(2)
    assert second.trainer.scaler.get_scale() == 512.0


def test_a_checkpoint_without_a_gradient_scaler_is_resumed_with_one(tmp_path):
    Scripted(tmp_path, {}).run(1)  # as on a CPU
    second = Scripted(tmp_path, {}, resume=True)
    second.trainer.scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    second.run(2)
    assert second.trainer.state.epoch == 2
    assert torch.load(tmp_path / "models/last.pt", weights_only=True)["scaler"]["scale"] == 2.0


@pytest.mark.usefixtures("single_process_group")
def test_distributed_names_are_stripped_and_found_again(tmp_path):
    def wrapped():
        return nn.parallel.DistributedDataParallel(nn.Linear(1, 1))

    Scripted(tmp_path, {1: 0.1}, network=wrapped()).run(1)
    for state in (
        torch.load(tmp_path / "models/model.pt", weights_only=True),
        torch.load(tmp_path / "models/last.pt", weights_only=True)["network"],
    ):
        assert list(state) == ["weight", "bias"]
    continued = Scripted(tmp_path, {}, network=wrapped(), resume=True)
    continued.run(1)  # nothing left to train
    assert continued.network.module.weight.item() == 1
    alone = Scripted(tmp_path, {}, resume=True)
    alone.run(1)
    assert alone.network.weight.item() == 1


def test_only_the_first_process_writes(tmp_path, monkeypatch):
    Scripted(tmp_path, {1: 0.1}).run(1)
    before = {file: file.read_bytes() for file in (tmp_path / "models").iterdir()}
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: 1)
    other = Scripted(tmp_path, {1: 0.2, 2: 0.3})
    other.run(2)
    assert {file: file.read_bytes() for file in (tmp_path / "models").iterdir()} == before
    assert other.checkpoints.best == 0.3  # known in every process
