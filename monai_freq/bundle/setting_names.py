"""Names of a bundle's settings: which one a key of MONAI's belongs to, and which one was meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from ..errors import UsageError

__all__ = ["require_setting", "setting_of"]


def setting_of(key: str) -> str:
    """Name of the setting that a key lies in.

    Args:
        key: key of a configuration, as an option of MONAI's names it.

    Example:
        >>> setting_of("theta"), setting_of("backbone#channels#0"), setting_of("phantom::cases")
        ('theta', 'backbone', 'phantom')
    """
    return key.replace("::", "#").split("#")[0]


def require_setting(key: str, known: Collection[str], file: object, *, option: str = "") -> None:
    """Refuse a key that lies in no setting: MONAI would make a new setting of it.

    Args:
        key: key of a configuration, as an option of MONAI's names it.
        known: names of the settings.
        file: configuration file with these settings.
        option: characters before a name on the command line.

    Raises:
        UsageError: there is no such setting.

    Example:
        >>> require_setting("thetta", ["fusion", "theta"], "configs/train.json", option="--")
        Traceback (most recent call last):
        ...
        monai_freq.errors.UsageError: There is no setting '--thetta'. Did you mean '--theta'?
        The settings are the first lines of configs/train.json.
    """
    name = setting_of(key)
    if name in known:
        return
    close = difflib.get_close_matches(name, known, n=1)
    meant = f" Did you mean '{option}{close[0]}'?" if close else ""
    raise UsageError(f"There is no setting '{option}{name}'.{meant}\nThe settings are the first lines of {file}.")
