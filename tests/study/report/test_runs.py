"""The reports name their data: folders or phantoms, numbers of images, versions of bundles."""

import pytest

from monai_freq.study.report import write_report, write_transfer_report
from monai_freq.study.report.long_table import study_of
from monai_freq.study.report.runs import about_the_data
from monai_freq.study.run.results import Result, write_result

NODULES = {"dataset_dir": None, "phantom": {"task": "lodopab", "train": 240, "size": 128, "seed": 0}}
IMAGES = {"train": 240, "val": 80, "test": 480}


def run(bundle="heart_fd", draw=0, images=None, versions=(), settings=None, **recorded):
    return Result(
        bundle=bundle,
        status="finished",
        settings={"fusion": "none", "train_size": None, "draw": draw, "seed": 0, **(settings or {})},
        recorded=recorded | ({} if images is None else {"images": images}),
        versions=dict(versions),
    )


def rows(runs):
    _, table = about_the_data(study_of(runs))
    return table.rows


def tuned(source, init, draw=0):
    settings = {"source": source, "artifact": "photon_noise", "fraction": 0.0}
    return run("lodopab_transfer", draw, IMAGES, {"bundle": "0.2.0"}, settings, **NODULES, init=init)


def test_a_data_set_is_named_by_its_folder_and_its_numbers_of_images():
    runs = [
        run(
            draw=draw,
            images={"train": size, "val": 4, "test": 6},
            versions={"bundle": "0.2.0"},
            dataset_dir="/data/heart",
        )
        for draw, size in enumerate([8, 4, 8])
    ]
    assert rows(runs) == [["heart_fd", "/data/heart", "4, 8", "4", "6", "0.2.0"]]


def test_many_sizes_are_a_range():
    runs = [run(draw=size, images={"train": size, "val": 1, "test": 1}, dataset_dir="/data") for size in range(2, 9)]
    assert rows(runs)[0][2] == "2 to 8"


def test_a_phantom_is_named_with_its_settings():
    phantom = {"task": "heart", "cases": 20, "size": [64, 64, 32], "seed": 3}
    (row,) = rows([run(dataset_dir=None, phantom=phantom)])
    assert row == ["heart_fd", "generated: heart, cases 20, size 64x64x32, seed 3", "–", "–", "–", "–"]


def test_several_data_sets_of_a_bundle_are_told_apart():
    runs = [run(dataset_dir="/a"), run(draw=1, dataset_dir="/b"), run(draw=2, dataset_dir=None), run(draw=3)]
    assert [row[:2] for row in rows(runs)] == [
        ["heart_fd", "/a"],
        ["heart_fd", "/b"],
        ["heart_fd", "generated"],
    ]


def test_sources_are_named_by_their_data_or_their_weights():
    imagenet = {"dataset_dir": "/data/imagenet", "source": "imagenet"}
    trained = run("source_pretrain", images=IMAGES, settings={"source": "imagenet whiten"}, **imagenet)
    runs = [
        trained,
        tuned("imagenet whiten", "/out/runs/model.pt"),
        tuned("own", "/weights/own.pt"),
        tuned("random", "random"),
    ]
    noise = "generated: lodopab, train 240, size 128, seed 0"
    assert rows(runs) == [
        ["lodopab_transfer", noise, "240", "80", "480", "0.2.0"],
        ["source_pretrain: imagenet", "/data/imagenet", "240", "80", "480", "–"],
        ["source: own", "weights in /weights/own.pt", "–", "–", "–", "–"],
    ]


@pytest.mark.parametrize("write", [write_report, write_transfer_report])
def test_both_reports_have_the_table(write, tmp_path):
    write_result(tmp_path, run(dataset_dir="/data/a|b", images={"train": 12, "val": 4, "test": 4}))
    texts = {path.name: path.read_text() for path in write(tmp_path) if path.suffix in (".md", ".html")}
    assert "## The data\n\n| bundle | data | training | validation | test | bundle's version |" in texts["report.md"]
    assert "| heart_fd | /data/a\\|b | 12 | 4 | 4 | – |" in texts["report.md"]
    assert '<td class="text">/data/a|b</td><td>12</td>' in texts["report.html"]
