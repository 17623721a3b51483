"""A validation before the training, and none when the training is resumed."""

import torch
from monai.data import DataLoader, Dataset
from monai.engines import SupervisedEvaluator, SupervisedTrainer
from torch import nn

from monai_freq.handlers import Checkpoints, ValidateBefore


def trained(folder, epochs, resume):
    items = [{"image": torch.rand(1, 4), "label": torch.rand(1, 2)} for _ in range(4)]
    network, epochs_seen = nn.Linear(4, 2), []
    evaluator = SupervisedEvaluator(torch.device("cpu"), DataLoader(Dataset(items), batch_size=2), network)
    evaluator.add_event_handler("COMPLETED", lambda engine: epochs_seen.append(engine.state.epoch))
    trainer = SupervisedTrainer(
        torch.device("cpu"),
        epochs,
        DataLoader(Dataset(items), batch_size=2),
        network,
        torch.optim.SGD(network.parameters(), 0.1),
        nn.MSELoss(),
        train_handlers=[Checkpoints(folder, {"network": network}, evaluator, resume), ValidateBefore(evaluator)],
    )
    trainer.run()
    return epochs_seen


def test_a_fresh_run_is_validated_as_epoch_0_and_a_resumed_one_is_not(tmp_path):
    assert trained(tmp_path, 1, resume=False) == [0]
    assert trained(tmp_path, 3, resume=True) == []
    assert trained(tmp_path, 1, resume=False) == [0]
