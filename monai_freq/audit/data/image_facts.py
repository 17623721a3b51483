"""What is known of an image besides its spectrum: its size, its file, and traces of how it was made."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from ...data.file_kinds import kind_of, named_as
from ...spectral.flags import spectrum_flags
from ..cases import Case
from .measured import Record, measured

__all__ = ["ImageFacts", "image_facts"]


@dataclass(frozen=True)
class ImageFacts:
    """What is known of one image.

    Args:
        sizes: number of voxels along each axis.
        spacing: voxel size along each axis in mm.
        channels: number of channels.
        kind: kind of the file, such as ``"PNG"``; empty for an image in memory.
        lowest: lowest value.
        highest: highest value.
        traces: name of each of :data:`monai_freq.spectral.flags.FLAGS` that was found in the first channel -> what.
        fault: why the image cannot be used; empty if it can.

    Example:
        >>> ImageFacts((448, 448), (1.0, 1.0), traces={"jpeg_blocks": "edges every 8 voxels"}).fault
        ''
    """

    sizes: tuple[int, ...] = ()
    spacing: tuple[float, ...] = ()
    channels: int = 1
    kind: str = ""
    lowest: float = 0.0
    highest: float = 0.0
    traces: dict[str, str] = field(default_factory=dict)
    fault: str = ""


def image_facts(
    cases: Sequence[Case],
    *,
    output_dir: str | os.PathLike[str] | None = None,
    workers: int = 0,
    progress: bool = False,
) -> tuple[ImageFacts, ...]:
    """Read each image once, and note what is known of it.

    An image that cannot be read, or is constant, has its fault noted.

    Args:
        cases: the images.
        output_dir: folder that keeps what was found, so that a stopped run goes on.
        workers: number of processes; the result is the same for any.
        progress: whether to show a progress bar.

    Example:
        >>> import torch
        >>> from monai_freq.audit.cases import Cases
        >>> facts = image_facts(Cases.of_arrays(torch.randint(0, 256, (1, 1, 64, 64)), spacing=(0.5, 0.5)))
        >>> facts[0].sizes, facts[0].spacing, list(facts[0].traces)
        ((64, 64), (0.5, 0.5), ['few_grey_levels'])
    """
    records = measured(cases, _facts, "Images", output_dir=output_dir, workers=workers, progress=progress)
    return tuple(ImageFacts(**{**record, **_tuples(record)}) for record in records)


def _tuples(record: Record) -> Record:
    """What JSON turned into lists."""
    return {key: tuple(value) for key, value in record.items() if isinstance(value, list)}


def _facts(case: Case) -> Record:
    image, spacing = case.load()
    lowest, highest = (float(end) for end in image.aminmax())
    facts: Record = {"sizes": list(image.shape[1:]), "spacing": list(spacing), "channels": len(image)}
    facts |= {"kind": _kind(case.image), "lowest": lowest, "highest": highest}
    if lowest == highest:
        return {**facts, "fault": f"{case.name} is constant: all of its voxels have one value."}
    flags = spectrum_flags(image[0], spacing)
    return {**facts, "traces": {name: flag.said for name, flag in flags.items() if flag.found}}


def _kind(image: object) -> str:
    if not isinstance(image, str):
        return ""
    if os.path.isdir(image):
        return "DICOM"
    path = image if os.path.isfile(image) else image.rpartition("#")[0]
    return kind_of(path) or named_as(path)
