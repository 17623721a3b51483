"""Generated data sets in the files of the real ones, for tests and first runs; nothing is downloaded."""

from .tasks import TASKS, write_phantom

__all__ = ["TASKS", "write_phantom"]
