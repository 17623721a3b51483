"""Every example in a docstring shows something: it has real input, and prints the result."""

import ast
import doctest
import re
from pathlib import Path

import monai_freq

ROOT = Path(monai_freq.__file__).parent
#: paths in examples where no file is
MISSING = re.compile(r"\bno[ _/]such|\bnever_")
#: errors that show only that a file is missing
NOT_THERE = re.compile(r"cannot be read|does not exist|There is no (folder|file|bundle|checkpoint)|is missing\b(?!,)")


def documented(tree, prefix=""):
    """Name and docstring of a module (with an empty name) and of all functions and classes in it."""
    yield prefix.rstrip("."), ast.get_docstring(tree) or ""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield prefix + node.name, ast.get_docstring(node) or ""
        elif isinstance(node, ast.ClassDef):
            yield from documented(node, f"{prefix}{node.name}.")


def is_empty(node):
    """Whether an expression is empty: ``[]``, ``""``, None, an empty folder, or a call or function of these alone."""
    if isinstance(node, ast.Call):
        inside = [*node.args, *(keyword.value for keyword in node.keywords)]
        return all(map(is_empty, inside)) if inside else getattr(node.func, "attr", "") == "mkdtemp"
    if isinstance(node, ast.Constant):
        return node.value in ("", b"", None)
    if isinstance(node, ast.Lambda):
        return is_empty(node.body)
    return isinstance(node, ast.List | ast.Tuple | ast.Dict) and not getattr(node, "elts", getattr(node, "keys", None))


def is_real(call):
    """Whether a call has an argument that is not empty, or none at all, and no path without a file."""
    texts = [node.value for node in ast.walk(call) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    inside = [*call.args, *(keyword.value for keyword in call.keywords)]
    return not any(map(MISSING.search, texts)) and (not inside or not all(map(is_empty, inside)))


def fault(name, docstring):
    """Fault of the example in a docstring, or an empty text."""
    examples = doctest.DocTestParser().get_examples(docstring)
    outputs = [example.want for example in examples if example.want]
    if examples and not outputs:
        return "shows no output"
    if outputs and all(out.startswith("Traceback") and NOT_THERE.search(out) for out in outputs):
        return "shows only that a file is missing"
    nodes = [node for example in examples for node in ast.walk(ast.parse(example.source))]
    last = name.rpartition(".")[2]
    calls = [node for node in nodes if isinstance(node, ast.Call) and last in _names(node.func)]
    return "has only empty input" if calls and not any(map(is_real, calls)) else ""


def _names(function):
    return {getattr(function, "id", None), getattr(function, "attr", None)}


def test_every_example_shows_something():
    found = {}
    for file in sorted(ROOT.rglob("*.py")):
        for name, docstring in documented(ast.parse(file.read_text(encoding="utf-8"))):
            found[f"{file.relative_to(ROOT).as_posix()} {name}"] = fault(name, docstring)
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
