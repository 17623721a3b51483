"""The networks of docs/results/radiographs.md, each trained on another choice of the same radiographs.

    python docs/results/radiographs.py /data/chest_xray/index.csv radiographs 0 1

divides the patients, writes ``radiographs/index.csv`` with the columns ``part`` and ``together``, and trains what is
missing, with the seeds 0 and 1.
"""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from monai.networks.nets import ResNet
from sklearn.metrics import roc_auc_score
from torch import Tensor

from monai_freq.audit import Case, read_cases, scaled_to

SIZE, EPOCHS, MOST = (128, 128), 12, 300
SHARE = 0.6  # of patients, for training
CLASSES = ("normal", "pneumonia")
TOGETHER = (("nih", "normal"), ("kermany", "pneumonia"))
PREPARED = scaled_to(SIZE, "standard")
#: name of a network -> the radiographs that it learns from
TAUGHT: dict[str, Callable[[Case], bool]] = {
    "together": lambda case: (case.group, case.label) in TOGETHER,
    "within": lambda case: case.group == "nih",
    "balanced": lambda case: True,
}


def main(table: str, folder: str, *seeds: str) -> None:
    """Divide the patients and train what is missing."""
    index = Path(folder) / "index.csv"
    index.parent.mkdir(parents=True, exist_ok=True)
    if not index.exists():
        divide(Path(table), index)
    named = {"group": "source", "patient": "patient"}
    training, test = (read_cases(index, where={"part": part}, **named) for part in ("train", "test"))
    x = torch.stack([PREPARED(case.load()[0]) for case in test])
    y, nih = (
        np.array([getattr(case, of) == word for case in test])
        for of, word in (("label", "pneumonia"), ("group", "nih"))
    )
    together = [TAUGHT["together"](case) for case in test]
    for name, wanted in TAUGHT.items():
        cases = alike([case for case in training if wanted(case)])
        for seed in map(int, seeds):
            file = Path(folder) / f"{name}-{seed}.pt"
            network = make()
            if file.exists():
                network.load_state_dict(torch.load(file, weights_only=True))
            else:
                network = train(cases, seed)
                torch.save(network.state_dict(), file)
            with torch.no_grad():
                p = torch.cat([network.eval()(some).softmax(1)[:, 1] for some in x.split(50)]).numpy()
            aucs = {"normal of NIH against pneumonia of Kermany": roc_auc_score(y[together], p[together])}
            aucs |= {f"label in {name}": roc_auc_score(y[k], p[k]) for name, k in (("NIH", nih), ("Kermany", ~nih))}
            aucs["source"] = np.mean([roc_auc_score(~nih[y == label], p[y == label]) for label in (False, True)])
            said = ", ".join(f"{what} {auc:.2f}" for what, auc in aucs.items())
            print(f"{file.stem}, {len(cases)} for training, AUC on held-out patients: {said}", flush=True)


def divide(table: Path, index: Path) -> None:
    """Put each patient into one part, with the same share of each source."""
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    patients = sorted({row["patient"] for row in rows})
    order = [patients[k] for k in np.random.default_rng(0).permutation(len(patients))]
    source = {row["patient"]: row["source"] for row in rows}
    chosen = set()
    for each in sorted(set(source.values())):
        of_source = [patient for patient in order if source[patient] == each]
        chosen |= set(of_source[: round(SHARE * len(of_source))])
    with index.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "part", "together"])
        writer.writeheader()
        for row in rows:
            part = "train" if row["patient"] in chosen else "test"
            together = "yes" if (row["source"], row["label"]) in TOGETHER else "no"
            image = (table.parent / row["image"]).absolute()
            writer.writerow({**row, "image": image, "part": part, "together": together})


def alike(cases: list[Case]) -> list[Case]:
    """As many of each source and label as the smallest of them has; at most ``MOST`` in all."""
    counts = Counter((case.group, case.label) for case in cases)
    most, seen = min(min(counts.values()), MOST // len(counts)), Counter[tuple[str | None, str | None]]()
    order = np.random.default_rng(0).permutation(len(cases))
    kept = []
    for case in (cases[k] for k in order):
        seen[case.group, case.label] += 1
        if seen[case.group, case.label] <= most:
            kept.append(case)
    return kept


def make() -> ResNet:
    """A ResNet-10 of a quarter of the usual width."""
    return ResNet(
        "basic", [1, 1, 1, 1], [16, 32, 64, 128], spatial_dims=2, n_input_channels=1, conv1_t_stride=2, num_classes=2
    )


def train(cases: list[Case], seed: int) -> ResNet:
    """Train on images of mean 0 and SD 1."""
    images = torch.stack([PREPARED(case.load()[0]) for case in cases])
    return fit(images, classes_of(cases), seed)


def classes_of(cases: Iterable[Case]) -> Tensor:
    """Number of each case's class."""
    return torch.tensor([CLASSES.index(str(case.label)) for case in cases])


def fit(
    images: Tensor,
    labels: Tensor,
    seed: int,
    epochs: int = EPOCHS,
    loss: Callable[[Tensor, Tensor], Tensor] = torch.nn.functional.cross_entropy,
    decay: float = 0.0,
    change: Callable[[Tensor], Tensor] | None = None,
) -> ResNet:
    """Train on batches of 20, half of the images mirrored; with a weight decay, and a change of each batch, if any."""
    torch.manual_seed(seed)
    network = make()
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=decay)
    for _ in range(epochs):
        for some in torch.randperm(len(images)).split(20):
            x = torch.where(torch.rand(len(some), 1, 1, 1) < 0.5, images[some], images[some].flip(-1))
            optimizer.zero_grad()
            loss(network(change(x) if change else x), labels[some]).backward()
            optimizer.step()
    return network.eval()


if __name__ == "__main__":
    main(*sys.argv[1:])
