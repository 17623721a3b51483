"""The notebooks run from their first cell to their last, and are committed as they run."""

import importlib.util
import shutil

import nbformat
import pytest
from running import ROOT

NOTEBOOKS = sorted((ROOT / "tutorials").glob("*.ipynb"))


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_six_in_the_table():
    table = (ROOT / "tutorials" / "README.md").read_text()
    assert len(NOTEBOOKS) == 6
    assert all(f"({notebook.name})" in table for notebook in NOTEBOOKS)


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_it_is_committed_as_executed(file):
    text = file.read_text()
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    assert [cell.execution_count for cell in code_cells(notebook)] == list(range(1, len(code_cells(notebook)) + 1))
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert "site-packages" not in text  # no warnings from the folders of whoever executed it
    assert len(text) < 1_500_000


@pytest.mark.slow
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_it_runs(file, tmp_path):
    spec = importlib.util.spec_from_file_location("execute", ROOT / "tutorials" / "execute.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    executed = module.execute(shutil.copy(file, tmp_path / file.name))
    assert all(cell.execution_count for cell in code_cells(executed))
    kinds = [[output.output_type for output in cell.outputs] for cell in code_cells(executed)]
    committed = code_cells(nbformat.read(file, as_version=4))
    assert [bool(kind) for kind in kinds] == [bool(cell.outputs) for cell in committed]
