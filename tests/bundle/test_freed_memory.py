"""Freed memory is kept for the next tensors: no page is handed out twice, and a user's own choice is left alone."""

import ctypes
import os
import platform
import subprocess
import sys

import pytest

from monai_freq.bundle.freed_memory import keep_freed_memory

of_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries decide by themselves")

#: pages that the kernel hands out for the eleventh block of each size, in MiB; the first ten may settle in
PAGES = """
import resource, sys
from monai_freq.bundle.freed_memory import keep_freed_memory

kept = keep_freed_memory() if sys.argv[1] == "keep" else None
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for size in (8, 24, 200):
    for _ in range(10):
        bytearray(size * 2**20)
    before = faults()
    bytearray(size * 2**20)
    print(faults() - before)
print(kept)
"""


def pages(word: str, **environment: str) -> tuple[list[int], str]:
    """Pages handed out for a block of each size, and what the function returned."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    words = [sys.executable, "-c", PAGES, word]
    output = subprocess.run(words, env=kept | environment, capture_output=True, text=True, check=True).stdout.split()
    return [int(number) for number in output[:-1]], output[-1]


@of_glibc
def test_no_page_of_a_freed_block_is_asked_for_again():
    without, _ = pages("leave")
    kept, said = pages("keep")
    assert said == "True"
    assert without[-1] > 10_000, "a page is 4 KiB: glibc itself hands 200 MiB back"
    assert max(kept) < 100, kept


@of_glibc
@pytest.mark.parametrize("chosen", [{"MALLOC_TRIM_THRESHOLD_": "131072"}, {"GLIBC_TUNABLES": "glibc.malloc.top_pad=1"}])
def test_the_choice_of_a_user_stays(chosen):
    assert pages("keep", **chosen)[1] == "False"


@pytest.mark.parametrize("fault", [AttributeError("undefined symbol: mallopt"), TypeError("'NoneType' is no name")])
def test_another_c_library_is_left_as_it_is(monkeypatch, fault):
    def refuse(name):
        raise fault

    for name in [name for name in os.environ if name.startswith(("MALLOC_", "GLIBC_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(ctypes, "CDLL", refuse)
    assert keep_freed_memory() is False
