"""A remedy tried from an audit: both networks are judged as the audit judges, and the report says what it did."""

import csv
import dataclasses
import json
import math

import jsonschema
import numpy as np
import pytest
import torch
from PIL import Image
from running import ROOT
from scipy.ndimage import gaussian_filter

from monai_freq import phantoms
from monai_freq.__main__ import main
from monai_freq.audit import AuditModel, Cases, Remedy, Trial, audit_data, audit_model, trial_audit
from monai_freq.audit.pages.report import as_record, audit_schema
from monai_freq.audit.trial_audit import check_trial, tried
from monai_freq.errors import UsageError
from monai_freq.spectral.band_grid import BandGrid
from monai_freq.spectral.band_match import band_densities

WAVE = torch.cos(2 * math.pi * 4 * torch.arange(16.0) / 16)  # 0.25 cycles per voxel
FEW = {"n_resamples": 50, "progress": False}


def test_both_networks_are_judged_as_the_audit_judges(monkeypatch, tmp_path):
    images = torch.randn(60, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    images[1::2] += 1.5 * WAVE
    cases = Cases.of_arrays(images, labels=["no", "yes"] * 30)
    bands = BandGrid((0, 0.2, 0.3, 0.75))
    using = AuditModel(lambda x: 2 * (bands.powers(x, spatial_dims=2)[:, :, 1] - 4), activation="sigmoid")
    blind = AuditModel(lambda x: 8 * x.mean((2, 3)))
    data = audit_data(cases, n_bands=4, n_permutations=99)
    audit = audit_model(using, cases, data, bands=bands, **FEW)
    asked = {}

    def trainings(bundle, remedy, judge, output_dir, **settings):
        asked.update(settings, bundle=bundle, output_dir=output_dir, title=remedy.title)
        return Trial(remedy.title, judge(using), judge(blind))

    monkeypatch.setattr(trial_audit, "try_remedy", trainings)
    source = (tmp_path, {"epochs": 50, "seed": 1})
    found = tried(audit, data, using, cases, source, tmp_path / "out", settings={"epochs": 2}, progress=False)
    title = audit.remedies[0].title
    assert asked == {"epochs": 2, "seed": 1, "bundle": tmp_path, "output_dir": tmp_path / "out", "title": title}
    before, after = found.trial.before, found.trial.after
    assert (before.verdict, before.difference) == (audit.verdict, audit.counterfactual.difference)
    assert before.verdict == "leak and used"
    assert before.reference == audit.reliance.reference
    assert before.without.low_edge < 0.25 <= before.without.high_edge
    assert after.verdict != "leak and used"
    assert abs(after.difference) < 0.1 < before.difference
    assert after.without is None
    assert found.summary[:-2] == audit.summary
    assert found.summary[-2].startswith(f"Tried in a short training: {title[:1].lower()}{title[1:]}; AUC")
    jsonschema.Draft202012Validator(audit_schema()).validate(json.loads(json.dumps(as_record(found))))
    assert tried(dataclasses.replace(audit, remedies=()), data, using, cases, source, tmp_path).trial is None


def test_a_remedy_gets_the_key_of_the_bundle():
    of_image = Remedy("t", "w", "", '{"_target_": "T", "keys": "image"}')
    assert json.loads(trial_audit._keyed(of_image, "img").config) == {"_target_": "T", "keys": "img"}
    assert trial_audit._keyed(Remedy("t", "w", "", '{"base": 1}'), "img").config == '{"base": 1}'


def test_directions_of_a_remedy_are_those_of_the_bundles_images():
    """Of the image with its axes swapped, as MONAI's reader of pictures has it."""
    bands = BandGrid((0, 0.1, 0.3, 0.75), directional=True)
    rows = torch.randn(2, 1, 32, 1, generator=torch.Generator().manual_seed(0)) + torch.rand(2, 1, 32, 32)
    as_it_is, swapped = (band_densities(x, bands, spatial_dims=2)[:, 0].tolist() for x in (rows, rows.mT))
    entry = {"_target_": "T", "keys": "image", "references": as_it_is, "reference": as_it_is[0], "cells": [4, 5, 6]}
    turned = json.loads(trial_audit._turned(Remedy("t", "w", "", json.dumps(entry)), bands).config)
    assert np.allclose(turned["references"], swapped, rtol=1e-4)
    assert np.allclose(turned["reference"], swapped[0], rtol=1e-4)
    names = bands.names(2)
    directions = {name.partition(", ")[2] for name in names}
    assert directions == {"along axis 0", "along axis 1", "diagonal", "antidiagonal"}
    mirror = {"along axis 0": "along axis 1", "along axis 1": "along axis 0"}
    for before, after in zip([4, 5, 6], turned["cells"], strict=True):
        (band, _, direction), (other, _, now) = (names[cell].partition(", ") for cell in (before, after))
        assert (other, now) == (band, mirror.get(direction, direction))
    everywhere = Remedy("t", "w", "", json.dumps(entry))
    assert trial_audit._turned(everywhere, BandGrid((0, 0.1, 0.3, 0.75))) is everywhere


def test_only_bundles_and_runs_are_trained_again(tmp_path):
    folder, settings = check_trial(ROOT / "bundles/kneemri_transfer")
    assert (folder, settings) == (ROOT / "bundles/kneemri_transfer", {})
    with pytest.raises(UsageError, match="tried on a bundle or a run"):
        check_trial(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models/model.pt").write_bytes(b"weights")
    (tmp_path / "settings.json").write_text('{"epochs": 7, "images": {"train": 4}, "phantom": null}')
    with pytest.raises(UsageError, match="does not say which bundle trained it"):
        check_trial(tmp_path)
    folder, settings = check_trial(tmp_path, "kneemri_transfer")
    assert folder.name == "kneemri_transfer"
    assert settings == {"epochs": 7, "phantom": None}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:parsing config_file", "ignore:No hash value", "ignore:y values can not be all")
def test_a_run_is_audited_and_trained_again_with_a_remedy(tmp_path, capsys):
    dataset = phantoms.write_phantom("kneemri", tmp_path / "knees", exams=24, slices=16, size=64, seed=1)
    settings = {"dataset_dir": str(dataset), "threads": "1", "val_interval": "1", "image_size": "[32,32]"}
    settings |= {"folds": "{'train':12,'val':4,'test':8,'folds':2,'seed':0}", "device": "cpu", "epochs": "2"}
    settings |= {"artifact": "blur", "fraction": "1.0", "output_dir": str(tmp_path / "run")}
    config = str(ROOT / "bundles/kneemri_transfer/configs/train.json")
    main(["run", "--config_file", config, *(word for name, text in settings.items() for word in (f"--{name}", text))])
    rng = np.random.default_rng(0)
    rows = [["image", "label"]]
    for k in range(40):
        image = gaussian_filter(rng.normal(size=(64, 64)), 1.5 if k % 2 else 0.5)
        Image.fromarray(np.uint8((128 + 40 * image / image.std()).clip(0, 255))).save(tmp_path / f"{k}.png")
        rows.append([f"{k}.png", ("healthy", "injured")[k % 2]])
    with (tmp_path / "index.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    words = ["audit", "model", str(tmp_path / "run"), "--bundle", "kneemri_transfer", "--data", tmp_path / "index.csv"]
    words += ["--bands", "4", "--permutations", "99", "--cases", "40", "--output_dir", tmp_path / "out"]
    main([*map(str, words), "--try", "--set", "epochs=1"])
    audit = json.loads((tmp_path / "out/audit.json").read_text())
    jsonschema.Draft202012Validator(audit_schema()).validate(audit)
    assert audit["trial"]["title"] == audit["remedies"][0]["title"]
    assert None not in (audit["trial"]["before"]["difference"], audit["trial"]["after"]["difference"])
    assert audit["trial"]["before"] != audit["trial"]["after"]
    assert "Tried in a short training" in capsys.readouterr().out
    assert "What a remedy did in a short training" in (tmp_path / "out/report.html").read_text()
    trained = json.loads((tmp_path / "out/trial/with_remedy/settings.json").read_text())
    assert (trained["epochs"], trained["artifact"], trained["image_size"]) == (1, "blur", [32, 32])
