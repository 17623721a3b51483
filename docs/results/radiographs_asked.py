"""Whether the networks of docs/results/radiographs.md follow what leaks in held-out radiographs.

    python docs/results/radiographs_asked.py radiographs source

asks all networks that ``radiographs.py`` has left in ``radiographs``; the other questions are ``pair``, ``label`` and
``within``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NamedTuple

from monai_freq.audit import audit_data, load_model, read_cases, scaled_to
from monai_freq.audit.data_audit import edited_bands
from monai_freq.audit.model_verdicts import model_verdict, try_leak

NETWORK = "monai.networks.nets.ResNet('basic', [1, 1, 1, 1], [16, 32, 64, 128], 2, 1, conv1_t_stride=2, num_classes=2)"
CASES = 100  # of the counterfactual, in equal shares of labels and groups


class Question(NamedTuple):
    """Which cases, what counts as their label and group, the label of each output, and which networks are asked."""

    where: dict[str, str]
    label: str
    group: str
    classes: tuple[str, str]
    networks: tuple[str, ...]


LABELS = ("normal", "pneumonia")
QUESTIONS = {
    # donors are of the other source and the same label; the second output follows Kermany's
    "source": Question({}, "source", "label", ("nih", "kermany"), ("together", "within", "balanced")),
    # normal of NIH and pneumonia of Kermany alone, as a user would have them who collects no others
    "pair": Question({"together": "yes"}, "label", "source", LABELS, ("together",)),
    # donors are of the other label and the same source, or the same view
    "label": Question({}, "label", "source", LABELS, ("balanced",)),
    "within": Question({"source": "nih"}, "label", "view", LABELS, ("within",)),
}


def main(folder: str, name: str) -> None:
    """Audit the data once, then ask each network."""
    question = QUESTIONS[name]
    named = {"label": question.label, "group": question.group, "patient": "patient"}
    cases = read_cases(Path(folder) / "index.csv", where={"part": "test", **question.where}, **named)
    kept = Path(folder) / "asked" / name
    data = audit_data(cases, n_permutations=200, output_dir=kept)
    print(f"{name}: {len(cases)} held-out radiographs: {data.verdict}")
    for leak in data.leaks:
        within = f" within {leak.within}" if leak.within else ""
        print(f"  {leak.of}{within}: AUC {leak.auc:.2f} ({leak.low:.2f} to {leak.high:.2f})", flush=True)
    for file in sorted(each for network in question.networks for each in Path(folder).glob(f"{network}-*.pt")):
        model = load_model(
            file, network=NETWORK, classes=question.classes, preprocess=scaled_to((128, 128), "standard")
        )
        found = try_leak(
            model,
            cases.subset(CASES, 0),
            data.leaks,
            edited_bands(data, 2),
            output_dir=kept / file.stem,
            progress=False,
        )
        verdict = model_verdict(data.leaks, found)
        print(f"{file.stem}: {verdict.verdict}")
        print("\n".join(f"  {sentence}" for sentence in verdict.said), flush=True)
        if found is not None:
            cells = found.leaking.cells, found.control.cells if found.control else ()
            print(f"  leaking: {'; '.join(cells[0])}\n  control: {'; '.join(cells[1])}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
