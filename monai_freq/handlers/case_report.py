"""Evaluation case by case: a table of metrics and a picture of each segmentation."""

from __future__ import annotations

import json
import logging
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from ignite import distributed as idist
from ignite.engine import Engine, Events
from monai.data import MetaTensor
from monai.metrics import compute_hausdorff_distance
from monai.transforms import Orientation
from torch import Tensor

from ..data.nifti import case_name
from ..figures import three_planes
from ..files import replacing
from .engine_parts import folder_of
from .rows import column_names, from_all_processes, write_rows

_log = logging.getLogger(__name__)

__all__ = ["CaseReport", "dice", "hausdorff95"]


class CaseReport:
    r"""Dice and 95% Hausdorff distance of every case and class, as CSV, JSON and pictures.

    Each class gets four columns: ``dice_<class>`` and ``hd95_mm_<class>`` in the image's own space, and
    ``grid_dice_<class>`` and ``grid_hd95_voxels_<class>`` on the resized grid that the network saw. ``cases.csv`` has a
    line per case, ``summary.json`` the mean, standard deviation and standard error over cases, and
    ``pictures/<case>.png`` the image, the reference and the prediction in three planes.

    Args:
        output_dir: folder to write to; files are written aside, then renamed.
        classes: class number -> name; 0 is the background.
        pictures: whether to draw every case.

    Raises:
        ValueError: two classes have one number or one name.

    Shape:
        In the decollated batch or output of the evaluator, as class numbers ``(1, X, Y, Z)``: ``pred`` and
        ``reference`` in the image's own space, ``grid_pred`` and ``label`` on the grid; and ``native_image``, the image
        in its own space.

    Example:
        >>> import tempfile, torch
        >>> label = torch.zeros(1, 8, 8, 8)
        >>> label[:, 2:6, 2:6, 2:6] = 1
        >>> label = MetaTensor(label, meta={"filename_or_obj": "la_003.nii.gz"})
        >>> case = dict.fromkeys(["reference", "label", "grid_pred", "native_image"], label)
        >>> folder, evaluator = tempfile.mkdtemp(), Engine(lambda engine, batch: batch)
        >>> CaseReport(folder, {"0": "background", "1": "atrium"}, pictures=False).attach(evaluator)
        >>> _ = evaluator.run([[case | {"pred": label.roll(1, 1)}]])
        >>> for cells in zip(*(line.split(",") for line in Path(folder, "cases.csv").read_text().splitlines())):
        ...     print(*cells)
        case la_003
        dice_atrium 0.750000
        hd95_mm_atrium 1.000000
        grid_dice_atrium 1.000000
        grid_hd95_voxels_atrium 0.000000
    """

    def __init__(
        self, output_dir: str | os.PathLike[str], classes: Mapping[str, str] | Mapping[int, str], pictures: bool = True
    ) -> None:
        self.folder = folder_of("output_dir", output_dir)
        self.columns = {number: column for number, column in column_names(classes).items() if number > 0}
        self.classes = {int(number): name for number, name in classes.items() if int(number) > 0}
        self.pictures = pictures
        self.rows: list[dict[str, Any]] = []

    def attach(self, engine: Engine) -> None:
        """Measure after each batch of ``engine``, write when it is done."""
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._measure)
        engine.add_event_handler(Events.COMPLETED, self._write)

    def _start(self, engine: Engine) -> None:
        self.rows = []

    def _measure(self, engine: Engine) -> None:
        decollated: Any = zip(cast(Any, engine.state.batch), cast(Any, engine.state.output), strict=True)
        for item, output in decollated:
            case = item | output
            name = case_name(case["native_image"].meta["filename_or_obj"])
            self.rows.append({"case": name} | self._metrics(case))
            if self.pictures:
                self._draw(case, name)

    def _metrics(self, case: Mapping[str, MetaTensor]) -> dict[str, float]:
        spacing = [float(step) for step in case["reference"].pixdim]
        # the batch is where the loader left it, the output where the network is
        maps = {key: case[key][0].cpu() for key in ("pred", "reference", "grid_pred", "label")}
        row: dict[str, float] = {}
        for number, column in self.columns.items():
            native, native_reference = maps["pred"] == number, maps["reference"] == number
            grid, grid_reference = maps["grid_pred"] == number, maps["label"] == number
            row |= {
                f"dice_{column}": dice(native, native_reference),
                f"hd95_mm_{column}": hausdorff95(native, native_reference, spacing),
                f"grid_dice_{column}": dice(grid, grid_reference),
                f"grid_hd95_voxels_{column}": hausdorff95(grid, grid_reference, [1.0] * grid.ndim),
            }
        return row

    def _draw(self, case: Mapping[str, MetaTensor], name: str) -> None:
        upright = Orientation(axcodes="RAS", labels=None)
        image = cast(MetaTensor, upright(case["native_image"]))
        masks = {
            title: np.asarray(upright(_like(case[key], case["native_image"]))[0].cpu()).astype(np.uint8)
            for title, key in (("reference", "reference"), ("prediction", "pred"))
        }
        spacing = [float(step) for step in image.pixdim]
        figure = three_planes(
            np.asarray(image[0].float().cpu()), masks, spacing=spacing, classes=self.classes, title=name
        )
        with replacing(self.folder / "pictures" / f"{name}.png") as aside:
            figure.savefig(aside, dpi=150, format="png")

    def _write(self, engine: Engine) -> None:
        rows = from_all_processes(self.rows, ["case"])
        if not rows or idist.get_rank() > 0:
            return
        write_rows(self.folder / "cases.csv", rows)
        summary = _summary(rows)
        with replacing(self.folder / "summary.json") as aside:
            aside.write_text(json.dumps({"cases": len(rows), "metrics": summary}, indent=2) + "\n")
        _log.info(_table(summary, len(rows), self.folder))
        missed = [name for number, name in self.classes.items() if not summary[f"dice_{self.columns[number]}"]["mean"]]
        if missed:
            _log.warning(
                f"Nothing of {', '.join(missed)} was found in any case. "
                "Small classes may need a longer training, or another loss: --loss#_target_ monai.losses.DiceCELoss"
            )


def dice(prediction: Tensor, reference: Tensor) -> float:
    r"""Dice coefficient of two masks; 1 when both are empty.

    .. math:: \frac{2 |P \cap R|}{|P| + |R|}

    Args:
        prediction: boolean mask.
        reference: boolean mask of the same shape.

    Example:
        >>> import torch
        >>> dice(torch.tensor([True, True, False]), torch.tensor([True, False, False]))
        0.6666666666666666
    """
    total = int(prediction.sum()) + int(reference.sum())
    return 2 * int((prediction & reference).sum()) / total if total else 1.0


def hausdorff95(prediction: Tensor, reference: Tensor, spacing: Sequence[float]) -> float:
    """95% Hausdorff distance of two masks, in the unit of ``spacing``.

    The distances from the surface of each mask to that of the other have a 95th percentile in either direction; this is
    the larger one, as in MONAI, not the percentile of the distances of both directions together.

    Defined for empty masks too, so that a network that finds nothing cannot better its mean: 0 when both are empty, the
    diagonal of the image, the largest distance there is, when one is.

    Args:
        prediction: boolean mask.
        reference: boolean mask of the same shape.
        spacing: voxel size along each axis.

    Example:
        >>> import torch
        >>> mask = torch.zeros(5, 5, dtype=torch.bool)
        >>> hausdorff95(mask, mask, [3.0, 4.0]), hausdorff95(mask, ~mask, [3.0, 4.0])
        (0.0, 25.0)
    """
    if not prediction.any() or not reference.any():
        both = not prediction.any() and not reference.any()
        return 0.0 if both else math.hypot(*(n * step for n, step in zip(reference.shape, spacing, strict=True)))
    first, second = (_bare(mask)[None, None].float() for mask in (prediction, reference))
    return float(compute_hausdorff_distance(first, second, include_background=True, percentile=95, spacing=[*spacing]))


def _bare(x: Tensor) -> Tensor:
    return x.as_tensor() if isinstance(x, MetaTensor) else x


def _like(mask: MetaTensor, image: MetaTensor) -> MetaTensor:
    """Mask with the orientation of the image: an inverted prediction can have lost it in rounding."""
    return MetaTensor(_bare(mask), affine=image.affine)


def _summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    result = {}
    for name in list(rows[0])[1:]:
        values = [float(row[name]) for row in rows]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        result[name] = {"mean": statistics.fmean(values), "sd": spread, "sem": spread / math.sqrt(len(values))}
    return result


def _table(summary: Mapping[str, Mapping[str, float]], cases: int, folder: Path) -> str:
    lines = [f"  {name:<32} {value['mean']:8.3f} ± {value['sd']:.3f}" for name, value in summary.items()]
    return "\n".join([f"{cases} test cases (mean ± SD over cases), written to {folder}:", *lines])
