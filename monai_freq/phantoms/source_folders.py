"""Phantoms of ImageNet and RadImageNet: pictures for pre-training in the folders and tables of the real data sets."""

from __future__ import annotations

import csv
import io
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .complete_folder import Phantom, stream
from .outlines import OUTLINES
from .source_images import CUES, STATISTICS, draw_source_image
from .textures import TEXTURES

__all__ = ["IMAGENET", "RADIMAGENET", "WNIDS"]

VERSION = 1  # to be raised whenever the pictures change
CLASSES = 6  # of RadImageNet

# In the order of the textures: four living things, three artifacts, three others.
WNIDS = (
    "n01443537",  # goldfish
    "n02085620",  # Chihuahua
    "n02123045",  # tabby
    "n01440764",  # tench
    "n02708093",  # analog clock
    "n02701002",  # ambulance
    "n03000684",  # chain saw
    "n09193705",  # alp
    "n09472597",  # volcano
    "n07747607",  # orange, the fruit
)
# Ways down WordNet's tree, with most of the steps between left out. The dog has two parents there too.
BRANCHES = (
    ("n00001740", "n00001930", "n00002684", "n00003553", "n00004258"),  # entity, object, whole, living thing
    ("n00003553", "n00019128"),  # natural object
    ("n00003553", "n00021939"),  # artifact
    ("n00004258", "n00015388", "n02512053", "n01440764"),  # animal, fish
    ("n02512053", "n01443537"),
    ("n00015388", "n01317541"),  # domestic animal
    ("n00015388", "n02083346"),  # canine
    ("n01317541", "n02084071"),  # dog
    ("n02083346", "n02084071", "n02085620"),
    ("n00015388", "n02121620", "n02123045"),  # cat
    ("n00021939", "n03575240", "n02708093"),  # instrumentality
    ("n03575240", "n02701002"),
    ("n03575240", "n03000684"),
    ("n00002684", "n09287968", "n09193705"),  # geological formation
    ("n09287968", "n09472597"),
    ("n00019128", "n07705931", "n07747607"),  # edible fruit
)


def _fill_imagenet(folder: Path, *, images: int, seed: int, **pictures: Any) -> None:
    steps = (step for branch in BRANCHES for step in pairwise(branch))  # a parent and a child on a line
    (folder / "wordnet.is_a.txt").write_text("".join(f"{a} {b}\n" for a, b in steps), encoding="ascii")
    for label, wnid in enumerate(WNIDS):
        (folder / wnid).mkdir()
        for number in range(images):
            picture = draw_source_image(stream(seed, label, number), label=label, classes=len(WNIDS), **pictures)
            (folder / wnid / f"{wnid}_{number}.png").write_bytes(_png(picture))


def _fill_radimagenet(
    folder: Path, *, train: int, validation: int, test: int, seed: int, cue: str, **pictures: Any
) -> None:
    names = list(TEXTURES if cue == "texture" else OUTLINES)[:CLASSES]
    for name in names:
        (folder / "radiology_ai" / "CT" / "abd" / name).mkdir(parents=True)
    first = 0
    for part, (key, number) in enumerate({"train": train, "val": validation, "test": test}.items()):
        rows = [("filename", "label")]
        for i in range(number):
            label, rng = i % CLASSES, stream(seed, part, i)
            picture = draw_source_image(rng, label=label, classes=CLASSES, cue=cue, **pictures)
            rows.append((f"radiology_ai/CT/abd/{names[label]}/{names[label]}{first + i:06}.png", names[label]))
            (folder / rows[-1][0]).write_bytes(_png(picture, "L"))
        first += number
        with (folder / f"RadiologyAI_{key}.csv").open("w", newline="", encoding="ascii") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)


def _png(pixels: NDArray[np.uint8], mode: str = "RGB") -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    # Compressed lightly: twice as fast, and a phantom is soon deleted.
    Image.fromarray(pixels).convert(mode).save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


def _record(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    renamed = {"val" if key == "validation" else key: value for key, value in settings.items()}
    return {"name": name, "version": VERSION, **renamed}


IMAGENET = Phantom(
    folder="ImageNet",
    defaults={"images": 100, "size": 96, "statistics": "dead_leaves", "cue": "texture", "seed": 0},
    least={"images": 1, "size": 32},
    fill=_fill_imagenet,
    record=partial(_record, "imagenet"),
    choices={"statistics": tuple(STATISTICS), "cue": CUES},
)
RADIMAGENET = Phantom(
    folder="RadImageNet",
    defaults={
        **{"train": 750, "validation": 100, "test": 150},
        **{"size": 96, "statistics": "smooth", "cue": "shape", "seed": 0},
    },
    least={"train": 1, "validation": 1, "test": 1, "size": 32},
    fill=_fill_radimagenet,
    record=partial(_record, "radimagenet"),
    choices={"statistics": tuple(STATISTICS), "cue": CUES},
)
