"""The settings of a run, checked before anything is built."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Sequence
from pathlib import Path

import torch

from ..json_files import read_json, repeated_name
from ..networks.frequency_fusion import check_fusion
from ..quoting import reason_of, shown, written
from ..spectral.bands import check_bands
from ..spectral.scalars import is_finite_number
from .command_line import config_files, overridden, repeated_option
from .setting_names import require_setting

__all__ = ["check_choices", "check_ranges", "check_settings", "check_training"]

#: options of ``monai.bundle run`` itself
_OWN = ("run_id", "init_id", "final_id", "meta_file", "config_file", "logging_file", "tracking", "args_file")


def check_settings(*, fusion: str, theta: float, convention: str, spatial_dims: int = 3, **counts: int | None) -> None:
    """End the program with two readable lines when a setting cannot work.

    Unknown options are refused too, as MONAI would add a mistyped one to the configuration and use the default; so is
    ``None`` on the command line, which MONAI leaves out, an option without a value, which it takes for True, and one
    that is given twice, of which it takes the last.

    Args:
        fusion: ``"none"``, ``"early"`` or ``"late"``.
        theta: width of the low block in (0, 1).
        convention: which band is called low.
        spatial_dims: 2 or 3.
        counts: settings that must be whole numbers of at least 0, or None.

    Raises:
        SystemExit: a setting is outside its range, or an option does not exist.

    Example:
        >>> check_settings(fusion="early", theta=1.5, convention="figure2")
        Traceback (most recent call last):
        SystemExit: 'theta' must be in (0, 1), got 1.5.
        Change it on the command line, as in --theta 0.1, or in the configuration file.
    """
    try:
        check_fusion(fusion)
        if spatial_dims not in (2, 3):
            raise ValueError(f"'spatial_dims' must be 2 or 3, got {written(spatial_dims)}.")
        check_bands(theta, convention, spatial_dims=spatial_dims)
    except ValueError as error:
        name = str(error).split("'")[1]
        example = {"fusion": "early", "theta": "0.1", "convention": "figure2"}.get(name, "3")
        raise SystemExit(
            f"{error}\nChange it on the command line, as in --{name} {example}, or in the configuration file."
        ) from error
    for name, value in counts.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
            raise SystemExit(f"'{name}' must be a whole number of at least 0, got {written(value)}.\nAs in --{name} 4")
    _refuse_options()


def check_training(*, epochs: int, batch_size: int, learning_rate: float, device: torch.device | str) -> None:
    """End the program with two readable lines when nothing can be trained with a setting.

    Args:
        epochs: of the training, at least 1.
        batch_size: at least 1.
        learning_rate: at least 0.
        device: that there is.

    Raises:
        SystemExit: a setting is outside its range, or torch finds no such device.

    Example:
        >>> check_training(epochs=0, batch_size=2, learning_rate=0.001, device="cpu")
        Traceback (most recent call last):
        SystemExit: 'epochs' must be a whole number of at least 1, got 0.
        As in --epochs 60
    """
    for name, value, example in (("epochs", epochs, 60), ("batch_size", batch_size, 2)):
        if type(value) is not int or value < 1:
            raise SystemExit(
                f"'{name}' must be a whole number of at least 1, got {written(value)}.\nAs in --{name} {example}"
            )
    check_ranges(learning_rate=(learning_rate, 0, math.inf))
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise SystemExit(
            f"'device' is {str(device)!r}, which torch does not take: {reason_of(error)}.\nAs in --device cpu"
        ) from error


def check_ranges(**ranges: tuple[object, float, float]) -> None:
    """End the program with two readable lines when a setting is no number of its range.

    Args:
        ranges: name of the setting -> its value, and the least and the greatest that it may be; infinite: no bound.

    Raises:
        SystemExit: a value is no finite number, or outside its range.

    Example:
        >>> check_ranges(fraction=(1.5, 0, 1))
        Traceback (most recent call last):
        SystemExit: 'fraction' must be in [0, 1], got 1.5.
        As in --fraction 0.5
    """
    for name, (value, least, greatest) in ranges.items():
        if not (is_finite_number(value) and least <= value <= greatest):
            bounds = f"in [{least:g}, {greatest:g}]" if greatest < math.inf else f"a number of at least {least:g}"
            example = (least + greatest) / 2 if greatest < math.inf else least + 0.01
            raise SystemExit(f"'{name}' must be {bounds}, got {written(value)}.\nAs in --{name} {example:g}")


def check_choices(**choices: tuple[object, Collection[str]]) -> None:
    """End the program with two readable lines when a setting is none of those that there are.

    Args:
        choices: name of the setting -> its value, and what it may be.

    Raises:
        SystemExit: a value is none of these.

    Example:
        >>> check_choices(artifact=("blur", ["none", "photon_noise"]))
        Traceback (most recent call last):
        SystemExit: 'artifact' must be one of none, photon_noise, got 'blur'.
        As in --artifact none
    """
    for name, (value, known) in choices.items():
        if not isinstance(value, str) or value not in known:
            raise SystemExit(
                f"'{name}' must be one of {', '.join(known)}, got {written(value)}.\nAs in --{name} {next(iter(known))}"
            )


def _require_once(files: Sequence[str]) -> None:
    """Of a name that occurs twice in one mapping, MONAI and Python would take the last."""
    from monai.bundle import ConfigParser

    for file in files:
        try:
            if Path(file).suffix == ".json":
                read_json(file)
            with warnings.catch_warnings():
                warnings.filterwarnings("error", "Duplicate key")  # MONAI's, of YAML too
                ConfigParser.load_config_file(file)
        except (OSError, ValueError, UserWarning) as error:
            raise SystemExit(f"{file} cannot be read as a configuration: {error}.\nCorrect it.") from error
    for option, value in overridden().items():
        if (name := repeated_name(value)) is not None:
            raise SystemExit(f"'--{option}' has the name '{name}' twice.\nGive each name once.")


def _refuse_options() -> None:
    from monai.bundle import ConfigParser

    files = config_files()
    if not files:
        return
    if (twice := repeated_option()) is not None:
        raise SystemExit(f"'--{shown(twice)}' is given twice, and MONAI would take the last.\nGive it once.")
    _require_once(files)
    config = ConfigParser.load_config_files(files)
    for option, value in overridden().items():
        require_setting(option, [*config, *_OWN, "_meta_"], files[0], option="--")
        if value == "None" and config.get(option, "") is not None:
            raise SystemExit(
                f"'--{option} None' would change nothing: MONAI takes it for an option that is not given.\n"
                f"Give a value, or, where nothing is meant, --{option} '$None'"
            )
        if value == "" and option in config and not isinstance(config[option], bool):
            raise SystemExit(
                f"'--{option}' has no value, and MONAI would take it for True.\nWrite one behind it: --{option} VALUE"
            )
