"""What docs/results/radiographs.md checks by hand: numbers of the NIH radiographs, without the audit's own code.

python docs/results/radiographs_by_hand.py /data/chest_xray/index.csv
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import uniform_filter
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

Array = NDArray[np.float64]
SIDE = 32  # of a patch, in pixels


def main(table: str) -> None:
    """Print the numbers."""
    with open(table, newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == "nih"]
    ill = np.array([row["label"] == "pneumonia" for row in rows])
    view = np.array([row["view"] for row in rows])
    patients = np.array([int(float(row["patient"].removeprefix("nih-"))) for row in rows])
    files = [Path(table).parent / row["image"] for row in rows]
    images = [np.asarray(Image.open(file).convert("L"), dtype=float) for file in files]
    small = [np.asarray(Image.open(file).convert("L").resize((256, 256)), dtype=float) for file in files]

    alike = (patients >= patients[~ill].min()) & (patients <= patients[~ill].max())
    print(f"patients of normal radiographs: {patients[~ill].min()} to {patients[~ill].max()}")
    print(f"patients of pneumonia: {patients[ill].min()} to {patients[ill].max()}")
    print(f"patients with both labels: {len(set(patients[ill]) & set(patients[~ill]))}")
    print(f"AUC of the patient's number alone: {roc_auc_score(ill, patients):.2f}")
    for name, chosen, windowed in (
        ("448 pixels, with a window", images, True),
        ("448 pixels, without", images, False),
        ("256 pixels, with a window", small, True),
        ("256 pixels, without", small, False),
    ):
        bands = np.stack([log_bands(image, windowed) for image in chosen])
        both = f"{auc(bands, ill, patients):.2f}; {auc(bands[alike], ill[alike], patients[alike]):.2f}"
        print(f"AUC of 24 radial bands, {name}; of the {alike.sum()} in the range of normal patients: {both}")
    fine = np.array([fine_detail(image) for image in images])
    print(
        f"fine detail in quiet parts, median: normal {np.median(fine[~ill]):.4f}, pneumonia {np.median(fine[ill]):.4f}"
    )
    kinds = {"all": np.ones(len(ill), bool), "AP": view == "AP", "PA": view == "PA", "in the range": alike}
    for name, kind in kinds.items():
        print(f"its AUC, {name}: {roc_auc_score(ill[kind], fine[kind]):.2f}")
    spread = np.array([image.std() for image in images])
    for name, numbers in (("SD of the image", spread), ("fine detail in quiet parts, in grey values", fine * spread)):
        medians = f"normal {np.median(numbers[~ill]):.2f}, pneumonia {np.median(numbers[ill]):.2f}"
        print(f"{name}, median: {medians}; AUC {roc_auc_score(ill, numbers):.2f}")
    edge = np.array([framed(image) for image in images])
    for name in ("all", "AP", "PA"):
        shares = [f"{edge[kind].sum()} of {kind.sum()}" for kind in (kinds[name] & ~ill, kinds[name] & ill)]
        print(f"one grey value along an edge, {name}: normal {shares[0]}, pneumonia {shares[1]}")


def log_bands(image: Array, windowed: bool) -> Array:
    """Logarithms of the mean power in 24 radial bands of equal width in octaves."""
    image = (image - image.mean()) / image.std()
    if windowed:
        image = image * np.outer(np.hanning(len(image)), np.hanning(len(image)))
    power = np.abs(np.fft.fft2(image)) ** 2
    axis = np.fft.fftfreq(len(image))
    radius = np.hypot(axis[:, None], axis)
    edges = np.geomspace(2 / len(image), 0.5, 25)
    band = np.digitize(radius.ravel(), edges)
    sums, counts = (np.bincount(band, weights, 26)[1:25] for weights in (power.ravel(), None))
    return np.log(sums[counts > 0] / counts[counts > 0])


def auc(features: Array, ill: Array, patients: Array) -> float:
    """AUC of a logistic regression in five folds by patient."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    return float(cross_val_score(model, features, ill, groups=patients, cv=folds, scoring="roc_auc").mean())


def fine_detail(image: Array) -> float:
    """SD of the image less its 3x3 means, relative to the image's SD: lower quartile of patches of 20 to 235."""
    fine = image - uniform_filter(image, 3)
    tiles = [patches(each) for each in (fine, image)]
    inside = (tiles[1].mean(1) > 20) & (tiles[1].mean(1) < 235)
    return float(np.quantile(tiles[0].std(1)[inside], 0.25) / image.std())


def patches(image: Array) -> Array:
    """Square patches that lie beside each other, one a row."""
    count = len(image) // SIDE
    cut = image[: count * SIDE, : count * SIDE].reshape(count, SIDE, count, SIDE)
    return cut.swapaxes(1, 2).reshape(count**2, -1)


def framed(image: Array) -> bool:
    """Whether the outermost two rows or columns of a side have one grey value."""
    return any(np.ptp(side[:2]) == 0 for side in (image, image[::-1], image.T, image.T[::-1]))


if __name__ == "__main__":
    main(sys.argv[1])
