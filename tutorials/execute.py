"""Execute the notebooks in place, so that what they show is what they give.

python tutorials/execute.py [NAME ...]
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent


def execute(file: Path) -> nbformat.NotebookNode:
    """Run a notebook in a kernel of its own, from its first cell on.

    Args:
        file: the notebook, which is left as it is.

    Raises:
        CellExecutionError: a cell ended with an error.
    """
    notebook = nbformat.read(file, as_version=4)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of an earlier execution
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(file.parent)}},
        coalesce_streams=True,  # progress bars as they were last
        record_timing=False,
    )
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return client.execute()


def main(names: list[str]) -> None:
    """Execute the notebooks of these names, or all."""
    for file in sorted(FOLDER.glob("*.ipynb")):
        if names and not any(name in file.name for name in names):
            continue
        begin = time.perf_counter()
        notebook = execute(file)
        aside = file.with_suffix(".aside")
        nbformat.write(notebook, aside)
        aside.replace(file)
        print(f"{file.name}: {time.perf_counter() - begin:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
