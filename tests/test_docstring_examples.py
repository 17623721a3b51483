"""Every example in a docstring shows something: it is called on real input, and prints what comes of it."""

import ast
import doctest
import re
from pathlib import Path

import pytest

import monai_freq

ROOT = Path(monai_freq.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
#: paths of examples at which there is nothing
MISSING = re.compile(r"\bno[ _/]such|\bnever_")
#: errors that show no more than that a file is not there
NOT_THERE = re.compile(r"cannot be read|does not exist|There is no (folder|file|bundle|checkpoint)|is missing\b(?!,)")


def documented(tree, prefix=""):
    """Name and docstring of a module, which has the empty name, and of all functions and classes in it."""
    yield prefix.rstrip("."), ast.get_docstring(tree) or ""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield prefix + node.name, ast.get_docstring(node) or ""
        elif isinstance(node, ast.ClassDef):
            yield from documented(node, f"{prefix}{node.name}.")


def is_empty(node):
    """Nothing is in it: ``[]``, ``""``, None, an empty folder, or a call or function of such alone."""
    if isinstance(node, ast.Call):
        inside = [*node.args, *(keyword.value for keyword in node.keywords)]
        return all(map(is_empty, inside)) if inside else getattr(node.func, "attr", "") == "mkdtemp"
    if isinstance(node, ast.Constant):
        return node.value in ("", b"", None)
    if isinstance(node, ast.Lambda):
        return is_empty(node.body)
    return isinstance(node, ast.List | ast.Tuple | ast.Dict) and not getattr(node, "elts", getattr(node, "keys", None))


def is_real(call):
    """Some argument is more than empty, or there is none to give, and no path leads to nothing."""
    texts = [node.value for node in ast.walk(call) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    inside = [*call.args, *(keyword.value for keyword in call.keywords)]
    return not any(map(MISSING.search, texts)) and (not inside or not all(map(is_empty, inside)))


def fault(name, docstring):
    """What is wrong with the example of a docstring, if anything."""
    examples = doctest.DocTestParser().get_examples(docstring)
    outputs = [example.want for example in examples if example.want]
    if examples and not outputs:
        return "shows no output"
    if outputs and all(out.startswith("Traceback") and NOT_THERE.search(out) for out in outputs):
        return "shows only that a file is not there"
    nodes = [node for example in examples for node in ast.walk(ast.parse(example.source))]
    last = name.rpartition(".")[2]
    calls = [node for node in nodes if isinstance(node, ast.Call) and last in _names(node.func)]
    return "has only empty input" if calls and not any(map(is_real, calls)) else ""


def _names(function):
    return {getattr(function, "id", None), getattr(function, "attr", None)}


def faults(file):
    """Module and name -> what is wrong with the example."""
    found = {name: fault(name, text) for name, text in documented(ast.parse(file.read_text(encoding="utf-8")))}
    return {f"{file.relative_to(ROOT).as_posix()} {name}": wrong for name, wrong in found.items() if wrong}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_example_shows_something(file):
    assert faults(file) == {}


@pytest.mark.parametrize(
    ("example", "wrong"),
    [
        (">>> read([])\n[]", "has only empty input"),
        (">>> read(study_of([]), [], {}).rows\n[]", "has only empty input"),
        (">>> read(Cases([], (), ''), None)\n0", "has only empty input"),
        (">>> read(lambda: Samples([], [], []))\n0", "has only empty input"),
        (">>> read(tempfile.mkdtemp())\n[]", "has only empty input"),
        (">>> read('no_such_folder', seed=3)\n[]", "has only empty input"),
        (">>> read(Path('no/such/a.nii'))\n[]", "has only empty input"),
        (">>> read([1])", "shows no output"),
        (">>> read('a.png')\nTraceback (most recent call last):\nDataError: a.png cannot be read: ...", "shows only"),
        (">>> read([1])\n1", ""),
        (">>> read([])\n[]\n>>> read([1])\n[1]", ""),
        (">>> read()\n['a']", ""),
        (">>> read(folder)\n['a']", ""),
        (">>> read(-1)\nTraceback (most recent call last):\nValueError: 'seed' must be at least 0, got -1.", ""),
        ("No example.", ""),
    ],
)
def test_an_example_that_shows_nothing_is_caught(example, wrong):
    assert fault("Reader.read", example).startswith(wrong)
    assert bool(fault("Reader.read", example)) == bool(wrong)
