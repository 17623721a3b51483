"""Chance: seeds, generators seeded for a block, data sets and epochs that draw the same whoever loads them."""

from ..lazy import lazy_names

__all__ = ["EpochSeed", "SeededDataset"]

# readers need the seeds alone, and not ignite
__getattr__, __dir__ = lazy_names(__name__, {".epoch_seed": ["EpochSeed"], ".seeded_dataset": ["SeededDataset"]})
