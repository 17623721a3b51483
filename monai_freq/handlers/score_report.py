"""Evaluation of a classifier sample by sample: a table of scores, and how well they tell the classes apart."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from ignite import distributed as idist
from ignite.engine import Engine, Events
from monai.metrics import compute_roc_auc
from torch import Tensor

from ..files import replacing
from .engine_parts import folder_of
from .rows import column_names, from_all_processes, write_rows

_log = logging.getLogger(__name__)

__all__ = ["ScoreReport", "auc", "calibration_error", "log_odds"]

#: equal parts of [0, 1] that confidences are sorted into
_BINS = 15
#: most classes of which every score is written
_MOST_COLUMNS = 20


class ScoreReport:
    r"""Scores of every sample, and AUC, accuracy and calibration error of each condition, as CSV and JSON.

    ``scores.csv`` has a line per sample and condition: its probability of each class, after softmax; with more than 20
    classes, the most probable one, its probability, and that of the label. ``summary.json`` has for each condition the
    area under the ROC curve (mean over the classes, one against the rest, when there are more than two), the accuracy,
    and the expected calibration error. Of samples without labels, there is the table alone.

    Args:
        output_dir: folder to write to; files are written aside, then renamed.
        classes: class number -> name.
        sample: key of what names a sample.
        condition: key of the condition that a sample is seen in; where items have no such key, there is one, ``"all"``.

    Raises:
        ValueError: two classes have one number or, where there are no more than 20, one name.

    Shape:
        In the decollated batch and output of the evaluator: ``pred``, logits ``(K,)``, and ``label``, a class number,
        if there is one.

    Reference:
        C. Guo et al. (2017), "On calibration of modern neural networks", ICML, for the calibration error.

    Example:
        >>> import tempfile
        >>> batch = [{"sample": f"{n}.png", "label": n % 2, "pred": torch.tensor([2.0, 4.0 * n])} for n in range(4)]
        >>> folder, evaluator = tempfile.mkdtemp(), Engine(lambda engine, batch: batch)
        >>> ScoreReport(folder, {"0": "benign", "1": "malignant"}).attach(evaluator)
        >>> _ = evaluator.run([batch])
        >>> Path(folder, "scores.csv").read_text().splitlines()[:2]
        ['condition,sample,label,score_benign,score_malignant', 'all,0.png,0,0.880797077978,0.119202922022']
        >>> json.loads(Path(folder, "summary.json").read_text())["all"]["auc"]
        0.75
    """

    def __init__(
        self,
        output_dir: str | os.PathLike[str],
        classes: Mapping[str, str] | Mapping[int, str],
        sample: str = "sample",
        condition: str = "condition",
    ) -> None:
        self.folder = folder_of("output_dir", output_dir)
        self.columns = column_names(classes) if len(classes) <= _MOST_COLUMNS else {}
        self.classes = {int(number): name for number, name in classes.items()}
        self.sample = sample
        self.condition = condition
        self.rows: list[dict[str, Any]] = []

    def attach(self, engine: Engine) -> None:
        """Note the scores of each batch of ``engine``, write when it is done."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._note)
        engine.add_event_handler(Events.COMPLETED, self._write)

    def _start(self, engine: Engine) -> None:
        self.rows = []

    def _note(self, engine: Engine) -> None:
        decollated: Any = zip(cast(Any, engine.state.batch), cast(Any, engine.state.output), strict=True)
        for item, output in decollated:
            seen = item | output
            logits = seen["pred"].detach().cpu().double().flatten()
            if len(logits) != len(self.classes):
                raise ValueError(f"'classes' names {len(self.classes)} classes, but the network scores {len(logits)}.")
            row = {"condition": str(seen.get(self.condition, "all")), "sample": str(seen[self.sample])}
            label = {} if seen.get("label") is None else {"label": int(seen["label"])}
            self.rows.append(row | label | {"logits": logits})

    def _line(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Row of the table."""
        scores: Tensor = row["logits"].softmax(0)
        line = {key: value for key, value in row.items() if key != "logits"}
        if self.columns:
            named = zip(sorted(self.columns), scores.tolist(), strict=True)
            return line | {f"score_{self.columns[number]}": score for number, score in named}
        predicted = int(scores.argmax())
        of_label = {"score_label": float(scores[row["label"]])} if "label" in row else {}
        return line | {"predicted": predicted, "score_predicted": float(scores[predicted])} | of_label

    def _write(self, engine: Engine) -> None:
        rows = from_all_processes(self.rows, ["condition", "sample"])
        if not rows or idist.get_rank() > 0:
            return
        write_rows(self.folder / "scores.csv", [self._line(row) for row in rows], ".12g")
        if not all("label" in row for row in rows):
            _log.info(f"Scores of {len(rows)} images written to {self.folder}.")
            return
        summary = {condition: self._measured(rows, condition) for condition in sorted({r["condition"] for r in rows})}
        with replacing(self.folder / "summary.json") as aside:
            aside.write_text(json.dumps(summary, indent=2) + "\n")
        _log.info(_table(summary, self.folder))

    def _measured(self, rows: Sequence[Mapping[str, Any]], condition: str) -> dict[str, float]:
        own = [row for row in rows if row["condition"] == condition]
        labels = torch.tensor([row["label"] for row in own])
        logits = torch.stack([row["logits"] for row in own])
        return {
            "samples": len(own),
            "auc": auc(log_odds(logits), labels),
            "accuracy": float((logits.argmax(1) == labels).double().mean()),
            "calibration_error": calibration_error(logits.softmax(1), labels),
        }


def log_odds(logits: Tensor) -> Tensor:
    r"""Logarithm of the odds of each class, in the order of its probabilities, which confident logits round to 1.

    .. math:: \log \frac{p_k}{1 - p_k} = z_k - \log \sum_{j \ne k} e^{z_j}

    Args:
        logits: z, ``(*, K)`` with K at least 2.

    Shape:
        ``(*, K)``.

    Example:
        >>> logits = torch.tensor([[0.0, 20.0], [0.0, 30.0]])
        >>> logits.softmax(1)[:, 1].tolist(), log_odds(logits)[:, 1].tolist()
        ([1.0, 1.0], [20.0, 30.0])
    """
    likely = logits.log_softmax(-1)
    odds = likely - (-likely.exp()).log1p()
    top = logits.argmax(-1, keepdim=True)  # of the others at most half is taken away, and nothing rounds
    others = logits.scatter(-1, top, -torch.inf).logsumexp(-1, keepdim=True)
    return odds.scatter(-1, top, logits.gather(-1, top) - others)


def auc(scores: Tensor, labels: Tensor) -> float:
    """Area under the ROC curve: of the second of two classes, or the mean of each of several against the rest.

    Args:
        scores: scores ``(N, K)``; see :func:`log_odds`.
        labels: class numbers ``(N,)``.

    Returns:
        NaN where no class has both positives and negatives.

    Example:
        >>> auc(torch.tensor([[0.9, 0.1], [0.4, 0.6], [0.6, 0.4]]), torch.tensor([0, 1, 1]))
        1.0
    """
    numbers = [1] if scores.shape[1] == 2 else range(scores.shape[1])
    kept = [number for number in numbers if 0 < int((labels == number).sum()) < len(labels)]
    areas = [float(cast(float, compute_roc_auc(scores[:, number], (labels == number).long()))) for number in kept]
    return sum(areas) / len(areas) if areas else float("nan")


def calibration_error(scores: Tensor, labels: Tensor) -> float:
    r"""Expected calibration error: by how much confidence and accuracy differ, over 15 equal bins of confidence.

    .. math:: \sum_b \frac{n_b}{N} \left| \text{accuracy}_b - \text{confidence}_b \right|

    Args:
        scores: probabilities ``(N, K)``; the confidence is the largest.
        labels: class numbers ``(N,)``.

    Reference:
        C. Guo et al. (2017), "On calibration of modern neural networks", ICML.

    Example:
        >>> round(calibration_error(torch.tensor([[0.8, 0.2], [0.8, 0.2]]), torch.tensor([0, 1])), 3)
        0.3
    """
    confidence, chosen = scores.double().max(1)
    right = (chosen == labels).double()
    of_bin = (confidence * _BINS).ceil().long().clamp(1, _BINS) - 1
    gaps = torch.zeros(_BINS, dtype=torch.float64).index_add(0, of_bin, right - confidence)
    return float(gaps.abs().sum() / len(labels))


def _table(summary: Mapping[str, Mapping[str, float]], folder: Path) -> str:
    lines = [
        f"  {condition:<12} {value['samples']:6.0f} samples, AUC {value['auc']:.3f}, accuracy {value['accuracy']:.3f}, "
        f"calibration error {value['calibration_error']:.3f}"
        for condition, value in summary.items()
    ]
    return "\n".join([f"Scores written to {folder}:", *lines])
