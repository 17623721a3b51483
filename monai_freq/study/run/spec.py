"""What a run is: a bundle and the settings that tell this run from the others of its study."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

__all__ = ["run_name"]

#: settings with a place of their own in the name of a run
_PLACED = ("fusion", "train_size", "draw", "fold", "seed")
#: characters in the name of a run
_LONGEST = 200


def run_name(bundle: str, settings: Mapping[str, Any]) -> str:
    """Name of a run: ``<bundle>/n<train_size>_draw<draw>_<fusion>[_<key>=<value>...]_seed<seed>``.

    Args:
        bundle: name of the bundle.
        settings: settings of the run. A ``fold`` takes the place of the ``draw``; further settings appear in the order
            of their names.

    Example:
        >>> settings = {"fusion": "early", "train_size": 8, "draw": 0, "seed": 0}
        >>> run_name("heart_fd", settings | {"theta": 0.2, "image_size": [32, 32, 16]})
        'heart_fd/n8_draw0_early_image_size=32-32-16_theta=0.2_seed0'
        >>> run_name("lodopab_transfer", {"fusion": "none", "fold": 2, "seed": 0, "source": "random"})
        'lodopab_transfer/nall_draw2_none_source=random_seed0'
    """
    size, draw = settings.get("train_size"), settings.get("draw", settings.get("fold", 0))
    further = [f"{key}={_text(value)}" for key, value in sorted(settings.items()) if key not in _PLACED]
    parts = [
        f"n{'all' if size is None else size}",
        f"draw{draw}",
        settings["fusion"],
        *further,
        f"seed{settings['seed']}",
    ]
    return f"{_plain(bundle)}/{_short(_plain('_'.join(parts)))}"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _plain(text: str) -> str:
    """Text as part of a file's name anywhere."""
    return re.sub(r"[^A-Za-z0-9._=-]+", "-", text).replace("_-", "_").replace("=-", "=").replace("-_", "_")


def _short(text: str) -> str:
    """Text that a file system takes with an ending."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 9]}-{sha256(text.encode()).hexdigest()[:8]}"
