"""The command line: ``python -m monai_freq.nnunet`` prints the folder for nnU-Net's ``nnUNet_extTrainer``."""

from __future__ import annotations

from pathlib import Path

__all__ = ["external_folder"]


def external_folder() -> Path:
    """Folder in which nnU-Net finds the trainers, and nothing else.

    nnU-Net imports every module of such a folder, as if the folder were on Python's path.

    Example:
        >>> sorted(file.name for file in external_folder().glob("*.py"))
        ['__init__.py', 'monai_freq_trainers.py']
    """
    return Path(__file__).with_name("external").absolute()


if __name__ == "__main__":
    print(external_folder())
