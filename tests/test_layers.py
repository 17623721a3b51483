"""The tree is the architecture: imports point one way, and every module has one idea and says what is public."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import monai_freq

ROOT = Path(monai_freq.__file__).parent
PACKAGE = ROOT.name

#: layers below bundles and studies
BELOW = {
    "errors",
    "spectral",
    "figures",
    "files",
    "quoting",
    "seeding",
    "json_files",
    "data",
    "phantoms",
    "transforms",
    "networks",
    "losses",
}
BELOW |= {"torchio", "handlers", "known_warnings", "lazy", "places", "documents"}
#: layer -> other layers that it may import; a new layer needs an entry
MAY_IMPORT = {
    "lazy": set(),
    "places": set(),
    "errors": {"quoting"},
    "seeding": {"lazy", "quoting"},
    "spectral": {"lazy", "quoting"},
    "figures": set(),
    "documents": {"figures", "files"},
    "files": set(),
    "json_files": set(),
    "known_warnings": set(),
    "quoting": set(),
    "__main__": {"errors", "audit", "bundle", "known_warnings", "quoting"},
    "data": {"errors", "lazy", "seeding", "files", "json_files", "quoting", "spectral"},
    "phantoms": {"errors", "data", "files", "json_files", "quoting"},
    "transforms": {"errors", "seeding", "quoting", "spectral", "data"},
    "torchio": {"quoting", "seeding", "transforms"},
    "networks": {"errors", "files", "quoting", "spectral"},
    "losses": {"errors", "quoting", "spectral"},
    "handlers": {"errors", "seeding", "spectral", "figures", "files", "places", "quoting", "data", "transforms"},
    "lightning": {"handlers", "quoting", "seeding", "spectral"},
    "auto3dseg": {"quoting", "spectral"},
    "nnunet": {"lazy", "quoting", "spectral", "networks", "handlers"},
    "bundle": BELOW,
    "study": BELOW | {"bundle"},
    "audit": BELOW | {"bundle"},
}
#: what ``spectral`` is built on: tensors, and in compiled kernels the arrays of Numba
MATHEMATICS = {"torch", "numba", "llvmlite", "numpy"}
MAX_LINES = 400  # largest number of lines of a module, docstrings included; a longer one has two ideas

SOURCES = {file: file.read_text(encoding="utf-8") for file in sorted(ROOT.rglob("*.py"))}
TREES = {file: ast.parse(source) for file, source in SOURCES.items()}


def name_of(file: Path, root: Path = ROOT) -> str:
    """Dotted name of a module; a package's ``__init__`` keeps it, so that relative imports count from there."""
    return ".".join((root.name, *file.relative_to(root).with_suffix("").parts))


def imported(tree: ast.Module, module: str) -> Iterator[str]:
    """Absolute names of all imports of a module, wherever they are in its text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            base += node.module.split(".") if node.module else []
            yield from (".".join((*base, alias.name)) for alias in node.names)


def faults(tree: ast.Module, module: str) -> list[str]:
    """Imports of a module that its layer does not allow."""
    layer = module.split(".")[1]
    found = []
    for name in imported(tree, module):
        top, *below = name.split(".")
        if top == PACKAGE:
            allowed = layer == "__init__" or (bool(below) and below[0] in {layer, *MAY_IMPORT[layer]})
        else:
            allowed = layer != "spectral" or top in MATHEMATICS or top in sys.stdlib_module_names
        if not allowed:
            found.append(f"{module} imports {name}")
    return found


def test_imports_point_one_way():
    assert [fault for file, tree in TREES.items() for fault in faults(tree, name_of(file))] == []


def test_runs_know_of_no_report_and_reports_of_no_command():
    """Within a study, commands stand on reports, and these on runs."""
    for room, below in (("run", {"run"}), ("report", {"run", "report"})):
        for file in (ROOT / "study" / room).rglob("*.py"):
            inside = [name.split(".") for name in imported(TREES[file], name_of(file)) if ".study." in name]
            assert {parts[2] for parts in inside} <= below, file


def test_the_root_imports_the_finder_of_layers_alone():
    ours = [name for name in imported(TREES[ROOT / "__init__.py"], f"{PACKAGE}.__init__") if PACKAGE in name]
    assert ours == [f"{PACKAGE}.lazy.lazy_submodules"]


def test_every_layer_has_its_place():
    layers = {name_of(file).split(".")[1] for file in TREES} - {"__init__"}
    assert layers <= set(MAY_IMPORT)
    assert layers >= {"spectral", "data", "phantoms", "transforms", "networks", "handlers", "bundle"}


def test_the_table_has_no_circle():
    reached = {}
    for layer in MAY_IMPORT:
        found, ahead = set(), set(MAY_IMPORT[layer])
        while ahead:
            found |= ahead
            ahead = set().union(*(MAY_IMPORT[name] for name in ahead)) - found
        reached[layer] = found
    assert [layer for layer, found in reached.items() if layer in found] == []


def said_public(module: ast.Module) -> list[ast.expr]:
    """Values assigned to ``__all__``."""
    return [
        node.value
        for node in module.body
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["__all__"]
    ]


def test_every_module_says_what_is_public():
    assigned = {name_of(file): said_public(tree) for file, tree in TREES.items()}
    assert {name: len(values) for name, values in assigned.items() if len(values) != 1} == {}
    assert [name for name, values in assigned.items() if not isinstance(values[0], (ast.List, ast.Tuple))] == []


def test_public_names_are_in_all():
    missing = {}
    for file, tree in TREES.items():
        named = {node.name for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
        said = {node.value for value in said_public(tree) for node in ast.walk(value) if isinstance(node, ast.Constant)}
        missing[name_of(file)] = {name for name in named if not name.startswith("_")} - said
    assert {name: names for name, names in missing.items() if names} == {}


def test_a_package_offers_no_name_of_a_module():
    """Otherwise the order of imports decides what ``pkg.name`` is, and for MONAI the version of Python."""
    shared = {}
    for package in (file for file in TREES if file.name == "__init__.py"):
        imports = (node for node in TREES[package].body if isinstance(node, ast.ImportFrom))
        offered = {alias.asname or alias.name for node in imports for alias in node.names if node.module}
        shared[name_of(package)] = offered & {path.stem for path in package.parent.iterdir()}
    assert {name: names for name, names in shared.items() if names} == {}


def test_no_module_is_too_long():
    lengths = {name_of(file): len(source.splitlines()) for file, source in SOURCES.items()}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}
