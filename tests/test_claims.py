"""The table of the claims study, from results with known answers."""

import importlib.util
from pathlib import Path

import pytest

from monai_freq.study.run.results import Result

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def claims():
    spec = importlib.util.spec_from_file_location("claims", ROOT / "docs/results/claims.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


#: O.O.D. AUC at fraction 0.5, by source; that of the control is .9, but for one that has not learned
OOD = {
    "random": 0.6,
    "imagenet": 0.3,
    "radimagenet": 0.8,
    "imagenet shape": 0.5,
    "radimagenet texture": 0.4,
    "imagenet lowpass": 0.75,
    "radimagenet whiten": 0.35,
}
FREQUENCIES = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]


def measures(ood, before, **more):
    conditions = {name: {"auc": auc, "accuracy": 0.8} for name, auc in {"iid": 0.9, "ood": ood, **more}.items()}
    densities = {
        "frequencies": FREQUENCIES,
        "artifact": [9, 1, 1, 1, 1, 0],
        "before": before,
        "after": [0, 0, 0, 1, 0, 0],
    }
    return {"conditions": conditions, "densities": densities}


@pytest.fixture
def results(claims):
    """Each repeat costs .01 more with the shortcut, and decoupling gives .1 back of what denoising costs."""
    found = []

    def add(source, fraction, artifact, seed, ood, lam=0.0):
        own = {"fusion": "none", "fold": claims.REPEATS[seed], "seed": seed}
        settings = own | {"source": source, "fraction": fraction, "artifact": artifact} | ({"lam": lam} if lam else {})
        before = [0, 0, 1, 0, 0, 0] if source == "imagenet" else [0, 1, 0, 0, 0, 0]
        run = {"bundle": "kneemri_transfer", "status": "finished"}
        found.append(Result(**run, settings=settings, measures=measures(ood, before)))

    for seed in claims.REPEATS:
        for source, ood in OOD.items():
            add(source, 0.0, "nonlocal_means", seed, 0.7 if source == "radimagenet whiten" else 0.9)
            add(source, 0.5, "nonlocal_means", seed, ood - (0.01 * seed if source == "imagenet" else 0.0))
        add("imagenet", 0.0, "nonlocal_means", seed, 0.9, lam=0.01)
        add("imagenet", 0.5, "nonlocal_means", seed, OOD["imagenet"] - 0.01 * seed + 0.1, lam=0.01)
        for lam, ood in ((0.0, 0.4), (0.01, 0.4 - 0.05 * seed)):
            add("random", 0.0, "blur", seed, 0.95, lam=lam)
            add("random", 0.5, "blur", seed, ood, lam=lam)
        for source in claims.EPOCHS:
            run = {"bundle": "source_pretrain", "status": "finished"}
            settings = {"fusion": "none", "seed": seed, "source": source}
            found.append(
                Result(**run, settings=settings, measures={"conditions": {"all": {"accuracy": 0.6 + 0.1 * seed}}})
            )
    return found


def lines_of(text):
    rows = (line.strip("| ").split(" | ") for line in text.splitlines()[2:])
    return dict(rows)


def test_every_claim_is_computed_from_its_conditions(claims, results):
    said = lines_of(claims.table(results))
    assert len(said) == 14
    found = {claim.split(":")[0]: text for claim, text in said.items()}
    assert found["(i) the artifact is in the mid-to-high bands"] == "0.750, 0.750, 0.750"
    assert found["(ii) the natural source's learning priority is above the medical one's, before fine-tuning"] == (
        "+0.100, +0.100, +0.100"
    )
    assert found["(ii) and after fine-tuning"] == "+0.000, +0.000, +0.000"
    natural = found["(iii) the natural source takes the shortcut, the medical one resists"]
    assert natural == "+0.510, +0.520, +0.530"  # .8 - .3, and .01 a repeat
    assert (
        found["(iii) carried by image statistics"] == "texture: +0.110, +0.120, +0.130; shape: +0.300, +0.300, +0.300"
    )
    assert (
        found["(iii) carried by the class cue"] == "dead leaves: +0.210, +0.220, +0.230; smooth: +0.400, +0.400, +0.400"
    )
    whitening = found["(iv) whitening makes the medical source take the shortcut"]
    assert whitening == "+0.250, +0.250, +0.250 (inconclusive: radimagenet whiten)"
    assert found["(iv) low-pass makes the natural source resist"] == "-0.460, -0.470, -0.480"
    assert found["(vi) decoupling lowers the cost of a sharpness shift"] == "-0.050, -0.100, -0.150"
    assert found["(vi) and of the denoising shortcut from the natural source"] == "+0.100, +0.100, +0.100"
    assert "imagenet 0.800" in found["accuracies of the sources on their test images"]
    counting = found["sources that count"].split(", ")
    assert set(counting) == set(OOD) - {"radimagenet whiten"}
    assert "random 0.000" in found["(v) random initialisation varies most"]


def test_what_is_not_made_is_said(claims, results):
    said = lines_of(claims.table(results[:-30]))
    assert any(text.startswith("not made yet") for text in said.values())
    assert all(
        text.startswith("not made yet") or claim == "sources that count"
        for claim, text in lines_of(claims.table([])).items()
    )


def test_the_plan_is_an_hour_of_runs(claims, tmp_path):
    sources = [claims.parse_source("random"), *(claims.source(label) for label in claims.EPOCHS)]
    trained = [run for label in claims.EPOCHS for run in claims.pretraining(label)]
    runs = [*claims.transfers(sources, trained), *claims.decoupling(sources, trained)]
    names = [run.name for run in (*trained, *runs)]
    assert len(names) == len(set(names)) == 6 * 3 + 7 * 2 * 3 + 3 * 2 * 3
    assert {(run.settings["seed"], run.settings["fold"]) for run in runs} == {(1, 0), (2, 1), (3, 2)}
    options = {run.settings["source"]: run.options(tmp_path) for run in trained}
    shaped = options["imagenet shape"]
    assert (shaped["source"], shaped["phantoms#imagenet#cue"]) == ("imagenet", "shape")
    assert options["radimagenet whiten"]["editing"] == "whiten"
