"""Studies whose truth is known, for the tests of the reports."""

import csv
import math
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np

from monai_freq.study.report.conditions import conditions_of
from monai_freq.study.report.effects import effects_of
from monai_freq.study.report.long_table import study_of
from monai_freq.study.report.transfer_study import transfer_study_of
from monai_freq.study.run.results import Result, write_result

CLASSES = {"heart_fd": ["left atrium"], "hippocampus_fd": ["anterior", "posterior"], "own_task": ["lesion"]}
#: validation curves of trainings that were long enough, and of ones that were not
LEVEL = [0.8 * (1 - 0.5**n) for n in range(1, 13)]
RISING = [0.05 * n for n in range(1, 13)]
FREQUENCIES = np.linspace(0, 0.5, 17)
#: source -> AUC lost O.O.D. per unit of fraction, centre of its learning priority in cycles per voxel
SOURCES = {
    "imagenet": (0.4, 0.26),
    "radimagenet": (0.1, 0.14),
    "random": (0.25, 0.2),
    "imagenet lowpass": (0.15, 0.12),
    "radimagenet whiten": (0.35, 0.3),
}


def run(bundle="heart_fd", arm="none", size=4, draw=0, seed=0, gain=0.0, cases=8, dice=LEVEL, lost=(), **settings):
    """A finished segmentation: the same cases are hard and the same draws lucky in every arm."""
    hard = np.random.default_rng(1).normal(0.7, 0.05, cases)
    lucky = np.random.default_rng(draw).normal(0, 0.02)
    rng = np.random.default_rng([draw, seed, sum(map(ord, arm + bundle + str(settings))), size or 99])
    rows = []
    for case in range(cases):
        row = {"case": f"case_{case}"}
        for label in CLASSES[bundle]:
            value, name = hard[case] + lucky + gain + rng.normal(0, 0.02), label.replace(" ", "_")
            row |= {f"dice_{name}": value, f"hd95_mm_{name}": 20 * (1 - value) + rng.normal(0, 0.3)}
            row |= {f"grid_dice_{name}": value, f"grid_hd95_voxels_{name}": 10 * (1 - value)}
        rows.append(row if case not in lost else row | dict.fromkeys(list(row)[1:], math.nan))
    return Result(
        bundle=bundle,
        status="finished",
        settings={"fusion": arm, "train_size": size, "draw": draw, "seed": seed, **settings},
        classes={str(number): name for number, name in enumerate(CLASSES[bundle], 1)},
        recorded={"dataset_dir": None},
        versions={"torch": "2.13.0"},
        seconds={"train": 40.0 + draw, "evaluate": 3.0},
        peak_memory_bytes=800_000_000,
        validation={"epochs": [*range(1, len(dice) + 1)], "val_mean_dice": list(dice)},
        cases=rows,
    )


def runs(gain=0.0, draws=10, arms=("none", "early"), sizes=(4,), **settings):
    """All runs of a segmentation study."""
    return [
        run(arm=arm, size=size, draw=draw, gain=gain * (arm != "none"), **settings)
        for arm in arms
        for size in sizes
        for draw in range(draws)
    ]


def bump(center, width=0.09):
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
    groups=0,
    **others,
):
    """A finished fine-tuning; ``level`` is the AUC without shortcut, ``lost`` what is lost O.O.D. of it.

    ``luck`` is added to the O.O.D. AUC of all fractions of a fold and seed, so that paired differences are free of it.
    """
    slope, center = SOURCES.get(source, (0.2, 0.2))
    lost = slope * fraction if lost is None else lost
    luck = 0.002 * fold + 0.001 * seed if luck is None else luck
    aucs = {"clean": level, "iid": level + 0.05 * fraction, "ood": level + luck - lost}
    densities = {
        "frequencies": FREQUENCIES.tolist(),
        "images": (1 / (FREQUENCIES + 0.02)).tolist(),
        "before": bump(center),
        "after": bump(center + 0.03 * (1 + fraction)),
    }
    if artifact != "none":
        densities["artifact"] = bump(0.35)
    conditions = {
        name: {"samples": 480, "auc": auc, "accuracy": auc - 0.1, "calibration_error": 0.05}
        for name, auc in aucs.items()
    }
    place = {"source": source, "artifact": artifact, "fraction": fraction}
    return Result(
        bundle=bundle,
        status="finished",
        settings={"fusion": arm, "fold": fold, "seed": seed, **place, **others},
        recorded={"dataset_dir": None},
        versions={"torch": "2.13.0"},
        seconds={"train": 20.0},
        measures={"conditions": conditions, "densities": densities, "overlapping_groups": groups},
    )


def pretrained(source="imagenet", seed=0, accuracy=0.8):
    """A finished pre-training."""
    one = {"samples": 150, "auc": accuracy + 0.1, "accuracy": accuracy, "calibration_error": 0.04}
    densities = {"frequencies": FREQUENCIES.tolist(), "images": bump(0.05), "after": bump(SOURCES[source][1])}
    return Result(
        bundle="source_pretrain",
        status="finished",
        settings={"fusion": "none", "seed": seed, "source": source},
        recorded={"dataset_dir": None},
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


def with_densities(result, **densities):
    """A run that has measured other densities."""
    measured = dict(result.measures["densities"]) | densities
    return Result(**vars(result) | {"measures": dict(result.measures) | {"densities": measured}})


def place_of(result):
    """Source and fraction of a classifier."""
    return result.settings.get("source"), result.settings.get("fraction")


def conditions_in(results):
    """Conditions of a segmentation study."""
    return conditions_of(study_of(results))


def transfer_in(results):
    """Transfer study, and what the shortcut costs in it."""
    study = transfer_study_of(study_of(results))
    return study, effects_of(study)


def reported(write, folder, results):
    """Texts of a report by file name."""
    for result in results:
        write_result(folder, result)
    paths = write(folder)
    assert all(path.parent == folder / "report" and path.stat().st_size for path in paths)
    return {path.name: path.read_text() for path in paths if path.suffix != ".png"}


def rows_of(text):
    """Lines of a CSV file."""
    return list(csv.DictReader(text.splitlines()))


class Tags(HTMLParser):
    """Checks that tags nest, and collects what a browser would load or link to."""

    void = {"meta", "link", "img", "br"}

    def __init__(self, text):
        super().__init__()
        self.open, self.links, self.seen = [], [], set()
        self.feed(text)
        self.close()
        assert self.open == []
        ElementTree.fromstring(text.removeprefix("<!DOCTYPE html>\n"))

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
