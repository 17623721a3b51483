"""What the evaluation of a run has left in its folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...json_files import read_json
from ...places import evaluation_of
from ...quoting import named, reason_of, shown

__all__ = ["read_cases", "read_measures"]


def read_cases(file: Path) -> list[dict[str, Any]]:
    """Metrics of each test case of a segmentation.

    Args:
        file: table ``cases.csv``.

    Raises:
        ValueError: there is no such file, or it holds something else.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp(), "cases.csv")
        >>> _ = file.write_text("case,dice_heart\\nla_003,0.9\\n")
        >>> read_cases(file)
        [{'case': 'la_003', 'dice_heart': 0.9}]
    """
    from ...data.tables import read_rows  # imports MONAI, for which a study need not wait as it begins

    try:
        cases = [_metrics(row.cells) for row in read_rows(file)]
        twice = [name for name, count in Counter(case["case"] for case in cases).items() if count > 1]
        if twice:
            raise ValueError(f"it has '{shown(twice[0])}' twice")
    except ValueError as error:
        raise ValueError(f"{named(file)} is no table of test cases: {reason_of(error)}.") from error
    return cases


def read_measures(folder: Path) -> dict[str, Any]:
    """How well a classifier tells the classes apart in each condition, and on which frequencies its loss depends.

    ``conditions`` has AUC, accuracy and calibration error of each. ``densities`` has ``frequencies`` in cycles per
    pixel, and over them the mean power spectrum density of the ``images``, the learning priority ``before`` the first
    and ``after`` the last epoch that was logged, where such are, and the density of the ``artifact`` if there is one.

    Args:
        folder: folder of the run.

    Raises:
        OSError, ValueError: a file is not there, or holds something else.

    Example:
        >>> import json, tempfile
        >>> import numpy as np
        >>> from monai_freq.handlers import PSDHistory
        >>> folder, history = Path(tempfile.mkdtemp()), PSDHistory(np.linspace(0, 0.5, 3))
        >>> for epoch, gradients in ((0, [[0.0, 1.0, 0.5]]), (5, [[0.0, 0.5, 1.0]])):
        ...     history.add(epoch, {"images": np.array([[4.0, 2.0, 1.0]]), "gradients": np.array(gradients)})
        >>> for part in ("eval", "tensorboard"):
        ...     (folder / part).mkdir()
        >>> history.save(folder / "tensorboard" / "psd.npz")
        >>> _ = (folder / "eval" / "summary.json").write_text(json.dumps({"ood": {"auc": 0.8}}))
        >>> read_measures(folder)["conditions"], read_measures(folder)["densities"]["after"]
        ({'ood': {'auc': 0.8}}, [0.0, 0.5, 1.0])
    """
    from ...handlers.psd_history import PSDHistory

    conditions = _summary(evaluation_of(folder) / "summary.json")
    file = folder / "tensorboard" / "psd.npz"
    history = PSDHistory.load(file)
    if not {"images", "gradients"} <= set(history.kinds):
        raise ValueError(f"{file} must have densities of images and gradients, it has {list(history.kinds)}.")
    densities = {
        "frequencies": history.frequencies,
        "images": history.mean["images"][-1],
    }
    if history.epochs[0] == 0:
        densities["before"] = history.mean["gradients"][0]
    if history.epochs[-1] > 0:
        densities["after"] = history.mean["gradients"][-1]
    if "artifact" in history.kinds:
        densities["artifact"] = history.mean["artifact"][-1]
    return {"conditions": conditions, "densities": {name: density.tolist() for name, density in densities.items()}}


def _metrics(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value if key == "case" else float(value) for key, value in row.items()}


def _summary(file: Path) -> dict[str, Any]:
    try:
        content = read_json(file)
    except ValueError as error:
        raise ValueError(f"{named(file)} is truncated or damaged: {reason_of(error)}.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file} must have the metrics of each condition, got {content!r:.60}.")
    return content
