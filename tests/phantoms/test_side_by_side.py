"""Pictures drawn side by side are those drawn one after the other, and no process outlives the one that asked."""

import os
import random
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch

from monai_freq.phantoms import side_by_side
from monai_freq.phantoms.side_by_side import drawn

forks = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere one is drawn after the other")
PLACES = [(number,) for number in range(side_by_side.FEWEST + 3)]


@pytest.fixture(autouse=True)
def two_processors(monkeypatch):
    monkeypatch.setattr(side_by_side, "_processors", lambda: 2)
    monkeypatch.setattr(side_by_side, "_may_fork", lambda: True)


def picture(number: int) -> tuple[int, np.ndarray, int]:
    return number, np.random.default_rng(number).random((4, 4)), os.getpid()


def processes() -> set[int]:
    return {process for _, _, process in drawn(picture, PLACES)}


@forks
def test_the_order_and_the_pictures_are_those_of_one_after_the_other():
    found, alone = list(drawn(picture, PLACES)), [picture(*place) for place in PLACES]
    assert [number for number, _, _ in found] == [number for number, _, _ in alone]
    assert all(np.array_equal(a, b) for (_, a, _), (_, b, _) in zip(found, alone, strict=True))
    assert len({process for _, _, process in found} - {os.getpid()}) == 2


@forks
def test_no_generator_of_this_process_moves():
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    list(drawn(picture, PLACES))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]


def test_few_pictures_are_drawn_here(monkeypatch):
    monkeypatch.setattr(side_by_side, "FEWEST", len(PLACES) + 1)
    assert processes() == {os.getpid()}


def test_beside_another_thread_this_process_draws(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(side_by_side, "_processors", lambda: 2)
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert processes() == {os.getpid()}
    finally:
        done.set()
        thread.join()


@forks
def test_an_error_of_a_picture_arrives():
    def draw(number):
        raise ValueError(f"no picture {number}")

    with pytest.raises(ValueError, match="no picture 0"):
        list(drawn(draw, PLACES))


KILLED = r"""
import os, time
from monai_freq.phantoms import side_by_side
side_by_side._processors = lambda: 2

def draw(number):
    os.write(1, f"{os.getpid()}\n".encode())  # in one piece, whoever else writes
    time.sleep(0.2)

print("began", flush=True)
list(side_by_side.drawn(draw, [(number,) for number in range(10_000)]))
"""


@forks
@pytest.mark.slow
def test_workers_end_with_a_killed_process():
    with subprocess.Popen([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert next(process.stdout) == "began\n"
            workers = {int(next(process.stdout)) for _ in range(6)}
        finally:
            process.kill()
    assert len(workers) == 2
    end = time.monotonic() + 60
    while any(os.path.exists(f"/proc/{worker}") for worker in workers) and time.monotonic() < end:
        time.sleep(0.1)
    assert not [worker for worker in workers if os.path.exists(f"/proc/{worker}")]
