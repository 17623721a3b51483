"""What a transfer study shows: does the source of pre-training decide which shortcut a network takes?

Reference:
    Y. Lu et al. (2025), "Exploring connections of spectral analysis and transfer learning in medical imaging",
    DOI 10.1117/12.3047670.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from ...documents import Block, Heading, Notes, Paragraph, Picture, Table, write_document
from ...documents.texts import counted, listed, plain
from ..run.spec import RANDOM
from .effects import AS_ACCURATE, LEARNED, ROUNDING, Control, Effects, effects_of
from .how_to_read import how_to_read
from .long_table import Study, read_study
from .runs import about_the_data, about_what_is_missing, missing_runs, named_runs, remarks_on_runs
from .spectrum_figure import MARKED, examples_of, spectrum_figure
from .statistics import ENOUGH_POINTS
from .transfer_figures import PRIORITIES_ACROSS, transfer_figures
from .transfer_study import CONDITIONS, NO_ARTIFACT, Setting, TransferStudy, transfer_study_of
from .transfer_tables import csv_files, tables_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["missing_of", "transfer_warnings", "write_transfer_report"]

Tables = Mapping[str, list[Table]]
Figures = Mapping[str, "Figure"]

_MOST = 60  # lines on what is missing
_FOLDS = 3  # fewest whose spread says something
#: by how much the artifact alone, which no training has seen, may lower the AUC
_TOO_STRONG = 0.05
#: AUC on clean images below which a network has hardly learned its task
_HARDLY_LEARNED = 0.6
_DENSITIES = {
    "before": "learning priority before fine-tuning",
    "after": "learning priority after it",
    "artifact": "density of the artifact",
}


def write_transfer_report(folder: str | os.PathLike[str]) -> list[Path]:
    """Report on a transfer study, into the folder ``report`` of its own.

    ``report.html`` needs no other file; ``report.md`` says the same; the CSV files are for computing; the pictures are
    there as PNG and SVG.

    Args:
        folder: output folder of the study.

    Returns:
        The files, ``report.html`` first.

    Raises:
        UsageError: there is no such folder.

    Reference:
        Y. Lu et al. (2025), "Exploring connections of spectral analysis and transfer learning in medical imaging",
        DOI 10.1117/12.3047670.

    Example:
        >>> import tempfile
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.run.results import write_result
        >>> folder = tempfile.mkdtemp()
        >>> for result in phantom_transfer(folds=1)[:4]:  # of ImageNet alone
        ...     _ = write_result(folder, result)
        >>> page, text, sources, *_ = write_transfer_report(folder)
        >>> page.name, text.name, sources.read_text().splitlines()[1]
        ('report.html', 'report.md', 'imagenet,0,0.9,0.8,0.05,0.372406417')
    """
    runs = read_study(folder)
    study = transfer_study_of(runs)
    effects = effects_of(study)
    examples, broken = examples_of(Path(folder))
    figures = {"psd_example": spectrum_figure(examples)} if examples else {}
    figures |= transfer_figures(study, effects)
    missing = [*missing_of(study, runs), *(f"Not read: {one}" for one in broken)]
    tables = tables_of(study, effects)
    blocks = list(_document(runs, study, effects, tables, figures, missing))
    return write_document(Path(folder) / "report", blocks, figures, csv_files(study, effects))


def transfer_warnings(study: TransferStudy, controls: Sequence[Control]) -> list[str]:
    """Why a reader should not conclude yet.

    Args:
        study: transfer study.
        controls: controls of the study.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.report.long_table import study_of
        >>> study = transfer_study_of(study_of(phantom_transfer()))
        >>> for warning in transfer_warnings(study, effects_of(study).controls):
        ...     print(warning)
        Fewer than 3 folds, of which neither an SD nor an interval ...
        One pre-training only: imagenet, radimagenet. ...
    """
    return [*_warnings_on_controls(controls), *_warnings_on_learning(study), *_warnings_on_numbers(study)]


def missing_of(study: TransferStudy, runs: Study) -> list[str]:
    """What is not there: failed runs, files that cannot be read, runs and values.

    Args:
        study: transfer study.
        runs: tables of the same study.

    Example:
        >>> from monai_freq.study.phantom_results import phantom_transfer
        >>> from monai_freq.study.report.long_table import study_of
        >>> runs = study_of(phantom_transfer()[:-1], ["results/a.json is truncated."])  # without the last fine-tuning
        >>> for line in missing_of(transfer_study_of(runs), runs):
        ...     print(line)
        Not read: results/a.json is truncated.
        Absent: kneemri, photon noise, radimagenet whiten, p = 0.5: fold 1
        No pre-training of imagenet lowpass, radimagenet whiten is in this study: ...
    """
    lines = [*missing_runs(runs), *study.unusable, *([] if runs.asked else _absent_runs(study))]
    unknown = [source for source in study.sources if source not in {RANDOM, *study.pretrainings}]
    if unknown:
        lines.append(f"No pre-training of {', '.join(unknown)} is in this study: their accuracy is not known.")
    lines += _absent_values(study)
    return lines if len(lines) <= _MOST else [*lines[: _MOST - 1], f"… and {len(lines) - _MOST + 1} more"]


def _document(
    runs: Study, study: TransferStudy, effects: Effects, tables: Tables, figures: Figures, missing: list[str]
) -> Iterator[Block]:
    yield Heading("Transfer study")
    yield Paragraph(_summary(runs, study, effects))
    if warnings := transfer_warnings(study, effects.controls):
        yield Notes(warnings, warning=True)
    shared = [f"{key.replace('_', ' ')} {value}" for key, value in study.shared]
    lines = [f"All fine-tunings: {', '.join(shared)}."] if shared else []
    if lines := [*lines, *remarks_on_runs(runs, "the data that they stand in for.")]:
        yield Notes(lines)
    yield from about_the_data(runs)
    yield from _section("What a power spectrum density is", figures, "psd_example")
    yield from _section("The sources", figures, tables=tables["sources"])
    if effects.controls:
        yield from _section("Who takes the shortcut?", figures, "auc")
        yield from _section("delta_ood", figures, text=_DROPS, tables=tables["drops"])
        yield from _section("Does editing the source change it?", figures, "editing")
        yield from _section("Differences of delta_ood", figures, text=_DIFFERENCES, tables=tables["differences"])
    yield from _priorities(study, tables, figures)
    yield from _section("All numbers", figures, tables=tables["aucs"])
    yield from about_what_is_missing(missing)
    yield from how_to_read("transfer", learned=LEARNED, as_accurate=AS_ACCURATE, points=ENOUGH_POINTS)


def _section(
    title: str, figures: Figures, figure: str = "", *, text: str = "", tables: Sequence[Table] = ()
) -> Iterator[Block]:
    """Section with a figure, or with tables and what they are; nothing where there is neither."""
    if figure in figures or tables:
        yield Heading(title)
    if figure in figures:
        yield Picture(figure, *_CAPTIONS[figure])
    if text and tables:
        yield Paragraph(text)
    yield from tables


def _priorities(study: TransferStudy, tables: Tables, figures: Figures) -> Iterator[Block]:
    names = [name for name in figures if name.startswith("learning_priorities")]
    if names:
        yield Heading("Learning priorities")
    for part, name in enumerate(names):
        shown = study.with_priorities[PRIORITIES_ACROSS * part :][:PRIORITIES_ACROSS]
        elsewhere = sorted({source for setting in shown for source in study.priorities(setting)[1]})
        text = f" Without a pre-training in this study, so on the target before fine-tuning: {', '.join(elsewhere)}."
        yield Picture(
            name, _CAPTIONS["learning_priorities"][0], _CAPTIONS["learning_priorities"][1] + text * bool(elsewhere)
        )
    yield from tables["priorities"]
    if "overlap" in figures:
        title = "Does the overlap with the artifact tell whose AUC drops?"
        yield from _section(title, figures, "overlap", tables=tables["agreements"])


def _summary(runs: Study, study: TransferStudy, effects: Effects) -> str:
    keys = [key for one in study.tunings for key in one.keys]
    trained = sum(len(runs.keys) for runs in study.pretrainings.values())
    failed = sum(not finished for finished in runs.runs["finished"])
    if not keys and not trained:
        return "No run has finished yet." + (f" {failed} failed." if failed else "")
    text = (
        f"{counted(trained, 'pre-training')}, {counted(len(keys), 'fine-tuning')} from "
        f"{counted(len(study.sources), 'source')}; {counted(failed, 'run')} failed."
    )
    if not keys:
        return text
    folds, seeds = (len(set(ones)) for ones in zip(*keys, strict=True))
    counting, pairs = sum(one.counts for one in effects.controls), counted(len(effects.controls), "pair")
    return (
        f"{text} Targets, artifacts and settings: {len(study.settings)}; folds: {folds}; seeds: {seeds}. "
        f"delta_ood counts for {counting} of {pairs} of a setting and a source."
    )


def _warnings_on_controls(controls: Sequence[Control]) -> Iterator[str]:
    if weak := [(one.setting, one.source) for one in controls if one.there and not one.counts]:
        yield (
            f"Inconclusive, as the AUC without the shortcut is below {LEARNED}: {_by_setting(weak)}. Where little is "
            "learned, little can be lost: that such a source 'resists' means nothing. It is marked with † in tables "
            "and hollow in figures."
        )
    if without := [(one.setting, one.source) for one in controls if not one.there]:
        yield (
            f"No p = 0 control, so no delta_ood and nothing that counts: {_by_setting(without)}. With an artifact on "
            "the test images alone the O.O.D. AUC can be anything."
        )
    strong = [one for one in controls if one.ood < one.iid - _TOO_STRONG - ROUNDING]
    if strong:
        shown = _by_setting((one.setting, f"{one.source} ({one.ood:.2f}, I.I.D. {one.iid:.2f})") for one in strong)
        yield (
            "The artifact is too strong: networks that have never seen it already have an O.O.D. AUC that is more than "
            f"{_TOO_STRONG} below the I.I.D. one, in {shown}. It hides what it lies on, so that the AUC drops without "
            "any shortcut."
        )


def _warnings_on_learning(study: TransferStudy) -> Iterator[str]:
    accuracies = {source: study.accuracy(source) for source in study.pretrainings}
    known = {source: accuracy for source, accuracy in accuracies.items() if not math.isnan(accuracy)}
    pairs = [abs(one - other) > AS_ACCURATE + ROUNDING for one, other in combinations(known.values(), 2)]
    if any(pairs):
        shown = "; ".join(f"{source} {plain(accuracy)}" for source, accuracy in known.items())
        yield (
            f"The sources are not learned equally well: accuracies differ by more than {AS_ACCURATE} in {sum(pairs)} "
            f"of {len(pairs)} pairs ({shown}). A difference of delta_ood may be of how far the pre-training got."
        )
    plain_ones = [one for one in study.tunings if one.fraction == 0 or one.setting.artifact == NO_ARTIFACT]
    found = [(one, one.estimate("clean").mean) for one in plain_ones]
    if hardly := [(one.setting, f"{one.source} ({auc:.2f})") for one, auc in found if auc < _HARDLY_LEARNED]:
        yield (
            f"Hardly learned: without the artifact, the AUC on clean test images is below {_HARDLY_LEARNED} in "
            f"{_by_setting(hardly)}."
        )


def _warnings_on_numbers(study: TransferStudy) -> Iterator[str]:
    most: dict[str, int] = {}
    for one in study.tunings:
        for count in one.runs["groups"]:
            if count > 0:
                most[one.setting.bundle] = max(int(count), most.get(one.setting.bundle, 0))
    for bundle, count in most.items():
        verb = "patient or exam is" if count == 1 else "patients or exams are"
        yield f"{count} {verb} in two parts of {bundle}: its test results are not of unseen patients."
    folds = [(one.setting, one.source, len({*one.runs["draw"]})) for one in study.tunings]
    if few := dict.fromkeys((setting, f"{source} ({count})") for setting, source, count in folds if count < _FOLDS):
        counts = {count for _, _, count in folds}
        where = f"{counts.pop()} everywhere" if len(counts) == 1 else _by_setting(few)
        yield f"Fewer than {_FOLDS} folds, of which neither an SD nor an interval says much: {where}."
    if once := [
        source for source in study.sources if source in study.pretrainings and len(study.pretrainings[source].keys) == 1
    ]:
        yield (
            f"One pre-training only: {', '.join(once)}. What is of the source cannot be told from what is of that one "
            "training of it."
        )


def _absent_runs(study: TransferStudy) -> Iterator[str]:
    """Folds and seeds that other sources and fractions of the setting have."""
    for setting in study.settings:
        tunings = {(one.source, one.fraction): one for one in study.of(setting)}
        wanted = {key for one in tunings.values() for key in one.keys}
        for source in dict.fromkeys(source for source, _ in tunings):
            for fraction in sorted({fraction for _, fraction in tunings}):
                one = tunings.get((source, fraction))
                if one is None:
                    yield f"Absent: {setting.title}, {source}, p = {fraction:g}"
                elif lacking := sorted(wanted - {*one.keys}):
                    yield f"Absent: {one.place}: {named_runs('fold', lacking, wanted)}"


def _absent_values(study: TransferStudy) -> Iterator[str]:
    for one in study.tunings:
        wanted: dict[str, Collection[object]] = {f"{name} AUC": one.values(name) for name in CONDITIONS}
        for name, title in _DENSITIES.items():
            if name != "artifact" or one.setting.artifact != NO_ARTIFACT:
                wanted[title] = one.densities(name)
        for title, found in wanted.items():
            if lost := len(one.runs) - len(found):
                yield f"Absent: {one.place}: {title} of {lost} of {len(one.runs)} runs"


def _by_setting(places: Iterable[tuple[Setting, str]]) -> str:
    """A text for each setting, with all that is to be said of it."""
    found: dict[str, list[str]] = {}
    for setting, text in places:
        found.setdefault(setting.title, []).append(text)
    return listed(f"{title}: {', '.join(texts)}" for title, texts in found.items())


_SPREAD = "Mean and SD over folds, each averaged over its seeds first. Hollow marks: inconclusive."
#: figure -> what it shows, and its caption
_CAPTIONS = {
    "psd_example": (
        "Images, their spectra and their power spectrum densities",
        f"An image of each data set as its network sees it, its spectrum with the ring of {MARKED} cycles per voxel, "
        "and the mean over each ring with that frequency marked. (The paper's Figure 1.)",
    ),
    "auc": (
        "O.O.D. and I.I.D. AUC against the fraction of images with the artifact",
        "AUC against the fraction p of positive training images that have the artifact; O.O.D.: all negatives of the "
        f"test set have it, I.I.D.: the test set is like the training set. {_SPREAD} (The paper's Figure 2.)",
    ),
    "editing": (
        "O.O.D. AUC with and without editing of the source",
        f"O.O.D. AUC with (broken lines) and without (solid) editing of the source. {_SPREAD} (The paper's Figure 4.)",
    ),
    "learning_priorities": (
        "Learning priorities of pre-trained and fine-tuned networks",
        "Top: learning priorities of the pre-trained networks, arrows from an original to what was made from it, and "
        "the artifact's density, each scaled from 0 to 1 without DC. Below: those of the fine-tuned networks, as the "
        "mean over folds and seeds, against the fraction p. (The paper's Figure 3.)",
    ),
    "overlap": (
        "delta_ood against the overlap of learning priority and artifact",
        "delta_ood against the overlap of the learning priority with the artifact's density, a point for each source "
        "and setting; hollow marks: inconclusive.",
    ),
}
_DROPS = (
    "AUC_ood(0) − AUC_ood(p), paired: mean and 95% interval over folds, beside the AUC of the control, p = 0. "
    f"†: inconclusive, as an AUC of the control is below {LEARNED} or not there; the figures do not count."
)
_DIFFERENCES = (
    "Positive: the first takes the shortcut more than the second. Mean and 95% interval over folds; seeds alike: at "
    "each p, how many of the seeds have the sign of the mean each for itself. †: inconclusive, as one of the two is. "
    f"‡: the accuracies of the sources differ by more than {AS_ACCURATE}."
)
