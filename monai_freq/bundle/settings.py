"""The settings of a run, checked before anything is read, built or written."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import torch
from monai.bundle import ConfigParser

from ..errors import UsageError
from ..networks.frequency_fusion import check_fusion
from ..quoting import reason_of, written
from ..spectral.bands import check_bands
from ..spectral.scalars import is_finite_number
from .backbone import check_backbone
from .command_line import check_options
from .normalization import check_normalization
from .parsing import copied
from .patches import check_patches

__all__ = ["NAMING", "check_config", "settings_of"]

#: settings of a trained network
NETWORK = ["fusion", "theta", "convention", "features", "image_size", "patch_size", "spacing"]
NETWORK += ["intensity_window", "classes", "crop"]
NETWORK += ["in_channels", "normalization", "num_classes"]
#: settings of what it was trained on
DATA = ["dataset_dir", "phantom", "source", "editing", "cutoff", "split_seed", "val_cases", "test_cases", "train_size"]
DATA += ["draw", "folds", "fold", "fraction", "artifact", "reading", "data"]
#: settings that name the folder of a run; None in an evaluation, where they are not given
NAMING = ("fusion", "source", "editing", "artifact", "fraction", "fold")

_COUNTS = ("val_cases", "test_cases", "train_size", "draw", "fold", "seed")
_POSITIVE = {"epochs": 60, "batch_size": 2, "threads": 4}
_RANGES = {"fraction": (0.0, 1.0), "learning_rate": (0.0, math.inf), "lam": (0.0, math.inf)}
_CHOICES = {"artifact": "artifacts", "source": "phantoms", "editing": "editings"}


def check_config(parser: ConfigParser) -> None:
    """Check the settings of a bundle's training, evaluation or inference, and the options of the command line.

    Nothing is read but what a training has recorded, nothing is written, and the parser stays as it is.

    Args:
        parser: configuration of a training, an evaluation or an inference.

    Raises:
        UsageError: a setting cannot work, or an option does not exist.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from monai_freq.bundle.shipped_bundles import copy_bundle
        >>> folder = copy_bundle("heart_fd", Path(tempfile.mkdtemp(), "heart_fd"))
        >>> parser = ConfigParser(ConfigParser.load_config_file(folder / "configs/train.json"))
        >>> check_config(parser)
        >>> parser["theta"] = 1.5
        >>> check_config(parser)
        Traceback (most recent call last):
        ...
        monai_freq.errors.UsageError: 'theta' must be in (0, 1), got 1.5.
        Change it on the command line, as in --theta 0.1, or in the configuration file.
    """
    check_options()
    own = copied(parser)
    if "cases" in own:
        own["cases#check"] = []  # where a setting follows from the images, as theta from their voxel size
    classifies = "normalization" in own
    fusion = _value(own, "fusion")
    _check_fusion(
        "none" if fusion is None and "settings" in own else fusion,
        own.get_parsed_content("theta"),
        own.get_parsed_content("convention"),
    )
    choices = [name for name, known in _CHOICES.items() if known in own]
    for name in (*_COUNTS, *_POSITIVE, *_RANGES, *choices):
        if name in own and not ((value := _value(own, name)) is None and _may_be_none(own, name)):
            _check_value(name, value, own)
    _check_device(own.get_parsed_content("device"))
    if classifies:
        weights = next((own.get_parsed_content(name) for name in ("init", "weights") if name in own), None)
        channels = own.get_parsed_content("in_channels")
        check_normalization(own.get_parsed_content("normalization"), channels, weights)
    else:
        _check_window(own.get_parsed_content("intensity_window"))
    size = "image_size" if _patch_size(own) is None else "patch_size"
    check_backbone(
        own.get_parsed_content("backbone"),
        image_size=own.get_parsed_content(size),
        setting=size,
        in_channels=own.get_parsed_content("in_channels" if classifies and fusion == "none" else "features"),
        out_channels=own.get_parsed_content("num_classes") if classifies else len(own.get_parsed_content("classes")),
        task="classification" if classifies else "segmentation",
    )


def settings_of(parser: ConfigParser) -> dict[str, Any]:
    """Settings of the network and of its data, of those that the configuration has.

    Args:
        parser: configuration; the data of an inference do not count.

    Example:
        >>> parser = ConfigParser({"fusion": "early", "theta": 0.1, "epochs": 60, "phantom": {"task": "heart"}})
        >>> settings_of(parser)
        {'fusion': 'early', 'theta': 0.1, 'phantom': {'task': 'heart'}}
    """
    names = [name for name in (NETWORK if "input_dir" in parser else NETWORK + DATA) if _is_setting(parser, name)]
    found = {name: _value(parser, name) for name in names}
    if "phantoms" in parser and "input_dir" not in parser:
        found["phantom"] = parser.get_parsed_content("samples#phantom")  # that of the source
    in_training = "settings" not in parser
    return {name: value for name, value in found.items() if in_training or value is not None or name not in NAMING}


def _is_setting(parser: ConfigParser, name: str) -> bool:
    """Whether the configuration has it, and not as something that is found in the data."""
    target = parser[name].get("_target_", "") if name in parser and isinstance(parser[name], dict) else ""
    return name in parser and (not target or target.endswith(".completed"))


def _value(parser: ConfigParser, name: str) -> Any:
    """Value of a setting, the training's where an evaluation is not given the one that names the folder."""
    value = parser.get_parsed_content(name)
    if value is None and name in NAMING and "settings" in parser:
        return parser.get_parsed_content("settings").get(name)
    return value


def _may_be_none(parser: ConfigParser, name: str) -> bool:
    """A count that stands for all; what names the folder of a run that the checkpoint has named already."""
    return name in _COUNTS or (name in NAMING and "settings" in parser)


def _patch_size(parser: ConfigParser) -> Any:
    """The size of patches, checked with that of voxels, unless the median of the images is to be found."""
    if "patch_size" not in parser:
        return None
    patch_size, spacing = parser.get_parsed_content("patch_size"), parser["spacing"]
    if "training_spacing" not in str(spacing):
        check_patches(patch_size, parser.get_parsed_content("spacing"))
    return patch_size


def _check_value(name: str, value: Any, parser: ConfigParser) -> None:
    if name in _COUNTS:
        _require(type(value) is int and value >= 0, name, value, "a whole number of at least 0", 4)
    elif name in _POSITIVE:
        _require(type(value) is int and value >= 1, name, value, "a whole number of at least 1", _POSITIVE[name])
    elif name in _RANGES:
        least, greatest = _RANGES[name]
        bounds = f"in [{least:g}, {greatest:g}]" if greatest < math.inf else f"a number of at least {least:g}"
        example = (least + greatest) / 2 if greatest < math.inf else least + 0.01
        _require(is_finite_number(value) and least <= value <= greatest, name, value, bounds, example)
    else:
        known: Collection[str] = parser[_CHOICES[name]]
        known_here = isinstance(value, str) and value in known
        _require(known_here, name, value, f"one of {', '.join(known)}", next(iter(known)))


def _require(holds: bool, name: str, value: object, what: str, example: object) -> None:
    if not holds:
        raise UsageError(f"'{name}' must be {what}, got {written(value)}.\nAs in --{name} {example}")


def _check_fusion(fusion: Any, theta: Any, convention: Any) -> None:
    try:
        check_fusion(fusion)
        check_bands(theta, convention)
    except ValueError as error:
        name = str(error).split("'")[1]
        example = {"fusion": "early", "theta": "0.1", "convention": "figure2"}[name]
        raise UsageError(
            f"{error}\nChange it on the command line, as in --{name} {example}, or in the configuration file."
        ) from error


def _check_window(window: Any) -> None:
    two = isinstance(window, (list, tuple)) and len(window) == 2 and all(map(is_finite_number, window))
    if window is not None and not (two and window[0] < window[1]):
        raise UsageError(
            f"'intensity_window' must be two increasing numbers or None, got {written(window)}.\n"
            "As in --intensity_window [-160,240], or --intensity_window '$None'"
        )


def _check_device(device: Any) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise UsageError(
            f"'device' is {str(device)!r}, which torch does not take: {reason_of(error)}.\nAs in --device cpu"
        ) from error
