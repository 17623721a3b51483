"""The results of runs, under their earlier name."""

from .run.results import (
    BUNDLE,
    VERSION,
    OtherVersion,
    Result,
    asked_for,
    note_asked_for,
    read_result,
    read_results,
    result_file,
    write_result,
)
from .run.spec import run_name

__all__ = [
    "BUNDLE",
    "VERSION",
    "OtherVersion",
    "Result",
    "asked_for",
    "note_asked_for",
    "read_result",
    "read_results",
    "result_file",
    "run_name",
    "write_result",
]
