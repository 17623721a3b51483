"""The report of a transfer study: figures, tables and one HTML page, from its result files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ...figures import as_bytes
from ...files import write_files
from ..data_table import data_table
from ..pages import Block, Heading, Notes, Paragraph, Picture, as_html, as_markdown
from ..results import Result, asked_for, read_results
from ..texts import as_csv, counted
from . import rows
from .auc_figures import baseline_figure, editing_figure
from .cells import TransferStudy, study_of
from .effects import AS_ACCURATE, LEARNED, Control, Difference, Fall, controls_of, differences_of, falls_of
from .methods import METHODS
from .missing import missing
from .overlap_figure import overlap_figure
from .priorities import Agreement, agreements_of
from .priority_figure import pretrained_priorities, priority_figure, settings_with_priorities
from .remarks import remarks, warnings_of
from .spectrum_figure import MARKED, examples_of, spectrum_figure
from .tables import (
    agreement_table,
    auc_table,
    difference_tables,
    fall_tables,
    priority_table,
    source_table,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["write_transfer_report"]

_ACROSS = 3  # columns of a figure of learning priorities


class _Findings(NamedTuple):
    """All that is computed from the runs."""

    study: TransferStudy
    controls: Sequence[Control]
    falls: Sequence[Fall]
    differences: Sequence[Difference]
    agreements: Sequence[Agreement]


def write_transfer_report(folder: str | os.PathLike[str]) -> list[Path]:
    """Report on a transfer study, into the folder ``report`` of its own.

    ``report.html`` needs no other file; ``report.md`` says the same; the CSV files are for computing; the pictures are
    there as PNG and SVG.

    Args:
        folder: of the study.

    Returns:
        The files, ``report.html`` first.

    Raises:
        ValueError: there is no such folder.

    Reference:
        Y. Lu et al. (2025), "Exploring connections of spectral analysis and transfer learning in medical imaging",
        DOI 10.1117/12.3047670.

    Example:
        >>> import tempfile
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.results import write_result
        >>> folder = tempfile.mkdtemp()
        >>> for result in phantom_transfer(folds=1)[:4]:  # of ImageNet alone
        ...     _ = write_result(folder, result)
        >>> page, text, sources, *_ = write_transfer_report(folder)
        >>> page.name, text.name, sources.read_text().splitlines()[1]
        ('report.html', 'report.md', 'imagenet,0,0.9,0.8,0.05,0.372406417')
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"'folder' must be the output folder of a study, got {folder}: there is no such folder.")
    results, problems = read_results(folder)
    problems = [problem.replace(f"{folder}{os.sep}", "") for problem in problems]
    examples, broken = examples_of(folder)
    found = _findings(results)
    figures = _figures(found, spectrum_figure(examples) if examples else None)
    lacking = [*missing(found.study, results, problems, asked_for(folder)), *(f"Not read: {one}" for one in broken)]
    blocks = list(_document(found, results, lacking, figures))
    files = {f"{name}.{kind}": as_bytes(figure, kind) for name, figure in figures.items() for kind in ("png", "svg")}
    texts = {
        "report.html": as_html(blocks, {name: files[f"{name}.svg"] for name in figures}),
        "report.md": as_markdown(blocks, {name: f"{name}.png" for name in figures}),
        **{f"{name}.csv": as_csv(lines) for name, lines in _csv_files(found).items()},
    }
    return write_files(folder / "report", {name: text.encode() for name, text in texts.items()} | files)


def _findings(results: Sequence[Result]) -> _Findings:
    study = study_of(results)
    controls = controls_of(study)
    falls = falls_of(study, controls)
    return _Findings(study, controls, falls, differences_of(falls), agreements_of(study, falls))


def _figures(found: _Findings, example: Figure | None) -> dict[str, Figure]:
    study = found.study
    figures = {"psd_example": example} if example else {}
    figures["auc"] = baseline_figure(study, found.controls)
    figures["editing"] = editing_figure(study, found.controls)
    settings = settings_with_priorities(study)
    for part, start in enumerate(range(0, len(settings), _ACROSS), start=1):
        name = "learning_priorities" if part == 1 else f"learning_priorities_{part}"
        figures[name] = priority_figure(study, settings[start : start + _ACROSS])
    if found.agreements:
        figures["overlap"] = overlap_figure(study, found.falls)
    return {name: figure for name, figure in figures.items() if figure.axes}


def _csv_files(found: _Findings) -> Mapping[str, Iterable[Sequence[object]]]:
    return {
        "sources": rows.source_rows(found.study),
        "runs": rows.run_rows(found.study),
        "auc": rows.auc_rows(found.study),
        "delta_ood": rows.fall_rows(found.controls, found.falls),
        "differences": rows.difference_rows(found.differences),
        "learning_priorities": rows.priority_rows(found.study),
        "overlap": rows.agreement_rows(found.agreements),
    }


def _document(
    found: _Findings, results: Sequence[Result], lacking: Sequence[str], figures: Mapping[str, Figure]
) -> Iterator[Block]:
    study = found.study
    yield Heading("Transfer study")
    yield Paragraph(_summary(found, results))
    if warnings := warnings_of(study, found.controls):
        yield Notes(warnings, warning=True)
    if lines := remarks(study, results):
        yield Notes(lines)
    data = data_table(results)
    if data.rows:
        yield Heading("The data")
        yield data
    if "psd_example" in figures:
        yield Heading("What a power spectrum density is")
        yield Picture("psd_example", "Images, their spectra and their power spectrum densities", _EXAMPLE)
    if study.pretrainings:
        yield Heading("The sources")
        yield source_table(study)
    if found.controls:
        yield from _shortcuts(found, figures)
    yield from _priorities(found, figures)
    if study.cells:
        yield Heading("All numbers")
        yield auc_table(study, found.controls)
    yield Heading("What is missing")
    yield Notes(lacking) if lacking else Paragraph("Nothing that was asked for.")
    yield Heading("How to read this")
    yield Notes(METHODS)


def _shortcuts(found: _Findings, figures: Mapping[str, Figure]) -> Iterator[Block]:
    if "auc" in figures:
        yield Heading("Who takes the shortcut?")
        yield Picture("auc", "O.O.D. and I.I.D. AUC against the fraction of images with the artifact", _AUC)
    yield Heading("delta_ood")
    yield Paragraph(_FALLS)
    yield from fall_tables(found.controls, found.falls)
    if "editing" in figures:
        yield Heading("Does editing the source change it?")
        yield Picture("editing", "O.O.D. AUC with and without editing of the source", _EDITING)
    if found.differences:
        yield Heading("Differences of delta_ood")
        yield Paragraph(_DIFFERENCES)
        yield from difference_tables(found.study, found.differences)


def _priorities(found: _Findings, figures: Mapping[str, Figure]) -> Iterator[Block]:
    study, settings = found.study, settings_with_priorities(found.study)
    names = [name for name in figures if name.startswith("learning_priorities")]
    if names:
        yield Heading("Learning priorities")
    for part, name in enumerate(names):
        own = settings[_ACROSS * part :][:_ACROSS]
        elsewhere = sorted({source for setting in own for source in pretrained_priorities(study, setting)[1]})
        yield Picture(name, "Learning priorities of pre-trained and fine-tuned networks", _caption(elsewhere))
    table = priority_table(study, found.controls)
    if table.rows:
        yield table
    if "overlap" in figures:
        yield Heading("Does the overlap with the artifact tell who falls?")
        yield Picture("overlap", "delta_ood against the overlap of learning priority and artifact", _OVERLAP)
        yield agreement_table(found.agreements)


def _summary(found: _Findings, results: Sequence[Result]) -> str:
    study = found.study
    tuned = sum(len(cell.runs) for cell in study.cells)
    trained = sum(map(len, study.pretrainings.values()))
    failed = sum(not run.finished for run in results)
    if not tuned + trained:
        return "No run has finished yet." + (f" {failed} failed." if failed else "")
    folds = {run.draw for cell in study.cells for run in cell.runs}
    seeds = {run.seed for cell in study.cells for run in cell.runs}
    text = (
        f"{counted(trained, 'pre-training')}, {counted(tuned, 'fine-tuning')} from "
        f"{counted(len(study.sources), 'source')}; {counted(failed, 'run')} failed."
    )
    if not tuned:
        return text
    counting = sum(control.counts for control in found.controls)
    return (
        f"{text} Targets, artifacts and settings: {len(study.settings)}; folds: {len(folds)}; seeds: {len(seeds)}. "
        f"delta_ood counts for {counting} of {counted(len(found.controls), 'pair')} of a setting and a source."
    )


_EXAMPLE = (
    f"An image of each data set as its network sees it, its spectrum with the ring of {MARKED} cycles per voxel, and "
    "the mean over each ring with that frequency marked. (The paper's Figure 1.)"
)
_SPREAD = "Mean and SD over folds, each averaged over its seeds first. Hollow marks: inconclusive."
_AUC = (
    "AUC against the fraction p of positive training images that have the artifact; O.O.D.: all negatives of the test "
    f"set have it, I.I.D.: the test set is like the training set. {_SPREAD} (The paper's Figure 2.)"
)
_EDITING = (
    f"O.O.D. AUC with (broken lines) and without (solid) editing of the source. {_SPREAD} (The paper's Figure 4.)"
)
_FALLS = (
    "AUC_ood(0) − AUC_ood(p), paired: mean and 95% interval over folds, beside the AUC of the control, p = 0. "
    f"†: inconclusive, as an AUC of the control is below {LEARNED} or not there; the figures do not count."
)
_DIFFERENCES = (
    "Positive: the first takes the shortcut more than the second. Mean and 95% interval over folds; seeds alike: at "
    "each p, how many of the seeds have the sign of the mean each for itself. †: inconclusive, as one of the two is. "
    f"‡: the accuracies of the sources differ by more than {AS_ACCURATE}."
)
_OVERLAP = (
    "delta_ood against the overlap of the learning priority with the artifact's density, a point for each source and "
    "setting; hollow marks: inconclusive."
)


def _caption(elsewhere: Sequence[str]) -> str:
    text = (
        "Top: learning priorities of the pre-trained networks, arrows from an original to what was made from it, and "
        "the artifact's density, each scaled from 0 to 1 without DC. Below: those of the fine-tuned networks, as the "
        "mean over folds and seeds, against the fraction p. (The paper's Figure 3.)"
    )
    if not elsewhere:
        return text
    return f"{text} Without a pre-training in this study, so on the target before fine-tuning: {', '.join(elsewhere)}."
