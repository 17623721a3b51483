"""What a power spectrum density is: a picture, its spectrum, and the mean over each ring of it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from ...figures import new_figure, tidy
from ...figures.palette import BLUE
from ...quoting import reason_of, shown
from ...spectral.psd import radial_psd
from .transfer_figures import ARTIFACT, wrapped

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

__all__ = ["MARKED", "examples_of", "spectrum_figure"]

#: frequency of the ring that is marked, in cycles per voxel: the middle of the mid band
MARKED = 0.25

_SMALLEST = 8  # pixels, for a spectrum to look at


def examples_of(folder: Path) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    """Pictures of the bundles' images, ``(H, W)``, and a line for each file that is no picture.

    Args:
        folder: output folder of the study.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "examples").mkdir()
        >>> Image.new("L", (16, 12), 200).save(folder / "examples" / "kneemri_transfer.png")
        >>> pictures, problems = examples_of(folder)
        >>> {name: pixels.shape for name, pixels in pictures.items()}, problems
        ({'kneemri_transfer': (12, 16)}, [])
    """
    from PIL import Image

    pictures: dict[str, NDArray[np.float64]] = {}
    problems = []
    for path in sorted((folder / "examples").glob("*.png")):
        try:
            with Image.open(io.BytesIO(path.read_bytes())) as picture:
                pixels = np.asarray(picture.convert("L"), dtype=np.float64)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            problems.append(f"examples/{shown(path.name)} is no picture: {shown(reason_of(error))}.")
            continue
        if min(pixels.shape) < _SMALLEST:
            problems.append(f"examples/{shown(path.name)} is too small, {pixels.shape[1]} x {pixels.shape[0]} pixels.")
        else:
            pictures[path.stem] = pixels
    return pictures, problems


def spectrum_figure(pictures: Mapping[str, NDArray[np.float64]]) -> Figure:
    """A row for each picture: itself, its centred spectrum with a ring marked, its density with that frequency marked.

    Args:
        pictures: bundle -> ``(H, W)``.

    Reference:
        Y. Lu et al. (2025), Figure 1.

    Example:
        >>> figure = spectrum_figure({"kneemri_transfer": np.random.default_rng(0).random((32, 32))})
        >>> [axes.get_title() for axes in figure.subfigs[0].axes]
        ['kneemri', 'spectrum, log magnitude', 'power spectrum density']
    """
    figure = new_figure(9.2, 2.5 * max(1, len(pictures)))
    rows: Iterable[SubFigure] = figure.subfigures(len(pictures), 1, squeeze=False)[:, 0] if pictures else []
    for row, (bundle, picture) in zip(rows, pictures.items(), strict=True):
        _row(row, bundle.removesuffix("_transfer").replace("_", " "), picture)
    return figure


def _row(row: SubFigure, title: str, picture: NDArray[np.float64]) -> None:
    from matplotlib.patches import Ellipse

    plain, spectrum, density = row.subplots(1, 3, width_ratios=(1, 1, 1.6))
    plain.imshow(picture, cmap="gray", interpolation="nearest")
    height, width = picture.shape
    magnitude = np.log10(np.abs(np.fft.fftshift(np.fft.fft2(picture))) + 1)
    spectrum.imshow(magnitude, cmap="gray", interpolation="nearest", vmin=np.percentile(magnitude, 1))
    center = (width // 2, height // 2)
    ring = Ellipse(center, 2 * MARKED * width, 2 * MARKED * height, fill=False, color=ARTIFACT, linewidth=1.8)
    spectrum.add_patch(ring)
    for axes, text in ((plain, title), (spectrum, "spectrum, log magnitude")):
        axes.set_title(wrapped(text, 32), fontsize="medium")
        axes.set_axis_off()
    frequencies, values = (one.numpy() for one in radial_psd(torch.from_numpy(picture), spatial_dims=2))
    shown = (frequencies > 0) & (values > 0)
    density.plot(frequencies[shown], values[shown], color=BLUE, linewidth=1.6)
    density.axvline(MARKED, color=ARTIFACT, linewidth=1.8)
    density.set_yscale("log", nonpositive="clip") if shown.any() else None
    density.set(xlim=(0, 0.5), xlabel="frequency (cycles / voxel)", ylabel="mean magnitude of the ring")
    density.set_title("power spectrum density", fontsize="medium")
    density.minorticks_off()
    tidy(density)
