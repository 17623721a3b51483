"""The tree is the architecture: imports point one way, and every module is one idea that says what is public."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import monai_freq

ROOT = Path(monai_freq.__file__).parent
PACKAGE = ROOT.name

#: what bundles and studies stand on
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
BELOW |= {"handlers", "known_warnings", "lazy", "places"}
#: layer -> the layers it may import besides itself; whoever adds a layer decides where it stands
MAY_IMPORT = {
    "lazy": set(),
    "places": set(),
    "errors": {"quoting"},
    "seeding": {"lazy", "quoting"},
    "spectral": {"lazy", "quoting"},
    "figures": set(),
    "files": set(),
    "json_files": set(),
    "known_warnings": set(),
    "quoting": set(),
    "__main__": {"errors", "bundle", "known_warnings", "quoting"},
    "data": {"errors", "seeding", "files", "json_files", "quoting", "spectral"},
    "phantoms": {"errors", "data", "files", "json_files", "quoting"},
    "transforms": {"errors", "seeding", "quoting", "spectral", "data"},
    "networks": {"errors", "files", "quoting", "spectral"},
    "losses": {"errors", "quoting", "spectral"},
    "handlers": {"errors", "seeding", "spectral", "figures", "files", "places", "quoting", "data", "transforms"},
    "bundle": BELOW,
    "study": BELOW | {"bundle"},
}
MAX_LINES = 400  # where a module of one idea, its docstrings included, has become two

FILES = sorted(ROOT.rglob("*.py"))


def name_of(file: Path, root: Path = ROOT) -> str:
    """Dotted name of a module; a package's ``__init__`` keeps it, so that relative imports count from there."""
    return ".".join((root.name, *file.relative_to(root).with_suffix("").parts))


def imported(source: str, module: str) -> Iterator[str]:
    """Absolute names of everything that a module imports, wherever in its text."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: -node.level] if node.level else []
            base += node.module.split(".") if node.module else []
            yield from (".".join((*base, alias.name)) for alias in node.names)


def faults(source: str, module: str) -> list[str]:
    """Imports of a module that its layer does not allow."""
    parts = module.split(".")
    layer = parts[1]
    found = []
    for name in imported(source, module):
        top, *below = name.split(".")
        if top == PACKAGE:
            allowed = layer == "__init__" or (bool(below) and below[0] in {layer, *MAY_IMPORT[layer]})
        else:
            allowed = layer != "spectral" or top == "torch" or top in sys.stdlib_module_names
        if not allowed:
            found.append(f"{module} imports {name}")
    return found


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_imports_point_one_way(file):
    assert faults(file.read_text(), name_of(file)) == []


def test_the_root_imports_no_layer_but_what_finds_them():
    ours = [name for name in imported((ROOT / "__init__.py").read_text(), f"{PACKAGE}.__init__") if PACKAGE in name]
    assert ours == [f"{PACKAGE}.lazy.lazy_submodules"]


def test_every_layer_has_its_place():
    layers = {name_of(file).split(".")[1] for file in FILES} - {"__init__"}
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


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("spectral.bands", "import numpy as np"),
        ("spectral.bands", "from monai.data import MetaTensor"),
        ("spectral.bands", "from ..transforms import LowPass"),
        ("spectral.bands", "import monai_freq.transforms.fourier"),
        ("spectral.__init__", "from ..networks import FrequencyFusion"),
        ("transforms.fourier", "from .. import networks"),
        ("networks.frequency_fusion", "from ..transforms.fourier import LowPass"),
        ("handlers.checkpoints", "from ..bundle import check_config"),
        ("data.cases", "from monai_freq.phantoms import write_phantom"),
        ("data.cases", "from monai_freq import phantoms"),
        ("phantoms.heart", "from ..figures import three_planes"),
        ("figures", "from .data import DataError"),
        ("figures", "from . import bundle"),
        ("transforms.fourier", "import monai_freq"),
        ("transforms.fourier", "from monai_freq import __version__"),
        ("bundle.settings", "from ..study import run"),
        ("spectral.bands", "def late():\n    import scipy.ndimage"),
        ("spectral.bands", "if TYPE_CHECKING:\n    from numpy.typing import NDArray"),
    ],
)
def test_a_planted_import_is_caught(module, line):
    assert len(faults(f"import torch\n{line}\n", f"{PACKAGE}.{module}")) == 1


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("spectral.bands", "import math\nimport torch.nn.functional as F\nfrom .psd import radial_psd"),
        ("spectral.__init__", "from .bands import split"),
        ("transforms.fourier", "import numpy as np\nfrom ..spectral.bands import split\nfrom .keyed import Keyed"),
        ("handlers.case_report", "from ..figures import three_planes"),
        ("phantoms.heart", "from monai_freq.data import DataError"),
        ("bundle.segmentation", "from .. import phantoms\nfrom ..data import DataError"),
    ],
)
def test_an_import_along_the_arrows_passes(module, line):
    assert faults(f"{line}\n", f"{PACKAGE}.{module}") == []


def said_public(module: ast.Module) -> list[ast.expr]:
    """What is assigned to ``__all__``."""
    return [
        node.value
        for node in module.body
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["__all__"]
    ]


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_every_module_says_what_is_public(file):
    assigned = said_public(ast.parse(file.read_text()))
    assert len(assigned) == 1
    assert isinstance(assigned[0], (ast.List, ast.Tuple))


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_what_has_a_public_name_is_said_to_be_public(file):
    module = ast.parse(file.read_text())
    named = {node.name for node in module.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
    said = {node.value for value in said_public(module) for node in ast.walk(value) if isinstance(node, ast.Constant)}
    assert {name for name in named if not name.startswith("_")} <= said


@pytest.mark.parametrize("package", [file for file in FILES if file.name == "__init__.py"], ids=name_of)
def test_what_a_package_offers_has_no_module_of_its_name(package):
    """Where one has, ``pkg.name`` is the one or the other by what was imported, and to MONAI by Python's version."""
    imports = (node for node in ast.parse(package.read_text()).body if isinstance(node, ast.ImportFrom))
    offered = {alias.asname or alias.name for node in imports for alias in node.names if node.module}
    assert offered & {path.stem for path in package.parent.iterdir()} == set()


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_no_module_is_too_long(file):
    assert len(file.read_text().splitlines()) <= MAX_LINES
