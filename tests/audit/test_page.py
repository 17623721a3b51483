"""What docs/audit.md shows comes out as it says."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from documents import blocks
from running import environment


@pytest.mark.slow
def test_a_reader_can_follow_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for block in blocks("docs/audit.md", "python", "bash"):
        if block.language == "python":
            exec(compile(block.text, block.page, "exec"), {})
        for command in block.commands if block.language == "bash" else ():
            if not command.startswith("pip install"):
                done = subprocess.run(
                    ["bash", "-c", command], env=environment(PATH=path), capture_output=True, text=True, timeout=1800
                )
                assert done.returncode == 0, done.stderr[-2000:]
    audits = {name: json.loads(Path(name, "audit.json").read_text()) for name in ("audit_data", "audit_in_python")}
    audits |= {name: json.loads(Path(name, "audit.json").read_text()) for name in ("audit_pooling", "audit_dense")}
    verdicts = {name: audit["verdict"] for name, audit in audits.items()}
    assert verdicts == {
        "audit_data": "leak between groups",
        "audit_in_python": "leak found",
        "audit_pooling": "leak and used",
        "audit_dense": "leak, not seen to be used",
    }
    shift = {name: audit["counterfactual"]["difference"] for name, audit in audits.items() if "counterfactual" in audit}
    assert shift["audit_pooling"] > 0.3
    assert abs(shift["audit_dense"]) < 0.05
