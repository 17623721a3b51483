"""Draw the pictures of the documentation from the phantoms: ``make pictures``.

The segmentation comes from ``bundles/heart_fd/runs/early/models/model.pt``: run ``make heart`` first.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from monai.bundle import ConfigParser

from monai_freq.figures import DrawnCase, center_of, new_figure, show_bands, show_plane, show_regions
from monai_freq.spectral.bands import split
from monai_freq.study.illustrations import read_case
from monai_freq.study.run.spec import Run

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs/images"
CONFIG = ROOT / "bundles/heart_fd/configs/evaluate.json"

CONVENTIONS = {
    "figure2": "figure2 (default)\nthe block around DC",
    "equation1": "equation1\nall but the block around Nyquist",
    "released": "released\nthe block around Nyquist",
}


TASKS = ("heart", "spleen", "hippocampus", "red_nucleus", "dentate_nucleus")


def heart_case() -> DrawnCase:
    """The first test case on the grid."""
    return first_case("heart_fd")


def prediction_of(case: DrawnCase) -> np.ndarray:
    """Segmentation of a case by the trained network."""
    parser = ConfigParser()
    parser.read_config(str(CONFIG))
    parser["bundle_root"] = str(CONFIG.parent.parent)
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(parser.get_parsed_content("weights"), weights_only=True))
    with torch.no_grad():
        return network(torch.from_numpy(case.image)[None, None])[0].argmax(0).numpy().astype(np.uint8)


def overview() -> Figure:
    """Image, low, high, reference and prediction in one row: the picture that opens the README."""
    case = heart_case()
    prediction, z = prediction_of(case), center_of(case.label)[2]
    figure = new_figure(12, 2.8)
    panels = {
        "image": (case.image, None, None),
        "low frequencies": (case.low, None, (0, 1)),
        "high frequencies": (case.high, None, None),
        "reference": (case.image, case.label, None),
        "early fusion": (case.image, prediction, None),
    }
    for axes, (title, (volume, mask, limits)) in zip(figure.subplots(1, len(panels)), panels.items(), strict=True):
        show_plane(axes, volume, 2, z, case.spacing, limits=limits, mask=mask)
        axes.set_title(title, fontsize="medium")
    return figure


def conventions() -> Figure:
    """For each convention: its low band in the spectrum, and the low and high part of the image."""
    case = heart_case()
    image, theta, z = torch.from_numpy(case.image), 0.3, center_of(case.label)[2]
    figure = new_figure(7.2, 7.4)
    for row, (convention, title) in zip(figure.subplots(3, 3), CONVENTIONS.items(), strict=True):
        low, high = (p.numpy() for p in split(image, theta, spatial_dims=3, convention=convention))
        draw_band(row[0], theta, convention)
        row[0].set_title(title, fontsize="small")
        for axes, part, name in ((row[1], low, "low"), (row[2], high, "high")):
            show_plane(axes, part, 2, z, case.spacing)
            axes.set_title(name, fontsize="small")
    figure.suptitle(f"What each convention calls low (orange), theta = {theta}", fontsize="medium")
    return figure


def draw_band(axes: Axes, theta: float, convention: str, size: int = 64) -> None:
    """Draw the low band in the plane of the two cut frequencies, with DC in the middle: the response to an impulse."""
    impulse = torch.zeros(size, size)
    impulse[0, 0] = 1
    low, _ = split(impulse, theta, spatial_dims=2, convention=convention)
    inside = torch.fft.fftshift(torch.fft.fft2(low).abs()).numpy() > 0.5
    colors = np.where(inside[..., None], (0.902, 0.624, 0.0), (0.9, 0.9, 0.9))
    axes.imshow(colors, extent=(-0.5, 0.5, -0.5, 0.5), interpolation="nearest")
    axes.set_xlabel("cycles / voxel", fontsize="x-small")
    axes.set_xticks([-0.5, 0, 0.5])
    axes.set_yticks([-0.5, 0, 0.5])
    axes.tick_params(labelsize="x-small")


def regions() -> Figure:
    """One case of each task with its regions."""
    return show_regions(task_cases())


def bands() -> Figure:
    """Low and high frequencies of the same cases."""
    return show_bands(task_cases())


def task_cases() -> list[DrawnCase]:
    """The first test case of each task."""
    return [first_case(f"{task}_fd") for task in TASKS]


def first_case(bundle: str) -> DrawnCase:
    """The first test case of a bundle's phantom."""
    return read_case(Run(bundle=bundle, folder=str(ROOT / "bundles" / bundle), settings={}), 0)


def main() -> None:
    """Draw all pictures."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    figures = {"overview": overview, "conventions": conventions, "regions": regions, "bands": bands}
    for name, draw in figures.items():
        draw().savefig(IMAGES / f"{name}.png", dpi=110)
        print(f"drew {(IMAGES / f'{name}.png').relative_to(ROOT)}")


if __name__ == "__main__":
    main()
