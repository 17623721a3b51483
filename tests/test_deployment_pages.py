"""The pages on export and on model hubs, followed from a training to files that others run."""

import json
import multiprocessing
import os
import runpy
import shutil
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from documents import ROOT, blocks, checkout, words_of
from monai.bundle import ConfigParser, push_to_hf_hub, scripts
from running import environment

# MONAI's about any configuration that is read in this process, and those of exporters
pytestmark = pytest.mark.filterwarnings(
    "ignore:parsing config_file:UserWarning",
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::UserWarning:onnxscript",
    "ignore:No hash value provided:UserWarning",  # of a zip file
)

SMALL = ' --epochs 1 --val_cases 1 --test_cases 1 --image_size "[32,32,16]" --theta "[0.2,0.3]"'
SMALL += ' --phantom#cases 4 --phantom#size "[32,32,16]"'


@pytest.mark.slow
def test_a_reader_can_export_and_publish_a_trained_bundle(tmp_path, monkeypatch):
    monkeypatch.chdir(checkout(tmp_path))
    Path(".venv").symlink_to(sys.prefix)
    shutil.copy(ROOT / "tests/meta_schema.json", "schema.json")
    made = set()
    for block in (
        block for page in ("docs/export.md", "docs/model_hub.md") for block in blocks(page, "python", "bash")
    ):
        if block.language == "python":
            exec(compile(block.text, block.page, "exec"), {})
        for command in block.commands if block.language == "bash" else ():
            if command not in made and not command.startswith(("pip", "python -m monai.bundle push_to_hf_hub")):
                follow(command + (SMALL if "train.json" in command else ""))
            made.add(command)
    models = Path("my_heart/runs/early/models")
    network = network_of("my_heart", models / "model.pt")
    assert network.theta == network_of("published/heart_fd", models / "model.pt").theta == (0.2, 0.3)
    traced, uploaded = torch.jit.load(models / "model.ts"), torch.jit.load("published/heart_fd/models/model.ts")
    for size in ((64, 64, 32), (40, 48, 24)):
        image = torch.rand(1, 1, *size)
        torch.testing.assert_close(traced(image), network(image))
        torch.testing.assert_close(uploaded(image), network(image))
        runs_as_onnx(models / "model.onnx", image, network(image))
    image = torch.rand(1, 1, 64, 64, 32)
    runs_as_onnx(models / "model_64x64x32.onnx", image, network(image))
    assert {name.split("/")[0] for name in zipfile.ZipFile("heart_fd.zip").namelist()} == {"heart_fd"}
    assert not any(name.endswith((".nii.gz", "/.cache/")) for name in zipfile.ZipFile("heart_fd.zip").namelist())
    assert list(Path("checked").rglob("*.nii.gz"))
    assert not list(Path("published").rglob("previous"))
    pushed(monkeypatch)


def follow(command):
    """Run a command in a child of a process that has all libraries from the start."""
    python, module, name, *words = words_of(command)
    assert (python, module) == ("python", "-m")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["monai.bundle", "monai.engines", "monai.handlers", "monai_freq.bundle"])
    process = context.Process(target=run_module, args=(name, words, os.getcwd()))
    process.start()
    process.join(600)
    assert process.exitcode == 0, f"{command}\n{Path('said.txt').read_text()[-3000:]}"


def run_module(name, words, folder):
    os.chdir(folder)
    os.environ.update(environment())
    said = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    sys.argv = [name, *words]
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def network_of(folder, weights):
    parser = ConfigParser()
    parser.read_config(f"{folder}/configs/inference.json")
    parser["bundle_root"] = folder
    if folder == "my_heart":
        parser["checkpoint"] = str(weights)
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(weights, weights_only=True))
    return network.requires_grad_(False)


def runs_as_onnx(file, image, expected):
    session = pytest.importorskip("onnxruntime").InferenceSession(file)
    (result,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    torch.testing.assert_close(torch.from_numpy(result), expected, atol=1e-4, rtol=1e-4)


def pushed(monkeypatch):
    """MONAI's upload, up to the server: what it asks for, and the model card that it writes."""
    (command,) = (c for block in blocks("docs/model_hub.md", "bash") for c in block.commands if "push_to_hf_hub" in c)
    words = command.split()[4:]
    options = {option.removeprefix("--"): value for option, value in zip(words[::2], words[1::2], strict=True)}
    asked = {}

    class Server:
        def __init__(self, token):
            assert token is None

        def create_repo(self, repo_id, *, private, exist_ok):
            asked["repo"] = repo_id, private, exist_ok

        def upload_folder(self, repo_id, *, folder_path):
            asked["files"] = {path.relative_to(folder_path).as_posix() for path in Path(folder_path).rglob("*")}

        def create_tag(self, repo_id, *, tag, exist_ok):
            asked["tag"] = tag

    monkeypatch.setattr(scripts, "huggingface_hub", SimpleNamespace(HfApi=Server))
    push_to_hf_hub(**options)
    assert (asked["repo"], asked["tag"]) == (("me/heart_fd", True, True), "0.1.0")
    wanted = {"LICENSE", "README.md", "settings.json", "configs/metadata.json", "configs/inference.json"}
    assert asked["files"] >= wanted | {"models/model.pt", "docs/data_license.txt"}
    assert not asked["files"] & {"runs", "segmentations"}
    card = Path("published/heart_fd/README.md").read_text()
    assert card.startswith("---\ntags:\n- monai\n- medical\nlibrary_name: monai\nlicense: apache-2.0\n---")
    version = json.loads(Path("published/heart_fd/configs/metadata.json").read_text())["version"]
    assert version == options["version"]
