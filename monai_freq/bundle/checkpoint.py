"""The checkpoint that an evaluation or an inference needs."""

from __future__ import annotations

from pathlib import Path

__all__ = ["check_checkpoint"]


def check_checkpoint(path: str) -> None:
    """End the program with two readable lines when there is no checkpoint.

    Args:
        path: file that the training saved.

    Raises:
        SystemExit: there is no such file.

    Example:
        >>> check_checkpoint("runs/early/model.pt")
        Traceback (most recent call last):
        SystemExit: There is no checkpoint runs/early/model.pt.
        Train first, with the same --fusion and --output_dir, or pass --checkpoint <file>.
    """
    if not Path(path).is_file():
        raise SystemExit(
            f"There is no checkpoint {path}.\n"
            "Train first, with the same --fusion and --output_dir, or pass --checkpoint <file>."
        )
