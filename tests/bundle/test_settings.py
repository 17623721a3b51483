"""Settings out of range and options that do not exist end the program with two lines that say what to write."""

import json
import math
import sys
from pathlib import Path

import pytest
import torch

from monai_freq.bundle import check_ranges, check_settings, check_training

GOOD = {"fusion": "early", "theta": 0.1, "convention": "figure2"}


def lines_of(**settings: object) -> list[str]:
    with pytest.raises(SystemExit) as caught:
        check_settings(**GOOD | settings)
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    return lines


@pytest.mark.parametrize("fusion", ["none", "early", "late"])
@pytest.mark.parametrize("convention", ["figure2", "equation1", "released"])
@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_every_arm_passes(fusion, convention, spatial_dims):
    check_settings(fusion=fusion, theta=0.3, convention=convention, spatial_dims=spatial_dims)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("fusion", value) for value in ("Early", "middle", "", None, False, ["early"])),
        *(("theta", value) for value in (0, 1, -0.1, 1.5, float("nan"), "0.1", None, True)),
        *(("convention", value) for value in ("figure 2", "", None, 2)),
        *(("spatial_dims", value) for value in (0, 1, 4, "3", None)),
    ],
)
def test_a_setting_out_of_range_is_named(name, value):
    first, second = lines_of(**{name: value})
    assert first.startswith(f"'{name}' must be ")
    assert first.endswith(f"got {value!r}.")
    assert f"--{name} " in second


@pytest.mark.parametrize("name", GOOD)
def test_the_example_in_the_message_works(name):
    _, second = lines_of(**{name: "wrong"})
    value = second.split(f"--{name} ")[1].split(",")[0]
    check_settings(**GOOD | {name: float(value) if name == "theta" else value})


@pytest.fixture
def options(tmp_path, monkeypatch):
    """Give options to a ``monai.bundle run`` of two configuration files."""
    train, more = tmp_path / "train.json", tmp_path / "more.json"
    train.write_text(
        json.dumps({**GOOD, "resume": False, "train_size": None, "optimizer": {"lr": 0.1}, "train": {"trainer": {}}})
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
    check_settings(**GOOD)


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
    first, second = lines_of()
    assert first.startswith(f"There is no setting '--{name}'.")
    assert first.endswith(f"Did you mean '--{meant}'?" if meant else f"'--{name}'.")
    assert str(train) in second


@pytest.mark.parametrize("words", [("--fusion", "None"), ("--theta=None",), ("--optimizer#lr", "None")])
def test_none_is_refused_where_it_would_be_left_out(options, words):
    options(*words)
    name = words[0].split("=")[0]
    first, second = lines_of()
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
    first, second = lines_of()
    assert first == f"'{name}' has no value, and MONAI would take it for True."
    assert second.endswith(f"{name} VALUE")


TRAINING = {"epochs": 2, "batch_size": 1, "learning_rate": 0.01, "device": "cpu"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("epochs", value) for value in (0, -1, 2.5, True, "3", None)),
        *(("batch_size", value) for value in (0, 1.0)),
        *(("learning_rate", value) for value in (-1, float("nan"), "0.1", None)),
        *(("device", value) for value in ("gpu", "cuda:99", 1.5)),
    ],
)
def test_what_nothing_can_be_trained_with_is_named(name, value):
    check_training(**TRAINING)
    check_training(**TRAINING | {"device": torch.device("cpu")})
    with pytest.raises(SystemExit) as caught:
        check_training(**TRAINING | {name: value})
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"'{name}' ")
    assert second.startswith(f"As in --{name} ")


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), "0.5", None, True])
def test_a_number_outside_its_range_is_refused_with_one_within(value):
    check_ranges(fraction=(0, 0, 1), lam=(3, 0, math.inf), delta=(-2.5, -3, 0))
    with pytest.raises(SystemExit) as caught:
        check_ranges(fraction=(value, 0, 1))
    assert str(caught.value) == f"'fraction' must be in [0, 1], got {value!r}.\nAs in --fraction 0.5"


@pytest.mark.parametrize("value", [-1, float("inf"), "x"])
def test_a_number_without_an_upper_bound_is_finite(value):
    with pytest.raises(SystemExit) as caught:
        check_ranges(lam=(value, 0, math.inf))
    assert str(caught.value) == f"'lam' must be a number of at least 0, got {value!r}.\nAs in --lam 0.01"


def test_options_of_another_program_are_not_judged(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["pytest", "--config_file", "x.json", "--fusoin", "late"])
    check_settings(**GOOD)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--phantom", "{'1': 'kidney', '1': 'tumour'}"), "'--phantom' has the name '1' twice.\nGive each name once."),
        (('--optimizer={"lr": 1, "lr": 2}',), "'--optimizer' has the name 'lr' twice.\nGive each name once."),
    ],
)
def test_a_name_that_an_option_has_twice_is_refused(options, words, says):
    options(*words)
    assert "\n".join(lines_of()) == says


def test_a_name_that_a_configuration_has_twice_is_refused(options):
    train = options()
    train.write_text('{"fusion": "none", "fusion": "early"}')
    first, second = lines_of()
    assert (
        first
        == f'{train} cannot be read as a configuration: the name "fusion" occurs twice, with "none" and with "early".'
    )
    assert second == "Correct it."
    train.write_text(json.dumps(GOOD))
    more = train.with_name("more.json")
    sys.argv[sys.argv.index("--config_file") + 1] = f"['{train}','{more.with_suffix('.yaml')}']"
    more.with_suffix(".yaml").write_text("theta: 0.1\nepochs: 3\ntheta: 0.3\n")
    first, second = lines_of()
    assert first == f"{more.with_suffix('.yaml')} cannot be read as a configuration: Duplicate key: `theta`."


@pytest.mark.parametrize("words", [("--epochs", "2", "--epochs", "3"), ("--theta", "0.2", "--theta=0.3")])
def test_an_option_that_is_given_twice_is_refused(options, words):
    options(*words)
    first, second = lines_of()
    assert first == f"'{words[0]}' is given twice, and MONAI would take the last."
    assert second == "Give it once."
