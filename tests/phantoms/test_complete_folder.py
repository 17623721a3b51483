"""A generated folder of any format is complete or absent, whoever writes it, and is only taken for what it is."""

import json
import multiprocessing
import time

import pytest

from monai_freq.data import DataError
from monai_freq.phantoms.complete_folder import RECORD, stream, write_complete_folder

SETTINGS = {"name": "letters", "version": 1, "seed": 0}


def fill(folder):
    (folder / "part").mkdir()
    (folder / "part" / "a.txt").write_text("a")
    (folder / "b.txt").write_text("b")


def fill_slowly(folder):
    for number in range(100):
        (folder / f"{number}.txt").write_text("x")
        time.sleep(0.05)


def never(folder):
    raise AssertionError("a folder that is there must not be drawn again")


def test_what_is_written_is_recorded(tmp_path):
    folder = write_complete_folder(tmp_path / "new" / "letters", SETTINGS, fill)
    assert folder == tmp_path / "new" / "letters"
    assert json.loads((folder / RECORD).read_text()) == {"phantom": SETTINGS, "files": ["b.txt", "part/a.txt"]}
    assert (folder / "part" / "a.txt").read_text() == "a"
    assert [path.name for path in folder.parent.iterdir()] == ["letters"]


def test_a_folder_that_is_there_is_used(tmp_path):
    folder = write_complete_folder(tmp_path / "letters", SETTINGS, fill)
    assert write_complete_folder(tmp_path / "letters", SETTINGS, never) == folder


@pytest.mark.parametrize("change", [{"version": 2}, {"seed": 1}, {"size": 96}])
def test_other_settings_are_refused_and_nothing_is_touched(tmp_path, change):
    folder = write_complete_folder(tmp_path / "letters", SETTINGS, fill)
    with pytest.raises(DataError) as caught:
        write_complete_folder(folder, SETTINGS | change, never)
    message = str(caught.value)
    assert message.startswith(f"{folder} holds a phantom with other settings")
    assert "Delete or move that folder" in message.splitlines()[1]
    assert len(message.splitlines()) == 2
    assert (folder / "b.txt").read_text() == "b"


@pytest.mark.parametrize("content", [None, "{}", "[]", "no json", '{"files": []}'])
def test_real_data_in_that_place_is_refused(tmp_path, content):
    (tmp_path / "precious.txt").write_text("mine")
    if content is not None:
        (tmp_path / RECORD).write_text(content)
    with pytest.raises(DataError, match="holds something else"):
        write_complete_folder(tmp_path, SETTINGS, never)
    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_a_phantom_with_a_file_deleted_is_refused(tmp_path):
    folder = write_complete_folder(tmp_path / "letters", SETTINGS, fill)
    (folder / "part" / "a.txt").unlink()
    with pytest.raises(DataError, match=r"part/a.txt is missing in the phantom .*letters\.\nDelete that folder"):
        write_complete_folder(folder, SETTINGS, fill)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_write_leaves_nothing(tmp_path, error):
    def stop(folder):
        fill(folder)
        raise error

    with pytest.raises(error):
        write_complete_folder(tmp_path / "letters", SETTINGS, stop)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_writer_leaves_no_folder_of_that_name(tmp_path):
    writer = multiprocessing.get_context("spawn").Process(
        target=write_complete_folder, args=(tmp_path / "letters", SETTINGS, fill_slowly)
    )
    writer.start()
    while not list(tmp_path.glob(".*/*.txt")):
        assert writer.is_alive()
        time.sleep(0.02)
    writer.kill()
    writer.join()
    assert not (tmp_path / "letters").exists()
    assert write_complete_folder(tmp_path / "letters", SETTINGS, fill).is_dir()


def test_the_loser_of_a_race_uses_the_winner(tmp_path):
    def fill_while_another_finishes(folder):
        write_complete_folder(tmp_path / "letters", SETTINGS, fill)
        fill(folder)

    folder = write_complete_folder(tmp_path / "letters", SETTINGS, fill_while_another_finishes)
    assert (folder / "b.txt").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["letters"]


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"file/letters cannot be written: .*\n.*MONAI_FREQ_CACHE"):
        write_complete_folder(tmp_path / "file" / "letters", SETTINGS, fill)


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path):
    def full(folder):
        raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match=r"No space left on device.\n.*\$MONAI_FREQ_CACHE"):
        write_complete_folder(tmp_path / "letters", SETTINGS, full)
    assert list(tmp_path.iterdir()) == []


def test_streams_are_repeatable_and_differ():
    draws = {stream(*place).random() for place in [(0,), (1,), (0, 1), (1, 0), (0, 1, 0), (0, 0, 1)]}
    assert len(draws) == 6
    assert stream(3, 4).random() == stream(3, 4).random()
