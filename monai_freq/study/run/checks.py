"""What can be known before a study starts: whether its bundles, their settings and their data fit together."""

from __future__ import annotations

import base64
import io
import json
import math
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...bundle.setting_names import require_setting
from ...errors import UsageError, ending_readably
from ...json_files import parse_json, read_json
from ...quoting import reason_of
from .spec import Run

if TYPE_CHECKING:
    from monai.bundle import ConfigParser

__all__ = ["Look", "bundle_names", "fitted", "look_into", "opened"]

#: program that does nothing but look: it reads runs and prints what their bundles say
_LOOK = "from monai_freq.study.run.checks import _look_from_stdin; _look_from_stdin()"
#: keys of what must not be in two parts
_GROUPS = ("patient", "exam")
#: number of validations of a training of a given number of steps
_VALIDATIONS = 20


def bundle_names(folders: Sequence[str]) -> dict[str, str]:
    """Names of bundles, as their metadata give them -> their absolute folders.

    Args:
        folders: folders of the bundles.

    Raises:
        UsageError: there is no bundle, or two have the same name.

    Example:
        >>> import tempfile
        >>> from monai_freq.bundle.shipped_bundles import copy_bundle
        >>> folder = str(copy_bundle("heart_fd", Path(tempfile.mkdtemp(), "my_heart")).resolve())
        >>> bundle_names([folder]) == {"heart_fd": folder}
        True
    """
    found: dict[str, str] = {}
    for folder in map(Path, folders):
        name = _name(folder.resolve())
        if name in found:
            raise UsageError(f"{folder} and {found[name]} are both called {name}.\nGive each bundle once.")
        found[name] = str(folder.resolve())
    return found


def _name(folder: Path) -> str:
    for file in ("metadata.json", "train.json", "evaluate.json"):
        if not (folder / "configs" / file).is_file():
            raise UsageError(
                f"There is no bundle in {folder}: it has no configs/{file}.\n"
                "A bundle is a folder; python -m monai_freq copy heart_fd makes one."
            )
    try:
        return str(read_json(folder / "configs/metadata.json")["name"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{folder}/configs/metadata.json is not readable: {reason_of(error)}.\nRestore it.") from error


class Look:
    """A look into the bundles of some runs, in a process of its own: it imports MONAI while Ray is starting.

    Phantoms that are not there yet are generated now, once, instead of by the first runs at the same time.

    Args:
        runs: runs as planned.

    Attributes:
        examples: name of a classification bundle -> a PNG file of what its network sees, after :meth:`fitted`.

    Example:
        >>> settings = {"fusion": "none", "train_size": 4, "draw": 0, "seed": 0}
        >>> with Look([Run(bundle="heart_fd", folder="bundles/heart_fd", settings=settings)]) as look:
        ...     [run.name for run in look.runs]  # and look.fitted() would wait for the process
        ['heart_fd/n4_draw0_none_seed0']
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        self.runs = runs
        self.examples: dict[str, bytes] = {}
        self._first = {_question(run): run for run in reversed(runs)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LOOK],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )

    def __enter__(self) -> Look:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def fitted(self) -> list[Run]:
        """The runs as their bundles have to be called, see :func:`fitted`.

        Raises:
            UsageError: a bundle, its settings or its data do not allow one of the runs.
        """
        answer, complaint = self._process.communicate(pickle.dumps([*self._first.values()]))
        if self._process.returncode:
            raise UsageError(complaint.decode(errors="replace").strip()[-1000:])
        looked = dict(zip(self._first, parse_json(answer.decode().strip().splitlines()[-1]), strict=True))
        self.examples = {
            run.bundle: base64.b64decode(looked[question]["example"])
            for question, run in self._first.items()
            if "example" in looked[question]
        }
        return [fitted(run, looked[_question(run)]) for run in self.runs]


def fitted(run: Run, looked: Mapping[str, Any]) -> Run:
    """The run as its bundle has to be called.

    ``steps`` become epochs of as many batches as the training cases give, rounded up, and, unless ``val_interval`` is
    asked for, 20 validations, so that a small training set is neither trained less nor chosen from more often. Of a
    classifier, densities of the last epoch that is validated, and of a few before, are logged for the report.

    Args:
        run: run as planned.
        looked: answer of the bundle, see :func:`look_into`.

    Raises:
        UsageError: there are fewer training cases than the run takes.

    Example:
        >>> settings = {"fusion": "none", "train_size": 4, "draw": 0, "seed": 0, "steps": 100}
        >>> run = Run(bundle="heart_fd", folder="bundles/heart_fd", settings=settings)
        >>> fitted(run, {"cases": 12, "batch_size": 2, "classes": {}}).given
        {'epochs': 50, 'val_interval': 2}
    """
    settings, size = run.settings, run.settings.get("train_size")
    if size is not None and not 1 <= size <= looked["cases"]:
        raise UsageError(
            f"{run.bundle} has {looked['cases']} training cases, not {size}.\n"
            "Ask for smaller --sizes, or set fewer val_cases or test_cases."
        )
    follows: dict[str, Any] = {}
    if "steps" in settings:
        epochs = math.ceil(settings["steps"] / math.ceil((size or looked["cases"]) / looked["batch_size"]))
        follows = {"epochs": epochs, "val_interval": max(1, epochs // _VALIDATIONS)}
    elif run.classifies and "epochs" in settings:
        follows = {"psd_interval": _logged_at_the_end(settings["epochs"], settings.get("val_interval", 2))}
    given = {key: value for key, value in follows.items() if key not in settings} | dict(run.given)
    noted = {key: looked[key] for key in ("overlapping_groups",) if key in looked}
    return replace(run, given=given, classes=looked["classes"], noted=noted)


def _logged_at_the_end(epochs: int, val_interval: int) -> int:
    last = max(epochs - epochs % val_interval, val_interval)
    intervals = (interval for interval in range(val_interval, last + 1, val_interval) if last % interval == 0)
    return next(interval for interval in intervals if 4 * interval >= last)


def _question(run: Run) -> str:
    """What there is to look into: runs that ask the same share the answer."""
    return json.dumps([[str(file) for file in run.configs("train")], run.dataset_dir, run.data_options])


def _look_from_stdin() -> None:
    """Look into the bundles of the runs in standard input, and print what they say in one line of JSON."""
    warnings.simplefilter("ignore")
    with ending_readably():
        print(json.dumps([look_into(run) for run in pickle.load(sys.stdin.buffer)]))


def look_into(run: Run) -> dict[str, Any]:
    """What the bundle of a run says of its data: ``cases`` for training, ``batch_size`` and ``classes``.

    Of a classifier also ``overlapping_groups``, the number of patients or exams that are in two parts, and an
    ``example`` of what the network sees, a PNG file in base64: both of the run's fold.

    Args:
        run: run as planned.

    Raises:
        UsageError: a file is missing, a setting or the data set is faulty, or there is no such fold.

    Example:
        >>> import tempfile
        >>> from monai_freq.bundle.shipped_bundles import copy_bundle
        >>> folder = copy_bundle("hippocampus_fd", Path(tempfile.mkdtemp(), "hippocampus_fd"))
        >>> phantom = {"task": "hippocampus", "cases": 4, "test_cases": 0, "size": [16, 16, 16], "seed": 0}
        >>> settings = {"phantom": phantom, "val_cases": 1, "test_cases": 1}
        >>> look_into(Run(bundle="hippocampus_fd", folder=str(folder), settings=settings))
        {'cases': 2, 'batch_size': 2, 'classes': {'1': 'anterior', '2': 'posterior'}}
    """
    from ...bundle.parsing import readably

    with readably():
        return _looked(run, opened(run, "train"))


def _looked(run: Run, parser: ConfigParser) -> dict[str, Any]:
    if "folds" in parser and parser["fold"] >= (folds := parser["folds"]["folds"]):
        raise UsageError(
            f"{run.bundle} has {folds} folds, not {parser['fold'] + 1}.\n"
            "Ask for fewer --folds, or raise folds#folds with --set."
        )
    parts = parser.get_parsed_content("cases" if "cases" in parser else "samples")
    classes = parser.get_parsed_content("classes")
    looked = {
        "cases": len(parts.train),
        "batch_size": int(parser.get_parsed_content("batch_size")),
        "classes": {number: name for number, name in classes.items() if int(number) > 0},
    }
    if "cases" in parser:
        return looked
    image = parser.get_parsed_content("preprocessing")(parts.val[0] | {"shortcut": False})["image"]
    return looked | {"overlapping_groups": _overlapping(*parts), "example": _as_picture(image)}


def _overlapping(*parts: Sequence[Mapping[str, Any]]) -> int:
    """Number of patients and exams that are in two parts."""
    of_parts = [{(key, item[key]) for item in part for key in _GROUPS if key in item} for part in parts]
    return sum(sum(group in part for part in of_parts) > 1 for group in set().union(*of_parts))


def _as_picture(image: Any) -> str:
    """First channel as a grey PNG file in base64, its range from black to white."""
    from monai.transforms.utils import rescale_array
    from PIL import Image

    buffer, pixels = io.BytesIO(), rescale_array(np.asarray(image)[0], 0, 255, dtype=np.float64)
    Image.fromarray(np.rint(pixels).astype(np.uint8)).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def opened(run: Run, workflow: str) -> ConfigParser:
    """The bundle of a run with the options that its data depend on, checked.

    Args:
        run: run as planned.
        workflow: ``"train"`` or ``"evaluate"``.

    Raises:
        UsageError: a file is missing, or a setting is faulty.

    Example:
        >>> import tempfile
        >>> from monai_freq.bundle.shipped_bundles import copy_bundle
        >>> folder = copy_bundle("heart_fd", Path(tempfile.mkdtemp(), "heart_fd"))
        >>> parser = opened(Run(bundle="heart_fd", folder=str(folder), settings={"theta": 0.2}), "train")
        >>> parser["theta"], parser.get_parsed_content("classes")
        (0.2, {'0': 'background', '1': 'left atrium'})
    """
    from monai.bundle import ConfigParser

    from ...bundle.settings import check_config

    configs = run.configs(workflow)
    for file in configs:
        if not file.is_file():
            raise UsageError(
                f"There is no {file}.\nAn --overlay is the name of a file in the configs folder of each bundle."
            )
    parser = ConfigParser(ConfigParser.load_config_files([str(file) for file in configs]))
    for key, value in run.data_options.items():
        require_setting(key, list(parser.get()), configs[0])
        parser[key] = value
    parser["bundle_root"], parser["dataset_dir"] = run.folder, run.dataset_dir
    # each run reads its images itself, and an evaluation is looked into as if nothing had been trained
    for name, nothing in (("cases#check", []), ("samples#check", []), ("settings", {})):
        if name in parser:
            parser[name] = nothing
    check_config(parser)
    return parser
