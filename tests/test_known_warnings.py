"""Warnings that no user of a bundle can act on are silenced; all others are not."""

import logging
import subprocess
import sys
import warnings
from contextlib import suppress

import pytest
from running import ROOT, environment

from monai_freq.__main__ import main
from monai_freq.known_warnings import silence_known_warnings

KNOWN = [
    ("parsing config_file train.json: any", UserWarning, "monai.bundle.scripts"),
    (
        "monai.metrics.utils get_mask_edges:always_return_as_numpy: Argument",
        FutureWarning,
        "monai.utils.deprecate_utils",
    ),
    ("`torch.cuda.amp.GradScaler(args...)` is deprecated.", FutureWarning, "monai.engines.trainer"),
    ("`torch.jit.script` is deprecated. Please switch", FutureWarning, "torch.func"),
]


def heard(message, category, module):
    """Whether a warning of a module is shown."""
    with warnings.catch_warnings(record=True, action="always") as found:
        silence_known_warnings()
        warnings.warn_explicit(message, category, f"{module}.py", 1, module=module)
    return bool(found)


@pytest.mark.parametrize(("message", "category", "module"), KNOWN)
def test_only_known_warnings_are_silenced(message, category, module):
    assert not heard(message, category, module)
    assert heard(message, category, "my_program")
    assert heard(message, DeprecationWarning, module)
    assert heard(f"a word before: {message}", category, module)
    assert heard("the learning rate is 0", category, module)


def test_only_one_log_line_of_monai_is_silenced(caplog):
    silence_known_warnings()
    silence_known_warnings()
    for name in ("monai.bundle.workflows", "my_program"):
        for line in ("Not all config files are in heart/configs. If", "Logging file is set to False"):
            logging.getLogger(name).warning(line)
    assert [record.name for record in caplog.records] == ["monai.bundle.workflows", "my_program", "my_program"]
    assert caplog.messages[0] == "Logging file is set to False"
    assert len(logging.getLogger("monai.bundle.workflows").filters) == 1


def test_an_import_leaves_warnings_as_they_are():
    code = "import warnings; before = warnings.filters[:]; import monai_freq.known_warnings, monai_freq.files; "
    done = subprocess.run([sys.executable, "-c", f"{code}assert warnings.filters == before"], capture_output=True)
    assert done.returncode == 0


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """Output of the command on both streams, up to its first refusal."""
    config = ROOT / "bundles/heart_fd/configs/evaluate.json"
    command = [sys.executable, "-m", "monai_freq", "run", "--config_file", config, "--checkpoint", "no_such.pt"]
    variables = {key: value for key, value in environment().items() if key != "PYTHONWARNINGS"}
    folder = tmp_path_factory.mktemp("run")
    return subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=folder, env=variables, timeout=300)


def test_the_command_runs_a_bundle_without_them(said):
    """Options reach the configuration, and the output is the refusal alone."""
    assert said.stderr.splitlines() == [
        "There is no checkpoint no_such.pt.",
        "Train first, with the same --fusion and --output_dir, or pass --checkpoint <file>.",
    ]
    assert said.returncode == 1
    assert said.stdout == ""


@pytest.mark.parametrize("words", [["run"], ["run", "--help"]])
def test_the_command_says_what_it_takes(words, capsys):
    with suppress(SystemExit):
        main(words)
    assert "--config_file FILE" in capsys.readouterr().out
