"""The report of an audit says what the audit found, as a page, as tables, and as JSON of a strict schema."""

import copy
import csv
import html
import io
import json
import re
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from monai_freq.audit.pages.card import draw_card
from monai_freq.audit.pages.cell_figures import by_direction, cell_map, draw_cells, named_cells
from monai_freq.audit.pages.data_figures import draw_leaks, draw_spectra
from monai_freq.audit.pages.data_page import data_figures
from monai_freq.audit.pages.model_figures import (
    counterfactual_rows,
    draw_cutoffs,
    draw_drops,
    draw_sensitivity,
    draw_where,
)
from monai_freq.audit.pages.report import as_record, audit_schema, write_report
from monai_freq.audit.pages.tables import csv_tables
from monai_freq.audit.pages.trial_page import trial_blocks
from monai_freq.spectral.band_grid import BandGrid

KINDS = ("data", "model")
PARTS = {
    "data": ("leaks", "spectra", "nuisances", "remedies", "unknown"),
    "model": ("leaks", "remedies", "unknown"),
}
OPTIONAL = {
    "data": ("confounding",),
    "model": ("reliance", "sensitivity", "priority", "where", "counterfactual", "trial"),
}


def example(kind):
    return json.loads(Path(__file__).with_name(f"example_{kind}_audit.json").read_text(encoding="utf-8"))


@pytest.fixture
def _undrawn(monkeypatch):
    monkeypatch.setattr("monai_freq.documents.document.as_bytes", lambda *_: b"<svg/>")


@pytest.fixture(scope="module")
def validator():
    jsonschema.Draft202012Validator.check_schema(audit_schema())
    return jsonschema.Draft202012Validator(audit_schema())


@pytest.mark.parametrize("kind", KINDS)
def test_an_audit_is_of_the_schema(kind, validator):
    validator.validate(example(kind))
    validator.validate(as_record(example(kind)))


def objects(value):
    """All objects within a value whose keys the schema fixes."""
    if isinstance(value, dict):
        yield value
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inside:
        yield from objects(one)


#: entries that map names of users to something
FREE = ("labels", "groups", "sizes", "spacings", "settings", "share_by_label", "share_by_group", "n_cases")


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_is_strict(kind, validator):
    audit = example(kind)
    free = {id(one[name]) for one in objects(audit) for name in FREE if name in one}
    fixed = [one for one in objects(audit) if id(one) not in free]
    assert len(fixed) > 30
    for one in fixed[:1] + fixed[1 :: max(1, len(fixed) // 12)]:
        one["surprise"] = 1
        assert not validator.is_valid(audit)
        del one["surprise"]
        name, value = one.popitem()
        assert not validator.is_valid(audit), name
        one[name] = value
    validator.validate(audit)
    for name, value in (("verdict", "perhaps"), ("schema", "monai_freq audit 2"), ("summary", "text")):
        assert not validator.is_valid(audit | {name: value})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("_undrawn")
def test_the_page_says_all_that_was_found(kind, tmp_path):
    audit = example(kind)
    names = [path.name for path in write_report(audit, tmp_path)]
    assert names[:2] == ["report.html", "report.md"]
    assert names[-1] == "audit.json"
    assert {"card.png", "card.svg"} <= set(names)
    assert json.loads((tmp_path / "audit.json").read_text(encoding="utf-8")) == audit
    assert list(audit)[:2] == ["schema", "verdict"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    body = html.unescape(re.sub(r"<style>.*?</style>|<[^>]+>", "", page, flags=re.DOTALL))
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    for sentence in [*audit["summary"], *audit["unknown"], *(one["title"] for one in audit["remedies"])]:
        assert sentence in body
        assert sentence in text
    for remedy in audit["remedies"]:
        assert f"```python\n{remedy['code']}\n```" in text
        assert remedy["code"] in body
    places = [
        body.index(part) for part in (audit["summary"][0], "What is unknown", "What to do", "How this can mislead")
    ]
    assert places == sorted(places)
    assert body.index(audit["summary"][0]) < 200
    assert page.index("verdict bad") < page.index("<img")
    assert not re.findall(r'(?:src|href)="(?!data:)', page)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("_undrawn")
def test_what_is_not_there_is_left_out(kind, tmp_path, validator):
    audit = example(kind) | dict.fromkeys(OPTIONAL[kind]) | {name: [] for name in PARTS[kind]}
    audit["data"] |= {"n_patients": None, "groups": None}
    validator.validate(audit)
    names = [path.name for path in write_report(audit, tmp_path)]
    assert names == ["report.html", "report.md", "card.png", "card.svg", "audit.json"]
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "unknown number of patients" in page
    assert "<img" not in page
    assert "What is unknown" not in page


def test_the_same_audit_gives_the_same_files(tmp_path):
    audit = example("data") | {"leaks": [], "spectra": []}
    first, second = write_report(audit, tmp_path / "a"), write_report(audit, tmp_path / "b")
    assert [path.name for path in first] == [path.name for path in second]
    assert all(one.read_bytes() == two.read_bytes() for one, two in zip(first, second, strict=True))
    assert (tmp_path / "a" / "card.png").read_bytes().startswith(b"\x89PNG")


def test_names_of_users_are_only_text(tmp_path):
    """No name of a user is read as HTML, as Markdown's table, or as mathematics of a figure."""
    wild = "<b>$x_^|`"
    text = json.dumps(example("data")).replace("pneumonia", json.dumps(wild)[1:-1])
    audit = json.loads(text) | {"leaks": []}
    write_report(audit, tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert wild not in page
    assert html.escape(wild) in page
    table = re.search(r"^\| trace .*?\n\n", (tmp_path / "report.md").read_text(encoding="utf-8"), re.M | re.S)[0]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table.strip().splitlines()} == {8}


def test_what_is_no_audit_is_refused():
    for wrong in ({}, {"kind": "video"}, [1], None):
        with pytest.raises(ValueError, match="'audit' must be the result of an audit, got"):
            as_record(wrong)


def test_unknown_numbers_are_null(tmp_path):
    audit = example("data")
    audit["leaks"][0]["smallest_auc"] = float("nan")
    audit["spectra"][0]["low"] = (float("inf"), 1.0)
    record = as_record(audit)
    assert record["leaks"][0]["smallest_auc"] is None
    assert record["spectra"][0]["low"] == [None, 1.0]
    json.dumps(record, allow_nan=False)


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_tables_have_every_number():
    data, model = example("data"), example("model")
    tables = {name: rows(text) for name, text in csv_tables(data).items()}
    assert sorted(tables) == ["cells", "leaks", "nuisances", "spectra"]
    cells = [(leak, cell) for leak in data["leaks"] for cell in leak["cells"]]
    assert len(tables["cells"]) == len(cells) == 72
    for row, (leak, cell) in zip(tables["cells"], cells, strict=True):
        assert (row["of"], row["within"]) == (leak["of"], leak["within"] or "")
        assert float(row["auc_alone"]) == cell["auc_alone"]
    points = [point for one in data["spectra"] for point in zip(one["frequencies"], one["mean"], strict=True)]
    assert [(float(row["frequencies"]), float(row["mean"])) for row in tables["spectra"]] == points
    assert tables["nuisances"][0]["share_by_label"] == "normal=0.13 pneumonia=0.67"
    tables = {name: rows(text) for name, text in csv_tables(model).items()}
    assert sorted(tables) == ["cells", "counterfactual", "leaks", "priority", "reliance", "sensitivity"]
    assert tables["counterfactual"][0]["probability"] == str(model["counterfactual"]["leaking"]["probability"])
    assert [float(row["drop"]) for row in tables["reliance"]] == [
        one["drop"] for one in model["reliance"]["experiments"]
    ]


def angle_of(rows_per, columns_per):
    """Direction in which a picture of the centred spectrum shows a wave, as (right, down)."""
    n = 32
    row, column = np.mgrid[:n, :n]
    wave = np.cos(2 * np.pi * (rows_per * row + columns_per * column) / n)
    power = np.abs(np.fft.fftshift(np.fft.fft2(wave)))
    down, right = np.argwhere(power > power.max() / 2)[-1] - n // 2
    return right, down


@pytest.mark.parametrize(("rows_per", "columns_per"), [(0, 8), (8, 0), (8, 8), (-8, 8)])
def test_directions_lie_where_a_centred_spectrum_shows_them(rows_per, columns_per):
    """The one cell that a wave is in is drawn where numpy's spectrum of the wave has its peak."""
    import torch

    bands = BandGrid((0.0, 0.1, 0.5), directional=True)
    row, column = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    wave = torch.cos(2 * torch.pi * (rows_per * row + columns_per * column) / 32)
    powers = bands.powers(wave, spatial_dims=2).tolist()
    figure = cell_map(bands.names(2), powers, "power", "cycles per voxel", (0, max(powers)))
    axes = figure.axes[0]
    figure.draw_without_rendering()
    mesh = axes.collections[0]
    shown = np.asarray(mesh.get_array()).reshape(2, -1)
    band, _ = np.unravel_index(shown.argmax(), shown.shape)
    assert band == 1
    wedges = np.flatnonzero(shown[1] > shown.max() / 2)
    assert len(wedges) == shown.shape[1] // 4
    angles = np.deg2rad(np.linspace(-22.5, 337.5, shown.shape[1] + 1))
    middles = (angles[:-1] + angles[1:])[wedges] / 2
    right, down = angle_of(rows_per, columns_per)
    origin = axes.transData.transform((0, 0))
    seen = [axes.transData.transform((middle, 2.0)) - origin for middle in middles]
    directions = np.array([(x, -y) / np.hypot(x, y) for x, y in seen]) @ np.array([right, down]) / np.hypot(right, down)
    assert (np.abs(directions) > np.cos(np.deg2rad(23))).all()
    assert (directions > 0).sum() == (directions < 0).sum()


def test_values_are_put_into_bands_and_directions():
    for dims, directions in ((2, 4), (3, 4)):
        names = BandGrid((0.0, 0.1, 0.2, 0.5), directional=True).names(dims)
        bands, values = by_direction(names, list(range(12)))
        assert bands == ["0 to 0.1", "0.1 to 0.2", "0.2 to 0.5"]
        assert list(values) == sorted(name.partition(", ")[2] for name in names[:directions])
        for name, place in ((name, names.index(name)) for name in names):
            band, _, direction = name.partition(", ")
            assert values[direction][bands.index(band)] == place
        assert named_cells(names[:5]) == ["0 to 0.1", "0.1 to 0.2 (along axis 0)"]
    _, values = by_direction(["0 to 0.1, oblique", "0.1 to 0.2"], [1, 2])
    assert np.array_equal(values["oblique"], [1, np.nan], equal_nan=True)


def test_volumes_have_a_table_of_colours():
    names = BandGrid((0.0, 0.1, 0.5), directional=True).names(3)
    axes = cell_map(names, range(8), "AUC", "cycles per mm", (0, 7)).axes[0]
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "along axis 0",
        "along axis 1",
        "along axis 2",
        "oblique",
    ]
    assert np.asarray(axes.collections[0].get_array()).tolist() == [[0, 4], [1, 5], [2, 6], [3, 7]]
    assert cell_map(BandGrid((0.0, 0.5)).names(3), [1], "AUC", "cycles per mm", (0, 1)) is None


def test_marks_are_filled_where_a_leak_is_found():
    leak = example("data")["leaks"][0]
    lines = [line for line in draw_cells(leak, "cycles per voxel").axes[0].lines if line.get_marker() != "None"]
    filled = sum(len(line.get_xdata()) for line in lines if line.get_fillstyle() == "full")
    hollow = sum(len(line.get_xdata()) for line in lines if line.get_fillstyle() == "none")
    assert filled == sum(cell["p_alone"] <= leak["alpha"] for cell in leak["cells"])
    assert filled + hollow == len(leak["cells"])


def test_spectra_are_of_each_label_in_each_group_or_of_labels_alone():
    spectra = example("data")["spectra"]
    drawn = draw_spectra(spectra, "cycles per voxel", relative=False).axes[0].lines
    assert len(drawn) == 4
    assert drawn[0].get_ydata().tolist() == spectra[0]["mean"]
    many = [one | {"group": f"{one['group']} {k}"} for one in spectra[:4] for k in range(3)] + spectra[4:]
    assert len(draw_spectra(many, "cycles per voxel", relative=False).axes[0].lines) == 2
    one = spectra[0] | {"low": None, "high": None}
    assert len(draw_spectra([one], "cycles per voxel", relative=True).axes[0].lines) == 2


def test_a_leak_that_could_not_be_found_at_any_size_is_drawn():
    leak = example("data")["leaks"][0] | {"smallest_auc": None}
    assert draw_leaks([leak]).axes[0].get_xlim()[1] > 1


def test_reliance_shows_each_edit_and_the_untrained_control():
    reliance = example("model")["reliance"]
    lines = draw_drops(reliance).axes[0].lines
    removed = [one for one in reliance["experiments"] if one["kind"] == "remove"]
    assert [line.get_ydata().tolist() for line in lines[:2]] == [
        [one["drop"] for one in removed],
        [one["untrained_drop"] for one in removed],
    ]
    assert len(lines) == 3 + 1 + 1  # kinds, the untrained network without each band, and zero
    assert draw_cutoffs(reliance | {"experiments": removed}) is None
    low = [one for one in reliance["experiments"] if one["kind"] == "low-pass"]
    high = [one for one in reliance["experiments"] if one["kind"] == "high-pass"]
    assert draw_drops(reliance | {"experiments": low}) is None
    lines = draw_cutoffs(reliance).axes[0].lines
    assert [line.get_xdata().tolist() for line in lines[:2]] == [
        [one["low_edge"] for one in low],
        [one["high_edge"] for one in high],
    ]
    assert [line.get_ydata().tolist() for line in lines[:2]] == [[one["value"] for one in each] for each in (low, high)]


def test_a_distance_gets_worse_as_it_rises():
    reliance = example("model")["reliance"] | {"metric": "hd95", "higher_is_better": False}
    assert draw_drops(reliance).axes[0].get_ylabel() == "rise of HD95"
    assert draw_cutoffs(reliance).axes[0].get_ylabel() == "HD95"


def test_sensitivity_is_a_map_by_direction_and_a_curve_without():
    sensitivity = example("model")["sensitivity"]
    assert draw_sensitivity(sensitivity).axes[0].name == "polar"
    rings = [one for one in sensitivity["experiments"] if one["cell"].endswith("along axis 0")]
    rings = [one | {"cell": one["cell"].partition(",")[0]} for one in rings]
    (line, _) = draw_sensitivity(sensitivity | {"experiments": rings}).axes[0].lines
    assert line.get_ydata().tolist() == [one["drop"] for one in rings]


def test_the_bands_that_matter_most_have_maps():
    where = example("model")["where"]
    shares = [0.1, 0.2, 0.3, 0.05, 0.05, 0.1, 0.12, 0.08]
    maps = [[one[0]] * 8 for one in where["maps"]] * 3
    many = where | {
        "cells": [f"{k} to {k + 1}" for k in range(8)],
        "shares": shares,
        "maps": maps,
        "cases": list("abcdef"),
    }
    titles = [axes.get_title().partition("\n")[0] for axes in draw_where(many).axes]
    assert len(titles) == 3 * 6
    assert titles[:6] == ["0 to 1", "1 to 2", "2 to 3", "5 to 6", "6 to 7", "7 to 8"]
    assert draw_where(where | {"cases": [], "maps": []}) is None


def test_a_counterfactual_without_a_control_is_shown():
    found = example("model")["counterfactual"]
    assert [title for title, *_ in counterfactual_rows(found)] == ["bands that leak", "control bands", "difference"]
    assert counterfactual_rows(found)[2][1:] == (found["difference"], found["low"], found["high"])
    assert [title for title, *_ in counterfactual_rows(found | {"control": None})] == ["bands that leak"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_card_has_the_verdict_and_the_settings(kind):
    audit = example(kind)
    texts = [text.get_text() for text in draw_card(audit).texts]
    assert texts[0].lower() == audit["verdict"]
    assert " ".join(texts[2].split()).startswith(audit["summary"][0])
    assert f"{audit['data']['n_cases']} images, {audit['data']['n_patients']} patients; " in texts[-1]
    bands = {"data": "6 bands, 0.01 to 0.5", "model": "4 bands, 0 to 0.75"}
    assert f"{bands[kind]} cycles per voxel" in texts[-1]


def test_figures_of_data_are_those_that_the_data_have():
    audit = copy.deepcopy(example("data"))
    for leak in audit["leaks"]:
        leak["cells"] = []
    assert sorted(data_figures(audit)) == ["leaks", "spectra", "spectra_differences"]


def test_a_trial_is_shown_side_by_side():
    heading, text, table = trial_blocks(example("model")["trial"])
    assert heading.text == "What a remedy did in a short training"
    assert "a small difference may be chance" in text.text
    rows = {name: others for name, *others in table.rows}
    assert rows["verdict"] == ["leak and used", "leak, not seen to be used"]
    assert rows["shift to the donors' class beyond the control"] == ["+0.41 (0.33 to 0.49)", "+0.02 (-0.03 to 0.06)"]
    assert rows["AUC on whole images"] == ["0.81 (0.75 to 0.87)", "0.90 (0.84 to 0.96)"]
    assert rows["depends on frequencies"] == ["0.25 to 0.5", "–"]
    assert rows["falls most without"][1] == "none is known"


def test_the_card_of_a_segmenter_has_no_empty_half():
    audit = example("model") | {"counterfactual": None}
    left, _ = draw_card(audit).axes
    assert left.axison
    assert left.get_title() == "with nothing but low, or high, frequencies"


@pytest.mark.usefixtures("_undrawn")
def test_nothing_of_an_earlier_audit_stays(tmp_path):
    (tmp_path / "index.csv").write_text("of the user")
    of_data = {path.name for path in write_report(example("data"), tmp_path)}
    of_model = {path.name for path in write_report(example("model"), tmp_path)}
    assert of_data - of_model
    assert {path.name for path in tmp_path.iterdir()} == of_model | {"index.csv", ".written.json"}
    (tmp_path / ".written.json").write_text('["../other", 7, "index.csv"')
    assert {path.name for path in write_report(example("data"), tmp_path)} == of_data
    assert (tmp_path / "index.csv").exists()
