"""The figures of the data: what they show is what the network sees, and faults are said clearly."""

from pathlib import Path

import numpy as np
import pytest
import torch

from monai_freq.spectral.bands import split
from monai_freq.study.__main__ import main
from monai_freq.study.illustrations import read_case
from monai_freq.study.run.spec import Run

SMALL = {"phantom#cases": 12, "phantom#size": [16, 16, 16], "image_size": [16, 16, 16]}
WORDS = ["--set", *(f"{key}={value}" for key, value in SMALL.items())]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_FREQ_CACHE", str(tmp_path / "cache"))


def test_a_case_is_split_as_the_network_splits_it(heart):
    settings = SMALL | {"theta": 0.3, "convention": "released"}
    case = read_case(Run(bundle="heart_fd", folder=str(heart), settings=settings), 1)
    assert case.image.shape == case.label.shape == (16, 16, 16)
    assert set(np.unique(case.label)) == {0, 1}
    assert case.classes == {1: "left atrium"}
    low, high = split(torch.from_numpy(case.image), 0.3, spatial_dims=3, convention="released")
    np.testing.assert_allclose(case.low, low, atol=1e-6)
    np.testing.assert_allclose(case.high, high, atol=1e-6)
    assert case.title.startswith("heart_fd, la_")
    assert case.title.endswith("theta = 0.3, released")
    several = read_case(Run(bundle="heart_fd", folder=str(heart), settings=SMALL | {"theta": [0.3, 0.6]}), 1)
    np.testing.assert_allclose(
        several.low, split(torch.from_numpy(case.image), (0.3, 0.6), spatial_dims=3)[0], atol=1e-6
    )
    assert several.title.endswith("theta = 0.3 and 0.6")


def test_the_command_writes_both_figures(heart, tmp_path, capsys):
    assert main(["figures", str(heart), *WORDS, "theta=0.2", "--output_dir", str(tmp_path / "out")]) == 0
    names = ["regions.png", "regions.svg", "bands.png", "bands.svg"]
    assert capsys.readouterr().out.split("\n")[:-1] == [f"wrote {tmp_path / 'out' / name}" for name in names]
    for name in names:
        start = (tmp_path / "out" / name).read_bytes()[:8]
        assert start == b"\x89PNG\r\n\x1a\n" if name.endswith("png") else start.startswith(b"<?xml")


def test_bad_input(heart, tmp_path):
    bundles = Path(__file__).parents[2] / "bundles"
    for words, message in (
        ([heart, *WORDS, "--case", "4"], "heart_fd has 4 test cases.\nAsk for --case 0 to 3."),
        ([heart, *WORDS, "theta=0.1", "0.2"], "one value of each setting"),
        ([heart, *WORDS, "thetta=0.1"], "There is no setting 'thetta'. Did you mean 'theta'?"),
        ([heart, *WORDS, "theta=7"], "theta"),
        ([heart, *WORDS, "--data", "spleen_fd=here"], "names none of heart_fd"),
        ([bundles / "lodopab_transfer"], "lodopab_transfer is no segmentation"),
        ([bundles / "source_pretrain"], "source_pretrain is no segmentation"),
    ):
        with pytest.raises(SystemExit, match=message) as stop:
            main(["figures", *map(str, words), "--output_dir", str(tmp_path / "out")])
        assert len(str(stop.value).splitlines()) == 2
    assert not (tmp_path / "out").exists()
