"""Quotations in messages have no terminal controls, no unsafe advice and no addresses in memory."""

import ast
import io
import os
import pickle
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import torch
from attacks import Runs
from monai.transforms import GibbsNoise
from PIL import Image

import monai_freq
from monai_freq.bundle.backbone import check_backbone
from monai_freq.data import DataError
from monai_freq.handlers import PSDHandler
from monai_freq.losses import SpectralDecouplingLoss
from monai_freq.networks.frequency_fusion import check_fusion
from monai_freq.quoting import harmless, named, reason_of, shown, written
from monai_freq.seeding.seeds import check_seed
from monai_freq.spectral.bands import split
from monai_freq.transforms import ApplyShortcutd, FourierLowPass
from monai_freq.transforms.foreign import as_artifact
from monai_freq.transforms.image import check_probability

ROOT = Path(monai_freq.__file__).parent
HOSTILE = "a\x1b[31m\a\b\x7f\x9b2J\nb\r\t\u202e\u2028c"


def caught(function, *arguments, **settings):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(*arguments, **settings)
    except Exception as error:  # of any type
        return error
    raise AssertionError("nothing was raised")


def test_every_control_character_is_written_out():
    for text in (shown(HOSTILE), named(HOSTILE), reason_of(ValueError(HOSTILE)), harmless(HOSTILE.replace("\n", " "))):
        assert text.isprintable()
    assert named("a\nb") == "a\\nb"
    assert harmless("one\x1b\ntwo") == "one\\x1b\ntwo"
    assert str(DataError(f"{HOSTILE}.\nCopy it again.")).count("\n") == 2
    assert re.sub(r"\n", "", str(DataError(HOSTILE))).isprintable()


def test_names_that_are_no_unicode_can_be_printed():
    name = os.fsdecode(b"scan\xff.png")
    assert named(name).encode() == b"scan\\udcff.png"


def test_paths_are_shown_in_full_and_quotations_are_cut():
    assert named("a" * 300) == "a" * 300
    assert len(shown("a" * 300)) == len(shown("\x1b" * 300)) == 80
    assert len(reason_of(ValueError("a" * 999))) == 200


def saved(content, file):
    torch.save(content, file)
    return file


@pytest.mark.parametrize(
    "content", [{"a": Runs(os.system, "true")}, {"a": torch.nn.Linear(1, 1)}, {"a": np.float64(1)}]
)
def test_torchs_advice_to_load_unsafely_is_left_out(tmp_path, content):
    error = caught(torch.load, saved(content, tmp_path / "x.pt"), weights_only=True)
    assert "weights_only" in str(error)  # the advice
    reason = reason_of(error)
    assert re.fullmatch(r"it asks for \S+, and data need no code", reason)
    assert not re.search("weights_only|safe_globals|trust|http", reason)


def test_damaged_weights_and_numpys_advice(tmp_path):
    (tmp_path / "x.pt").write_bytes(b"\x80\x02\x95hello")
    assert reason_of(caught(torch.load, tmp_path / "x.pt", weights_only=True)) == "Unsupported operand 149"
    np.save(tmp_path / "x.npy", np.array([None]), allow_pickle=True)
    error = caught(np.load, tmp_path / "x.npy")
    assert "allow_pickle" in str(error)
    assert reason_of(error) == "it holds more than plain data"


def test_addresses_of_memory_are_left_out(tmp_path):
    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    (tmp_path / "x.dcm").write_bytes(b"no DICOM")
    reader.SetFileName(str(tmp_path / "x.dcm"))
    for error in (caught(reader.Execute), caught(Image.open, io.BytesIO(b"no image"))):
        assert "0x" in str(error)
        assert "0x" not in reason_of(error)
    assert reason_of(caught(reader.Execute)) == "Cannot read requested file"
    assert reason_of(ValueError("magic number 0x1f8b expected")) == "magic number 0x1f8b expected"


def test_an_error_without_a_text_is_named_by_its_type():
    assert reason_of(EOFError()) == "EOFError"
    assert reason_of(KeyError("frequencies")) == "KeyError: 'frequencies'"
    assert reason_of(caught(open, "no/such/file")) == "No such file or directory"
    assert reason_of(caught(pickle.loads, b"")) == "Ran out of input"


#: modules that catch an error of ours and extend its message
OF_OURS = {
    "audit/data/features.py",
    "audit/model/network_files.py",
    "bundle/command_line.py",
    "bundle/initial_weights.py",
    "bundle/normalization.py",
    "bundle/settings.py",
    "handlers/psd_log.py",
    "nnunet/settings.py",
    "spectral/psd.py",
    "study/run/missing.py",
    "study/run/results.py",
    "transforms/foreign.py",
    "transforms/naming.py",
}


#: functions that make harmless text of an error, and attributes that are numbers
THROUGH, NUMBERS = {"reason_of", "shown", "harmless", "type"}, {"lineno", "colno"}


def quoted_raw(value, name):
    """Whether a value in an f-string has the error in it without one of these functions."""
    if isinstance(value, ast.Call) and getattr(value.func, "id", "") in THROUGH:
        return False
    if isinstance(value, ast.Attribute) and value.attr in NUMBERS:
        return False
    if isinstance(value, ast.Name):
        return value.id == name
    return any(quoted_raw(part, name) for part in ast.iter_child_nodes(value))


def caught_and_quoted(source):
    handlers = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ExceptHandler) and node.name]
    return [
        node.lineno
        for handler in handlers
        for node in ast.walk(handler)
        if isinstance(node, ast.FormattedValue) and quoted_raw(node.value, handler.name)
    ]


def test_no_message_quotes_the_error_of_a_library_as_it_is():
    sources = {file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8") for file in ROOT.rglob("*.py")}
    found = {name: caught_and_quoted(source) for name, source in sources.items()}
    assert {name for name, lines in found.items() if lines} == OF_OURS, found


class _Quiet:
    def __repr__(self):
        return f"<secret at {id(self):#x}>"


LOOP = []
LOOP.append(LOOP)
PLAIN = [
    None,
    True,
    3,
    -0.5,
    1e300,
    2j,
    "early",
    b"a",
    [],
    (),
    (1,),
    [0.1, "a", None],
    [[0.1], (2, 3)],
    list(range(10)),
]


@pytest.mark.parametrize("value", PLAIN, ids=repr)
def test_a_plain_value_is_shown_as_it_is_written(value):
    assert written(value) == repr(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (_Quiet(), "a _Quiet"),
        ([_Quiet(), 1], "[a _Quiet, 1]"),
        (lambda x: x, "a function"),
        (torch.zeros(3), "a Tensor"),
        (np.zeros((2, 2)), "a ndarray"),
        ({"a": _Quiet()}, "a dict"),
        (_Quiet, "the class _Quiet"),
        (Path("a/b"), "'a/b'"),
        (list(range(1000)), "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...]"),
        ([[[[1]]]], "[[[...]]]"),
        (LOOP, "[[[...]]]"),
    ],
)
def test_anything_else_is_shown_by_its_type_or_in_short(value, expected):
    assert written(value) == expected


LONG = ["x" * 10**6, HOSTILE, [HOSTILE * 9], 10**4000, -(10**5000), type(HOSTILE, (), {})()]


@pytest.mark.parametrize("value", LONG, ids=map(str, range(len(LONG))))
def test_a_value_is_shown_shortly_and_harmlessly(value):
    assert len(written(value)) <= 90
    assert written(value).isprintable()


REFUSED = {
    "image_size": lambda value: check_backbone(torch.nn.ReLU(), image_size=value, in_channels=1, out_channels=1),
    "as_artifact": as_artifact,
    "cutoff": FourierLowPass,
    "theta": lambda value: split(torch.rand(8, 8), value, spatial_dims=2),
    "prob": check_probability,
    "seed": check_seed,
    "mark": lambda value: ApplyShortcutd("image", GibbsNoise(0.5), flag_key="mark")(
        {"image": torch.rand(1, 8, 8), "mark": value}
    ),
    "fusion": check_fusion,
    "lam": lambda value: SpectralDecouplingLoss(torch.nn.CrossEntropyLoss(), value),
    "log_dir": lambda value: PSDHandler(log_dir=value),
}


@pytest.mark.parametrize("value", [_Quiet(), [_Quiet()]], ids=["object", "list"])
@pytest.mark.parametrize("refuse", REFUSED.values(), ids=REFUSED)
def test_no_message_shows_where_an_object_is_in_memory(refuse, value):
    with pytest.raises((ValueError, TypeError, SystemExit), match="a _Quiet") as caught:
        refuse(value)
    assert "0x" not in str(caught.value)


@pytest.mark.parametrize("mark", [np.zeros(2, dtype=bool), torch.ones(2, dtype=torch.bool)])
def test_a_mark_of_several_values_is_refused(mark):
    with pytest.raises(ValueError, match=r"'mark' must be True or False, got an? (ndarray|Tensor)"):
        REFUSED["mark"](mark)


def test_no_message_shows_a_value_by_its_repr():
    """Only texts, of files or of ours, may be quoted with ``!r``."""
    texts = ("data", "study", "json_files.py", "quoting.py")
    shows = re.compile(r"(?:got|not|no \w+) \{[^{}]*!r\}")
    files = [file for file in sorted(ROOT.rglob("*.py")) if file.relative_to(ROOT).parts[0] not in texts]
    assert [str(file) for file in files if shows.search(file.read_text())] == []
