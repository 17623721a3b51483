"""What the audit's remedies do to networks that use a leak: the counterfactual, and the AUC on images without it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import audit_counterfactual as phantom
import measure
import numpy as np
import torch
from measure import Target
from monai.bundle import ConfigParser
from monai.transforms import Randomizable
from sklearn.metrics import roc_auc_score
from torch import Tensor

from monai_freq.audit import AuditModel, Cases, band_features, find_leak
from monai_freq.audit.model.counterfactual import Counterfactual, cells_to_exchange, counterfactual
from monai_freq.audit.remedies import Remedy, remedies

SEEDS = 10
#: draws of each training image by a random remedy; the number of epochs is divided by it
DRAWS = 5
NONE, RANDOM, MATCHED = "none", "RandSpectrumMatchd", "SpectrumMatchd"

Apply = Callable[[Tensor], Tensor]


class Outcome(NamedTuple):
    """What was found of one network."""

    artifact: str
    remedy: str
    clean_auc: float
    found: Counterfactual


def main() -> None:
    """Train with and without remedies, audit and print; a full run also writes the section."""
    arguments = measure.options(__doc__ or "", rounds=1)
    start = time.process_time()
    outcomes = [outcome for seed in range(1 if arguments.quick else SEEDS) for outcome in tried(seed)]
    measure.publish("Remedies of an audit", report(outcomes, time.process_time() - start), arguments)


def tried(seed: int) -> Iterator[Outcome]:
    """Networks of one seed, each trained on images in which the artifact tells the label."""
    rng, artifact = np.random.default_rng(1000 + seed), phantom.ARTIFACTS[seed % len(phantom.ARTIFACTS)]
    training, audit, clean = (phantom.disks(rng, n) for n in (phantom.TRAINING, phantom.AUDITED, phantom.AUDITED))
    images, audited = (
        phantom.as_batch(phantom.with_artifact(rng, artifact, data, data[1] == 1)) for data in (training, audit)
    )
    labels, cases = torch.tensor(training[1]), Cases.of_arrays(audited, audit[1].tolist())
    leak = find_leak(band_features(cases, phantom.BANDS), cases.labels or (), n_permutations=200)
    leaking, silent = cells_to_exchange(leak)
    found = remedies([leak], Cases.of_arrays(images, training[1].tolist()), phantom.BANDS, seed=seed)
    for name in (NONE, RANDOM, MATCHED):
        before: Apply = torch.Tensor.contiguous  # what the network in use has before it: nothing
        if name == NONE:
            network = phantom.fitted(images, labels, seed)
        elif name == RANDOM:
            drawn = torch.cat([_applied(found[0], seed + k)(images) for k in range(DRAWS)])
            network = phantom.fitted(drawn, labels.repeat(DRAWS), seed, phantom.EPOCHS // DRAWS)
        else:
            before = _applied(found[1], seed)
            network = phantom.fitted(before(images), labels, seed)
        model = AuditModel(lambda x, f=network, g=before: f(g(x)), network=network)
        scores = model.predict(phantom.as_batch(clean[0]))[:, 1]
        said = counterfactual(model, cases, leaking, phantom.BANDS, silent_cells=silent, seed=seed, progress=False)
        yield Outcome(artifact, name, float(roc_auc_score(clean[1], scores)), said)


def _applied(remedy: Remedy, seed: int) -> Apply:
    """A remedy, as its configuration has it, on each image of a batch."""
    transform = ConfigParser({"it": json.loads(remedy.config)}).get_parsed_content("it")
    if isinstance(transform, Randomizable):
        transform.set_random_state(seed)
    return lambda images: torch.stack([torch.Tensor(transform({"image": image})["image"]) for image in images])


def report(outcomes: list[Outcome], seconds: float) -> Iterator[measure.Part]:
    """Parts of the section."""
    yield (
        "The disks of the counterfactuals; class 1 alone has the artifact, in training and in the audited images. "
        "The shift is that of the log-odds to the donors' class beyond the control, as a share of how far apart the "
        "network puts its classes: 0 for a network that does not use the leak. The remedies are those that the audit "
        "prints, with its settings."
    )
    yield measure.targets_table(targets(outcomes, seconds))
    rows = [_row(outcomes, artifact, remedy) for artifact in phantom.ARTIFACTS for remedy in (NONE, RANDOM, MATCHED)]
    header = ["artifact", "remedy", "networks", "users", "in part", "shift (mean, range)", "of the probability"]
    yield measure.table([*header, "AUC without artifact (mean, range)"], [row for row in rows if row[2]])


def targets(outcomes: list[Outcome], seconds: float) -> Iterator[Target]:
    for name, least in ((NONE, True), (RANDOM, False), (MATCHED, False)):
        used = float(np.mean([each.found.used for each in outcomes if each.remedy == name]))
        yield f"networks that use the leak, remedy: {name}", used, 0.9 if least else 0.1, least
    yield "seconds of one core", seconds, 300, False


def _row(outcomes: list[Outcome], artifact: str, remedy: str) -> list[object]:
    these = [each for each in outcomes if (each.artifact, each.remedy) == (artifact, remedy)]
    shifts, aucs = [each.found.difference for each in these], [each.clean_auc for each in these]
    users = sum(each.found.used for each in these)
    in_probability = [phantom.in_probability(each.found) for each in these]
    part = sum(each.found.in_part for each in these)
    return [artifact, remedy, len(these), users, part, *map(phantom.mean_and_range, (shifts, in_probability, aucs))]


if __name__ == "__main__":
    main()
