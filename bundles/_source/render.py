"""Render every bundle from the templates of its family and the file of its task.

Run ``python bundles/_source/render.py`` after a change in this folder; a test fails while the rendered files differ.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from string import Template
from typing import Any

from monai.bundle import ConfigParser

SOURCE = Path(__file__).parent
WORKFLOWS = ("train", "evaluate", "inference")
OVERLAYS = ("multi_gpu_train", "paper")
#: what a training records of its settings
RECORDED = ("trained_with", "divided_by", "edited_with")

Config = dict[str, Any]


def render(task_file: Path, bundle: Path) -> None:
    """Write the whole bundle of one task."""
    task = json.loads(task_file.read_text())
    task["settings"] = {"name": task_file.stem} | task["settings"]
    family = [SOURCE / name for name in task["family"]]
    configs, docs = bundle / "configs", bundle / "docs"
    for folder in (configs, docs):
        folder.mkdir(parents=True, exist_ok=True)
    for workflow in WORKFLOWS:
        templates = [*_existing(family, "common"), *_existing(family, workflow)]
        merged = _changed(ConfigParser.load_config_files(templates), task["settings"] | task.get(workflow, {}))
        if workflow != "train":
            _take_from_training(merged)
        _export(_settings_first(merged), configs / f"{workflow}.json")
    for overlay in OVERLAYS:
        content = _merged(family, overlay) | task.get(overlay, {})
        if "initialize" in content:
            content["initialize"] = [*content["initialize"], *_beyond_threads(configs / "train.json")]
        _export(content, configs / f"{overlay}.json")
    _export(_metadata(task, family), configs / "metadata.json")
    shutil.copy(SOURCE / "logging.conf", configs / "logging.conf")
    shutil.copy(SOURCE.parent.parent / "LICENSE", bundle / "LICENSE")
    (docs / "README.md").write_text(Template((family[-1] / "README.md").read_text()).substitute(_words(task, configs)))
    (docs / "data_license.txt").write_text(task["docs"]["data_license"] + "\n")


def _take_from_training(config: Config) -> None:
    """Let a setting that is not given be the training's; one that is given takes the place of this and is compared."""
    for table in (config[name] for name in RECORDED if name in config):
        for key, reference in table.items():
            if match := re.fullmatch(r"@(\w+)", str(reference)):
                _take(config, table, key, match[1])
            elif match := re.fullmatch(r"\$@(\w+)\[@[\w#]+\]", str(reference)):
                choices = config[match[1]]
                config[match[1]] = {choice: _completed(key, default) for choice, default in choices.items()}
    config["output_dir"] = f"$bundle.results_folder(@checkpoint, {config['output_dir'][1:]})"
    for part in ("backbone", "intensity"):
        if part in config:
            config[part] = _component(f"@settings.get('{part}')", config[part])
    if "artifacts" in config:
        recorded = "@settings.get('artifacts', {{}}).get('{}')"
        config["artifacts"] = {n: _component(recorded.format(n), one) for n, one in config["artifacts"].items()}


def _take(config: Config, table: Config, key: str, name: str) -> None:
    default = config[name]
    given = f"({default!r} if @{name} is None else @{name})"
    if re.search(rf"@{name}\b", config["output_dir"]):  # by what is given alone, as the record lies in this folder
        config["output_dir"] = re.sub(rf"@{name}\b", given, config["output_dir"])
        config[name] = None
        table[key] = f"$@settings.get('{key}', {default!r}) if @{name} is None else @{name}"
    elif isinstance(default, dict):
        config[name] = _completed(key, default)
    else:
        expression = default[1:] if str(default).startswith("$") else repr(default)
        config[name] = f"$@settings.get('{key}', {expression})"


def _component(recorded: str, default: Config) -> Config:
    own = default | {"_mode_": "callable"}
    return {"_target_": "monai_freq.bundle.trained_component", "recorded": f"${recorded}", "default": own}


def _completed(key: str, default: Config) -> Config:
    return {"_target_": "monai_freq.bundle.completed", "recorded": f"$@settings.get('{key}', {default!r})"}


def _beyond_threads(train: Path) -> list[str]:
    """What a training does first, but for its threads: of several processes, each has its own."""
    steps: list[str] = json.loads(train.read_text())["initialize"]
    return [step for step in steps if "set_num_threads" not in step]


def _existing(family: list[Path], name: str) -> list[Path]:
    """Files of a family, the more special later."""
    return [file for folder in family if (file := folder / f"{name}.json").is_file()]


def _merged(family: list[Path], name: str) -> Config:
    merged: Config = {}
    for file in _existing(family, name):
        merged |= json.loads(file.read_text())
    return merged


def _changed(config: Config, changes: Config) -> Config:
    """Configuration with settings of its task, of which ``a#b`` is one within another."""
    parser = ConfigParser(config)
    for key, value in changes.items():
        parser[key] = value
    content: Config = parser.get()
    return content


def _metadata(task: Config, family: list[Path]) -> Config:
    """The metadata common to all bundles, those of the family, and what follows from the task's settings."""
    shared = _merged(family, "metadata")
    networks = shared["network_data_format"]
    describe = _segmentation if task["family"][0] == "segmentation" else _classification
    labels = describe(task, networks["inputs"]["image"], networks["outputs"]["pred"])
    named = {"name": task["settings"]["name"]} | labels | task["metadata"]
    return json.loads((SOURCE / "metadata.json").read_text()) | named | shared


def _segmentation(task: Config, image: Config, pred: Config) -> Config:
    size, classes = task["settings"]["image_size"], task["settings"]["classes"]
    foreground = ", ".join(f"{number} is {name}" for number, name in classes.items() if number != "0")
    channels = ", ".join(f"channel {number} is {name}" for number, name in classes.items())
    image |= {"modality": task["docs"]["modality"], "spatial_shape": size}
    pred |= {"num_channels": len(classes), "spatial_shape": size, "channel_def": classes}
    return {
        "image_classes": "single channel data, intensity scaled to [0, 1]",
        "label_classes": f"single channel data, {foreground}, 0 is everything else",
        "pred_classes": f"{len(classes)} channels OneHot data, {channels}",
    }


def _classification(task: Config, image: Config, pred: Config) -> Config:
    classes = task["metadata"].pop("classes", None) or task["settings"]["classes"]
    image |= {"modality": task["docs"]["modality"], "spatial_shape": task["settings"]["image_size"]}
    pred |= {"num_channels": len(classes), "spatial_shape": [], "channel_def": classes}
    names = ", ".join(f"{number} is {name}" for number, name in classes.items())
    return {
        "image_classes": "single channel data, intensity scaled to [0, 1]",
        "label_classes": f"one number, {names}",
        "pred_classes": f"{len(classes)} logits, whose softmax is the probabilities: {names}",
    }


def _words(task: Config, configs: Path) -> dict[str, str]:
    """What the README of a bundle is filled with: the task's words, and the values in its rendered files."""
    values = {name: json.loads((configs / f"{name}.json").read_text()) for name in ("train", "paper")}
    numbers = {
        f"{file}_{key}": _shown(value)
        for file, config in values.items()
        for key, value in (values["train"] | config).items()
        if not _is_machinery(key, value)
    }
    return numbers | task["docs"] | {"name": task["settings"]["name"]}


def _shown(value: object) -> str:
    return json.dumps(value, separators=(",", ":")).strip('"')


def _settings_first(config: Config) -> Config:
    """Plain values before components: what a user changes is at the top of the file."""
    plain = {key: value for key, value in config.items() if not _is_machinery(key, value)}
    return plain | config


def _is_machinery(key: str, value: object) -> bool:
    """Components, tables of references, and what is done with them."""
    if isinstance(value, dict):
        parts = list(value.values())
        references = bool(parts) and all(isinstance(part, str) and part.startswith("@") for part in parts)
        return "_target_" in value or references or any(isinstance(part, dict) for part in parts)
    return key in ("imports", "initialize", "run", "finalize")


def _export(config: Config, path: Path) -> None:
    ConfigParser.export_config_file(config, path, indent=4)
    path.write_text(path.read_text() + "\n")


def main(target: Path) -> None:
    """Render all tasks into a folder of bundles."""
    for task_file in sorted((SOURCE / "tasks").glob("*.json")):
        render(task_file, target / task_file.stem)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE.parent)
