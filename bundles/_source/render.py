"""Render every bundle from the templates of its family and the file of its task.

Run ``python bundles/_source/render.py`` after a change in this folder; a test fails while the rendered files differ.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from string import Template

from monai.bundle import ConfigParser

SOURCE = Path(__file__).parent
WORKFLOWS = ("train", "evaluate", "inference")


def render(task_file: Path, bundle: Path) -> None:
    """Write the whole bundle of one task."""
    task = json.loads(task_file.read_text())
    family = SOURCE / task["family"]
    configs, docs = bundle / "configs", bundle / "docs"
    for folder in (configs, docs):
        folder.mkdir(parents=True, exist_ok=True)
    for workflow in WORKFLOWS:
        merged = ConfigParser.load_config_files([family / "common.json", family / f"{workflow}.json"])
        _export(_settings_first(merged | task["settings"]), configs / f"{workflow}.json")
    for overlay in ("multi_gpu_train", "paper"):
        content = json.loads((family / f"{overlay}.json").read_text()) | task.get(overlay, {})
        _export(content, configs / f"{overlay}.json")
    common = json.loads((SOURCE / "metadata.json").read_text())
    _export(common | task["metadata"], configs / "metadata.json")
    shutil.copy(SOURCE / "logging.conf", configs / "logging.conf")
    shutil.copy(SOURCE.parent.parent / "LICENSE", bundle / "LICENSE")
    text = Template((family / "README.md").read_text()).substitute(task["docs"], name=task["settings"]["name"])
    (docs / "README.md").write_text(text)
    (docs / "data_license.txt").write_text(task["docs"]["data_license"] + "\n")


def _settings_first(config: dict[str, object]) -> dict[str, object]:
    """Plain values before components: what a user changes is at the top of the file."""
    plain = {key: value for key, value in config.items() if not _is_machinery(key, value)}
    return plain | config


def _is_machinery(key: str, value: object) -> bool:
    if isinstance(value, dict):
        return "_target_" in value or any(isinstance(part, dict) for part in value.values())
    return key in ("imports", "initialize", "run", "finalize")


def _export(config: dict[str, object], path: Path) -> None:
    ConfigParser.export_config_file(config, path, indent=4)
    path.write_text(path.read_text() + "\n")


def main(target: Path) -> None:
    """Render all tasks into a folder of bundles."""
    for task_file in sorted((SOURCE / "tasks").glob("*.json")):
        render(task_file, target / task_file.stem)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE.parent)
