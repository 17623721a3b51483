"""The study of docs/results/claims.md: does the source of pre-training decide which shortcut a network takes?

    python docs/results/claims.py out-claims

makes what is missing, an hour on two cores in all, and writes ``out-claims/claims.md`` beside the report.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import NamedTuple

import torch

from monai_freq.files import replacing
from monai_freq.spectral.psd import band_shares, centroid
from monai_freq.study.report import write_transfer_report
from monai_freq.study.run.plan import Source, parse_source, plan_pretraining, plan_transfers
from monai_freq.study.run.results import Result, read_results
from monai_freq.study.run.runner import run_study
from monai_freq.study.run.spec import RANDOM, Run

BUNDLES = Path(__file__).resolve().parents[2] / "bundles"
REPEATS = {1: 0, 2: 1, 3: 2}  # seed of pre-training and fine-tuning -> fold: both change from one repeat to the next
FRACTION = 0.5
TUNING_EPOCHS = 40
LEARNED = 0.75  # AUC without the shortcut, from which on a source counts
TARGET = {"kneemri_transfer": str(BUNDLES / "kneemri_transfer")}
SIZES = {"phantom#exams": 400, "folds#train": 200, "folds#val": 60, "folds#test": 140}
#: label -> epochs of the pre-training, chosen with seed 0 so that accuracies are as alike as they get, see claims.md
EPOCHS = {
    "imagenet": 30,
    "radimagenet": 25,
    "imagenet shape": 20,
    "radimagenet texture": 16,
    "imagenet lowpass": 20,
    "radimagenet whiten": 40,
}
MORE = {"imagenet shape": {"phantoms#imagenet#images": 300}}  # of each class: 100 teach too little of shapes in clutter
NATURAL, MEDICAL = "imagenet", "radimagenet"


def main(folder: str) -> None:
    """Make what is missing, then say what it shows."""
    sources = [parse_source(RANDOM), *(source(label) for label in EPOCHS)]
    trained = [run for label in EPOCHS for run in pretraining(label)]
    run_study([*trained, *transfers(sources, trained), *decoupling(sources, trained)], folder)
    write_transfer_report(folder)
    with replacing(Path(folder) / "claims.md") as aside:
        aside.write_text(table(read_results(folder)[0]))


def source(label: str) -> Source:
    """One of the 2 x 2, or edited."""
    name, _, variant = label.partition(" ")
    if variant in ("shape", "texture"):
        cue = {f"phantoms#{name}#cue": variant, **MORE.get(label, {})}
        return Source(label=label, given={"source": name, "editing": "none", **cue})
    return parse_source(label.replace(" ", "/"))


def pretraining(label: str) -> list[Run]:
    """Pre-trainings on one source, with its own number of epochs."""
    bundle = ("source_pretrain", str(BUNDLES / "source_pretrain"))
    return plan_pretraining([source(label)], bundle, seeds=tuple(REPEATS), settings={"epochs": EPOCHS[label]})


def transfers(sources: Sequence[Source], trained: Sequence[Run]) -> list[Run]:
    """Fine-tunings with and without the denoising shortcut."""
    return repeated(sources, trained, "nonlocal_means")


def decoupling(sources: Sequence[Source], trained: Sequence[Run]) -> list[Run]:
    """Spectral decoupling, against a sharpness shift from random weights and against the denoising shortcut."""
    chosen = {"blur": (RANDOM, (0.0, 0.01)), "nonlocal_means": (NATURAL, (0.01,))}
    return [
        run
        for artifact, (label, lams) in chosen.items()
        for run in repeated([source for source in sources if source.label == label], trained, artifact, lams)
    ]


def repeated(
    sources: Sequence[Source], trained: Sequence[Run], artifact: str, lams: Sequence[float] = (0.0,)
) -> list[Run]:
    """Fine-tunings with and without an artifact, three times: each with a fold and a seed of its own."""
    planned = plan_transfers(
        sources,
        trained,
        TARGET,
        artifacts={"kneemri_transfer": [artifact]},
        fractions=[0, FRACTION],
        folds=len(REPEATS),
        seeds=tuple(REPEATS),
        settings=[{**SIZES, "epochs": TUNING_EPOCHS, **({"lam": lam} if lam else {})} for lam in lams],
    )
    return [run for run in planned if REPEATS[run.settings["seed"]] == run.settings["fold"]]


class Condition(NamedTuple):
    """What fine-tunings have in common, but for their fold and seed."""

    source: str
    fraction: float
    artifact: str = "nonlocal_means"
    lam: float = 0.0


class Found:
    """Measures of the finished runs, by condition and seed."""

    def __init__(self, results: Iterable[Result]) -> None:
        self.runs: dict[tuple[Condition, int], Result] = {}
        self.sources: dict[tuple[str, int], Result] = {}
        for result in results:
            asked = result.settings
            if result.finished and result.bundle == "source_pretrain":
                self.sources[asked["source"], asked["seed"]] = result
            elif result.finished:
                condition = Condition(asked["source"], asked["fraction"], asked["artifact"], asked.get("lam", 0.0))
                self.runs[condition, asked["seed"]] = result

    def auc(self, condition: Condition, test_set: str, seed: int) -> float:
        """Area under the curve on a test set."""
        return float(self.runs[condition, seed].measures["conditions"][test_set]["auc"])

    def mean_auc(self, condition: Condition, test_set: str) -> float:
        """Mean of the repeats."""
        return fmean(self.auc(condition, test_set, seed) for seed in REPEATS)

    def auc_drop(self, condition: Condition, seed: int) -> float:
        """What the shortcut costs: the O.O.D. AUC of the control less that of the condition."""
        return self.auc(condition._replace(fraction=0.0), "ood", seed) - self.auc(condition, "ood", seed)

    def counts(self, label: str) -> bool:
        """Whether the source has learned the task, and the artifact alone does not disturb it."""
        return all(self.mean_auc(Condition(label, 0.0), test_set) >= LEARNED for test_set in ("iid", "ood"))

    def centroid(self, label: str, moment: str, seed: int) -> float:
        """Of the learning priority, in cycles per pixel."""
        densities = self.runs[Condition(label, 0.0), seed].measures["densities"]
        return float(centroid(torch.tensor(densities["frequencies"]), torch.tensor(densities[moment])))


def table(results: Iterable[Result]) -> str:
    """A line for each claim: what was found, seed by seed."""
    found = Found(results)
    claims: list[tuple[str, Callable[[Found], str]]] = [
        ("(i) the artifact is in the mid-to-high bands: share above 1/6 cycles per pixel", _artifact),
        ("(ii) the natural source's learning priority is above the medical one's, before fine-tuning", _before),
        ("(ii) and after fine-tuning", _after),
        ("(iii) the natural source takes the shortcut, the medical one resists: difference of delta_ood", _natural),
        ("(iii) carried by image statistics: dead leaves - smooth, with the same cue", _statistics),
        ("(iii) carried by the class cue: texture - shape, on the same statistics", _cue),
        ("(iv) whitening makes the medical source take the shortcut: delta_ood whitened - plain", _whitening),
        ("(iv) low-pass makes the natural source resist: delta_ood low-pass - plain", _lowpass),
        ("(v) I.I.D. AUC is alike for all sources: range of the means at fraction 0.5", _alike),
        ("(v) random initialisation varies most: SD of the O.O.D. AUC over the repeats at fraction 0.5", _random),
        ("(vi) decoupling lowers the cost of a sharpness shift: delta_ood off - on", _sharpness),
        ("(vi) and of the denoising shortcut from the natural source", _noise),
        ("accuracies of the sources on their test images", _accuracies),
        ("sources that count", _counting),
    ]
    lines = [f"| {claim} | {_said(say, found)} |" for claim, say in claims]
    return "\n".join(["| claim | found, seed by seed |", "|---|---|", *lines]) + "\n"


def _said(say: Callable[[Found], str], found: Found) -> str:
    try:
        return say(found)
    except KeyError as missing:
        return f"not made yet: {missing}"


def _per_seed(values: Iterable[float]) -> str:
    return ", ".join(f"{value:+.3f}" for value in values)


def _difference(found: Found, one: str, other: str) -> str:
    values = [
        found.auc_drop(Condition(one, FRACTION), seed) - found.auc_drop(Condition(other, FRACTION), seed)
        for seed in REPEATS
    ]
    left_out = [label for label in (one, other) if not found.counts(label)]
    return _per_seed(values) + (f" (inconclusive: {', '.join(left_out)})" if left_out else "")


def _artifact(found: Found) -> str:
    shares = []
    for seed in REPEATS:
        densities = found.runs[Condition(NATURAL, FRACTION), seed].measures["densities"]
        share = band_shares(torch.tensor(densities["frequencies"]), torch.tensor(densities["artifact"]))
        shares.append(float(share["mid"] + share["high"]))
    return ", ".join(f"{share:.3f}" for share in shares)


def _before(found: Found) -> str:
    return _per_seed(found.centroid(NATURAL, "before", s) - found.centroid(MEDICAL, "before", s) for s in REPEATS)


def _after(found: Found) -> str:
    return _per_seed(found.centroid(NATURAL, "after", s) - found.centroid(MEDICAL, "after", s) for s in REPEATS)


def _natural(found: Found) -> str:
    return _difference(found, NATURAL, MEDICAL)


def _statistics(found: Found) -> str:
    texture = _difference(found, NATURAL, "radimagenet texture")
    return f"texture: {texture}; shape: {_difference(found, 'imagenet shape', MEDICAL)}"


def _cue(found: Found) -> str:
    leaves = _difference(found, NATURAL, "imagenet shape")
    return f"dead leaves: {leaves}; smooth: {_difference(found, 'radimagenet texture', MEDICAL)}"


def _whitening(found: Found) -> str:
    return _difference(found, "radimagenet whiten", MEDICAL)


def _lowpass(found: Found) -> str:
    return _difference(found, "imagenet lowpass", NATURAL)


def _alike(found: Found) -> str:
    means = {label: found.mean_auc(Condition(label, FRACTION), "iid") for label in ("random", *EPOCHS)}
    return ", ".join(f"{label} {mean:.3f}" for label, mean in means.items())


def _random(found: Found) -> str:
    def spread(label: str) -> float:
        return stdev(found.auc(Condition(label, FRACTION), "ood", seed) for seed in REPEATS)

    return ", ".join(f"{label} {spread(label):.3f}" for label in ("random", *EPOCHS))


def _decoupled(found: Found, condition: Condition) -> str:
    return _per_seed(
        found.auc_drop(condition, seed) - found.auc_drop(condition._replace(lam=0.01), seed) for seed in REPEATS
    )


def _sharpness(found: Found) -> str:
    return _decoupled(found, Condition("random", FRACTION, "blur"))


def _noise(found: Found) -> str:
    return _decoupled(found, Condition(NATURAL, FRACTION))


def _accuracies(found: Found) -> str:
    def mean(label: str) -> float:
        return fmean(found.sources[label, seed].measures["conditions"]["all"]["accuracy"] for seed in REPEATS)

    return ", ".join(f"{label} {mean(label):.3f}" for label in EPOCHS)


def _counting(found: Found) -> str:
    return ", ".join(label for label in ("random", *EPOCHS) if found.counts(label)) or "none"


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("Name a folder for the results.\nAs in python docs/results/claims.py out-claims")
    main(sys.argv[1])
