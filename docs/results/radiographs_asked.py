"""Whether the networks of docs/results/radiographs.md follow what leaks, on radiographs of held-out patients.

    python docs/results/radiographs_asked.py radiographs source xray_sources 0 1

asks the networks of seeds 0 and 1 that ``radiographs.py`` has left in ``radiographs`` with the bands that leak in the
audit of data in ``xray_sources``; the other questions are ``pair``, and ``within`` with ``xray_within_view``.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from monai_freq.audit import CellLeak, Leak, load_model, read_cases, scaled_to
from monai_freq.audit.data_audit import edited_bands
from monai_freq.audit.model.counterfactual import cells_to_exchange, counterfactual
from monai_freq.audit.model.donors import DonorKind
from monai_freq.audit.model.model_verdicts import model_verdict

NETWORK = "monai.networks.nets.ResNet('basic', [1, 1, 1, 1], [16, 32, 64, 128], 2, 1, conv1_t_stride=2, num_classes=2)"
CASES = 40  # in equal shares of labels and groups


class Question(NamedTuple):
    """Cases, their label and group, the label of each output, what donors differ in, the leak, and who is asked."""

    where: dict[str, str]
    label: str
    group: str
    classes: tuple[str, str]
    donors: DonorKind
    leak: tuple[str, str | None]
    networks: tuple[str, ...]


QUESTIONS = {
    # donors are of the other source and the same label; Kermany stands for pneumonia
    "source": Question(
        {}, "source", "label", ("nih", "kermany"), "label", ("group", None), ("together", "within", "balanced")
    ),
    # normal of NIH and pneumonia of Kermany alone, as somebody would have them who collects no others
    "pair": Question(
        {"together": "yes"}, "label", "source", ("normal", "pneumonia"), "group", ("group", None), ("together",)
    ),
    # donors are of the other label and the same view
    "within": Question(
        {"source": "nih"}, "label", "view", ("normal", "pneumonia"), "label", ("label", "group"), ("within",)
    ),
}


def main(folder: str, name: str, audited: str, *seeds: str) -> None:
    """Ask each network."""
    question = QUESTIONS[name]
    named = {"label": question.label, "group": question.group, "patient": "patient"}
    held_out = read_cases(Path(folder) / "index.csv", where={"part": "test", **question.where}, **named)
    cases = held_out.subset(CASES, 0)
    audit = json.loads((Path(audited) / "audit.json").read_text())
    leaks = [Leak(**{**leak, "cells": tuple(CellLeak(**cell) for cell in leak["cells"])}) for leak in audit["leaks"]]
    leak = next(leak for leak in leaks if (leak.of, leak.within) == question.leak)
    leak = replace(leak, of="label")  # of these cases
    bands = edited_bands(SimpleNamespace(leaks=(leak,), bands=audit["bands"], settings=audit["settings"]), 2)
    leaking, silent = cells_to_exchange(leak)
    for file in (Path(folder) / f"{network}-{seed}.pt" for seed in seeds for network in question.networks):
        model = load_model(
            file, network=NETWORK, classes=question.classes, preprocess=scaled_to((128, 128), "standard")
        )
        asked = {"silent_cells": silent, "donors": question.donors, "n_donors": 1}
        found = counterfactual(model, cases, leaking, bands, output_dir=f"{folder}/{name}", **asked)
        verdict = model_verdict([leak], found)
        print(f"{name}, {file.stem}, {len(cases)} of {len(held_out)} radiographs: {verdict.verdict}")
        print("\n".join(f"  {sentence}" for sentence in verdict.said))
        parts = [("leaking", found.leaking), *([("control", found.control)] if found.control else [])]
        for part, exchange in parts:
            print(f"  {part}, {len(exchange.cells)} cells: {'; '.join(exchange.cells)}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
