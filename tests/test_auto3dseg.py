"""The data report of Auto3DSeg with spectra: MONAI's own numbers are untouched, and ours are those of the functions."""

import json

import nibabel
import numpy as np
import pytest
import torch
import yaml
from monai.apps.auto3dseg import DataAnalyzer
from monai.auto3dseg import SegSummarizer
from monai.data import MetaTensor
from monai.transforms import Compose, EnsureTyped, LoadImaged

from monai_freq.auto3dseg import SpectrumDataAnalyzer, SpectrumStats, SpectrumStatsSumm
from monai_freq.phantoms import write_phantom
from monai_freq.spectral.flags import FLAGS, spectrum_flags
from monai_freq.spectral.psd import BANDS, band_shares, centroid, radial_psd

SETTINGS = {"device": "cpu", "worker": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Heart phantom; one case has three slices of padding, and one is noisier along its lines."""
    root = write_phantom("heart", tmp_path_factory.mktemp("data"), cases=3, test_cases=1, size=(32, 32, 24))
    images = sorted(root.glob("imagesTr/*.nii.gz"))
    padded, lined = map(nibabel.load, images[:2])
    voxels = padded.get_fdata()
    voxels[..., :3] = 0
    nibabel.save(nibabel.Nifti1Image(voxels.astype(np.float32), padded.affine), images[0])
    voxels = lined.get_fdata()
    voxels[:, ::2] += 250
    nibabel.save(nibabel.Nifti1Image(voxels.astype(np.float32), lined.affine), images[1])
    return root


def cases_of(folder):
    return {"training": json.loads((folder / "dataset.json").read_text())["training"]}


@pytest.fixture(scope="module")
def analysed(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "datastats.yaml"
    report = SpectrumDataAnalyzer(cases_of(folder), str(folder), str(path), **SETTINGS).get_all_case_stats()
    return report, path


def volume(case):
    image = nibabel.as_closest_canonical(nibabel.load(case["image_filepath"]))
    return torch.from_numpy(image.get_fdata(dtype=np.float32)), nibabel.affines.voxel_sizes(image.affine).tolist()


def test_the_values_of_a_case_are_those_of_the_functions(analysed):
    report, _ = analysed
    assert len(report["stats_by_cases"]) == 3
    for case in report["stats_by_cases"]:
        image, spacing = volume(case)
        stats = case["spectrum_stats"]
        per_voxel = radial_psd(image, spatial_dims=3)
        assert stats["centroid"] == pytest.approx([float(centroid(*per_voxel))], rel=1e-5)
        assert stats["centroid_per_mm"] == pytest.approx(
            [float(centroid(*radial_psd(image, spacing, spatial_dims=3)))], rel=1e-5
        )
        for band, share in band_shares(*per_voxel).items():
            assert stats["band_shares"][band] == pytest.approx([float(share)], rel=1e-5)
        flags = spectrum_flags(image)
        assert [set(found) for found in stats["found"]] == [{flag.name for flag in flags.values() if flag.found}]
        assert list(stats["flags"]) == list(flags)
        for name, flag in flags.items():
            assert stats["flags"][name] == pytest.approx([flag.value], rel=1e-3)


def test_the_summary_counts_cases(analysed):
    report, _ = analysed
    summary = report["stats_summary"]["spectrum_stats"]
    cases = [case["spectrum_stats"] for case in report["stats_by_cases"]]
    centroids = [case["centroid"][0] for case in cases]
    assert summary["centroid"]["mean"] == pytest.approx(np.mean(centroids))
    assert summary["centroid"]["max"] == pytest.approx(max(centroids))
    assert sum(summary["band_shares"][band]["mean"] for band in BANDS) == pytest.approx(1)
    assert list(summary["flags"]) == list(FLAGS)
    assert summary["flags"]["constant_border"]["cases"] == 1
    assert summary["flags"]["grid_lines"]["cases"] == 1
    assert summary["flags"]["grid_lines"]["share"] == pytest.approx(1 / 3)
    shares = sorted(case["flags"]["constant_border"][0] for case in cases)
    assert summary["flags"]["constant_border"]["median"] == pytest.approx(shares[1])


def test_the_files_are_those_of_monai_with_one_key_more(analysed, folder, tmp_path):
    report, path = analysed
    theirs = tmp_path / "datastats.yaml"
    DataAnalyzer(cases_of(folder), str(folder), str(theirs), **SETTINGS).get_all_case_stats()
    for ours, name in ((path, "datastats.yaml"), (path, "datastats_by_case.yaml")):
        mine = yaml.safe_load(ours.with_name(name).read_text())
        monai = yaml.safe_load((tmp_path / name).read_text())
        assert mine["stats_summary"].pop("spectrum_stats") == report["stats_summary"]["spectrum_stats"]
        for case, reported in zip(mine["stats_by_cases"], report["stats_by_cases"], strict=False):
            assert case.pop("spectrum_stats") == reported["spectrum_stats"]
        assert mine == monai
        assert len(mine["stats_by_cases"]) == (3 if "by_case" in name else 0)


def test_transforms_and_json_are_taken(folder, tmp_path):
    """Without a change of the orientation, and of one case."""
    cases = {"validation": cases_of(folder)["training"][:1]}
    reading = [LoadImaged(["image", "label"], ensure_channel_first=True), EnsureTyped(["image", "label"])]
    path = tmp_path / "stats.json"
    analyzer = SpectrumDataAnalyzer(cases, str(folder), str(path), fmt="json", **SETTINGS)
    analyzer.get_all_case_stats("validation", reading)
    written = json.loads(path.with_name("stats_by_case.json").read_text())
    image = Compose(reading)({key: str(folder / value) for key, value in cases["validation"][0].items()})["image"]
    assert written["stats_by_cases"][0]["spectrum_stats"] == SpectrumStats()({"image": image})["spectrum_stats"]


def test_a_case_without_a_spectrum_keeps_its_statistics(tmp_path):
    random = np.random.default_rng(0)
    for number in range(2):
        voxels = random.random((20, 20, 20), dtype=np.float32)
        voxels[0, 0, 0] = np.nan if number else 0
        nibabel.save(nibabel.Nifti1Image(voxels, np.eye(4)), tmp_path / f"{number}.nii.gz")
    cases = {"training": [{"image": f"{number}.nii.gz"} for number in range(2)]}
    analyzer = SpectrumDataAnalyzer(cases, str(tmp_path), "", label_key=None, **SETTINGS)
    with pytest.warns(UserWarning, match=r"1\.nii\.gz has no spectrum in the report: .*NaN or infinity"):
        report = analyzer.get_all_case_stats()
    assert ["spectrum_stats" in case for case in report["stats_by_cases"]] == [True, False]
    assert "image_stats" in report["stats_by_cases"][1]
    assert report["stats_summary"]["spectrum_stats"]["flags"]["zero_filled"]["share"] == 0
    assert not list(tmp_path.glob("*.yaml"))


def test_analyzers_fit_into_the_summarizer_of_monai(folder):
    summarizer = SegSummarizer("image", None, hist_bins=0)
    summarizer.add_analyzer(SpectrumStats("image"), SpectrumStatsSumm())
    load = LoadImaged("image", ensure_channel_first=True)
    cases = [summarizer(load({"image": str(path)})) for path in sorted(folder.glob("imagesTr/*.nii.gz"))]
    summary = summarizer.summarize(cases)
    assert set(summary) == {"image_stats", "spectrum_stats"}
    assert summary["spectrum_stats"]["flags"]["grid_lines"]["cases"] == 1


@pytest.mark.parametrize("sizes", [(2, 40, 48), (3, 20, 24, 18)])
def test_channels_and_dimensions(sizes):
    image = torch.rand(sizes, generator=torch.Generator().manual_seed(0))
    affine = torch.diag(torch.tensor([0.5, 2.0, 3.0, 1.0]))
    stats = SpectrumStats()({"image": MetaTensor(image, affine)})["spectrum_stats"]
    spacing = (0.5, 2.0, 3.0)[: len(sizes) - 1]
    expected = centroid(*radial_psd(image, spacing, spatial_dims=len(spacing)))
    assert stats["centroid_per_mm"] == pytest.approx(expected.tolist())
    assert len(stats["found"]) == sizes[0]
    numbers = SpectrumStats()({"image": image.numpy()})["spectrum_stats"]
    assert numbers["centroid"] == stats["centroid"]
    assert numbers["centroid_per_mm"] == pytest.approx(numbers["centroid"])


def test_what_is_no_case_is_refused():
    with pytest.raises(KeyError, match="'image_key' must be a key"):
        SpectrumStats("ct")({"image": torch.rand(1, 32, 32)})
    with pytest.raises(ValueError, match="2D or 3D"):
        SpectrumStats()({"image": torch.rand(32, 32)})
    with pytest.raises(ValueError, match="add SpectrumStats"):
        SpectrumStatsSumm()([{}])
