"""The report of an audit: one page, the same as Markdown, tables, pictures, a card, and ``audit.json``."""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...documents import Block, write_document
from ...files import write_files
from ...json_files import parse_json, read_json
from ...quoting import written
from .card import draw_card
from .data_page import data_blocks, data_figures
from .model_page import model_blocks, model_figures
from .tables import csv_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["SCHEMA", "as_record", "audit_schema", "write_report"]

#: first entry of ``audit.json``
SCHEMA = "monai_freq audit 1"

#: names of the files that an audit wrote
_WRITTEN = ".written.json"

Record = Mapping[str, Any]

_Page = tuple[Callable[[Record], dict[str, "Figure"]], Callable[[Record, Mapping[str, Any]], Iterator[Block]]]
_PAGES: dict[str, _Page] = {"data": (data_figures, data_blocks), "model": (model_figures, model_blocks)}


def as_record(audit: Any) -> dict[str, Any]:
    """What ``audit.json`` holds: plain numbers, texts, lists and dictionaries, None for what is unknown.

    Args:
        audit: result of an audit, or its record.

    Raises:
        ValueError: it is no audit.

    Example:
        >>> from monai_freq.audit import DataAudit
        >>> audit = DataAudit("no leak found", (), (), {"alpha": float("nan")}, {}, {}, (), (), None, ())
        >>> record = as_record(audit)
        >>> record["kind"], record["settings"], record["leaks"]
        ('data', {'alpha': None}, [])
    """
    given = dataclasses.asdict(audit) if dataclasses.is_dataclass(audit) and not isinstance(audit, type) else audit
    if not isinstance(given, Mapping) or not {"verdict", "leaks", "data", "bands"} <= set(given):
        raise ValueError(f"'audit' must be the result of an audit, got {written(audit)}.")
    kind = "model" if "model" in given else "data"
    record: dict[str, Any] = _plain({"schema": SCHEMA, "verdict": given["verdict"], "kind": kind, **given})
    return record


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def audit_schema() -> dict[str, Any]:
    """JSON Schema of ``audit.json``.

    Example:
        >>> audit_schema()["$schema"]
        'https://json-schema.org/draft/2020-12/schema'
    """
    schema: dict[str, Any] = parse_json((files(__package__) / "audit.schema.json").read_text(encoding="utf-8"))
    return schema


def write_report(audit: Any, output_dir: str | os.PathLike[str]) -> list[Path]:
    """Write an audit as one page for readers, and as files for programs.

    What an earlier audit wrote into the folder, and this one does not write, is deleted.

    Args:
        audit: result of :func:`~monai_freq.audit.data_audit.audit_data` or
            :func:`~monai_freq.audit.model_audit.audit_model`, or its record as in ``audit.json``.
        output_dir: folder to write to.

    Returns:
        The files: ``report.html``, ``report.md``, a CSV file for each table, a PNG and an SVG file for each picture
        and for the card, and last ``audit.json``.

    Raises:
        ValueError: it is no audit.
        OSError: the folder cannot be written to.
    """
    record = as_record(audit)
    draw, blocks = _PAGES[record["kind"]]
    figures = draw(record)
    page = list(blocks(record, figures))
    paths = write_document(output_dir, page, {**figures, "card": draw_card(record)}, csv_tables(record))
    content = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    paths += write_files(Path(output_dir), {"audit.json": content.encode()})
    _forget_others(Path(output_dir), [path.name for path in paths])
    return paths


def _forget_others(folder: Path, names: list[str]) -> None:
    """Delete what the list of an earlier audit names, and this one does not."""
    try:
        earlier = read_json(folder / _WRITTEN)
    except (OSError, ValueError):
        earlier = []
    for name in set(earlier if isinstance(earlier, list) else []) - set(names):
        if isinstance(name, str) and Path(name).name == name:
            (folder / name).unlink(missing_ok=True)
    write_files(folder, {_WRITTEN: json.dumps(sorted(names)).encode()})
