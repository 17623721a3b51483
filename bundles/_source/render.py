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

from monai_freq.bundle.settings import DATA, NETWORK

SOURCE = Path(__file__).parent
WORKFLOWS = ("train", "evaluate", "inference")
OVERLAYS = ("multi_gpu_train", "paper", "patches")
#: what MONAI looks for, and what the call in ``initialize`` reads besides
ROOTS = ["imports", "bundle_root", "dataset_dir", "initialize", "run", "finalize", "validate"]
ROOTS += [*NETWORK, "threads", "may_differ"]
#: what is no setting, though it is no component either
MACHINERY = ("imports", "network", "network_def", "weights", "initialize", "run", "finalize")

Config = dict[str, Any]


def render(task_file: Path, bundle: Path) -> None:
    """Write the whole bundle of one task."""
    task = json.loads(task_file.read_text())
    task["name"] = task_file.stem
    task["settings"] = {"bundle_root": f"$bundle.find_bundle({task_file.stem!r})"} | task["settings"]
    family = [SOURCE / name for name in task["family"]]
    configs, docs = bundle / "configs", bundle / "docs"
    for folder in (configs, docs):
        folder.mkdir(parents=True, exist_ok=True)
    for workflow in WORKFLOWS:
        templates = [*_existing(family, "common"), *_existing(family, workflow)]
        merged = _changed(ConfigParser.load_config_files(templates), task["settings"] | task.get(workflow, {}))
        if workflow != "train":
            _take_from_training(merged)
        _export(_settings_first(_referred_to(merged)), configs / f"{workflow}.json")
    for overlay in OVERLAYS:
        if changes := _merged(family, overlay) | task.get(overlay, {}):
            _export(changes, configs / f"{overlay}.json")
    _export(_metadata(task, family), configs / "metadata.json")
    shutil.copy(SOURCE / "logging.conf", configs / "logging.conf")
    shutil.copy(SOURCE.parent.parent / "LICENSE", bundle / "LICENSE")
    (docs / "README.md").write_text(Template((family[-1] / "README.md").read_text()).substitute(_words(task, configs)))
    (docs / "data_license.txt").write_text(task["docs"]["data_license"] + "\n")


def _take_from_training(config: Config) -> None:
    """Let a setting that is not given be the training's; one that is given takes the place of this and is compared."""
    naming = [name for name in NETWORK + DATA if re.search(rf"@{name}\b", config["output_dir"])]
    for name in NETWORK + DATA:
        if name in naming:  # the record lies in the folder that it names, so it is there when it is given alone
            _take_by_folder(config, name)
        elif name in config and not _is_component(config[name]):
            config[name] = _taken(name, config[name])
    if "phantoms" in config:
        config["phantoms"] = {one: _completed("phantom", default) for one, default in config["phantoms"].items()}
    config["output_dir"] = f"$bundle.results_folder(@checkpoint, {config['output_dir'][1:]})"
    for part in ("backbone", "intensity"):
        if part in config:
            config[part] = _component(f"@settings.get('{part}')", config[part])
    for part in ("artifacts", "otherwise"):
        if part in config:
            recorded = f"@settings.get('{part}', {{{{}}}}).get('{{}}')"
            config[part] = {n: _component(recorded.format(n), one) for n, one in config[part].items()}


def _take_by_folder(config: Config, name: str) -> None:
    default, folder = config[name], config["output_dir"]
    for key in config:
        config[key] = _replaced(config[key], name, f"@settings.get('{name}', {default!r})")
    config["output_dir"] = re.sub(rf"@{name}\b", f"({default!r} if @{name} is None else @{name})", folder)
    config["settings"][name] = f"@{name}"
    config[name] = None


def _replaced(value: Any, name: str, expression: str) -> Any:
    """A part of a configuration with an expression in place of each reference."""
    if isinstance(value, dict):
        return {key: _replaced(part, name, expression) for key, part in value.items()}
    if isinstance(value, list):
        return [_replaced(part, name, expression) for part in value]
    if value == f"@{name}":
        return f"${expression}"
    return re.sub(rf"@{name}\b", expression, value) if isinstance(value, str) else value


def _taken(name: str, default: Any) -> Any:
    if isinstance(default, dict):
        return _completed(name, default)
    expression = default[1:] if str(default).startswith("$") else repr(default)
    return f"$@settings.get('{name}', {expression})"


def _component(recorded: str, default: Config) -> Config:
    own = default | {"_mode_": "callable"}
    return {"_target_": "monai_freq.bundle.trained_component", "recorded": f"${recorded}", "default": own}


def _completed(key: str, default: Config) -> Config:
    return {"_target_": "monai_freq.bundle.completed", "recorded": f"$@settings.get('{key}', {default!r})"}


def _referred_to(config: Config) -> Config:
    """Without what nothing refers to, as the training's part of a common template in an evaluation."""
    found, ahead = set(), set(ROOTS) & set(config)
    while ahead:
        found |= ahead
        text = json.dumps([config[key] for key in ahead])
        ahead = (set(re.findall(r"@(\w+)", text)) & set(config)) - found
    return {key: value for key, value in config.items() if key in found}


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
    named = {"name": task["name"]} | labels | task["metadata"]
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
    files = [configs / f"{name}.json" for name in ("train", "paper", "patches")]
    values = {file.stem: json.loads(file.read_text()) for file in files if file.is_file()}
    numbers = {
        f"{file}_{key}": _shown(value)
        for file, config in values.items()
        for key, value in (values["train"] | config).items()
        if not _is_machinery(key, value)
    }
    return numbers | task["docs"] | {"name": task["name"]}


def _shown(value: object) -> str:
    return json.dumps(value, separators=(",", ":")).strip('"')


def _settings_first(config: Config) -> Config:
    """Plain values before components: what a user changes is at the top of the file."""
    plain = {key: value for key, value in config.items() if not _is_machinery(key, value)}
    return plain | config


def _is_machinery(key: str, value: object) -> bool:
    """Components, groups of them, and what is done with them; a setting that a training completes is none."""
    text = json.dumps(value).replace('"_target_": "monai_freq.bundle.completed"', "")
    return key in MACHINERY or '"_target_"' in text


def _is_component(value: object) -> bool:
    return isinstance(value, dict) and "_target_" in value


def _export(config: Config, path: Path) -> None:
    ConfigParser.export_config_file(config, path, indent=4)
    path.write_text(path.read_text() + "\n")


def main(target: Path) -> None:
    """Render all tasks into a folder of bundles."""
    for task_file in sorted((SOURCE / "tasks").glob("*.json")):
        render(task_file, target / task_file.stem)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else SOURCE.parent)
