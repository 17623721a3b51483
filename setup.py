"""What setup.cfg cannot say: the bundles, which lie beside the package in the repository, are installed inside it."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

BUNDLES = Path(__file__).parent / "bundles"
FILES = ("LICENSE", "configs/*", "docs/*")


class BuildWithBundles(build_py):
    """Add ``monai_freq/bundles/<name>`` to what is built, without what runs have left beside them."""

    def run(self) -> None:
        """Build, and copy; an editable installation finds them in the repository."""
        super().run()
        for source, built in {} if self.editable_mode else self._bundled().items():
            built.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, built)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Name all files that are built."""
        own = [] if self.editable_mode else [str(built) for built in self._bundled().values()]
        return [*super().get_outputs(include_bytecode), *own]

    def _bundled(self) -> dict[Path, Path]:
        folder = Path(self.build_lib, "monai_freq", "bundles")
        found = [file for pattern in FILES for file in BUNDLES.glob(f"[!_]*/{pattern}")]
        return {file: folder / file.relative_to(BUNDLES) for file in found}


setup(cmdclass={"build_py": BuildWithBundles})
