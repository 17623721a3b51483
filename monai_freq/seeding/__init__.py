"""Chance: seeds, generators seeded for a block, data sets and epochs whose draws do not depend on the workers."""

from ..lazy import lazy_names

__all__ = ["EpochSeed", "SeededDataset"]

# lazy, since readers need the seeds without ignite
__getattr__, __dir__ = lazy_names(__name__, {".epoch_seed": ["EpochSeed"], ".seeded_dataset": ["SeededDataset"]})
