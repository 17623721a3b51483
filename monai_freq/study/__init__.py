"""Studies of many runs: which runs, made on one machine or on a Ray cluster, and what they say together."""

from .run.results import OtherVersion, Result, read_result, read_results, write_result
from .run.spec import run_name

__all__ = ["OtherVersion", "Result", "read_result", "read_results", "run_name", "write_result"]
