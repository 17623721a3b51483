"""Real event files: the picture of the first case, at the right epochs, in its true proportions."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from ignite.engine import Engine
from monai.data import DataLoader, Dataset, MetaTensor
from monai.engines import SupervisedEvaluator
from monai.transforms import AsDiscreted
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from monai_freq.handlers import SlicePictures, slice_pictures

SHAPE = (12, 10, 8)


def rotated(spacing: tuple[float, ...], angle: float = 0.4) -> np.ndarray:
    """Affine of an oblique volume."""
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn @ np.diag([*spacing, 1.0])


def case(number: int, affine: np.ndarray | None = None) -> dict[str, MetaTensor]:
    image = torch.zeros(1, *SHAPE)
    image[:, 2 + number : 8, 2:7, 2:6] = 1.0
    affine = np.eye(4) if affine is None else affine
    return {"image": MetaTensor(image, affine=affine), "label": MetaTensor((image > 0.5).float(), affine=affine)}


class Threshold(torch.nn.Module):
    """Stands for a trained network."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([0.5 - x, x - 0.5], dim=1)


def evaluator_of(cases: list[dict[str, MetaTensor]]) -> SupervisedEvaluator:
    return SupervisedEvaluator(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(Dataset(cases), batch_size=2),
        network=Threshold(),
        postprocessing=AsDiscreted(keys=["pred", "label"], argmax=[True, False], to_onehot=2),
    )


def validate(folder: Path, epochs: range, cases: list[dict[str, MetaTensor]], **settings) -> EventAccumulator:
    """Validate at each epoch as a trainer's ``ValidationHandler`` does; what TensorBoard reads afterwards."""
    evaluator = evaluator_of(cases)
    with SummaryWriter(folder) as writer:
        SlicePictures(summary_writer=writer, **settings).attach(evaluator)
        for epoch in epochs:
            evaluator.run(epoch)
    events = EventAccumulator(str(folder), size_guidance={"images": 0})
    events.Reload()
    return events


def pixels(events: EventAccumulator, tag: str) -> list[np.ndarray]:
    return [np.asarray(Image.open(io.BytesIO(event.encoded_image_string))) for event in events.Images(tag)]


@pytest.mark.parametrize(("interval", "steps"), [(1, [1, 2, 3, 4]), (2, [2, 4]), (3, [3]), (5, [])])
def test_one_picture_every_interval(tmp_path, interval, steps):
    events = validate(tmp_path, range(1, 5), [case(0), case(1), case(2)], interval=interval, tag="heart")
    assert events.Tags()["images"] == (["heart"] if steps else [])
    assert [event.step for event in (events.Images("heart") if steps else [])] == steps


def test_the_picture_is_of_the_first_case(tmp_path):
    orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2]]
    first, same, other = (
        pixels(validate(tmp_path / str(i), range(1, 2), [case(number) for number in order]), "validation case")[0]
        for i, order in enumerate(orders)
    )
    assert first.std() > 1
    np.testing.assert_array_equal(first, same)
    assert first.shape != other.shape or (first != other).any()


def test_the_step_is_the_epoch_of_the_trainer_when_there_is_one(tmp_path):
    trainer = Engine(lambda engine, batch: None)
    trainer.state.epoch = 30
    events = validate(tmp_path, range(1, 2), [case(0)], interval=10, trainer=trainer)
    assert [event.step for event in events.Images("validation case")] == [30]


@pytest.fixture
def drawn(monkeypatch) -> list[dict]:
    """What is asked of ``three_planes``, which still draws."""
    calls = []
    draw = slice_pictures.three_planes

    def watch(image, masks, **settings):
        calls.append({"image": image, "masks": masks} | settings)
        return draw(image, masks, **settings)

    monkeypatch.setattr(slice_pictures, "three_planes", watch)
    return calls


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.8, 1.3, 5.0)])
def test_spacing_of_an_oblique_volume_is_that_of_its_voxels(tmp_path, drawn, spacing):
    validate(tmp_path, range(1, 2), [case(0, rotated(spacing))])
    np.testing.assert_allclose(drawn[0]["spacing"], spacing, rtol=1e-6)


def test_image_and_class_numbers_are_drawn(tmp_path, drawn):
    validate(tmp_path, range(4, 5), [case(1)], classes={"0": "background", "1": "left atrium"})
    expected = case(1)["image"][0].numpy()
    np.testing.assert_array_equal(drawn[0]["image"], expected)
    assert list(drawn[0]["masks"]) == ["reference", "prediction"]
    for mask in drawn[0]["masks"].values():
        np.testing.assert_array_equal(mask, expected > 0.5)
    assert drawn[0]["classes"][1] == "left atrium"
    assert "4" in drawn[0]["title"]


def test_the_evaluation_is_not_changed(tmp_path):
    plain, watched = evaluator_of([case(0)]), evaluator_of([case(0)])
    with SummaryWriter(tmp_path) as writer:
        SlicePictures(summary_writer=writer).attach(watched)
        plain.run(1)
        watched.run(1)
    for key in ("image", "label", "pred"):
        torch.testing.assert_close(watched.state.output[0][key], plain.state.output[0][key], rtol=0, atol=0)


@pytest.mark.parametrize("interval", [0, -1, 1.5, True, "2"])
def test_a_bad_interval_is_refused(tmp_path, interval):
    with pytest.raises(ValueError, match=f"'interval' must be a positive integer, got {interval!r}"):
        SlicePictures(log_dir=str(tmp_path), interval=interval)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", [None, 3])
def test_what_is_no_folder_is_refused_and_makes_none(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TypeError, match=r"'log_dir' must be the path of a folder, got "):
        SlicePictures(log_dir=folder)
    assert list(tmp_path.iterdir()) == []
