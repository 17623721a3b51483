"""Labels handed out anew over patients: what could have been if the spectrum told nothing of them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["numbered", "permuted"]

Codes = NDArray[np.int64]


def numbered(values: Sequence[Hashable]) -> tuple[Codes, tuple[Any, ...]]:
    """Number of each value among the sorted ones, and these.

    Args:
        values: values of one type.

    Example:
        >>> numbered(["b", "a", "b"])
        (array([1, 0, 1]), ('a', 'b'))
    """
    names = sorted(set(values))  # type: ignore[type-var]
    place = {name: k for k, name in enumerate(names)}
    return np.array([place[value] for value in values], dtype=np.int64), tuple(names)


def permuted(codes: Codes, patients: Codes, strata: Codes, n: int, seed: int = 0) -> NDArray[np.int16]:
    """Labels permuted over patients, within strata.

    A patient whose images share one label keeps them together: his label goes to another such patient with images in
    the same strata, whatever the number of their images. A patient of several labels has them exchanged among his own
    images in each stratum. If the label has nothing to do with the image, then all these assignments are
    equally likely, given which patients have one label; which makes a test on them exact.

    Args:
        codes: label of each image, as a number.
        patients: patient of each image, as a number.
        strata: stratum of each image, as a number.
        n: number of permutations.
        seed: seed of the draw.

    Shape:
        ``(images,)`` -> ``(images, 1 + n)``, the labels as they are first.

    Example:
        >>> labels, patients = np.array([0, 0, 1, 1, 0, 1]), np.array([0, 0, 1, 1, 2, 2])
        >>> drawn = permuted(labels, patients, np.zeros(6, int), 20)
        >>> sorted({tuple(column.tolist()) for column in drawn.T})
        [(0, 0, 1, 1, 0, 1), (0, 0, 1, 1, 1, 0), (1, 1, 0, 0, 0, 1), (1, 1, 0, 0, 1, 0)]
    """
    rng = np.random.default_rng(seed)
    own_codes = codes.astype(np.int16)  # as the result is large
    drawn = np.repeat(own_codes[:, None], 1 + n, 1)
    of_patient = np.split(np.argsort(patients, kind="stable"), np.flatnonzero(np.diff(np.sort(patients))) + 1)
    pure: dict[tuple[int, ...], list[NDArray[np.intp]]] = {}
    for images in of_patient:
        if (codes[images] == codes[images[0]]).all():
            pure.setdefault(tuple(np.unique(strata[images]).tolist()), []).append(images)
            continue
        for stratum in np.unique(strata[images]):
            own = images[strata[images] == stratum]
            drawn[own, 1:] = rng.permuted(drawn[own, 1:], axis=0)
    for places in sorted(pure):
        units = pure[places]
        handed = rng.permuted(np.repeat(own_codes[[images[0] for images in units]][:, None], n, 1), axis=0)
        sizes = [len(images) for images in units]
        drawn[np.concatenate(units), 1:] = np.repeat(handed, sizes, axis=0)
    return drawn
