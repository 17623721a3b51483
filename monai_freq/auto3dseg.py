"""Spatial frequencies in the data report of MONAI's Auto3DSeg: band shares, centroid, and how the images were made.

MONAI's ``DataAnalyzer`` makes its own summarizer and takes known statistics alone from each case, so that no analyzer
can be added to it. :class:`SpectrumDataAnalyzer` adds the statistics to its report in a second pass over the images.
"""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from monai.apps.auto3dseg.data_analyzer import DataAnalyzer
from monai.auto3dseg.analyzer import Analyzer
from monai.auto3dseg.operations import SampleOperations
from monai.auto3dseg.utils import concat_val_to_np, datafold_read
from monai.bundle import ConfigParser
from monai.data import DataLoader, Dataset, MetaTensor, affine_to_spacing
from monai.data.utils import no_collation
from monai.transforms import Compose, EnsureTyped, LoadImaged, Orientationd
from monai.utils import convert_to_tensor
from monai.utils.enums import DataStatsKeys
from torch import Tensor

from .quoting import named, reason_of, written
from .spectral.flags import FLAGS, spectrum_flags
from .spectral.psd import BANDS, band_shares, centroid, radial_psd

__all__ = ["SPECTRUM_STATS", "SpectrumDataAnalyzer", "SpectrumStats", "SpectrumStatsSumm"]

#: name of the statistics in a report
SPECTRUM_STATS = "spectrum_stats"

#: numbers of a case, besides its flags: key in the report, and below it the names of bands
_NUMBERS = [f"band_shares#{band}" for band in BANDS] + ["centroid", "centroid_per_mm"]


class SpectrumStats(Analyzer):
    """Band shares, centroid and flags of one case, as an analyzer for MONAI's ``SegSummarizer``.

    All numbers have one entry for each channel:

    - ``band_shares``: ``low``, ``mid`` and ``high``, see :func:`~monai_freq.spectral.psd.band_shares`;
    - ``centroid`` in cycles per voxel and ``centroid_per_mm`` in cycles per mm, see
      :func:`~monai_freq.spectral.psd.centroid`;
    - ``flags``: name -> what was measured, see :func:`~monai_freq.spectral.flags.spectrum_flags`;
    - ``found``: what the flags that were found say, by their names.

    Args:
        image_key: key of the image in the data, ``(C, *spatial)`` in 2D or 3D. A ``MetaTensor`` has its voxel size; any
            other image has voxels of 1 mm, as in MONAI's own statistics.
        stats_name: key of the result.

    Raises:
        KeyError: the data have no such key.
        ValueError: the image is not 2D or 3D, or holds NaN or infinity.

    Example:
        >>> stats = SpectrumStats("image")({"image": torch.rand(1, 32, 32)})["spectrum_stats"]
        >>> sorted(stats), sorted(stats["band_shares"]), stats["found"]
        (['band_shares', 'centroid', 'centroid_per_mm', 'flags', 'found'], ['high', 'low', 'mid'], [{}])
    """

    def __init__(self, image_key: str = "image", stats_name: str = SPECTRUM_STATS) -> None:
        self.image_key = image_key
        super().__init__(stats_name, dict.fromkeys(["band_shares", "centroid", "centroid_per_mm", "flags", "found"]))

    @torch.no_grad()
    def __call__(self, data: Mapping[Any, Any]) -> dict[Any, Any]:
        """Data with the statistics added."""
        if self.image_key not in data:
            raise KeyError(
                f"'image_key' must be a key of the data, {written(list(data))}, got {written(self.image_key)}."
            )
        image = data[self.image_key]
        spacing = _spacing(image)
        channels: Tensor = convert_to_tensor(image, track_meta=False)
        if channels.ndim not in (3, 4):
            raise ValueError(f"'{self.image_key}' must be (C, *spatial) in 2D or 3D, got {tuple(channels.shape)}.")
        flags = [spectrum_flags(channel, spacing) for channel in channels]
        dims = len(spacing)
        per_voxel, per_mm = (radial_psd(channels, step, spatial_dims=dims) for step in (None, spacing))
        shares = band_shares(*per_voxel)
        report = {
            "band_shares": {name: share.tolist() for name, share in shares.items()},
            "centroid": centroid(*per_voxel).tolist(),
            "centroid_per_mm": centroid(*per_mm).tolist(),
            "flags": {name: [channel[name].value for channel in flags] for name in FLAGS},
            "found": [{flag.name: flag.said for flag in channel.values() if flag.found} for channel in flags],
        }
        return {**data, self.stats_name: report}


class SpectrumStatsSumm(Analyzer):
    """Summary of :class:`SpectrumStats` over the cases of a data set.

    Band shares and centroids have MONAI's summary: mean, SD, median, extremes and percentiles, over cases and channels.
    Each flag has the number of ``cases`` in which it was found, in any channel, their ``share``, and the ``median`` of
    what was measured; None where no image is large enough.

    Args:
        stats_name: key of the statistics in each case.

    Raises:
        ValueError: there is no case with these statistics.

    Example:
        >>> cases = [SpectrumStats()({"image": torch.rand(1, 32, 32)}) for _ in range(3)]
        >>> summary = SpectrumStatsSumm()(cases)
        >>> sorted(summary["centroid"])[:3], summary["flags"]["zero_filled"]["cases"]
        (['max', 'mean', 'median'], 0)
    """

    def __init__(self, stats_name: str = SPECTRUM_STATS) -> None:
        super().__init__(stats_name, dict.fromkeys(["band_shares", "centroid", "centroid_per_mm", "flags"]))

    def __call__(self, data: list[dict[Any, Any]]) -> dict[str, Any]:
        """Summary of all cases that have the statistics."""
        cases = [case for case in data if self.stats_name in case]
        if not cases:
            raise ValueError(
                f"'data' must hold a case with {written(self.stats_name)}: add SpectrumStats as the case analyzer."
            )
        report: dict[str, Any] = {"band_shares": {}}
        for key in _NUMBERS:
            values = concat_val_to_np(cases, [self.stats_name, *key.split("#")], ragged=True)
            *above, last = key.split("#")
            (report[above[0]] if above else report)[last] = SampleOperations().evaluate(values)
        found = [{name for channel in case[self.stats_name]["found"] for name in channel} for case in cases]
        report["flags"] = {
            name: {
                "cases": sum(name in names for names in found),
                "share": sum(name in names for names in found) / len(cases),
                "median": _median(value for case in cases for value in case[self.stats_name]["flags"][name]),
            }
            for name in FLAGS
        }
        return report


class SpectrumDataAnalyzer(DataAnalyzer):
    """MONAI's ``DataAnalyzer`` with :class:`SpectrumStats` in its report.

    It takes the same arguments and writes the same files, ``datastats.yaml`` and ``datastats_by_case.yaml``, with one
    more key in the summary and in each case: ``spectrum_stats``. ``fmt="json"`` works, too.

    The images are read twice, as MONAI's class offers no place for a further analyzer. A case that MONAI leaves out of
    its report is left out here, too; one whose spectrum cannot be computed keeps MONAI's statistics.

    Args:
        args: as for ``monai.apps.auto3dseg.DataAnalyzer``.
        kwargs: as for ``monai.apps.auto3dseg.DataAnalyzer``.

    Example:
        >>> import tempfile, nibabel, numpy as np
        >>> folder = tempfile.mkdtemp()
        >>> image = np.random.default_rng(0).random((24, 24, 24), dtype=np.float32)
        >>> nibabel.save(nibabel.Nifti1Image(image, np.eye(4)), f"{folder}/a.nii.gz")
        >>> cases, settings = {"training": [{"image": "a.nii.gz"}]}, {"device": "cpu", "worker": 0, "label_key": None}
        >>> analyzer = SpectrumDataAnalyzer(cases, folder, f"{folder}/stats.yaml", **settings)
        >>> report = analyzer.get_all_case_stats()
        >>> round(report["stats_summary"]["spectrum_stats"]["centroid"]["mean"], 1)
        0.3
    """

    def get_all_case_stats(self, key: str = "training", transform_list: list[Any] | None = None) -> dict[Any, Any]:
        """Report of MONAI's class, with the statistics of the spectrum, written and returned.

        Args:
            key: key of the cases in the data list.
            transform_list: transforms that read a case, in place of MONAI's.
        """
        output_path, self.output_path = self.output_path, ""
        try:
            result: dict[Any, Any] = super().get_all_case_stats(key, transform_list)  # type: ignore[no-untyped-call]
        finally:
            self.output_path = output_path
        cases = {case[DataStatsKeys.BY_CASE_IMAGE_PATH]: case for case in result[DataStatsKeys.BY_CASE]}
        for path, stats in self._spectra(key, transform_list):
            if path in cases:
                cases[path][SPECTRUM_STATS] = stats
        if any(SPECTRUM_STATS in case for case in cases.values()):
            result[DataStatsKeys.SUMMARY][SPECTRUM_STATS] = SpectrumStatsSumm()(result[DataStatsKeys.BY_CASE])
        if self.output_path:
            self._write(result)
        return result

    def _spectra(self, key: str, transform_list: list[Any] | None) -> Iterable[tuple[str, dict[str, Any]]]:
        """Path and statistics of each case of the data list."""
        files, _ = datafold_read(datalist=self.datalist, basedir=self.dataroot, fold=-1, key=key)
        if transform_list is None:
            transform_list = [
                LoadImaged(self.image_key, ensure_channel_first=True, image_only=True),
                EnsureTyped(self.image_key, data_type="tensor", dtype=torch.float),
                Orientationd(self.image_key, axcodes="RAS", labels=None),
            ]
        cases = Dataset(files, Compose(transform_list))
        analyzer = SpectrumStats(self.image_key)
        for batch in DataLoader(cases, batch_size=1, num_workers=self.worker, collate_fn=no_collation):
            path = batch[0][self.image_key].meta["filename_or_obj"]
            try:
                yield path, analyzer(batch[0])[SPECTRUM_STATS]
            except ValueError as error:
                warnings.warn(f"{named(path)} has no spectrum in the report: {reason_of(error)}.", stacklevel=3)

    def _write(self, result: dict[Any, Any]) -> None:
        """The two files of MONAI's class, under its names."""
        by_case = self.output_path.replace(f".{self.fmt}", f"_by_case.{self.fmt}")
        by_case += f".by_case.{self.fmt}" * (by_case == self.output_path)
        summary = {**result, DataStatsKeys.BY_CASE: []}
        # MONAI 1.6 hands the style of YAML to JSON, too, which refuses it
        style = {} if self.fmt == "json" else {"default_flow_style": None}
        for report, path in ((summary, self.output_path), (result, by_case)):
            ConfigParser.export_config_file(report, path, fmt=self.fmt, sort_keys=False, **style)


def _spacing(image: Any) -> tuple[float, ...]:
    """Voxel size of an image along each of its axes in mm."""
    dims: int = image.ndim - 1
    if not isinstance(image, MetaTensor):
        return (1.0,) * dims
    sizes: list[float] = affine_to_spacing(image.affine, dims).tolist()
    return tuple(sizes)


def _median(values: Iterable[float | None]) -> float | None:
    measured = [value for value in values if value is not None]
    return float(statistics.median(measured)) if measured else None
