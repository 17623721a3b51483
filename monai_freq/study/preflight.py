"""What can be known before a study starts: whether its bundles, their settings and their data fit together."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..bundle.setting_names import require_setting
from ..json_files import parse_json, read_json
from ..quoting import reason_of
from .examples import as_picture, overlapping_groups
from .plan import Run, fitted

if TYPE_CHECKING:
    from monai.bundle import ConfigParser

__all__ = ["Look", "bundle_names", "look_into", "opened"]

#: ends the program that does nothing but look: it reads runs and prints what their bundles say
_LOOK = "from monai_freq.study.preflight import _look_from_stdin; _look_from_stdin()"


def bundle_names(folders: Sequence[str]) -> dict[str, str]:
    """Names of bundles, as their metadata give them -> their absolute folders.

    Args:
        folders: of the bundles.

    Raises:
        SystemExit: there is no bundle, or two have the same name.

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
            raise SystemExit(f"{folder} and {found[name]} are both called {name}.\nGive each bundle once.")
        found[name] = str(folder.resolve())
    return found


def _name(folder: Path) -> str:
    for file in ("metadata.json", "train.json", "evaluate.json"):
        if not (folder / "configs" / file).is_file():
            raise SystemExit(
                f"There is no bundle in {folder}: it has no configs/{file}.\n"
                "A bundle is a folder; python -m monai_freq copy heart_fd makes one."
            )
    try:
        return str(read_json(folder / "configs/metadata.json")["name"])
    except (ValueError, KeyError, TypeError) as error:
        raise SystemExit(f"{folder}/configs/metadata.json is not readable: {reason_of(error)}.\nRestore it.") from error


class Look:
    """A look into the bundles of some runs, in a process of its own: it imports MONAI while Ray is starting.

    Phantoms that are not there yet are generated now, once, instead of by the first runs at the same time.

    Args:
        runs: as planned.

    Attributes:
        examples: name of a classification bundle -> a PNG file of what its network sees, after :meth:`fitted`.

    Example:
        >>> run = Run(bundle="heart_fd", folder="bundles/heart_fd", arm="none", size=4)
        >>> with Look([run]) as look:
        ...     [one.name for one in look.runs]  # and look.fitted() would wait for the process
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
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )

    def __enter__(self) -> Look:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def fitted(self) -> list[Run]:
        """The runs as their bundles have to be called, see :func:`~monai_freq.study.plan.fitted`.

        Raises:
            SystemExit: a bundle, its settings or its data do not allow one of the runs.
        """
        answer, complaint = self._process.communicate("\n".join(self._first))
        if self._process.returncode:
            raise SystemExit(complaint.strip()[-1000:])
        looked = dict(zip(self._first, parse_json(answer.strip().splitlines()[-1]), strict=True))
        self.examples = {
            run.bundle: base64.b64decode(looked[question]["example"])
            for question, run in self._first.items()
            if "example" in looked[question]
        }
        return [fitted(run, looked[_question(run)]) for run in self.runs]


def _question(run: Run) -> str:
    """What to look into, one line of JSON: runs that ask the same share the answer."""
    asked = {
        "configs": [str(file) for file in run.configs("train")],
        "folder": run.folder,
        "dataset_dir": run.dataset_dir,
        "overrides": run.data_settings,
    }
    return json.dumps(asked)


def _look_from_stdin() -> None:
    """Look into the bundle that each line of standard input asks for, and print what it says in one line of JSON."""
    warnings.simplefilter("ignore")
    print(json.dumps([look_into(**parse_json(line)) for line in sys.stdin]))


def look_into(
    configs: Sequence[str], folder: str, dataset_dir: str | None, overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """What a bundle says of its data, with overrides: ``cases`` for training, ``batch_size`` and ``classes``.

    Of a classifier also ``overlapping_groups``, the number of patients or exams that are in two parts, and an
    ``example`` of what the network sees, a PNG file in base64: both of the fold that the settings say.

    Args:
        configs: configuration files of its training.
        folder: of the bundle.
        dataset_dir: folder of the user's data set; None for the phantom.
        overrides: further settings.

    Raises:
        SystemExit: a file is missing, a setting or the data set is faulty, or there is no such fold.

    Example:
        >>> import tempfile
        >>> from monai_freq.bundle.shipped_bundles import copy_bundle
        >>> folder = copy_bundle("hippocampus_fd", Path(tempfile.mkdtemp(), "hippocampus_fd"))
        >>> phantom = {"task": "hippocampus", "cases": 4, "test_cases": 0, "size": [16, 16, 16], "seed": 0}
        >>> settings = {"phantom": phantom, "val_cases": 1, "test_cases": 1}
        >>> look_into([f"{folder}/configs/train.json"], str(folder), None, settings)
        {'cases': 2, 'batch_size': 2, 'classes': {'1': 'anterior', '2': 'posterior'}}
    """
    parser = opened(configs, folder, dataset_dir, overrides)
    _require_fold(parser)
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
    return looked | {"overlapping_groups": overlapping_groups(*parts), "example": as_picture(image)}


def _require_fold(parser: ConfigParser) -> None:
    if "folds" in parser and parser["fold"] >= (folds := parser["folds"]["folds"]):
        raise SystemExit(
            f"{parser['name']} has {folds} folds, not {parser['fold'] + 1}.\n"
            "Ask for fewer --folds, or raise folds#folds with --set."
        )


def opened(configs: Sequence[str], folder: str, dataset_dir: str | None, overrides: Mapping[str, Any]) -> ConfigParser:
    """A bundle with overrides, its settings checked.

    Args:
        configs: files of one workflow.
        folder: of the bundle.
        dataset_dir: folder of the user's data set; None for the phantom.
        overrides: further settings.

    Raises:
        SystemExit: a file is missing, or a setting is faulty.

    Example:
        >>> import tempfile
        >>> from monai_freq.bundle.shipped_bundles import copy_bundle
        >>> folder = copy_bundle("heart_fd", Path(tempfile.mkdtemp(), "heart_fd"))
        >>> parser = opened([f"{folder}/configs/train.json"], str(folder), None, {"theta": 0.2})
        >>> parser["theta"], parser.get_parsed_content("classes")
        (0.2, {'0': 'background', '1': 'left atrium'})
    """
    from monai.bundle import ConfigParser

    for file in configs:
        if not Path(file).is_file():
            raise SystemExit(
                f"There is no {file}.\nAn --overlay is the name of a file in the configs folder of each bundle."
            )
    parser = ConfigParser(ConfigParser.load_config_files(list(configs)))
    for key, value in overrides.items():
        require_setting(key, list(parser.get()), configs[0])
        parser[key] = value
    parser["bundle_root"], parser["dataset_dir"], parser["check"] = folder, dataset_dir, []
    parser["settings"] = {}  # of no training, where the workflow would look for one
    for position, line in enumerate(parser["initialize"]):
        if str(line).startswith("$bundle.check_") and not ("@checkpoint" in line or "@weights" in line):
            parser.get_parsed_content(f"initialize#{position}")
    return parser
