"""The networks of docs/results/decoupled_radiographs.md: does spectral decoupling help where source and label are tied?

    python docs/results/decoupled_radiographs.py /data/chest_xray/index.csv out-decoupled

trains what is missing on one thread, with the seeds 0 to 4, and writes the tables, ``out-decoupled/tables.md``, all
figures, ``out-decoupled/figures.json``, and the picture, ``out-decoupled/auc.png``. It goes on where it was stopped.

The design, as it was before the first of these trainings:

- Data: 1200 radiographs of NIH and Kermany, the label is normal or pneumonia. Patients are divided as in
  ``radiographs.py``: 60% for training and validation, the others are the test, the same for all networks.
- Source and label go together (NIH normal, Kermany pneumonia) in 100%, 90% or 75% of the radiographs, and the other
  way round in the rest. Each training has 120 radiographs of each label, each validation set 40 of the same share, of
  other patients. A seed draws these patients and radiographs, the weights and the order. All arms share the draw.
- Tests: the pairing of the training, the other pairing (O.O.D.), NIH alone, Kermany alone. The score is the log-odds.
- Network and training: the ResNet-10 of ``radiographs.py`` on 96 x 96 pixels, mean 0 and SD 1, mirrored at random,
  Adam with a rate of 1e-3, batches of 20, 16 epochs (with seed 100 the loss was flat by then). No epoch is chosen.
- Arms: plain; weight decay (AdamW); spectral decoupling, lam/2 times the sum of z^2 over both logits;
  ``SpectrumMatchd`` (in the test as well) and ``RandSpectrumMatchd`` (in training alone), as the audit prints them
  when it is asked what tells the sources of the 240 training radiographs at the network's size; below 100% also the
  ``SpectrumMatchd`` that it prints when it is asked about the label, with the source as group; and, for comparison,
  plain where both pairings are equally frequent (50%).
- Search: lam in .001, .01, .1, 1 and weight decay in .1, 1, 10, at each share, with seed 100 on its validation set
  alone: the highest AUC, to three decimals, and among equals the lowest cross-entropy. The networks of all lam are
  trained with the seeds 0 to 4, too, so that it can be seen what the search missed. Seed 100 is in no other figure.
- Statistics: AUC is the mean over seeds, its 95% interval a bootstrap over the patients of the test (2000 resamples),
  the SD that over seeds. Differences to plain are paired by patient and seed.
- Main question: the AUC of the other pairing, decoupling less plain, at each share. It holds at a share if the
  interval is above 0 and all five seeds gain. All else is description.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from monai.bundle import ConfigParser
from numpy.typing import NDArray
from radiographs import CLASSES, TAUGHT, classes_of, divide, fit
from torch import Tensor
from torch.nn import CrossEntropyLoss

from monai_freq.audit import Case, Cases, audit_data, read_cases, scaled_to
from monai_freq.audit.model.metrics import resampled, weighted_auc
from monai_freq.figures import new_figure
from monai_freq.figures.palette import BLUE, BLUISH_GREEN, GREY, ORANGE, VERMILLION
from monai_freq.files import replacing
from monai_freq.losses import SpectralDecouplingLoss

SEEDS, PILOT = range(5), 100
SHARES, EVEN = (1.0, 0.9, 0.75), 0.5
TRAINED, VALIDATED = 120, 40  # of each label
EPOCHS = 16
PREPARED = scaled_to((96, 96), "standard")
RESAMPLES = 2000
TESTS = {
    "same pairing": lambda case: TAUGHT["together"](case),
    "other pairing": lambda case: not TAUGHT["together"](case),
    "NIH alone": lambda case: case.group == "nih",
    "Kermany alone": lambda case: case.group == "kermany",
}
MAIN = "other pairing"

Array = NDArray[np.float64]


class Arm(NamedTuple):
    """What is not plain in a training."""

    lam: float = 0.0
    decay: float = 0.0
    remedy: str = ""
    of: str = "group"  # what the audit is asked about


PLAIN = "plain"
LAMS = {f"decoupling, lam {lam:g}": Arm(lam=lam) for lam in (0.001, 0.01, 0.1, 1.0)}
DECAYS = {f"weight decay {decay:g}": Arm(decay=decay) for decay in (0.1, 1.0, 10.0)}
REMEDIES = {name: Arm(remedy=name) for name in ("SpectrumMatchd", "RandSpectrumMatchd")}
PRINTED = "SpectrumMatchd, of the label"
ARMS = {PLAIN: Arm(), **LAMS, **DECAYS, **REMEDIES, PRINTED: Arm(remedy="SpectrumMatchd", of="label")}
#: kind of arm that is searched for -> its settings
SEARCHED: dict[str, Iterable[str]] = {"weight decay": DECAYS, "decoupling": LAMS}
#: kind of arm -> its colour
LOOKS = {
    PLAIN: "black",
    "weight decay": GREY,
    "decoupling": VERMILLION,
    "SpectrumMatchd": BLUE,
    "RandSpectrumMatchd": BLUISH_GREEN,
}


class Run(NamedTuple):
    """One training."""

    share: float
    arm: str
    seed: int


class Data(NamedTuple):
    """All cases, and their images as the networks see them, by the path of the file."""

    cases: dict[str, Cases]
    images: dict[str, Tensor]

    def of(self, cases: Iterable[Case]) -> Tensor:
        """Images ``(N, 1, 96, 96)``."""
        return torch.stack([self.images[str(case.image)] for case in cases])


Found = dict[Run, dict[str, Any]]


def main(table: str, folder: str, *seeds: str) -> None:
    """Train what is missing, then report on what is there."""
    torch.set_num_threads(1)
    place, named = Path(folder), {"group": "source", "patient": "patient"}
    place.mkdir(parents=True, exist_ok=True)
    index = place / "index.csv"
    if not index.exists():
        with replacing(index) as aside:
            divide(Path(table), aside)
    cases = {part: read_cases(index, where={"part": part}, **named) for part in ("train", "test")}
    data = Data(cases, prepared([*cases["train"], *cases["test"]], place / "images.pt"))
    for share in SHARES:
        for arm in (PLAIN, *LAMS, *DECAYS):
            train(Run(share, arm, PILOT), data, place)
    found = finished(place)
    chosen = {share: {kind: best(found, share, arms) for kind, arms in SEARCHED.items()} for share in SHARES}
    for run in wanted(chosen, [int(seed) for seed in seeds] or SEEDS):
        train(run, data, place)
    summary = figures(finished(place), chosen, cases["test"])
    with replacing(place / "figures.json") as aside:
        aside.write_text(json.dumps(summary, indent=1))
    with replacing(place / "tables.md") as aside:
        aside.write_text("\n".join(tables(summary)) + "\n")
    picture(summary).savefig(place / "auc.png", dpi=150)


def wanted(chosen: Mapping[float, Mapping[str, str]], seeds: Iterable[int]) -> list[Run]:
    """The trainings in the order in which they are done: those of the main table first."""
    runs = []
    for seed in seeds:
        runs.append((0, Run(EVEN, PLAIN, seed)))
        for share in SHARES:
            first = (PLAIN, *chosen[share].values(), *REMEDIES)
            later = [arm for arm in (*LAMS, PRINTED) if arm not in first and (arm != PRINTED or share < 1)]
            runs += [(0, Run(share, arm, seed)) for arm in first] + [(1, Run(share, arm, seed)) for arm in later]
    return [run for _, run in sorted(runs, key=lambda one: one[0])]


def prepared(cases: Sequence[Case], file: Path) -> dict[str, Tensor]:
    """Image of each path, from a file if it is there."""
    if not file.exists():
        with replacing(file) as aside:
            torch.save({str(case.image): PREPARED(case.load()[0]) for case in cases}, aside)
    images: dict[str, Tensor] = torch.load(file, weights_only=True)
    return images


def file_of(run: Run, folder: Path) -> Path:
    """Where the result of a training lies."""
    return folder / "runs" / f"{100 * run.share:.0f}-{run.arm.replace(', ', '-').replace(' ', '_')}-{run.seed}.json"


def train(run: Run, data: Data, folder: Path) -> None:
    """Train and test, if it was not done before."""
    file = file_of(run, folder)
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        result = trained(run, data)
        with replacing(file) as aside:
            aside.write_text(json.dumps(result))
        print(f"{file.stem}: validation {result['validation']}", flush=True)


def finished(folder: Path) -> Found:
    """All trainings that are done."""
    runs = (Run(share, arm, seed) for share in (*SHARES, EVEN) for arm in ARMS for seed in (*SEEDS, PILOT))
    return {run: json.loads(file.read_text()) for run in runs if (file := file_of(run, folder)).exists()}


def drawn(cases: Iterable[Case], share: float, seed: int) -> tuple[list[Case], list[Case]]:
    """Radiographs for training and for validation, of different patients, with a share that goes together.

    Patients come in a random order. Those of the first ``VALIDATED`` radiographs of each source and label are for
    validation. A smaller share takes out radiographs of a larger one, and puts in others.
    """
    of_patient: dict[str, list[Case]] = {}
    for case in cases:
        of_patient.setdefault(str(case.patient), []).append(case)
    patients, seen = sorted(of_patient), Counter[tuple[str | None, str | None]]()
    parts: tuple[list[Case], list[Case]] = [], []
    for k in np.random.default_rng(seed).permutation(len(patients)):
        images = of_patient[patients[k]]
        wanted = any(seen[case.group, case.label] < VALIDATED for case in images)
        parts[wanted].extend(images)
        if wanted:
            seen.update((case.group, case.label) for case in images)
    return some(parts[0], TRAINED, share), some(parts[1], VALIDATED, share)


def some(cases: Iterable[Case], n: int, share: float) -> list[Case]:
    """The first n of each label, a share of them together with the source."""
    together = round(n * share)
    left = Counter({(label, side): together if side else n - together for label in CLASSES for side in (True, False)})
    kept = []
    for case in cases:
        kind = str(case.label), TAUGHT["together"](case)
        left[kind] -= 1
        if left[kind] >= 0:
            kept.append(case)
    return kept


def trained(run: Run, data: Data) -> dict[str, Any]:
    """Train one network; its losses and AUCs, its score of each test case, and what the audit said."""
    arm, (learned, validation) = ARMS[run.arm], drawn(data.cases["train"], run.share, run.seed)
    parts = {"training": learned, "validation": validation, "test": list(data.cases["test"])}
    images = {name: data.of(part) for name, part in parts.items()}
    change, said = None, {}
    if arm.remedy:
        transform, said = remedy(arm.remedy, arm.of, images["training"], learned, run.seed)
        if arm.remedy == "RandSpectrumMatchd":
            change = transform
        else:
            images = {name: transform(part) for name, part in images.items()}
    loss = SpectralDecouplingLoss(CrossEntropyLoss(), arm.lam)
    network = fit(images["training"], classes_of(learned), run.seed, EPOCHS, loss, arm.decay, change)
    result: dict[str, Any] = {"audit": said} if said else {}
    for name, part in parts.items():
        with torch.no_grad():
            logits = torch.cat([network(x) for x in images[name].split(50)])
        scores, labels = logits.diff(dim=1)[:, 0], classes_of(part)
        result[name] = {
            "auc": float(auc(scores.double().numpy(), part)[0]),
            "cross_entropy": float(CrossEntropyLoss()(logits, labels)),
            "mean_abs_logit": float(logits.abs().mean()),
        }
        if name == "test":
            result[name]["log_odds"] = [round(score, 5) for score in scores.tolist()]
    return result


def remedy(
    name: str, of: str, images: Tensor, cases: Sequence[Case], seed: int
) -> tuple[Callable[[Tensor], Tensor], dict[str, Any]]:
    """A remedy that the audit prints for radiographs of a training, as a function of a batch, and what was found."""
    label, group, patient = ([str(getattr(case, column)) for case in cases] for column in ("label", "group", "patient"))
    columns = (label, group, patient) if of == "label" else (group, None, patient)
    audit = audit_data(Cases.of_arrays(images, *columns), seed=seed)
    entry = next(json.loads(one.config) for one in audit.remedies if f".{name}" in one.config)
    transform = ConfigParser({"remedy": entry}).get_parsed_content("remedy")
    if hasattr(transform, "set_random_state"):
        transform.set_random_state(seed)
    leaks = [[leak.of, leak.within, leak.auc, leak.found] for leak in audit.leaks]
    said = {"verdict": audit.verdict, "leaks": leaks, "remedy": entry}
    return lambda batch: torch.stack([transform({"image": image})["image"] for image in batch]), said


def auc(scores: Array, cases: Sequence[Case], weights: Array | None = None) -> Array:
    """AUC of pneumonia against normal, for each weighting of the cases; all alike by default."""
    positive = np.array([case.label == CLASSES[1] for case in cases])
    return weighted_auc(scores, positive, np.ones((1, len(cases))) if weights is None else weights)


def best(found: Found, share: float, arms: Iterable[str]) -> str:
    """Highest AUC on the validation set of the pilot, among equals the lowest cross-entropy."""

    def worth(arm: str) -> tuple[float, float]:
        seen = found[Run(share, arm, PILOT)]["validation"]
        return round(seen["auc"], 3), -seen["cross_entropy"]

    return max(arms, key=worth)


def figures(found: Found, chosen: Mapping[float, Mapping[str, str]], test: Cases) -> dict[str, Any]:
    """Every figure of every arm: AUCs of each test and what they are more than those of plain, by bootstrap."""
    arms = []
    places = {name: [k for k, case in enumerate(test) if wanted(case)] for name, wanted in TESTS.items()}
    parts = {name: [test[k] for k in where] for name, where in places.items()}
    weights = {name: resampled([str(case.patient) for case in part], RESAMPLES) for name, part in parts.items()}
    samples = {
        (run, name): auc(np.array(one["test"]["log_odds"])[where], parts[name], weights[name])
        for run, one in found.items()
        if run.seed != PILOT
        for name, where in places.items()
    }
    for share, arm in dict.fromkeys((run.share, run.arm) for run in found):
        seeds = [seed for seed in SEEDS if Run(share, arm, seed) in found]
        runs = [Run(share, arm, seed) for seed in seeds]
        plain = [run._replace(arm=PLAIN) for run in runs]
        pilot = found.get(Run(share, arm, PILOT), {}).get("validation")
        row = {"share": share, "arm": arm, "seeds": seeds, "pilot": pilot, "tests": {}, "less plain": {}}
        row["chosen"] = next((kind for kind, name in chosen.get(share, {}).items() if name == arm), None)
        for name in TESTS if runs else ():
            own = np.stack([samples[run, name] for run in runs])
            row["tests"][name] = spread(own)
            if arm != PLAIN and all(run in found for run in plain):
                row["less plain"][name] = spread(own - np.stack([samples[run, name] for run in plain]))
        arms.append(row)
    kinds = Counter(f"{case.group}, {case.label}" for case in test)
    return {"test": kinds, "patients": len(set(test.patients)), "resamples": RESAMPLES, "arms": arms}


def spread(samples: Array) -> dict[str, Any]:
    """Mean over seeds, its interval over resamples, of which the first is the data itself, and each seed."""
    low, high = np.nanquantile(samples.mean(0)[1:], [0.025, 0.975])
    values = samples[:, 0]
    sd = float(values.std(ddof=1)) if len(values) > 1 else None
    return {"mean": float(values.mean()), "low": low, "high": high, "sd": sd, "each": values.tolist()}


def tables(summary: Mapping[str, Any]) -> Iterable[str]:
    """AUCs, differences to plain, and the search."""
    arms = [row for row in summary["arms"] if row["seeds"]]
    rows = [row for row in arms if row["chosen"] or row["arm"] not in {*LAMS, *DECAYS}]
    counts = sorted({len(row["seeds"]) for row in arms})
    yield f"Seeds of each arm: {counts}; test: {summary['patients']} patients, {dict(summary['test'])}"
    yield f"\n| share | arm | {' | '.join(TESTS)} |"
    yield "|---|---|" + "---|" * len(TESTS)
    for row in rows:
        yield f"| {row['share']:.0%} | {row['arm']} | {' | '.join(said(row['tests'][name]) for name in TESTS)} |"
    yield f"\n| share | arm, less plain | {' | '.join(TESTS)} |"
    yield "|---|---|" + "---|" * len(TESTS)
    for row in rows:
        if row["less plain"]:
            cells = [f"{said(one, '+')}, {gains(one)}" for one in (row["less plain"][name] for name in TESTS)]
            yield f"| {row['share']:.0%} | {row['arm']} | {' | '.join(cells)} |"
    yield f"\n| share | arm | validation AUC | cross-entropy | {MAIN} | less plain | NIH alone | Kermany alone |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in (row for row in summary["arms"] if row["pilot"]):
        cells = [f"{row['pilot']['auc']:.3f}{' *' * bool(row['chosen'])}", f"{row['pilot']['cross_entropy']:.3f}"]
        cells.append(said(row["tests"][MAIN]) if row["seeds"] else "")
        cells.append(f"{said(one, '+')}, {gains(one)}" if (one := row["less plain"].get(MAIN)) else "")
        cells += [said(row["tests"][name]) if row["seeds"] else "" for name in ("NIH alone", "Kermany alone")]
        yield f"| {row['share']:.0%} | {row['arm']} | {' | '.join(cells)} |"


def said(one: Mapping[str, Any], sign: str = "") -> str:
    """Mean, interval by patient, and SD over seeds."""
    digits = 3 if sign else 2
    mean, low, high = (f"{one[name]:{sign}.{digits}f}" for name in ("mean", "low", "high"))
    return f"{mean} ({low} to {high}), SD {one['sd'] or 0:.{digits}f}"


def gains(one: Mapping[str, Any]) -> str:
    """How many seeds gain."""
    return f"{sum(value > 0 for value in one['each'])} of {len(one['each'])}"


def picture(summary: Mapping[str, Any]) -> Figure:
    """AUCs of each test, arm by arm, with their intervals and seeds; the dotted lines are plain at 50%."""
    figure = new_figure(11, 4)
    axes = figure.subplots(1, len(SHARES), sharey=True)
    even = next(row for row in summary["arms"] if row["share"] == EVEN)["tests"]
    for share, ax in zip(SHARES, axes, strict=True):
        for k, (kind, color) in enumerate(LOOKS.items()):
            row = next((r for r in summary["arms"] if r["share"] == share and kind in (r["arm"], r["chosen"])), None)
            for place, name in enumerate(TESTS if row and row["seeds"] else ()):
                one, x = row["tests"][name], place + 0.15 * (k - (len(LOOKS) - 1) / 2)
                error = [[one["mean"] - one["low"]], [one["high"] - one["mean"]]]
                label = kind if place == 0 and share == SHARES[0] else None
                ax.errorbar(x, one["mean"], error, fmt="o", color=color, markersize=4, label=label)
                ax.plot([x + 0.05] * len(one["each"]), one["each"], ".", color=color, markersize=3, alpha=0.5)
        for place, name in enumerate(TESTS):
            label = "plain at 50%" if place == 0 and share == SHARES[0] else None
            ax.hlines(even[name]["mean"], place - 0.42, place + 0.42, color=ORANGE, linestyle=":", label=label)
        ax.axhline(0.5, color="lightgrey", linewidth=0.8, zorder=0)
        ax.set(title=f"source and label go together in {share:.0%}", ylim=(-0.02, 1.02))
        ax.set_xticks(range(len(TESTS)), [name.replace(" ", "\n") for name in TESTS])
    axes[0].set_ylabel("AUC, held-out patients")
    figure.legend(loc="outside lower center", ncols=len(LOOKS) + 1, frameon=False)
    return figure


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(
            "Name the table and a folder for the results.\n"
            "As in python docs/results/decoupled_radiographs.py /data/chest_xray/index.csv out-decoupled"
        )
    main(*sys.argv[1:])
