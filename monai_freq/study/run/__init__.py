"""The runs of a study: what each of them is, how it is made on one machine or on a Ray cluster, and its result."""

from .results import Result
from .spec import Run

__all__ = ["Result", "Run"]
