"""The generated data sets by name, and the function that writes them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..quoting import written
from .complete_folder import Phantom
from .heart import HEART
from .hippocampus import HIPPOCAMPUS
from .kneemri import KNEEMRI
from .lodopab import LODOPAB
from .nuclei import DENTATE_NUCLEUS, RED_NUCLEUS
from .source_folders import IMAGENET, RADIMAGENET
from .spleen import SPLEEN

__all__ = ["TASKS", "write_phantom"]

#: each phantom by its name
TASKS: dict[str, Phantom] = {
    "heart": HEART,
    "spleen": SPLEEN,
    "hippocampus": HIPPOCAMPUS,
    "red_nucleus": RED_NUCLEUS,
    "dentate_nucleus": DENTATE_NUCLEUS,
    "kneemri": KNEEMRI,
    "lodopab": LODOPAB,
    "imagenet": IMAGENET,
    "radimagenet": RADIMAGENET,
}


def write_phantom(task: str, root: str | os.PathLike[str], **settings: Any) -> Path:
    """Write a phantom as the folder ``root/<name of the real data set>``, or find it there.

    Any number of processes may call this at once, and one that is killed leaves no such folder. Each image depends on
    its number, on the seed and on the settings of an image, and not on how many images there are.

    ============================================ ======================================================================
    task                                         settings and their defaults
    ============================================ ======================================================================
    ``heart``, ``spleen``                        ``cases=20, test_cases=2, size=(64, 64, 32), tilt=0``
    ``hippocampus``                              ``cases=60, test_cases=4, size=(56, 56, 40), tilt=0``
    ``red_nucleus``, ``dentate_nucleus``         ``cases=24, test_cases=2, size=(64, 64, 48), tilt=0``
    ``kneemri``                                  ``exams=120, slices=24, size=128``
    ``lodopab``                                  ``train=240, validation=80, test=480, size=128``
    ``imagenet``                                 ``images=100, size=96, statistics="dead_leaves", cue="texture"``
    ``radimagenet``                              ``train=750, validation=100, test=150, size=96,
                                                 statistics="smooth", cue="shape"``
    ============================================ ======================================================================

    - Scans are folders of the Medical Segmentation Decathlon (Antonelli et al. 2022): ``cases`` with labels,
      ``test_cases`` without. The field of view is fixed. ``size`` has the voxels along x, y and z, at least 16 each; a
      pair is a range from which each case draws its own. ``tilt`` is the largest angle in degrees, up to 30, by which
      the grid of a case is turned around each axis. Susceptibility maps of both nuclei show the same brains.
    - KneeMRI (Štajduhar et al. 2017): ``exams`` volumes of at least 16 sagittal ``slices`` over 90 mm, with at least 64
      rows and columns over 150 mm. Half of the knees are healthy, a quarter has a thinned, a quarter a torn ligament.
    - LoDoPaB-CT (Leuschner et al. 2021): numbers of slices of 260 mm in each part, at least 32 pixels wide. Every slice
      goes through one lung nodule, of a benign (1, 2) or a malignant (4, 5) patient in equal parts. Nodules of both
      kinds have the same area, contrast and place on average, so that only the margin tells.
    - ImageNet (Deng et al. 2009) and RadImageNet (Mei et al. 2022): ``images`` of each of ten classes, or numbers of
      images of six classes in each part, at least 32 pixels wide. ``statistics`` (``"dead_leaves"``, ``"smooth"``) and
      ``cue`` (``"texture"``, ``"shape"``) make 2 x 2 kinds of pictures; see
      :func:`~monai_freq.phantoms.source_images.draw_source_image`.

    Args:
        task: name of the phantom.
        root: folder to hold the data set; another one for other settings.
        settings: settings by name, those of the table and ``seed`` (default 0).

    Returns:
        The absolute path of the data set.

    Raises:
        UsageError: there is no such phantom, it has no such setting, or a setting is out of range.
        DataError: the folder holds something else or cannot be written.

    Reference:
        - Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 13, 4128 (2022),
          doi:10.1038/s41467-022-30695-9.
        - Štajduhar et al., Semi-automated detection of anterior cruciate ligament injury from MRI, Computer
          Methods and Programs in Biomedicine 140, 151-164 (2017), doi:10.1016/j.cmpb.2016.12.006.
        - Leuschner et al., LoDoPaB-CT, a benchmark dataset for low-dose computed tomography reconstruction,
          Scientific Data 8, 109 (2021), doi:10.1038/s41597-021-00893-z.
        - Deng et al., ImageNet: a large-scale hierarchical image database, IEEE Conference on Computer Vision and
          Pattern Recognition, 248-255 (2009), doi:10.1109/CVPR.2009.5206848.
        - Mei et al., RadImageNet: an open radiologic deep learning research dataset for effective transfer
          learning, Radiology: Artificial Intelligence 4, e210315 (2022), doi:10.1148/ryai.210315.

    Example:
        >>> import tempfile
        >>> from monai_freq.data import read_decathlon
        >>> with tempfile.TemporaryDirectory() as root:
        ...     heart = read_decathlon(write_phantom("heart", root, cases=1, test_cases=0, size=(32, 32, 16)))
        >>> heart.root.name, heart.labels
        ('Task02_Heart', {0: 'background', 1: 'left atrium'})
    """
    if task not in TASKS:
        raise UsageError(f"There is no phantom {written(task)}; there are {', '.join(TASKS)}.")
    return TASKS[task].write(root, **settings)
