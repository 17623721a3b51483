"""What is computed case by case, kept in a file so that a run that was stopped goes on where it was."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..files import replacing
from .cases import Case, Cases

__all__ = ["case_rows"]

Array = NDArray[np.float64]
#: seconds between two writings
_OFTEN = 20.0
#: relative deviation of a network's answers from one run to the next
_SAME = 1e-4


def case_rows(
    cases: Cases,
    compute: Callable[[int, Case], Array],
    title: str,
    settings: Mapping[str, Any],
    output_dir: str | os.PathLike[str] | None = None,
    *,
    progress: bool = True,
) -> Array:
    """An array for each case, one after another, with a bar that tells the time left.

    With a folder, what is finished is kept in ``steps`` there. It is read again where the settings, the names of the
    cases and the array of the first case are the same: so it is of the same network, whatever that is.

    Args:
        cases: the cases.
        compute: function of the number of a case and the case; all its arrays have one shape.
        title: name of the bar, and of the file.
        settings: settings that the arrays depend on, as JSON can hold them.
        output_dir: folder to keep the arrays in; None for none.
        progress: whether to show the bar.

    Shape:
        ``(cases, ...)``

    Example:
        >>> import torch
        >>> cases = Cases.of_arrays(torch.ones(3, 1, 4, 4))
        >>> case_rows(cases, lambda k, case: np.array([k, float(case.load()[0].sum())]), "sums", {}, progress=False)
        array([[ 0., 16.],
               [ 1., 16.],
               [ 2., 16.]])
    """
    from tqdm import tqdm

    file = None if output_dir is None else Path(output_dir, "steps", f"{title.replace(' ', '_')}.npz")
    known = json.dumps({**settings, "cases": [case.name for case in cases]}, sort_keys=True, default=str)
    kept = [] if file is None else _kept(file, known)
    rows: list[Array] = []
    with tqdm(total=len(cases), desc=title, unit="case", disable=not progress, mininterval=0.5) as bar:
        last = time.monotonic()
        for k, case in enumerate(cases):
            if 0 < k < len(kept):
                rows.append(kept[k])
            else:
                rows.append(np.asarray(compute(k, case), np.float64))
            if k == 0 and kept and not _alike(rows[0], kept[0]):
                kept = []
            bar.update()
            if file is not None and k >= len(kept) and (time.monotonic() - last > _OFTEN or k + 1 == len(cases)):
                _keep(file, known, rows)
                last = time.monotonic()
    return np.stack(rows)


def _alike(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=_SAME, atol=_SAME, equal_nan=True))


def _kept(file: Path, settings: str) -> list[Array]:
    try:
        with np.load(file, allow_pickle=False) as found:
            return list(found["rows"]) if str(found["settings"]) == settings else []
    except (OSError, ValueError, KeyError, EOFError):
        return []


def _keep(file: Path, settings: str, rows: list[Array]) -> None:
    with replacing(file) as aside, aside.open("wb") as stream:
        np.savez(stream, rows=np.stack(rows), settings=np.array(settings))
