"""The patients that several test modules look at, drawn once."""

from collections.abc import Callable
from functools import cache, partial

import numpy as np
import pytest

from monai_freq.phantoms.heart import draw_heart_case
from monai_freq.phantoms.hippocampus import draw_hippocampus_case
from monai_freq.phantoms.nuclei import draw_nucleus_case
from monai_freq.phantoms.spleen import draw_spleen_case

Case = tuple[np.ndarray, np.ndarray, np.ndarray]
#: what is drawn -> by which function, on which grid
DRAWN: dict[str, tuple[Callable, tuple[int, int, int]]] = {
    "heart": (draw_heart_case, (64, 64, 32)),
    "spleen": (draw_spleen_case, (64, 64, 32)),
    "hippocampus": (draw_hippocampus_case, (56, 56, 40)),
    "red": (partial(draw_nucleus_case, nucleus="red"), (64, 64, 48)),
    "dentate": (partial(draw_nucleus_case, nucleus="dentate"), (64, 64, 48)),
}


@pytest.fixture(scope="session")
def draw_patients() -> Callable[[str, int], list[Case]]:
    """Image, label and affine of the first patients of a task."""

    @cache
    def patient(task: str, seed: int) -> Case:
        draw, size = DRAWN[task]
        case = draw(np.random.default_rng(seed), size)
        for part in case:
            part.flags.writeable = False
        return case

    return lambda task, number: [patient(task, seed) for seed in range(number)]
