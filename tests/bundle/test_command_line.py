"""Options are read as ``python -m monai.bundle`` reads them, and those of other programs are not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from monai_freq.bundle.command_line import check_options, config_files, overridden
from monai_freq.errors import UsageError

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


SETTINGS = {"fusion": "early", "theta": 0.1, "convention": "figure2"}


def refusal() -> list[str]:
    with pytest.raises(UsageError) as caught:
        check_options()
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    return lines


@pytest.fixture
def options(tmp_path, monkeypatch):
    """Give options to a ``monai.bundle run`` of two configuration files."""
    train, more = tmp_path / "train.json", tmp_path / "more.json"
    train.write_text(
        json.dumps(
            {**SETTINGS, "resume": False, "train_size": None, "optimizer": {"lr": 0.1}, "train": {"trainer": {}}}
        )
    )
    more.write_text(json.dumps({"optimizer#lr": 0.2, "epochs": 300}))
    program = ["/lib/monai/bundle/__main__.py", "run", "--config_file", f"['{train}','{more}']"]

    def give(*words: str) -> Path:
        monkeypatch.setattr(sys, "argv", [*program, *words])
        return train

    return give


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--fusion", "late"),
        ("--fusion=late", "--theta", "0.2"),
        ("--train-size", "3"),
        ("--train_size", "None"),  # as it is without
        ("--fusion", "$None"),
        ("--epochs", "2"),  # of the second file
        ("--optimizer#lr", "0.3"),
        ("--optimizer::lr=0.3",),
        ("--train#trainer#max_epochs", "3"),
        ("--meta_file", "metadata.json", "--logging_file", "logging.conf", "--run_id", "run", "--tracking", "mlflow"),
        ("--init_id=initialize", "--final_id=finalize", "--args_file", "args.json"),
        ("--_meta_#version", "1"),
        ("--resume", "--fusion", "late"),  # true, as it may be
    ],
)
def test_existing_options_pass(options, words):
    options(*words)
    check_options()


@pytest.mark.parametrize(
    ("word", "name", "meant"),
    [
        ("--fusoin", "fusoin", "fusion"),
        ("--fusoin=late", "fusoin", "fusion"),
        ("--trainsize", "trainsize", "train_size"),
        ("--epoch", "epoch", "epochs"),
        ("--optimiser#lr", "optimiser", "optimizer"),
        ("--xyzzy", "xyzzy", None),
    ],
)
def test_an_unknown_option_is_refused_with_a_suggestion(options, word, name, meant):
    train = options("--theta", "0.2", word, "0.5")
    first, second = refusal()
    assert first.startswith(f"There is no setting '--{name}'.")
    assert first.endswith(f"Did you mean '--{meant}'?" if meant else f"'--{name}'.")
    assert str(train) in second


@pytest.mark.parametrize("words", [("--fusion", "None"), ("--theta=None",), ("--optimizer#lr", "None")])
def test_none_is_refused_where_it_would_be_left_out(options, words):
    options(*words)
    name = words[0].split("=")[0]
    first, second = refusal()
    assert first.startswith(f"'{name} None' would change nothing")
    assert second.endswith(f"{name} '$None'")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("--fusion",), "--fusion"),
        (("--fusion", "--theta", "0.2"), "--fusion"),
        (("--theta", "0.2", "--train_size="), "--train_size"),
        (("-fusion", "-theta", "0.2"), "--fusion"),
    ],
)
def test_an_option_without_a_value_is_refused(options, words, name):
    options(*words)
    first, second = refusal()
    assert first == f"'{name}' has no value, and MONAI would take it for True."
    assert second.endswith(f"{name} VALUE")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--phantom", "{'1': 'kidney', '1': 'tumour'}"), "'--phantom' has the name '1' twice.\nGive each name once."),
        (('--optimizer={"lr": 1, "lr": 2}',), "'--optimizer' has the name 'lr' twice.\nGive each name once."),
    ],
)
def test_a_name_that_an_option_has_twice_is_refused(options, words, says):
    options(*words)
    assert "\n".join(refusal()) == says


def test_a_name_that_a_configuration_has_twice_is_refused(options):
    train = options()
    train.write_text('{"fusion": "none", "fusion": "early"}')
    first, second = refusal()
    assert (
        first
        == f'{train} cannot be read as a configuration: the name "fusion" occurs twice, with "none" and with "early".'
    )
    assert second == "Correct it."
    train.write_text(json.dumps(SETTINGS))
    more = train.with_name("more.json")
    sys.argv[sys.argv.index("--config_file") + 1] = f"['{train}','{more.with_suffix('.yaml')}']"
    more.with_suffix(".yaml").write_text("theta: 0.1\nepochs: 3\ntheta: 0.3\n")
    first, second = refusal()
    assert first == f"{more.with_suffix('.yaml')} cannot be read as a configuration: Duplicate key: `theta`."


@pytest.mark.parametrize(
    "words", [("--epochs", "2", "--epochs", "3"), ("--theta", "0.2", "-theta=0.3"), ("--resume", "--resume")]
)
def test_an_option_that_is_given_twice_is_refused(options, words):
    options(*words)
    first, second = refusal()
    assert first == f"'{words[0]}' is given twice, and MONAI would take the last."
    assert second == "Give it once."
