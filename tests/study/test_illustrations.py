"""The figures of the data: what they show is what the network sees, and faults are said clearly."""

from pathlib import Path

import numpy as np
import pytest
import torch

from monai_freq.spectral.bands import split
from monai_freq.study.__main__ import main
from monai_freq.study.illustrations import read_case

SMALL = {"phantom#cases": 12, "phantom#size": [16, 16, 16], "image_size": [16, 16, 16]}
WORDS = ["--set", *(f"{key}={value}" for key, value in SMALL.items())]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MONAI_FREQ_CACHE", str(tmp_path / "cache"))


def test_a_case_is_split_as_the_network_splits_it(heart):
    case = read_case("heart_fd", str(heart), 1, settings=SMALL | {"theta": 0.3, "convention": "released"})
    assert case.image.shape == case.label.shape == (16, 16, 16)
    assert set(np.unique(case.label)) == {0, 1}
    assert case.classes == {1: "left atrium"}
    low, high = split(torch.from_numpy(case.image), 0.3, spatial_dims=3, convention="released")
    np.testing.assert_allclose(case.low, low, atol=1e-6)
    np.testing.assert_allclose(case.high, high, atol=1e-6)
    assert case.title.startswith("heart_fd, la_")
    assert case.title.endswith("theta = 0.3, released")


def test_the_command_writes_both_figures(heart, tmp_path, capsys):
    assert main(["figures", str(heart), *WORDS, "theta=0.2", "--output_dir", str(tmp_path / "out")]) == 0
    names = ["regions.png", "regions.svg", "bands.png", "bands.svg"]
    assert capsys.readouterr().out.split("\n")[:-1] == [f"wrote {tmp_path / 'out' / name}" for name in names]
    for name in names:
        start = (tmp_path / "out" / name).read_bytes()[:8]
        assert start == b"\x89PNG\r\n\x1a\n" if name.endswith("png") else start.startswith(b"<?xml")


@pytest.mark.parametrize("name", ["lodopab_transfer", "source_pretrain"])
def test_a_bundle_that_is_no_segmentation(name, tmp_path):
    folder = Path(__file__).parents[2] / "bundles" / name
    with pytest.raises(SystemExit, match=rf"{name} is no segmentation.*\n") as stop:
        main(["figures", str(folder), "--output_dir", str(tmp_path / "out")])
    assert len(str(stop.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--case", "4"], "heart_fd has 4 test cases.\nAsk for --case 0 to 3."),
        (["--set", "theta=0.1", "0.2"], "one value of each setting"),
        (["--set", "thetta=0.1"], "There is no setting 'thetta'. Did you mean 'theta'?"),
        (["--set", "theta=7"], "theta"),
        (["--data", "spleen_fd=here"], "names none of heart_fd"),
    ],
)
def test_bad_input(heart, tmp_path, options, message):
    words = ["figures", str(heart), *WORDS, "--output_dir", str(tmp_path / "out"), *options]
    with pytest.raises(SystemExit, match=message):
        main(words)
    assert not (tmp_path / "out").exists()
