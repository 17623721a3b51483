"""Builds of monai_freq side by side: today's, and one of an earlier commit under a name of its own."""

from __future__ import annotations

import atexit
import importlib
import importlib.util
import io
import itertools
import os
import subprocess
import sys
import tarfile
import tempfile
from argparse import ArgumentTypeError
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

__all__ = ["REFERENCE", "TODAY", "Build", "earlier"]

#: The commit with which the promised speed-ups compare; the history of this repository holds it.
REFERENCE = "6c743e8"
_ROOT = Path(__file__).parents[1]
_PACKAGE = "monai_freq"
_NUMBERS = itertools.count()


class Build:
    """A checkout, whose modules and commands can be measured beside those of another one.

    Args:
        folder: the checkout.
        commit: its commit, if git cannot tell.
    """

    def __init__(self, folder: Path, commit: str = "") -> None:
        self.folder = folder
        self.commit = commit or _commit(folder)
        self.name = f"commit {self.commit}"
        self._alias = f"{_PACKAGE}_build_{next(_NUMBERS)}"  # two builds can be of one commit

    def module(self, name: str) -> ModuleType:
        """Module of the package, such as ``spectral.bands``, which leaves that of the running build as it is.

        The package is imported under another name: its own imports are relative, and thus stay within the build.
        """
        if self._alias not in sys.modules:
            start = self.folder / _PACKAGE / "__init__.py"
            within = [str(start.parent)]
            spec = importlib.util.spec_from_file_location(self._alias, start, submodule_search_locations=within)
            if spec is None or spec.loader is None:
                raise ImportError(f"{start} cannot be imported.")
            sys.modules[self._alias] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[self._alias])
        return importlib.import_module(f"{self._alias}.{name}")

    def run(self, words: Sequence[str], variables: dict[str, str] | None = None) -> str:
        """Output of ``python`` with these words, in the checkout and with its package."""
        environment = {**os.environ, "PYTHONPATH": str(self.folder), **(variables or {})}
        command = [sys.executable, *words]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            said = f"{done.stdout[-1000:]}{done.stderr[-3000:]}"
            raise RuntimeError(f"{' '.join(command)} failed in {self.folder}:\n{said}")
        return done.stdout


def earlier(where: str) -> Build:
    """Build of a checkout's folder, or of a commit in the history of this repository."""
    if (Path(where) / _PACKAGE / "__init__.py").exists():
        return Build(Path(where).resolve())
    found = _git(_ROOT, "rev-parse", "--short=7", "--verify", "--quiet", f"{where}^{{commit}}")
    if not found:
        raise ArgumentTypeError(f"'{where}' is neither a folder with a checkout nor a commit of this repository.")
    folder = tempfile.TemporaryDirectory(prefix=f"{_PACKAGE}-{found}-")
    archive = subprocess.run(["git", "archive", found], cwd=_ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder.name, filter="data")
    atexit.register(folder.cleanup)
    return Build(Path(folder.name), found)


def _commit(folder: Path) -> str:
    """Commit of a checkout, with a plus if its package or its bundles are not as committed."""
    changed = _git(folder, "status", "--porcelain", "--", _PACKAGE, "bundles")
    return (_git(folder, "rev-parse", "--short=7", "HEAD") or "unknown") + ("+" if changed else "")


def _git(folder: Path, *words: str) -> str:
    """Output of git, or nothing where git or the history is missing."""
    try:
        return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""


TODAY = Build(_ROOT)
