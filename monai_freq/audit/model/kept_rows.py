"""What is computed case by case, kept in a file so that a run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...files import replacing
from ..cases import Case, Cases
from ..data.measured import state_of
from .models import AuditModel
from .threads import in_threads

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
    model: AuditModel | None = None,
    progress: bool = True,
) -> Array:
    """An array for each case, in their order, with a bar that tells the time left.

    With a folder, what is finished is kept in ``steps`` there. It is read again where the settings, the cases with
    their files and labels, the weights of the network, what it is given of the first case, and the array of the first
    case are the same.

    Args:
        cases: the cases.
        compute: function of the number of a case and the case; all its arrays have one shape. Several threads call it
            at once, each with a network of its own, see :func:`~monai_freq.audit.model.threads.in_threads`.
        title: name of the bar, and of the file.
        settings: settings that the arrays depend on, as JSON can hold them.
        output_dir: folder to keep the arrays in; None for none.
        model: the network that the arrays are of; None if they are of none.
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
    known = "" if file is None else _known(settings, cases, model)
    kept = [] if file is None else _kept(file, known)
    rows: list[Array] = []

    def one(k: int) -> Array:
        return np.asarray(compute(k, cases[k]), np.float64)

    with tqdm(total=len(cases), desc=title, unit="case", disable=not progress, mininterval=0.5) as bar:
        rows += in_threads(one, [0], model)
        if kept and not _alike(rows[0], kept[0]):
            kept = []
        rows += kept[1:]
        bar.update(len(rows))
        last = time.monotonic()
        for row in in_threads(one, range(len(rows), len(cases)), model):
            rows.append(row)
            bar.update()
            if file is not None and (time.monotonic() - last > _OFTEN or len(rows) == len(cases)):
                _keep(file, known, rows)
                last = time.monotonic()
    return np.stack(rows)


def _known(settings: Mapping[str, Any], cases: Cases, model: AuditModel | None) -> str:
    """What arrays depend on."""
    told = [
        [case.name, case.label, case.group, case.patient, case.spacing, _state(case.image), _state(case.segmentation)]
        for case in cases
    ]
    network = None if model is None else _fingerprint(model, cases[0])
    return json.dumps({**settings, "cases": told, "network": network}, sort_keys=True, default=str)


def _state(image: str | Tensor | None) -> object:
    """What changes with an image."""
    if isinstance(image, Tensor):
        digest = hashlib.sha256()
        _add(digest, image)
        return digest.hexdigest()
    return image if image is None else [image, state_of(image)]


def _fingerprint(model: AuditModel, case: Case) -> str:
    """Digest of the weights, and of what the preprocessing makes of an image."""
    digest = hashlib.sha256(repr((model.task, model.classes, model.activation)).encode())
    for name, value in ({} if model.network is None else model.network.state_dict()).items():
        digest.update(name.encode())
        if isinstance(value, Tensor):
            _add(digest, value)
    placed = case.load_placed()
    _add(digest, model.prepare(placed.as_tensor()[None], like=placed)[0])
    return digest.hexdigest()


def _add(digest: Any, tensor: Tensor) -> None:
    plain = tensor.as_subclass(Tensor).detach().cpu().contiguous()
    digest.update(repr((tuple(plain.shape), plain.dtype)).encode())
    digest.update(plain.reshape(-1).view(torch.uint8).numpy().tobytes())


def _alike(one: Array, other: Array) -> bool:
    return one.shape == other.shape and bool(np.allclose(one, other, rtol=_SAME, atol=_SAME, equal_nan=True))


def _kept(file: Path, settings: str) -> list[Array]:
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as found:
            return list(found["rows"]) if str(found["settings"]) == settings else []
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return []


def _keep(file: Path, settings: str, rows: list[Array]) -> None:
    with replacing(file) as aside, aside.open("wb") as stream:
        np.savez(stream, rows=np.stack(rows), settings=np.array(settings))
