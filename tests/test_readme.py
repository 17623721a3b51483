"""What the README shows works as it is written."""

import re
from pathlib import Path

import pytest

README = (Path(__file__).parent.parent / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_python_blocks_run_alone(number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(BLOCKS[number], f"README.md, block {number}", "exec"), {})


def test_there_are_blocks_and_every_file_it_names_exists():
    assert len(BLOCKS) >= 2
    root = Path(__file__).parent.parent
    named = re.findall(r"\]\((?!http)([^)#]+)\)", README) + re.findall(r"[\w/]+/configs/\w+\.json", README)
    assert named
    for path in named:
        assert (root / path).exists(), path


def test_shell_blocks_can_be_pasted_into_any_shell():
    for block in re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL):
        assert "#" not in block  # an interactive zsh takes it for a word
        assert "<" not in block
