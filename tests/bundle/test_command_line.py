"""Options are read as ``python -m monai.bundle`` reads them, and those of other programs are not."""

import subprocess
import sys

import pytest

from monai_freq.bundle.command_line import config_files, overridden, repeated_option

PROGRAM = "/somewhere/site-packages/monai/bundle/__main__.py"


@pytest.fixture
def command_line(monkeypatch):
    def give(*words: str, program: str = PROGRAM) -> None:
        monkeypatch.setattr(sys, "argv", [program, *words])

    return give


@pytest.mark.parametrize(
    ("words", "files"),
    [
        ((), []),
        (("--config_file", "a/train.json"), ["a/train.json"]),
        (("--config_file=a/train.json",), ["a/train.json"]),
        (("--config-file", "a/train.json"), ["a/train.json"]),
        (("-config_file", "a/train.json"), ["a/train.json"]),
        (("--config_file", "['a/train.json','a/paper.json']"), ["a/train.json", "a/paper.json"]),
        (("--config_file=['a/train.json', 'a/paper.json']",), ["a/train.json", "a/paper.json"]),
        (("--config_file", "('a/train.json','a/paper.json')"), ["a/train.json", "a/paper.json"]),
        (("--config_file", "[a/train.json,a/paper.json]"), ["a/train.json", "a/paper.json"]),
        (("--theta", "-1", "--config_file", "with space/train.json", "--draw=2"), ["with space/train.json"]),
        (("--meta_file", "metadata.json"), []),
    ],
)
def test_configuration_files(command_line, words, files):
    command_line("run", *words)
    assert config_files() == files


def test_options_are_named_in_every_spelling(command_line):
    words = "run --fusion late --theta=0.2 --train-size 3 -draw 1 --offset -5 --bare --last"
    command_line(*words.split())
    values = {"fusion": "late", "theta": "0.2", "train_size": "3", "draw": "1", "offset": "-5", "bare": "", "last": ""}
    assert overridden() == values


def test_values_may_hold_equals_signs(command_line):
    command_line("run", "--config_file=a=b/train.json", "--output_dir", "x=y")
    assert config_files() == ["a=b/train.json"]
    assert overridden() == {"config_file": "a=b/train.json", "output_dir": "x=y"}


@pytest.mark.parametrize("program", ["pytest", "/home/me/train.py", "/somewhere/monai_freq/bundle/run.py", ""])
def test_another_programs_options_are_its_own(command_line, program):
    command_line("--config_file", "pytest.ini", "--verbose", program=program)
    assert config_files() == []
    assert overridden() == {}


def test_the_program_is_recognised_on_windows(command_line):
    command_line("run", "--config_file", "train.json", program=r"C:\lib\monai\bundle\__main__.py")
    assert config_files() == ["train.json"]


def test_fire_reads_the_same(command_line):
    """The independent reference: what fire, by which MONAI reads its command line, makes of the same words."""
    words = ["--config-file=a.json", "-fusion", "late", "--train-size", "3", "--offset", "-5", "--bare", "--last"]
    code = "import fire; fire.Fire(lambda **settings: print(*(f'{name}={value}' for name, value in settings.items())))"
    run = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    command_line("run", *words)
    read = [f"{name}={value or True}" for name, value in overridden().items()]
    assert read == run.stdout.split()
    assert read[-3:] == ["offset=-5", "bare=True", "last=True"]


@pytest.mark.parametrize(
    ("words", "twice"),
    [
        ("--epochs 2 --epochs 3", "epochs"),
        ("--epochs 2 --batch_size 1 --epochs=2", "epochs"),
        ("--train-size 2 -train_size 3", "train_size"),
        ("--resume --resume", "resume"),
        ("--epochs 2 --seed 2", None),
    ],
)
def test_an_option_that_is_given_twice_is_found(command_line, words, twice):
    command_line("run", *words.split())
    assert repeated_option() == twice
