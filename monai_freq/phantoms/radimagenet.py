"""Phantom of RadImageNet: six classes of smooth, anatomy-like pictures, listed in its three CSV files."""

import csv
import os
from pathlib import Path

from .complete_folder import refuse_below, stream, write_complete_folder
from .outlines import OUTLINES
from .source_images import draw_source_image, png, refuse_source
from .textures import TEXTURES

__all__ = ["write_radimagenet"]

VERSION = 1  # to be raised whenever the pictures change
CLASSES = 6


def write_radimagenet(
    root: str | os.PathLike[str],
    *,
    train: int = 750,
    validation: int = 100,
    test: int = 150,
    size: int = 96,
    statistics: str = "smooth",
    cue: str = "shape",
    seed: int = 0,
) -> Path:
    """Write ``root/RadImageNet``: ``radiology_ai/CT/abd/<class>/*.png``, listed in ``RadiologyAI_<part>.csv``.

    By default the pictures are smooth, with the steep spectrum of medical images, the classes shapes of equal area.
    ``statistics`` and ``cue`` make the other three of the 2 x 2 pictures that tell the two apart; see
    :func:`~monai_freq.phantoms.source_images.draw_source_image`. A folder that is there already is left as it is.

    Args:
        root: Folder to hold ``RadImageNet``; another for other settings.
        train: Number of pictures for training, of the six classes in turn.
        validation: Number of pictures for validation.
        test: Number of pictures for testing.
        size: Pixels along each edge, at least 32.
        statistics: ``"smooth"`` or ``"dead_leaves"``, the latter without its colours.
        cue: What tells the class, ``"shape"`` or ``"texture"``.
        seed: Seed; picture i of a part depends on it, on the part and on i alone.

    Returns:
        The absolute path of ``RadImageNet``.

    Raises:
        ValueError: A setting is out of range.
        DataError: The folder holds something else or cannot be written.

    Reference:
        Mei et al., RadImageNet: an open radiologic deep learning research dataset for effective transfer learning,
        Radiology: Artificial Intelligence 4, e210315 (2022), doi:10.1148/ryai.210315.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     folder = write_radimagenet(root, train=2, validation=1, test=1, size=32)
    ...     (folder / "RadiologyAI_train.csv").read_text().splitlines()[:2]
    ['filename,label', 'radiology_ai/CT/abd/disc/disc000000.png,disc']
    """
    refuse_below(1, train=train, validation=validation, test=test)
    refuse_below(0, seed=seed)
    refuse_source(size, statistics, cue)
    parts = {"train": train, "val": validation, "test": test}
    pictures = {"size": size, "statistics": statistics, "cue": cue}
    settings = {"name": "radimagenet", "version": VERSION, **parts, **pictures, "seed": seed}
    names = list(TEXTURES if cue == "texture" else OUTLINES)[:CLASSES]

    def fill(folder: Path) -> None:
        for name in names:
            (folder / "radiology_ai" / "CT" / "abd" / name).mkdir(parents=True)
        first = 0
        for part, (key, number) in enumerate(parts.items()):
            rows = [("filename", "label")]
            for i in range(number):
                name = names[i % CLASSES]
                picture = draw_source_image(
                    stream(seed, part, i), label=i % CLASSES, classes=CLASSES, size=size, statistics=statistics, cue=cue
                )
                rows.append((f"radiology_ai/CT/abd/{name}/{name}{first + i:06}.png", name))
                (folder / rows[-1][0]).write_bytes(png(picture, "L"))
            first += number
            with (folder / f"RadiologyAI_{key}.csv").open("w", newline="", encoding="ascii") as file:
                csv.writer(file, lineterminator="\n").writerows(rows)

    return write_complete_folder(Path(root) / "RadImageNet", settings, fill)
