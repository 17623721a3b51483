"""What the README and the documentation show works as it is written.

Python blocks run, each alone. Of a shell block, every file, option, setting, target and extra that it names has to be
there. The slow tests run the commands too, on copies of the bundles that are cut down to one epoch of small images.
"""

import configparser
import importlib.util
import inspect
import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import monai.bundle
import nibabel
import numpy as np
import pytest
from dicom_files import write_exams, write_series_dataset
from documents import PAGES, ROOT, blocks, checkout, config_of, read, settings_of, words_of
from running import environment

from monai_freq import __main__ as bundles_command
from monai_freq import phantoms
from monai_freq.data import read_decathlon
from monai_freq.study.__main__ import parser as study_parser
from monai_freq.transforms import __all__ as TRANSFORMS

#: trainings, which take long
SLOW = [("docs/own_classifier.md", 1)]
#: blocks that need what the commands before them have left; test_deployment_pages.py follows these pages
FOLLOWED = [("docs/export.md", number) for number in range(3)] + [("docs/model_hub.md", number) for number in range(4)]
FOLLOWED += [("docs/audit.md", 1)]  # by tests/audit/test_page.py
#: followed in an environment of its own, by tests/nnunet/test_trainers.py
ELSEWHERE = ["docs/nnunet.md"]
PYTHON = [
    pytest.param(page, number, marks=[pytest.mark.slow] if (page, number) in SLOW else [])
    for page in PAGES
    if page not in ELSEWHERE
    for number in range(len(blocks(page, "python")))
    if (page, number) not in FOLLOWED
]
#: languages of blocks; one of no language is a picture of folders, not to be typed
KNOWN = {"python", "bash", "json", "math", "{eval-rst}", ""}

# MONAI's warning about any configuration that is read in this process
pytestmark = pytest.mark.filterwarnings("ignore:parsing config_file:UserWarning")


@pytest.mark.parametrize(("page", "number"), PYTHON)
def test_python_blocks_run_alone(page, number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if page == "docs/own_data.md":
        own_data("MyAtria", "heart", cases=2)
        Path("MyAtria/dataset.json").unlink()
    if page == "docs/dicom.md":
        series_data("MyCT", cases=1)
    exec(compile(blocks(page, "python")[number].text, f"{page}, block {number}", "exec"), {})
    if page == "docs/own_data.md":
        assert len(read_decathlon("MyAtria").training) == 2


def test_the_spectrum_check_is_right_on_files_of_several_sizes(tmp_path, capsys):
    """White noise whose size tells the label, but no frequency, in 2D and in 3D; then with two kernels."""
    text = blocks("docs/own_classifier.md", "python")[0].text
    made, check = text.index("generator ="), text.index("spectra, labels =")
    loading = 'Dataset(items, LoadImaged("image", ensure_channel_first=True))'
    assert text.count("Dataset(items)") == 1
    text = "from monai.transforms import LoadImaged\n" + text[:made] + text[check:].replace("Dataset(items)", loading)
    random = np.random.default_rng(0)
    for shapes in (((24, 24), (48, 32)), ((12, 12, 9), (20, 16, 20))):
        aucs = []
        for kernel in (1, 3):
            items = []
            for number in range(60):
                volume = random.normal(size=shapes[number % 2]).astype(np.float32)
                if number % 2 and kernel > 1:
                    volume = sum(np.roll(volume, shift, 0) for shift in (-1, 0, 1)) / 3
                items.append({"image": str(tmp_path / f"{number}.nii.gz"), "label": number % 2})
                nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), items[-1]["image"])
            exec(compile(text, "docs/own_classifier.md", "exec"), {"items": items})
            aucs.append([float(line.split()[-1]) for line in capsys.readouterr().out.splitlines()])
        assert all(0.3 < auc < 0.7 for auc in aucs[0])
        assert aucs[1][0] > 0.9
        assert aucs[1][2] < 0.1


def own_data(folder, task, cases):
    """A reader's data set."""
    phantoms.write_phantom(task, "written", cases=cases, test_cases=1, size=(16, 16, 16)).rename(folder)


def series_data(folder, cases):
    """A reader's data set of DICOM series."""
    pytest.importorskip("highdicom")
    own_data("written_as_nifti", "spleen", cases)
    write_series_dataset(Path("written_as_nifti"), Path(folder))


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_names_exists(page):
    folder = (ROOT / page).parent
    text = re.sub(r"```.*?```", "", read(page), flags=re.DOTALL)
    for path in re.findall(r"\]\((?!http|#)([^)#]+)", text):
        assert (folder / path).exists(), path
    for path in re.findall(r"`((?:docs(?!/data_license)|tests|benchmarks|monai_freq|bundles)/[\w/.]+\.\w+)`", text):
        assert (ROOT / path).exists() or "my_" in path or "/runs/" in path, path


def test_pages_have_blocks_of_known_languages():
    assert len(PYTHON) >= 10
    for page in PAGES:
        fences = re.findall(r"^\s*```(.*)$", read(page), flags=re.MULTILINE)
        assert set(fences) <= KNOWN, page
        assert len(fences) == 2 * len(blocks(page)), page


def test_json_blocks_are_json():
    for page in PAGES:
        for block in blocks(page, "json"):
            json.loads(block.text)


def test_shell_blocks_can_be_pasted_into_any_shell():
    for page in PAGES:
        for block in blocks(page, "bash"):
            # an interactive zsh takes a comment for words, and may take a number sign in a word for a pattern
            assert "#" not in re.sub(r'"[^"]*"', "", block.text), page
            assert "<" not in block.text, page


def test_every_transform_has_its_picture():
    drawn = {picture.stem.replace("_", "") for picture in (ROOT / "docs/images/transforms").glob("*.png")}
    transforms = set(TRANSFORMS) - {"StaticShortcutd", "Keyed", "RandKeyed", "artifact_psd"}
    transforms -= {"AlignedResize", "AlignedResized"}  # the result has another size: there is no residual to draw
    transforms -= {"LoadSlice", "LoadSliced", "LoadVolume", "LoadVolumed"}  # what they take is an address
    assert {name.removeprefix("Rand").removesuffix("d").lower() for name in transforms} <= drawn


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "bash")])
def test_commands_name_what_is_there(page, tmp_path, monkeypatch):
    home = checkout(tmp_path) / (Path(page).parent.parent if page.startswith("bundles/") else ".")
    monkeypatch.chdir(home)
    for block in blocks(page, "bash", "json"):
        if block.language == "bash":
            for command in block.commands:
                check(command)
        elif block.file:
            save(block)


def save(block):
    Path(block.file).parent.mkdir(parents=True, exist_ok=True)
    Path(block.file).write_text(block.text)


def check(command):
    """Refuse a command that names what is not there, and run it where that takes no time."""
    words = words_of(command)
    starts = [start for start in CHECKS if words[: len(start.split())] == start.split()]
    assert starts, f"say in CHECKS what is to be there for: {command}"
    longest = max(starts, key=len)
    CHECKS[longest](words[len(longest.split()) :])


def check_bundle(words):
    if "published/" in " ".join(words):  # what the page makes before
        return
    config, ids = config_of(words)
    for name in ids:
        assert name in config, f"the configuration has no {name}"


def check_processes(words):
    assert words[0] == "--nproc_per_node"
    assert words[2:5] in (["-m", "monai.bundle", "run"], ["-m", "monai_freq", "run"])
    check_bundle(words[5:])


def check_study(words):
    arguments = vars(study_parser().parse_args(words))
    for bundle in arguments.get("bundles") or arguments.get("targets") or []:
        settings = settings_of(bundle)
        for setting in arguments.get("set", []):
            assert "=" not in setting or re.split("[=#]", setting)[0] in settings, setting
        if arguments.get("overlay"):
            assert Path(bundle, f"configs/{arguments['overlay']}.json").is_file()


def check_bundle_command(name):
    """Check of a command of MONAI's on a bundle: its files, as far as nothing has to be made first, and its options."""

    def check_words(words):
        given = words[words[0] == "network_def" :]
        options = dict(zip(given[::2], given[1::2], strict=True))
        known = {f"--{option}" for option in (*inspect.signature(getattr(monai.bundle, name)).parameters, "checkpoint")}
        assert set(options) <= known
        for option, file in options.items():
            if option in ("--config_file", "--meta_file") and not file.startswith("published/"):
                check_files([file])

    return check_words


def check_targets(words):
    makefile = Path("Makefile").read_text()
    targets = re.findall(r"^([a-z][\w-]*):", makefile, flags=re.MULTILINE)
    variables = re.findall(r"^([A-Z]+) [:?]=", makefile, flags=re.MULTILINE)
    asked = [word for word in words if "=" not in word]
    assert asked
    assert set(asked) <= set(targets)
    assert {word.partition("=")[0] for word in words if "=" in word} <= set(variables)
    for task in Path("bundles/_source/tasks").glob("my_*.json") if "bundles" in words else ():
        render(task)


def render(task):
    """What ``make bundles`` does for one task."""
    spec = importlib.util.spec_from_file_location("render", "bundles/_source/render.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.render(task.absolute(), Path("bundles", task.stem).absolute())


def check_installed(words):
    setup = configparser.ConfigParser()
    setup.read("setup.cfg")
    what, extras = re.fullmatch(r"(\.|monai_freq)(?:\[(.+)\])?", words[-1]).groups()
    assert set(words[:-1]) <= {"--editable"}
    assert set((extras or "").split(",")) <= {"", *setup["options.extras_require"]}, what


def check_files(words):
    assert words
    assert all(Path(word).exists() for word in words)


def check_tests(words):
    check_files([word.partition("::")[0] for word in words if "/" in word])


def check_nnunet(words):
    """A trainer that is named is one of ours, or one that the page defines."""
    named = [following for word, following in itertools.pairwise(words) if word == "-tr"]
    defined = read("monai_freq/nnunet/trainers.py") + read("docs/nnunet.md")
    assert all(f"class {name}(" in defined for name in named), named


def check_logs(words):
    assert words[0] == "--logdir"
    assert len(words) == 2


def check_environment(words):
    assert words == [".venv/bin/activate"]  # which `make` sets up


#: commands of MONAI's on bundles
OF_BUNDLES = ("ckpt_export", "onnx_export", "push_to_hf_hub", "verify_metadata", "verify_net_in_out")
#: beginning of a command -> what has to be there for the rest of it
CHECKS = {
    "python -m monai.bundle run": check_bundle,
    **{f"python -m monai.bundle {name}": check_bundle_command(name) for name in OF_BUNDLES},
    "python -m monai_freq": bundles_command.main,  # run
    "python -m monai_freq run": check_bundle,
    "python -m monai_freq audit": lambda words: bundles_command.parser().parse_args(["audit", *words]),
    "python -m monai_freq.study": check_study,
    "python": lambda words: check_files(words[:1]),
    "python -m pytest": check_tests,
    ".venv/bin/python -m pytest": check_tests,
    "sh": lambda words: check_files(words[:1]),
    "torchrun": check_processes,
    "make": check_targets,
    "pip install": check_installed,
    "source": check_environment,
    "tensorboard": check_logs,
    "export": lambda words: None,
    "nnUNetv2_convert_MSD_dataset": lambda words: None,
    "nnUNetv2_plan_and_preprocess": lambda words: None,
    "nnUNetv2_train": check_nnunet,
    "nnUNetv2_predict": check_nnunet,
}


#: pages that are followed one after the other in one folder; the same command is made once
READINGS = [
    ["README.md", "docs/study.md", "docs/transfer.md", "docs/results/hippocampus.md"],
    ["docs/tutorial.md", "docs/own_data.md", "docs/add_transforms.md", "docs/bundles.md", "docs/watch_training.md"],
    ["docs/dicom.md"],
]
#: not run here: what needs a network, a GPU, weights or hours, or does not end. Of CONTRIBUTING.md, `make` is what runs
#: this test; the bundles' pages are run by test_bundles.py and test_classification_bundles.py, with torchrun.
NOT_RUN = r"pip install|python -m monai_freq audit|tensorboard|source|make (?!heart|bundles)|.*--gpus"
#: lengths that a page gives, and what they are here
SHORTER = {
    r"--epochs \d+": "--epochs 1",
    r"--draws \d+": "--draws 1",
    r"--folds \d+": "--folds 1",
    r"--sizes 4 8": "--sizes 4 --arms early",
    r"random imagenet radimagenet": "random imagenet",
    r'"phantom#exams=400"': '"phantom#exams=24" "phantom#size=64"',
    r"folds#train=200": "folds#train=12",
    r"folds#val=60": "folds#val=4",
    r"folds#test=140": "folds#test=8",
    r"--val_cases 42 --test_cases 52": "--val_cases 2 --test_cases 2",
}
GRID = [32, 32, 16]
SMALL = {
    "source_pretrain": {
        "image_size": [32, 32],
        "phantoms": {
            "imagenet": {"images": 4, "size": 32},
            "radimagenet": {"train": 24, "validation": 12, "test": 12, "size": 32},
        },
    },
    "lodopab_transfer": {
        "image_size": [48, 48],
        "folds": {"train": 24, "val": 8, "test": 8, "folds": 2},
        "phantom": {"train": 24, "validation": 8, "test": 8, "size": 48},
    },
    "kneemri_transfer": {
        "image_size": [64, 64],
        "folds": {"train": 12, "val": 4, "test": 8, "folds": 2},
        "phantom": {"exams": 24, "size": 64},
    },
    "hippocampus_fd": {"image_size": GRID, "phantom": {"size": GRID, "cases": 10}, "val_cases": 2, "test_cases": 2},
}


@pytest.mark.slow
@pytest.mark.parametrize("pages", READINGS, ids=["studies", "own data", "DICOM"])
def test_a_reader_can_follow_the_pages(pages, tmp_path, monkeypatch):
    monkeypatch.chdir(checkout(tmp_path))
    Path(".venv").symlink_to(sys.prefix)
    (tmp_path / "data").mkdir()
    if pages == ["docs/dicom.md"]:
        series_data("MyCT", cases=4)
        write_exams("MyExams", patients=8)
    own_data("data/Task02_Heart", "heart", cases=12)
    own_data("data/Task04_Hippocampus", "hippocampus", cases=8)
    own_data("MyKidneys", "hippocampus", cases=6)
    cut_down()
    made = set()
    for block in (block for page in pages for block in blocks(page, "python", "bash", "json")):
        if block.language == "python":
            exec(compile(block.text, block.page, "exec"), {})
        elif block.file:
            save(block)
        for command in block.commands if block.language == "bash" else ():
            if command not in made and not re.match(NOT_RUN, command):
                follow(command, tmp_path)
            made.add(command)


def cut_down():
    """Make an epoch of small images of what a bundle does."""
    for file in [*Path("bundles").glob("[!_]*/configs/*.json"), *Path().glob("my_*/configs/*.json")]:
        config = json.loads(file.read_text())
        small = SMALL.get(file.parts[-3], {"image_size": GRID, "phantom": {"size": GRID}})
        replace(config, small | {"epochs": 1})
        file.write_text(json.dumps(config))


def replace(config, values):
    for key in config.keys() & values.keys():
        if isinstance(values[key], dict) and isinstance(config[key], dict):
            replace(config[key], values[key])
        else:
            config[key] = values[key]


def follow(command, folder):
    """Run a command as a shell does."""
    for written, shorter in {**SHORTER, "/data/": f"{folder}/data/"}.items():
        command = re.sub(written, shorter, command)
    command = re.sub("^make ", "make --assume-old=.venv/.installed ", command)  # install nothing
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    variables = environment(PATH=path, MONAI_FREQ_CACHE=str(folder / "cache"))
    done = subprocess.run(["bash", "-c", command], env=variables, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-3000:]}"
    if re.search("make .*bundles| copy ", command):
        cut_down()
