"""Phantom of ImageNet: ten classes of natural-looking pictures in folders, and the tree that merges them to three."""

import os
from pathlib import Path

from .complete_folder import refuse_below, stream, write_complete_folder
from .source_images import draw_source_image, png, refuse_source

__all__ = ["IS_A", "WNIDS", "write_imagenet"]

VERSION = 1  # to be raised whenever the pictures change

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
# A parent and a child on a line, as in WordNet's own list but with most of the steps between left out. The dog has two
# parents there too.
IS_A = """\
n00001740 n00001930
n00001930 n00002684
n00002684 n00003553
n00003553 n00004258
n00003553 n00019128
n00003553 n00021939
n00004258 n00015388
n00015388 n02512053
n02512053 n01440764
n02512053 n01443537
n00015388 n01317541
n00015388 n02083346
n01317541 n02084071
n02083346 n02084071
n02084071 n02085620
n00015388 n02121620
n02121620 n02123045
n00021939 n03575240
n03575240 n02708093
n03575240 n02701002
n03575240 n03000684
n00002684 n09287968
n09287968 n09193705
n09287968 n09472597
n00019128 n07705931
n07705931 n07747607
"""


def write_imagenet(
    root: str | os.PathLike[str],
    *,
    images: int = 100,
    size: int = 96,
    statistics: str = "dead_leaves",
    cue: str = "texture",
    seed: int = 0,
) -> Path:
    """Write ``root/ImageNet``: a folder of PNG files for each of ten wnids, and ``wordnet.is_a.txt``, or find it there.

    By default the pictures are dead leaves with the spectrum of natural images, the classes fine textures.
    ``statistics`` and ``cue`` make the other three of the 2 x 2 pictures that tell the two apart; see
    :func:`~monai_freq.phantoms.source_images.draw_source_image`.

    Args:
        root: Folder to hold ``ImageNet``; another for other settings.
        images: Number of pictures of each class.
        size: Pixels along each edge, at least 32.
        statistics: ``"dead_leaves"`` or ``"smooth"``.
        cue: What tells the class, ``"texture"`` or ``"shape"``.
        seed: Seed; picture i of a class depends on it, on the class and on i alone.

    Returns:
        The absolute path of ``ImageNet``.

    Raises:
        ValueError: A setting is out of range.
        DataError: The folder holds something else or cannot be written.

    Reference:
        Deng et al., ImageNet: a large-scale hierarchical image database, IEEE Conference on Computer Vision and Pattern
        Recognition, 248-255 (2009), doi:10.1109/CVPR.2009.5206848.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     folder = write_imagenet(root, images=1, size=32)
    ...     len(list(folder.glob("n*/*.png"))), (folder / "wordnet.is_a.txt").read_text()[:19]
    (10, 'n00001740 n00001930')
    """
    refuse_below(1, images=images)
    refuse_below(0, seed=seed)
    refuse_source(size, statistics, cue)
    pictures = {"size": size, "statistics": statistics, "cue": cue}
    settings = {"name": "imagenet", "version": VERSION, "images": images, **pictures, "seed": seed}

    def fill(folder: Path) -> None:
        (folder / "wordnet.is_a.txt").write_text(IS_A, encoding="ascii")
        for label, wnid in enumerate(WNIDS):
            (folder / wnid).mkdir()
            for number in range(images):
                picture = draw_source_image(
                    stream(seed, label, number),
                    label=label,
                    classes=len(WNIDS),
                    size=size,
                    statistics=statistics,
                    cue=cue,
                )
                (folder / wnid / f"{wnid}_{number}.png").write_bytes(png(picture))

    return write_complete_folder(Path(root) / "ImageNet", settings, fill)
