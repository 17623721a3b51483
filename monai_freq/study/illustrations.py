"""Pictures of the data of bundles: their regions, and what the low and the high frequencies hold of them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..bundle.parsing import readably
from ..data.nifti import case_name
from ..errors import UsageError
from ..figures import DrawnCase, as_bytes, show_bands, show_regions
from ..files import write_files
from ..spectral.bands import split
from .run.checks import opened
from .run.spec import Run

__all__ = ["illustrate", "read_case"]


def illustrate(runs: Iterable[Run], output_dir: str | os.PathLike[str], *, case: int = 0) -> list[Path]:
    """Draw a test case of each run, as its network sees it, into ``regions`` and ``bands`` (PNG and SVG).

    Args:
        runs: bundles with their settings, as ``theta`` and ``convention``; each has a row in both figures.
        output_dir: folder for the figures.
        case: number of the test case, from 0.

    Returns:
        The files.

    Raises:
        UsageError: a bundle, its settings or its data are faulty, it is no segmentation, or has fewer test cases.

    Reference:
        G. Fu et al. (2024), Figures 3 and 4, https://doi.org/10.1117/12.2692286.

    Example:
        >>> import tempfile
        >>> from monai_freq.bundle.shipped_bundles import copy_bundle
        >>> folder = copy_bundle("hippocampus_fd", Path(tempfile.mkdtemp(), "hippocampus_fd"))
        >>> phantom = {"task": "hippocampus", "cases": 3, "test_cases": 0, "size": [16, 16, 16], "seed": 0}
        >>> settings = {"phantom": phantom, "val_cases": 1, "test_cases": 1, "image_size": [16, 16, 16]}
        >>> run = Run(bundle="hippocampus_fd", folder=str(folder), settings=settings)
        >>> [path.name for path in illustrate([run], folder / "pictures")]
        ['regions.png', 'regions.svg', 'bands.png', 'bands.svg']
    """
    drawn = [read_case(run, case) for run in runs]
    figures = {"regions": show_regions(drawn), "bands": show_bands(drawn)}
    kinds = ("png", "svg")
    contents = {f"{name}.{kind}": as_bytes(figure, kind) for name, figure in figures.items() for kind in kinds}
    return write_files(Path(output_dir), contents)


@readably()
def read_case(run: Run, number: int) -> DrawnCase:
    """A test case of a run, as its network sees it, split into its frequencies.

    Args:
        run: bundle with its settings.
        number: number of the test case, from 0.

    Raises:
        UsageError: the bundle, its settings or its data are faulty, it is no segmentation, or has fewer test cases.

    Example:
        >>> import tempfile
        >>> from monai_freq.bundle.shipped_bundles import copy_bundle
        >>> folder = copy_bundle("hippocampus_fd", Path(tempfile.mkdtemp(), "hippocampus_fd"))
        >>> phantom = {"task": "hippocampus", "cases": 3, "test_cases": 0, "size": [16, 16, 16], "seed": 0}
        >>> settings = {"phantom": phantom, "val_cases": 1, "test_cases": 1, "image_size": [16, 16, 16]}
        >>> case = read_case(Run(bundle="hippocampus_fd", folder=str(folder), settings=settings), 0)
        >>> case.image.shape, case.classes, np.allclose(case.low + case.high, case.image, atol=1e-5)
        ((16, 16, 16), {1: 'anterior', 2: 'posterior'}, True)
    """
    parser = opened(run, "evaluate")
    if "cases" not in parser:
        raise UsageError(
            f"{run.bundle} is no segmentation: it has no 'cases'.\nFigures are drawn of bundles as heart_fd."
        )
    dataset = parser.get_parsed_content("dataset")
    if not 0 <= number < len(dataset):
        raise UsageError(f"{run.bundle} has {len(dataset)} test cases.\nAsk for --case 0 to {len(dataset) - 1}.")
    case = dataset[number]
    theta, convention = parser.get_parsed_content("theta"), parser.get_parsed_content("convention")
    low, high = split(case["image"].as_tensor()[0], theta, spatial_dims=3, convention=convention)
    widths = " and ".join(f"{width:g}" for width in np.atleast_1d(theta))
    classes, file = parser.get_parsed_content("classes"), case_name(case["image"].meta["filename_or_obj"])
    return DrawnCase(
        f"{run.bundle}, {file}, theta = {widths}" + ("" if convention == "figure2" else f", {convention}"),
        np.asarray(case["image"][0]),
        np.asarray(case["label"][0]).astype(np.uint8),
        low.numpy(),
        high.numpy(),
        [float(step) for step in case["image"].pixdim],
        {int(key): value for key, value in classes.items() if int(key) > 0},
    )
