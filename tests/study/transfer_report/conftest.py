"""Transfer studies whose truth is known: AUCs that fall by what was planted, densities of one shape."""

from collections.abc import Callable

import numpy as np
import pytest

from monai_freq.study.results import Result, write_result

FREQUENCIES = np.linspace(0, 0.5, 17)
#: source -> AUC lost O.O.D. per unit of fraction, centre of its learning priority in cycles per voxel
SOURCES = {
    "imagenet": (0.4, 0.26),
    "radimagenet": (0.1, 0.14),
    "random": (0.25, 0.2),
    "imagenet lowpass": (0.15, 0.12),
    "radimagenet whiten": (0.35, 0.3),
}


def bump(center: float, width: float = 0.09) -> list[float]:
    """A density around a frequency, scaled from 0 to 1."""
    density = np.exp(-0.5 * ((FREQUENCIES - center) / width) ** 2)
    return ((density - density.min()) / np.ptp(density)).tolist()


def tuned(
    source="imagenet",
    fraction=0.5,
    fold=0,
    seed=0,
    *,
    bundle="lodopab_transfer",
    artifact="photon_noise",
    level=0.9,
    lost=None,
    luck=None,
    arm="none",
    size=None,
    groups=0,
    **others,
) -> Result:
    """A finished fine-tuning; ``level`` is the AUC without shortcut, ``lost`` what is lost O.O.D. of it.

    ``luck`` is added to the O.O.D. AUC of all fractions of a fold and seed, so that paired differences are free of it.
    """
    slope, center = SOURCES.get(source, (0.2, 0.2))
    lost = slope * fraction if lost is None else lost
    luck = 0.002 * fold + 0.001 * seed if luck is None else luck
    auc = {"clean": level, "iid": level + 0.05 * fraction, "ood": level + luck - lost}
    densities = {
        "frequencies": FREQUENCIES.tolist(),
        "images": (1 / (FREQUENCIES + 0.02)).tolist(),
        "before": bump(center),
        "after": bump(center + 0.03 * (1 + fraction)),
    }
    if artifact != "none":
        densities["artifact"] = bump(0.35)
    conditions = {
        name: {"samples": 480, "auc": value, "accuracy": value - 0.1, "calibration_error": 0.05}
        for name, value in auc.items()
    }
    return Result(
        bundle=bundle,
        status="finished",
        arm=arm,
        size=size,
        draw=fold,
        seed=seed,
        overrides={"source": source, "artifact": artifact, "fraction": fraction, **others},
        settings={"dataset_dir": None},
        versions={"torch": "2.13.0"},
        seconds={"train": 20.0},
        measures={"conditions": conditions, "densities": densities, "overlapping_groups": groups},
    )


def pretrained(source="imagenet", seed=0, accuracy=0.8) -> Result:
    """A finished pre-training."""
    one = {"samples": 150, "auc": accuracy + 0.1, "accuracy": accuracy, "calibration_error": 0.04}
    densities = {"frequencies": FREQUENCIES.tolist(), "images": bump(0.05), "after": bump(SOURCES[source][1])}
    return Result(
        bundle="source_pretrain",
        status="finished",
        arm="none",
        size=None,
        draw=0,
        seed=seed,
        overrides={"source": source},
        settings={"dataset_dir": None},
        versions={"torch": "2.13.0"},
        measures={"conditions": {"all": one}, "densities": densities},
    )


def whole(
    sources=("imagenet", "radimagenet", "random"), fractions=(0.0, 0.5, 1.0), folds=3, seeds=1, **settings
) -> list[Result]:
    """Two pre-trainings of some sources or more, and all fine-tunings."""
    first = [pretrained(source, seed) for source in sources if source != "random" for seed in range(max(2, seeds))]
    return first + [
        tuned(source, fraction, fold, seed, **settings)
        for source in sources
        for fraction in fractions
        for fold in range(folds)
        for seed in range(seeds)
    ]


@pytest.fixture(name="tuned")
def _tuned() -> Callable[..., Result]:
    return tuned


@pytest.fixture(name="pretrained")
def _pretrained() -> Callable[..., Result]:
    return pretrained


@pytest.fixture(name="whole")
def _whole() -> Callable[..., list[Result]]:
    return whole


@pytest.fixture(name="bump")
def _bump() -> Callable[..., list[float]]:
    return bump


@pytest.fixture
def folder_of(tmp_path):
    """Write results into a study's folder."""

    def write(results):
        for result in results:
            write_result(tmp_path, result)
        return tmp_path

    return write
