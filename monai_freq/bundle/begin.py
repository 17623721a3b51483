"""What the ``initialize`` section of a bundle calls, once: settings are checked, data read, and a training recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from ignite import distributed as idist
from monai.bundle import ConfigParser
from monai.utils import set_determinism

from ..errors import ending_readably
from ..known_warnings import silence_known_warnings
from ..quoting import named
from .component_record import described
from .data_folder import tell
from .freed_memory import keep_freed_memory
from .initial_weights import check_weights, load_init
from .parsing import copied, readably, running_parser
from .run_folder import begin_run, check_trained
from .scale_warning import warn_of_scale
from .settings import NAMING, check_config, settings_of

__all__ = ["begin_evaluation", "begin_training"]

#: what a resumed training must share besides the settings of the network and the data
_OF_TRAINING = ("init", "lam", "seed", "batch_size", "learning_rate")


def begin_training() -> None:
    """Check the settings of the configuration that is running, read its data, seed all chance, and begin its run.

    What an earlier run left in the folder is moved to ``previous/<n>``, unless this one resumes it; the settings are
    recorded there, so that an evaluation knows them. Weights to start from are loaded.

    Raises:
        SystemExit: a setting or the data are wrong, with two or three readable lines.

    Example:
        >>> config = {"imports": ["$from monai_freq import bundle"], "fusion": "middle", "theta": 0.1}
        >>> parser = ConfigParser(config | {"convention": "figure2", "initialize": ["$bundle.begin_training()"]})
        >>> parser.get_parsed_content("initialize")
        Traceback (most recent call last):
        SystemExit: 'fusion' must be one of early, late, none, got 'middle'.
        Change it on the command line, as in --fusion early, or in the configuration file.
    """
    parser = running_parser()
    with _beginning(parser):
        parts = _parts(parser)
        record = _record(parser, parts)
        if record.get("patch_size") is not None:
            _tell_patches(record)
        set_determinism(seed=parser.get_parsed_content("train#chance"))
        if "init" in parser:
            _load_init(parser, parts)
        folder, resume = (parser.get_parsed_content(name) for name in ("output_dir", "resume"))
        begin_run(folder, resume, **record)


def begin_evaluation() -> None:
    """Check the settings and the weights of the evaluation or inference that is running, and read its data.

    Raises:
        SystemExit: a setting, the weights or the data are wrong, with two or three readable lines.

    Example:
        >>> config = {"imports": ["$from monai_freq import bundle"], "fusion": "early", "theta": 2}
        >>> parser = ConfigParser(config | {"convention": "figure2", "initialize": ["$bundle.begin_evaluation()"]})
        >>> parser.get_parsed_content("initialize")
        Traceback (most recent call last):
        SystemExit: 'theta' must be in (0, 1), got 2.
        Change it on the command line, as in --theta 0.1, or in the configuration file.
    """
    parser = running_parser()
    with _beginning(parser):
        weights, settings = parser.get_parsed_content("weights"), settings_of(parser)
        if "input_dir" in parser:
            settings["dataset_dir"] = parser.get_parsed_content("input_dir") or parser.get_parsed_content("dataset_dir")
        named_by = [name for name in NAMING if name in parser and not str(parser[name]).startswith("$")]
        check_trained(weights, settings, named_by)
        check_weights(parser.get_parsed_content("network_def"), weights)
        if "input_dir" in parser:
            images, folder = (parser.get_parsed_content(name) for name in ("images", "output_dir"))
            tell(f"{len(images)} image{'s' * (len(images) != 1)} for inference, whose results go to {named(folder)}.")
        else:
            _parts(parser)


@contextmanager
def _beginning(parser: ConfigParser) -> Iterator[None]:
    with ending_readably(), readably():
        silence_known_warnings()
        keep_freed_memory()
        check_config(parser)
        if idist.get_world_size() == 1:  # each of several processes has threads of its own
            torch.set_num_threads(parser.get_parsed_content("threads"))
        yield


def _load_init(parser: ConfigParser, samples: Any) -> None:
    """Into the backbone that chance has drawn."""
    backbone, init, preprocessing, normalization = (
        parser.get_parsed_content(name) for name in ("backbone", "init", "preprocessing", "normalization")
    )
    load_init(backbone, init, parser.get_parsed_content("may_differ"))
    if parser.get_parsed_content("fusion") == "none":
        warn_of_scale(backbone, samples.train, preprocessing, normalization, init)


def _record(parser: ConfigParser, parts: Any) -> dict[str, Any]:
    """Settings of a training, as ``settings.json`` keeps them."""
    own = copied(parser)  # so that the components themselves are built after chance is seeded
    record = settings_of(parser) | {"classes": parser.get_parsed_content("classes")}
    record["images"] = {part: len({item["image"] for item in items}) for part, items in parts._asdict().items()}
    record["backbone"] = described(own, "backbone")
    if "intensity" in parser:
        record["intensity"] = described(own, "intensity")
    for part in ("artifacts", "otherwise"):
        if (artifact := record.get("artifact")) in parser.get(part, {}):
            record[part] = {artifact: described(own, f"{part}#{artifact}")}
    names = [*_OF_TRAINING, *(["epochs"] if parser.get("lr_scheduler") is not None else [])]
    return record | {name: parser.get_parsed_content(name) for name in names if name in parser}


def _parts(parser: ConfigParser) -> Any:
    """Training, validation and test data; the log says how many there are, of samples of classes how many of each."""
    if "cases" in parser:
        cases = parser.get_parsed_content("cases")
        tell(f"{len(cases.train)} training, {len(cases.val)} validation and {len(cases.test)} test cases.")
        return cases
    samples = parser.get_parsed_content("samples")
    for part, items in samples._asdict().items():
        tell(f"{part}: {_counts(items)}")
    return samples


def _tell_patches(record: Mapping[str, Any]) -> None:
    size, spacing = ("x".join(f"{n:g}" for n in record[name]) for name in ("patch_size", "spacing"))
    tell(f"Patches of {size} voxels. A voxel has {spacing} mm: images are resampled to that.")


def _counts(items: Sequence[Mapping[str, Any]]) -> str:
    labels = Counter(item["label"] for item in items)
    counts = ", ".join(f"{count} of class {label}" for label, count in sorted(labels.items()))
    marked = sum(item.get("shortcut", False) for item in items)
    return f"{len(items)} samples ({counts})" + (f", {marked} with the artifact" if marked else "")
