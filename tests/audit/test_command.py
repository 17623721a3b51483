"""The commands of the audit, from files to a page."""

import csv
import json
import sys

import jsonschema
import numpy as np
import pytest
import torch
from monai.networks.nets import Classifier
from PIL import Image

from monai_freq.__main__ import main
from monai_freq.audit.pages.report import audit_schema


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Noise of two sources, one of them smoothed; labels go with the sources in one column, and not in another."""
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(0)
    rows = []
    for number in range(64):
        image = random.normal(size=(24, 24))
        source = "blurred" if number % 2 else "sharp"
        if source == "blurred":
            image = image + np.roll(image, 1, 1)
        pixels = np.uint8(np.clip(128 + 30 * image / image.std(), 0, 255))
        Image.fromarray(pixels).save(folder / f"{number}.png")
        fair, part = ("ill", "well")[number // 2 % 2], ("train", "test")[number // 32]
        rows.append([f"{number}.png", source, source, fair, f"patient {number // 2}", part])
    with (folder / "index.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image", "source", "label", "fair", "patient", "part"], *rows])
    return folder / "index.csv"


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch):
    monkeypatch.setattr("monai_freq.documents.document.as_bytes", lambda *_: b"<svg/>")


QUICK = ["--bands", "3", "--permutations", "200"]


def test_data_are_audited_from_a_table(table, tmp_path, capsys):
    out = tmp_path / "out"
    main(["audit", "data", str(table), "--output_dir", str(out), *QUICK])
    printed = capsys.readouterr().out
    audit = json.loads((out / "audit.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(audit_schema()).validate(audit)
    assert audit["verdict"] == "leak found"
    assert audit["leaks"][0]["auc"] > 0.95
    assert audit["data"]["labels"] == {"blurred": 32, "sharp": 32}
    assert printed.startswith("Leak found.\n")
    assert printed.rstrip().endswith(str(out / "report.html"))
    assert all(sentence in printed for sentence in [*audit["summary"], *audit["unknown"]])
    assert (out / "report.html").is_file()
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    main(["audit", "data", str(table), "--output_dir", str(out), *QUICK])
    assert {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()} == before


def test_columns_and_lines_are_chosen(table, tmp_path, capsys):
    words = ["--label", "fair", "--group", "source", "--patient", "patient", "--where", "part=train", *QUICK]
    main(["audit", "data", str(table), "--output_dir", str(tmp_path), *words])
    audit = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert audit["data"]["n_cases"] == 32
    assert audit["data"]["labels"] == {"ill": 16, "well": 16}
    assert audit["data"]["groups"] == {"blurred": 16, "sharp": 16}
    assert audit["data"]["n_patients"] == 16
    main(["audit", "data", str(table), "--output_dir", str(tmp_path), "--label", "none", "--group", "source", *QUICK])
    audit = json.loads((tmp_path / "audit.json").read_text(encoding="utf-8"))
    assert audit["data"]["labels"] is None
    assert audit["verdict"] == "leak between groups"


def test_a_network_is_audited_from_its_weights(table, tmp_path, capsys):
    torch.manual_seed(0)
    network = Classifier((1, 24, 24), 2, (4,), (2,))
    torch.save(network.state_dict(), tmp_path / "network.pt")
    words = [
        "model",
        tmp_path / "network.pt",
        "--network",
        "monai.networks.nets.Classifier((1, 24, 24), 2, (4,), (2,))",
    ]
    words += ["--intensity", "standard", "--classes", "sharp", "blurred", "--data", table, "--cases", "40"]
    main(["audit", *map(str, words), "--output_dir", str(tmp_path / "out"), *QUICK])
    printed = capsys.readouterr().out
    audit = json.loads((tmp_path / "out" / "audit.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(audit_schema()).validate(audit)
    assert audit["verdict"] in ("leak, not seen to be used", "too few cases")  # of random weights
    assert audit["model"]["source"] == "network.pt"
    assert audit["model"]["classes"] == ["sharp", "blurred"]
    assert audit["leaks"][0]["found"]
    assert audit["counterfactual"]["donors"] == "label"
    assert abs(audit["counterfactual"]["difference"]) < 0.3
    assert printed.lower().startswith(audit["verdict"])
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "Is the leak used?" in page
    assert "RandSpectrumMatchd(" in page


def refused(*words):
    with pytest.raises(SystemExit) as error:
        main(["audit", *map(str, words)])
    text = str(error.value)
    assert "\n" not in text
    return text


def test_errors_are_one_line(table, tmp_path, capsys):
    out = ["--output_dir", tmp_path]
    assert "is missing" in refused("data", tmp_path / "no_such.csv", *out)
    assert "'--where' must be COLUMN=TEXT, got 'part'" in refused("data", table, "--where", "part", *out)
    assert "has no line with part=none" in refused("data", table, "--where", "part=none", *out)
    assert "no_such_column" in refused("data", table, "--group", "no_such_column", *out)
    assert "'n'" in refused("data", table, "--cases", "0", *out)
    assert refused("data", table) == "2"
    assert refused("data", table, *out, "--unit", "inch") == "2"
    assert refused("picture", table, *out) == "2"
    network = ["model", tmp_path / "no.onnx", "--data", table, *out]
    assert "'--set' is for the training of '--try'" in refused(*network, "--set", "epochs=2")
    assert "'--set' must be NAME=VALUE, got 'epochs'" in refused(*network, "--try", "--set", "epochs")
    assert "A remedy is tried on a bundle or a run, and " in refused(*network, "--try")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_named(table, tmp_path):
    file = tmp_path / "file"
    file.write_text("of someone")
    text = refused("data", table, "--output_dir", file, *QUICK)
    assert text == f"{file / 'measured'} cannot be used: Not a directory."
    assert file.read_text() == "of someone"


def test_a_missing_extra_is_named_before_anything_is_computed(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    words = ["audit", "data", str(tmp_path / "none.csv"), "--output_dir", str(tmp_path / "out")]
    with pytest.raises(SystemExit, match=r'^An audit needs jinja2: pip install "monai_freq\[audit\]"$'):
        main(words)
    assert not list(tmp_path.iterdir())
