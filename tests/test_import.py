"""The package is light to import, and imports its parts on first use."""

import importlib.metadata
import json
import pkgutil
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import monai_freq
from monai_freq import spectral

ROOT = Path(__file__).parents[1]

HEAVY = {"torch", "monai", "numpy", "scipy", "ignite", "matplotlib", "nibabel"}
SUBMODULES = sorted(set(monai_freq.__all__) - {"__version__"})


def printed(code: str) -> list[str]:
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.split()


def test_the_root_imports_nothing_heavy():
    code = f"import sys, monai_freq; print(*sorted({HEAVY} & set(sys.modules)), monai_freq.__version__)"
    assert printed(code) == [monai_freq.__version__]


def test_an_editable_installation_is_found_from_the_folder_that_holds_the_checkout(tmp_path):
    """There, ``import monai_freq`` could mean the folder of the checkout, as a namespace: of no version, and empty."""
    pytest.importorskip("setuptools")
    checkout, site = tmp_path / "monai_freq", tmp_path / "site"
    shutil.copytree(ROOT / "monai_freq", checkout / "monai_freq", ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("setup.cfg", "setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, checkout)
    code = "from setuptools.build_meta import build_editable; print(build_editable('.'))"
    run = subprocess.run([sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True, check=True)
    zipfile.ZipFile(checkout / run.stdout.split()[-1]).extractall(site)
    code = f"import site; site.addsitedir({str(site)!r}); import monai_freq; print(monai_freq.__file__)"
    alone = [sys.executable, "-S", "-c", code]  # without what is installed
    found = subprocess.run(alone, cwd=tmp_path, env={}, capture_output=True, text=True, check=True).stdout.strip()
    assert found == str(checkout / "monai_freq/__init__.py")


def test_a_submodule_is_imported_by_its_attribute():
    code = "import sys, monai_freq; print(monai_freq.data.__name__, 'torch' in sys.modules)"
    assert printed(code) == ["monai_freq.data", "False"]


def test_every_submodule_is_an_attribute():
    for name in SUBMODULES:
        module = getattr(monai_freq, name)
        assert isinstance(module, ModuleType)
        assert module is sys.modules[f"monai_freq.{name}"]
        assert name in dir(monai_freq)


def test_public_names_exist_once():
    for name in SUBMODULES:
        module = getattr(monai_freq, name)
        assert len(set(module.__all__)) == len(module.__all__), name
        assert [public for public in module.__all__ if not hasattr(module, public)] == [], name


def test_every_module_of_spectral_is_listed():
    assert spectral.__all__ == dir(spectral) == [module.name for module in pkgutil.iter_modules(spectral.__path__)]


def test_no_module_of_spectral_imports_numba():
    """MONAI looks into every module of a package whose name begins with its own, and thereby imports all of these."""
    code = "import sys, monai_freq.spectral as s; [getattr(s, n) for n in s.__all__]; print('numba' in sys.modules)"
    assert printed(code) == ["False"]


def test_a_module_of_spectral_is_found_from_the_root():
    code = "import monai_freq; print(monai_freq.spectral.tomography.__name__, monai_freq.spectral.noise_sigma.__name__)"
    assert printed(code) == ["monai_freq.spectral.tomography", "monai_freq.spectral.noise_sigma"]


def test_an_unknown_attribute_is_refused():
    for package, name in ((monai_freq, "transformers"), (spectral, "tomograph")):
        with pytest.raises(AttributeError, match=f"module '{package.__name__}' has no attribute '{name}'"):
            getattr(package, name)


def test_the_version_is_that_of_the_installed_package():
    assert importlib.metadata.version("monai_freq") == monai_freq.__version__


def test_the_version_is_the_one_to_cite_and_that_of_the_bundles():
    root = Path(__file__).parent.parent
    cited = yaml.safe_load((root / "CITATION.cff").read_text())["version"]
    rendered = [json.loads(file.read_text())["version"] for file in root.glob("bundles/*/configs/metadata.json")]
    assert len(rendered) == 8
    assert {cited, *rendered} == {monai_freq.__version__}
