"""The bar counts epochs, changes nothing about the training, and belongs to the first process."""

import pytest
import torch
import tqdm as tqdm_package
from ignite.engine import Engine, Events

from monai_freq.handlers import RunProgress


@pytest.fixture
def bars(monkeypatch) -> list[tqdm_package.tqdm]:
    """All bars that are made."""
    made = []

    class Watched(tqdm_package.tqdm):
        def __init__(self, *args, **settings):
            super().__init__(*args, **settings)
            self.postfixes = []
            made.append(self)

        def set_postfix(self, shown, **settings):
            self.postfixes.append(dict(shown))
            super().set_postfix(shown, **settings)

    monkeypatch.setattr(tqdm_package, "tqdm", Watched)
    return made


def test_epochs_are_counted(bars, capsys):
    trainer = Engine(lambda engine, batch: None)
    RunProgress().attach(trainer)
    counted = []
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: counted.append(bars[0].n))
    trainer.run([0, 1], max_epochs=3)
    assert counted == [1, 2, 3]
    assert bars[0].total == 3
    assert bars[0].disable  # what tqdm sets when it is closed
    assert "3/3" in capsys.readouterr().err


@pytest.mark.parametrize("restored_first", [True, False])
def test_a_resumed_run_counts_from_where_it_was(bars, restored_first):
    trainer = Engine(lambda engine, batch: None)

    def resume(engine: Engine) -> None:
        engine.state.epoch, engine.state.iteration = 3, 6

    if restored_first:
        trainer.add_event_handler(Events.STARTED, resume)
    RunProgress().attach(trainer)
    if not restored_first:
        trainer.add_event_handler(Events.STARTED, resume)
    trainer.run([0, 1], max_epochs=5)
    assert (bars[0].n, bars[0].total) == (5, 5)
    assert bars[0].initial == (3 if restored_first else 0)


@pytest.mark.parametrize("wrap", [lambda loss: {"loss": loss}, lambda loss: [{"loss": loss}]])
def test_the_mean_loss_of_the_epoch_is_shown(bars, wrap):
    trainer = Engine(lambda engine, batch: wrap(torch.tensor(float(batch + engine.state.epoch))))
    RunProgress().attach(trainer)
    trainer.run([0, 1, 5], max_epochs=2)
    assert bars[0].postfixes == [{"loss": "3.000"}, {"loss": "4.000"}]


def test_the_key_metric_is_shown_once_there_is_one(bars):
    trainer, evaluator = Engine(lambda engine, batch: None), Engine(lambda engine, batch: None)
    evaluator.state.key_metric_name = "dice"
    RunProgress(evaluator).attach(trainer)

    @trainer.on(Events.EPOCH_STARTED(once=2))
    def validate(engine: Engine) -> None:
        evaluator.state.metrics = {"dice": torch.tensor(0.75), "dice of each class": torch.tensor([0.5, 1.0])}

    trainer.run([0], max_epochs=2)
    assert bars[0].postfixes == [{}, {"dice": "0.750"}]


@pytest.mark.parametrize("error", [RuntimeError("loss is NaN"), KeyboardInterrupt(), SystemExit("two lines")])
def test_an_exception_closes_the_bar_and_goes_on(bars, error):
    trainer = Engine(lambda engine, batch: None)
    RunProgress().attach(trainer)

    @trainer.on(Events.ITERATION_COMPLETED(once=3))
    def fail(engine: Engine) -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        trainer.run([0, 1], max_epochs=3)
    assert caught.value is error
    assert bars[0].disable
    assert bars[0].n == 1


def test_an_exception_before_the_bar_goes_on_too(bars):
    trainer = Engine(lambda engine, batch: None)

    @trainer.on(Events.STARTED)
    def refuse(engine: Engine) -> None:
        raise SystemExit("last.pt is not a checkpoint of this run")

    RunProgress().attach(trainer)
    with pytest.raises(SystemExit, match=r"last\.pt"):
        trainer.run([0], max_epochs=1)
    assert bars == []


def test_other_processes_show_nothing(bars, monkeypatch, capsys):
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: 1)
    trainer = Engine(lambda engine, batch: None)
    RunProgress().attach(trainer)
    trainer.run([0], max_epochs=2)
    assert bars == []
    assert capsys.readouterr().err == ""
