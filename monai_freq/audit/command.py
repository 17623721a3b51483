"""The commands ``python -m monai_freq audit data`` and ``python -m monai_freq audit model``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..json_files import parse_json
from ..quoting import harmless, named, reason_of, written

if TYPE_CHECKING:
    from .cases import Cases

__all__ = ["add_audit", "audit_command"]

_DATA = (
    "Find out whether the spatial frequencies of the images give the label away: by how much, in which bands and "
    "directions, within each group or between groups, and what in the making of the images does it."
)
_MODEL = (
    "Find out which spatial frequencies a network uses, and whether it uses those that give the label away. MODEL is a "
    "MONAI bundle's folder, the folder of a run, or a file: TorchScript, ONNX, an exported program, or .pt weights "
    "with --network. A bundle or a configuration is code: audit only what you trust."
)


def add_audit(commands: Any) -> None:
    """Add the commands of the audit to a command line.

    Args:
        commands: result of :meth:`argparse.ArgumentParser.add_subparsers`.

    Example:
        >>> parser = argparse.ArgumentParser()
        >>> add_audit(parser.add_subparsers())
        >>> words = ["audit", "data", "index.csv", "--group", "source", "--output_dir", "out"]
        >>> parser.parse_args(words).group
        'source'
    """
    audit = commands.add_parser("audit", help="find what gives the label away, and whether a network uses it")
    kinds = audit.add_subparsers(required=True, metavar="data | model")
    data = kinds.add_parser("data", help="does the spectrum give the label away?", description=_DATA)
    data.add_argument("table", help="CSV file with a line for each image")
    model = kinds.add_parser("model", help="which frequencies does the network use?", description=_MODEL)
    model.add_argument("model", metavar="MODEL", help="the network")
    model.add_argument("--data", dest="table", required=True, help="CSV file with a line for each image")
    model.add_argument("--network", help="what makes the network of a .pt file, such as package.module.function")
    model.add_argument("--bundle", help="bundle of a run: its folder or name (default: found by the run)")
    model.add_argument("--task", choices=("classification", "segmentation"), help="default: as the network says")
    model.add_argument("--classes", nargs="+", help="labels in the order of the network's outputs")
    activations = ("softmax", "sigmoid", "none")
    model.add_argument("--activation", choices=activations, help="of its outputs (as they are); none: probabilities")
    model.add_argument("--device", help="where the network runs, such as cpu or cuda:0")
    model.add_argument("--size", nargs="+", type=int, metavar="N", help="size to which images are brought for it")
    model.add_argument("--intensity", choices=("standard", "unit", "none"), help="mean 0 and SD 1, or 0 to 1 (none)")
    model.add_argument("--channels", type=int, metavar="N", help="channels that it takes; grey images are repeated")
    model.add_argument("--try", dest="trial", action="store_true", help="train the bundle again with the first remedy")
    item = "item of that training to replace, such as epochs=10"
    model.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help=item)
    for kind, run in ((data, _audit_data), (model, _audit_model)):
        _add_common(kind)
        kind.set_defaults(command=audit_command, run=run)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output_dir", required=True, help="folder to write to; a second run continues there")
    parser.add_argument("--image", default="image", help="column of the images' paths (default: image)")
    parser.add_argument("--label", default="label", help="column of the label, or none (default: label)")
    parser.add_argument("--group", help="column of where an image comes from: hospital, scanner, data set")
    parser.add_argument("--patient", help="column of the patient")
    parser.add_argument("--segmentation", help="column of the paths of reference segmentations")
    parser.add_argument("--where", action="append", default=[], metavar="COLUMN=TEXT", help="only lines with this text")
    parser.add_argument("--cases", type=int, metavar="N", help="number of images, drawn by patient (default: all)")
    parser.add_argument("--bands", type=int, default=12, metavar="N", help="number of bands (default: 12)")
    parser.add_argument("--unit", choices=("voxel", "mm", "image"), default="voxel", help="cycles per what (voxel)")
    parser.add_argument("--seed", type=int, default=0, help="seed of all draws (default: 0)")
    parser.add_argument("--permutations", type=int, default=1000, metavar="N", help="of the labels (default: 1000)")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes that read images (default: 0)")


def audit_command(arguments: argparse.Namespace) -> None:
    """Audit, write the report, and print the verdict and where the page is.

    Args:
        arguments: parsed command line.

    Raises:
        SystemExit: something is wrong that the user can put right.
    """
    _require_extra()
    try:
        audit, page = arguments.run(arguments, _cases(arguments))
    except OSError as error:
        file = error.filename
        where = f"{named(file)} cannot be used: " if file else ""
        raise SystemExit(f"{where}{harmless(reason_of(error))}.") from error
    except ValueError as error:
        raise SystemExit(" ".join(harmless(str(error)).split("\n"))) from error
    print("\n".join([f"{audit.verdict[:1].upper()}{audit.verdict[1:]}.", *audit.summary]))
    if audit.unknown:
        print("\n".join(["", "Unknown:", *(f"- {sentence}" for sentence in audit.unknown)]))
    print(f"\n{named(Path(page).absolute())}")


def _require_extra() -> None:
    """Before anything is computed: the report needs it at the end."""
    try:
        import_module("jinja2")
    except ModuleNotFoundError as error:
        raise SystemExit('An audit needs jinja2: pip install "monai_freq[audit]"') from error


def _cases(arguments: argparse.Namespace) -> Cases:
    from .cases import read_cases

    label = None if arguments.label.lower() == "none" else arguments.label
    return read_cases(
        arguments.table,
        image=arguments.image,
        label=label,
        group=arguments.group,
        patient=arguments.patient,
        segmentation=arguments.segmentation,
        where=_where(arguments.where),
    )


def _where(texts: Sequence[str]) -> Mapping[str, str]:
    pairs = [text.partition("=") for text in texts]
    for column, sign, _ in pairs:
        if not (column and sign):
            raise UsageError(f"'--where' must be COLUMN=TEXT, got {written(column)}.")
    return {column: text for column, _, text in pairs}


def _audit_data(arguments: argparse.Namespace, cases: Cases) -> tuple[Any, Path]:
    from .pages.report import write_report

    audit = _of_data(arguments, cases)
    return audit, write_report(audit, arguments.output_dir)[0]


def _of_data(arguments: argparse.Namespace, cases: Cases) -> Any:
    from .data_audit import audit_data

    kept = {"output_dir": arguments.output_dir, "workers": arguments.workers, "progress": True}
    looked_for = {"n_bands": arguments.bands, "unit": arguments.unit, "n_permutations": arguments.permutations}
    return audit_data(cases, n_cases=arguments.cases, seed=arguments.seed, **looked_for, **kept)


def _audit_model(arguments: argparse.Namespace, cases: Cases) -> tuple[Any, Path]:
    from .model.models import load_model
    from .model.preparing import scaled_to
    from .model_audit import audit_model
    from .pages.report import write_report
    from .trial_audit import check_trial, tried

    settings = _settings(arguments.set)
    if arguments.trial:
        check_trial(arguments.model, arguments.bundle)
    elif settings:
        raise UsageError("'--set' is for the training of '--try'.")
    given = {
        name: getattr(arguments, name) for name in ("network", "bundle", "task", "classes", "activation", "device")
    }
    prepared = (arguments.size, arguments.intensity or "none", arguments.channels or 1)
    if prepared != (None, "none", 1):
        given["preprocess"] = scaled_to(*prepared)
    model = load_model(arguments.model, **given)
    data = _of_data(arguments, cases) if cases.labels is not None or cases.groups is not None else None
    kept = {"output_dir": arguments.output_dir, "progress": True}
    audit = audit_model(model, cases, data, n_cases=arguments.cases, seed=arguments.seed, **kept)
    page = write_report(audit, arguments.output_dir)[0]
    if not arguments.trial:
        return audit, page
    if not audit.remedies or data is None:
        print("Nothing leaks, so that there is no remedy to try.")
        return audit, page
    print("The audit is written. Two short trainings try its first remedy.", flush=True)
    folder = Path(arguments.output_dir, "trial")
    source = check_trial(arguments.model, arguments.bundle)
    audit = tried(audit, data, model, cases, source, folder, settings=settings, n_cases=arguments.cases)
    return audit, write_report(audit, arguments.output_dir)[0]


def _settings(texts: Sequence[str]) -> dict[str, Any]:
    """Items of a configuration, their values in JSON or as they are."""
    found: dict[str, Any] = {}
    for name, sign, text in (text.partition("=") for text in texts):
        if not (name and sign):
            raise UsageError(f"'--set' must be NAME=VALUE, got {written(name)}.")
        try:
            found[name] = parse_json(text)
        except ValueError:
            found[name] = text
    return found
