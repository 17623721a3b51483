"""One small training, by hand, that MONAI's and Lightning's trainers have to repeat bit for bit."""

import random
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

LOSS = nn.CrossEntropyLoss()


def classifier():
    """With every state that a log could disturb: running statistics, and draws."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.Dropout(0.3),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4, 2),
    )


def batches_of(count=3, size=4, seed=0, shape=(1, 16, 12)):
    """Pairs of images and labels."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(count, size, *shape, generator=generator)
    return [(image, torch.arange(size) % 2) for image in images]


class Listing(nn.Module):
    """Outputs at two sizes, as with deep supervision, in evaluation mode too."""

    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(1, 2, 3, padding=1)

    def forward(self, x):
        full = self.body(x)
        return [full, nn.functional.avg_pool2d(full, 2)]


class Trained(NamedTuple):
    """All that there is to know of a training."""

    network: nn.Module
    losses: list
    states: dict


def seed_all():
    for seed in (torch.manual_seed, np.random.seed, random.seed):
        seed(0)


def optimizer_of(network):
    return torch.optim.Adam(network.parameters(), lr=0.01)


def trained(epochs, logger_of=None, batches=None, network=None, loss=LOSS, last=None, first=1):
    """Train in a plain loop, with the logger that is made for a network and a loss."""
    network, batches = network or classifier(), batches or batches_of()
    seed_all()
    optimizer, losses = optimizer_of(network), []
    logger = logger_of(network, loss) if logger_of else None
    for number in range(first, epochs + 1):
        network.train()
        for images, labels in batches:
            images = images + 0.1 * (torch.rand(1) + np.random.rand() + random.random())
            if logger:
                logger.batch(images, labels)
            optimizer.zero_grad()
            value = loss(network(images), labels)
            value.backward()
            optimizer.step()
            losses.append(value.detach())
        if logger:
            logger.epoch(number, last=number == last)
    states = {
        "network": network.state_dict(),
        "modes": [module.training for module in network.modules()],
        "gradients": [parameter.grad for parameter in network.parameters()],
        "optimizer": optimizer.state_dict(),
        "draws": [torch.rand(2), np.random.rand(2).tolist(), random.random()],
    }
    return Trained(network, losses, states)
