"""Learning priorities of pre-trained and fine-tuned networks, and the density of the artifact: the paper's Figure 3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from ...figures import legend_above, mark_bands, new_figure, tidy
from ...spectral.frequency_axis import on_one_axis
from ..source_labels import RANDOM, data_of, is_original
from .cells import NO_ARTIFACT, Setting, TransferStudy
from .priorities import Density, densities_of
from .styles import ARTIFACT, Style, styles_of, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

__all__ = ["pretrained_priorities", "priority_figure", "settings_with_priorities"]


def settings_with_priorities(study: TransferStudy) -> list[Setting]:
    """Settings with an artifact whose runs have measured a learning priority.

    Args:
        study: the runs.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> settings_with_priorities(study_of(phantom_transfer()))
        [Setting(bundle='kneemri_transfer', artifact='photon_noise', others=())]
    """
    return [
        setting
        for setting in study.settings
        if setting.artifact != NO_ARTIFACT and any(densities_of(cell.runs, "after") for cell in study.of(setting))
    ]


def pretrained_priorities(study: TransferStudy, setting: Setting) -> tuple[dict[str, Density], list[str]]:
    """Learning priority of each pre-trained network, and the sources whose priority is that on the target's images.

    Those are the sources of which the study has no pre-training: checkpoints from elsewhere.

    Args:
        study: the runs.
        setting: of the fine-tunings.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> study = study_of(phantom_transfer())
        >>> found, elsewhere = pretrained_priorities(study, Setting("kneemri_transfer", "photon_noise"))
        >>> float(found["imagenet"].frequencies[found["imagenet"].values.argmax()]), elsewhere
        (0.375, ['imagenet lowpass', 'radimagenet whiten'])
    """
    found, elsewhere = {}, []
    for source in study.sources:
        own = densities_of(study.pretrainings.get(source, ()), "after")
        if own is None and source != RANDOM:
            own = densities_of([run for cell in study.of(setting, source)[:1] for run in cell.runs], "before")
            elsewhere += [source] if own else []
        if own:
            found[source] = own
    return found, elsewhere


def priority_figure(study: TransferStudy, settings: Sequence[Setting]) -> Figure:
    """Pre-trained networks and the artifact above, a heat map of each source's fine-tuned networks below.

    Args:
        study: the runs.
        settings: a column each.

    Reference:
        Y. Lu et al. (2025), Figure 3.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.transfer_report.cells import study_of
        >>> study = study_of(phantom_transfer())
        >>> figure = priority_figure(study, settings_with_priorities(study))
        >>> [axes.get_title() for axes in figure.axes][:3]
        ['kneemri, photon noise', '', '']
    """
    sources = [s for s in study.sources if any(study.of(setting, s) for setting in settings)]
    columns = len(settings)
    fractions = len({cell.fraction for setting in settings for cell in study.of(setting)})
    heights = [max(0.6, 0.35 + 0.12 * fractions)] * len(sources)
    figure = new_figure(1.6 + min(4.0, 10 / max(1, columns)) * max(1, columns), 2.6 + sum(heights))
    if not settings:
        return figure
    styles = styles_of(study.sources)
    rows = figure.subplots(1 + len(sources), columns, squeeze=False, height_ratios=[2.2, *heights])
    meshes = []
    for setting, column in zip(settings, rows.T, strict=True):
        _curves(column[0], study, setting, styles)
        column[0].set_title(wrapped(setting.title, 36), fontsize="medium", pad=16)
        meshes += [_heat(axes, study, setting, source) for axes, source in zip(column[1:], sources, strict=True)]
        for axes in column[:-1]:
            axes.tick_params(labelbottom=False)
        column[-1].set_xlabel("spatial frequency (cycles / voxel)")
    rows[0, 0].set_ylabel("scaled to 0 … 1")
    for axes, source in zip(rows[1:, 0], sources, strict=True):
        axes.set_ylabel(wrapped(source, 12), rotation=0, ha="right", va="center")
    drawn = [mesh for mesh in meshes if mesh is not None]
    if drawn:
        figure.colorbar(drawn[0], ax=rows[1:, :].ravel().tolist(), label="learning priority", aspect=40, pad=0.02)
    looks = [(source, styles[source].look | {"marker": ""}) for source in sources if source != RANDOM]
    legend_above(figure, [*looks, ("artifact", {"color": ARTIFACT, "linewidth": 2.4})])
    return figure


def _curves(axes: Axes, study: TransferStudy, setting: Setting, styles: dict[str, Style]) -> None:
    found = {source: density.scaled() for source, density in pretrained_priorities(study, setting)[0].items()}
    artifact = densities_of([run for cell in study.of(setting) for run in cell.runs], "artifact")
    if artifact:
        axes.plot(*artifact.scaled(), color=ARTIFACT, linewidth=2.4)
    for source, density in found.items():
        axes.plot(*density, color=styles[source].color, linestyle=styles[source].line, linewidth=1.6)
    taken: list[float] = []
    for source, density in found.items():
        if not is_original(source) and data_of(source) in found:
            taken.append(_arrow(axes, found[data_of(source)], density, styles[source].color, taken))
    mark_bands(axes)
    axes.set(xlim=(0, 0.5), ylim=(-0.03, 1.06))
    tidy(axes)


def _arrow(axes: Axes, original: Density, edited: Density, color: str, taken: Sequence[float]) -> float:
    """From the one curve to the other, where they are furthest apart and no arrow is yet; returns the frequency."""
    moved = np.interp(original.frequencies, *edited)
    free = np.array([all(abs(one - other) > 0.04 for other in taken) for one in original.frequencies])
    place = int((np.abs(moved - original.values) * free).argmax())
    x, start, end = original.frequencies[place], original.values[place], moved[place]
    if abs(end - start) > 0.05:
        look = {"arrowstyle": "-|>", "color": color, "linewidth": 1.4, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", xy=(x, end), xytext=(x, start), arrowprops=look)
    return float(x)


def _heat(axes: Axes, study: TransferStudy, setting: Setting, source: str) -> QuadMesh | None:
    """Fractions from below to above; what there is no run of is left blank."""
    cells = study.of(setting, source)
    known = [(cell.fraction, density) for cell in cells if (density := densities_of(cell.runs, "after"))]
    axes.set(xlim=(0, 0.5), facecolor="0.93")
    if not known:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "no run", transform=axes.transAxes, color="0.45", ha="center", va="center")
        return None
    frequencies, rows = on_one_axis((torch.from_numpy(each), torch.from_numpy(own)) for _, (each, own) in known)
    kept = frequencies.numpy() > 0
    values = rows.numpy()[:, kept]
    middles = frequencies.numpy()[kept]
    edges = np.concatenate([[middles[0] / 2], (middles[1:] + middles[:-1]) / 2, [middles[-1]]])
    mesh = axes.pcolormesh(
        edges, np.arange(len(known) + 1) - 0.5, values, cmap="viridis", vmin=0, vmax=1, rasterized=True
    )
    names = [f"{fraction:g}" if place else f"p = {fraction:g}" for place, (fraction, _) in enumerate(known)]
    axes.set_yticks(range(len(known)), names, fontsize=7)
    return mesh
