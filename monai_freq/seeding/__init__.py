"""Chance: seeds, generators seeded for a block, data sets and epochs that draw the same whoever loads them."""

from .epoch_seed import EpochSeed
from .seeded_dataset import SeededDataset

__all__ = ["EpochSeed", "SeededDataset"]
