"""Each reader of monai_freq.data with a valid file of its own, and what it promises of a file that it reads."""

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from monai_freq.data import (
    check_cases,
    check_images,
    plan_folds,
    read_decathlon,
    read_folds,
    read_image,
    read_imagenet,
    read_kneemri,
    read_lodopab,
    read_pck,
    read_radimagenet,
    save_folds,
)
from monai_freq.data.dicom_series import read_series
from monai_freq.data.dicom_slices import read_dicom_slice, scan_dicom_files
from monai_freq.data.hdf5_slices import slices_shape
from monai_freq.data.kneemri_nifti import convert_kneemri, verify_kneemri
from monai_freq.data.lidc_folder import read_malignancies
from monai_freq.data.volumes import count_slices

__all__ = ["DICOM", "TARGETS", "Target", "make_dicom", "make_files"]

SHAPE = (6, 5, 4)


@dataclass(frozen=True)
class Target:
    """A file to damage, and the reader that meets it.

    Args:
        file: The file, in the folder of :func:`make_files`.
        kind: Its format, for the mutations.
        read: Reads the folder's file, and asserts what it promises of the result.
    """

    file: str
    kind: str
    read: Callable[[Path], object]


def make_files(root: Path) -> None:
    """Write the valid files."""
    for make in (_volumes, _slices, _pickles, _tables, _decathlon, _pictures, _texts):
        make(root)


def _volumes(root: Path) -> None:
    import nibabel

    rng = np.random.default_rng(0)
    image = nibabel.Nifti1Image(rng.integers(0, 900, SHAPE, np.int16), np.diag([1.25, 1.25, 1.37, 1]))
    label = nibabel.Nifti1Image(rng.integers(0, 2, SHAPE, np.uint8), image.affine)
    scaled = nibabel.Nifti1Image(rng.integers(0, 900, SHAPE, np.int16), image.affine)
    scaled.header.set_slope_inter(0.5, -100)
    for name, volume in {"image": image, "label": label, "scaled": scaled}.items():
        nibabel.save(volume, root / f"{name}.nii")
        nibabel.save(volume, root / f"{name}.nii.gz")


def _slices(root: Path) -> None:
    import h5py

    values = np.random.default_rng(1).random((3, 12, 10), dtype=np.float32)
    with h5py.File(root / "ground_truth_train_000.hdf5", "w") as file:
        file["data"] = values
    with h5py.File(root / "chunked.hdf5", "w", libver="latest") as file:
        file.create_dataset("data", data=values, chunks=(1, 12, 10), compression="gzip", shuffle=True, fletcher32=True)


def _pickles(root: Path) -> None:
    volume = np.random.default_rng(2).integers(0, 900, (4, 8, 8), np.int16)
    (root / "knee/vol01").mkdir(parents=True)
    for protocol in range(6):
        (root / f"protocol_{protocol}.pck").write_bytes(pickle.dumps(volume, protocol))
        (root / f"knee/vol01/{protocol}-1.pck").write_bytes(pickle.dumps(volume, protocol))


def _tables(root: Path) -> None:
    lines = [f"ground_truth_train_000.hdf5,{i},LIDC-IDRI-{i:04},{m}" for i in range(3) for m in (1, 4, 5)]
    (root / "labels.csv").write_text("file,index,patient,malignancy\n" + "\n".join(lines) + "\n")
    (root / "patient_ids_rand_train.csv").write_text("7\n8\n9\n")
    lines = [f"{i},1,{i % 3},1,2,{i}-1.pck" for i in range(6)]
    header = "examId,seriesNo,aclDiagnosis,roiZ,roiDepth,volumeFilename\n"
    (root / "knee/metadata.csv").write_text(header + "\n".join(lines) + "\n")
    convert_kneemri(root / "knee", root / "converted")
    (root / "radiology_ai").mkdir()
    for number, part in enumerate(("train", "val", "test")):
        for i in range(4):
            (root / f"radiology_ai/{part}_{i}.png").touch()
        lines = [f"radiology_ai/{part}_{i}.png,class {i % 2}" for i in range(4)]
        (root / f"RadiologyAI_{part}.csv").write_text("filename,label\n" + "\n".join(lines) + "\n" * number)
    items = [{"image": f"{i}.png", "label": i % 2, "patient": str(i)} for i in range(12)]
    save_folds(plan_folds(items, train=6, val=2, folds=2), root / "folds.json")


def _decathlon(root: Path) -> None:
    cases = [{"image": "./image.nii.gz", "label": "./label.nii.gz"}, {"image": "./image.nii", "label": "./label.nii"}]
    index = {"name": "Heart", "labels": {"0": "background", "1": "atrium"}, "modality": {"0": "MRI"}}
    text = json.dumps(index | {"training": cases, "test": ["./scaled.nii.gz"]}, indent=1)
    (root / "dataset.json").write_text(text)


def _pictures(root: Path) -> None:
    import SimpleITK
    import tifffile
    from PIL import Image

    values = np.random.default_rng(3).integers(0, 255, (16, 16, 3), np.uint8)
    Image.fromarray(values).save(root / "colour.png")
    Image.fromarray(values[..., 0]).save(root / "grey.jpg")
    deep = values.astype(np.uint16) * 200
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(deep, isVector=True), root / "deep.png")
    tifffile.imwrite(root / "deep.tif", deep, photometric="rgb", compression="zlib")
    Image.fromarray(values).save(root / "packed.tif", compression="tiff_lzw")


def _texts(root: Path) -> None:
    (root / "classes/n02084071").mkdir(parents=True)
    (root / "classes/n02958343").mkdir()
    for wnid in ("n02084071", "n02958343"):
        (root / f"classes/{wnid}/1.png").touch()
    (root / "is_a.txt").write_text("n00004258 n02084071\nn00021939 n02958343\nn00001740 n00004258\n")
    nodule = "<unblindedReadNodule><characteristics><malignancy>4</malignancy></characteristics><roi><imageSOP_UID>1.2"
    nodule += "</imageSOP_UID></roi></unblindedReadNodule>"
    xml = f'<?xml version="1.0"?><LidcReadMessage xmlns="http://www.nih.gov"><readingSession>{nodule}</readingSession>'
    (root / "069.xml").write_text(xml + "</LidcReadMessage>")


def make_dicom(folder: Path) -> None:
    """Write a valid DICOM slice, and a folder of a series."""
    import locale

    import SimpleITK

    folder.mkdir()
    before = locale.setlocale(locale.LC_ALL)  # SimpleITK's writer leaves the process with another
    image = SimpleITK.GetImageFromArray(np.arange(256, dtype=np.int16).reshape(1, 16, 16))
    tags = {"0008|0018": "1.2.3", "0010|0020": "p", "0008|0060": "CT", "0028|1052": "-1024", "0028|1053": "1"}
    for tag, value in tags.items():
        image.SetMetaData(tag, value)
    SimpleITK.WriteImage(image, folder / "000001.dcm")
    (folder / "series").mkdir()
    writer = SimpleITK.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    image.SetMetaData("0020|000e", "1.2.4")
    for number in range(4):
        image.SetMetaData("0008|0018", f"1.2.3.{number}")
        image.SetOrigin((0, 0, 2.5 * number))
        writer.SetFileName(folder / f"series/{number}.dcm")
        writer.Execute(image)
    locale.setlocale(locale.LC_ALL, before)


def _case(image: str, label: str) -> Callable[[Path], object]:
    def read(root: Path) -> None:
        import nibabel

        check_cases([{"image": f"{root}/{image}", "label": f"{root}/{label}"}], {0, 1}, channels=1, num_workers=1)
        voxels, regions = (np.asarray(nibabel.load(root / name).dataobj) for name in (image, label))
        assert np.isfinite(voxels).all()
        assert voxels.shape[:3] == regions.shape
        assert set(np.unique(regions)) <= {0, 1}

    return read


def _all_slices(name: str) -> Callable[[Path], object]:
    def read(root: Path) -> None:
        count = count_slices(root / name)
        images = [read_image(f"{root}/{name}#{index}") for index in range(min(count, 4))]
        assert count > 0
        assert all(image.ndim == 2 and image.size and image.shape == images[0].shape for image in images)
        if name.endswith("hdf5"):
            assert images[0].dtype == np.float32
            assert (count, *images[0].shape) == slices_shape(root / name)
        check_images([{"image": f"{root}/{name}#0"}], num_workers=1)

    return read


def _pck(name: str) -> Callable[[Path], object]:
    def read(root: Path) -> None:
        volume = read_pck(root / name)
        assert volume.ndim == 3
        assert volume.size
        assert volume.dtype.kind in "iu"
        assert not volume.flags.writeable
        assert volume.nbytes <= (root / name).stat().st_size

    return read


def _picture(name: str) -> Callable[[Path], object]:
    def read(root: Path) -> None:
        assert read_image(root / name).ndim == 2
        assert read_image(root / name, channels=3).shape[2] == 3

    return read


def _labelled(items: list[dict[str, Any]], root: Path, labels: set[int]) -> None:
    assert items
    for item in items:
        assert item["label"] in labels
        file = item["image"].rpartition("#")[0] or item["image"]
        assert Path(file).resolve().is_relative_to(root.resolve())
        assert Path(file).is_file()


def _radimagenet(root: Path) -> None:
    parts = read_radimagenet(root)
    assert set(parts) == {"train", "val", "test"}
    _labelled([item for items in parts.values() for item in items], root, set(range(165)))


def _folds(root: Path) -> None:
    plan = read_folds(root / "folds.json")
    for fold in plan["folds"]:
        names = [*fold["train"], *fold["val"], *plan["test"]]
        assert len(names) == len(set(names))
        assert set(names) <= set(plan["samples"])


def _index(root: Path) -> None:
    dataset = read_decathlon(root)
    for path in (*dataset.test, *(path for case in dataset.training for path in case.values())):
        assert Path(path).is_relative_to(root.absolute())
        assert Path(path).is_file()
    assert all(isinstance(number, int) and isinstance(name, str) for number, name in dataset.labels.items())


def _classes(root: Path) -> None:
    _labelled(read_imagenet(root / "classes", root / "is_a.txt"), root, {0, 1, 2})


def _readings(root: Path) -> None:
    for values in read_malignancies(root / "069.xml").values():
        assert set(values) <= {1, 2, 3, 4, 5}


def _dicom_slice(root: Path) -> None:
    for found in scan_dicom_files([root / "dicom/000001.dcm"]):
        assert found.uid
        assert read_dicom_slice(found.file).ndim == 2


def _dicom_series(root: Path) -> None:
    series = read_series(root / "dicom/series")
    assert 2 <= len(series.files) <= 4
    assert series.shape[2] == len(series.files)
    assert np.isfinite(series.affine).all()
    assert abs(np.linalg.det(series.affine)) > 0
    check_cases([{"image": str(root / "dicom/series")}], (), channels=1, num_workers=1)


TARGETS = [
    *(Target(f"{name}.nii", "nii", _case("image.nii", "label.nii")) for name in ("image", "label")),
    *(Target(f"{name}.nii.gz", "nii.gz", _case("image.nii.gz", "label.nii.gz")) for name in ("image", "label")),
    Target("scaled.nii.gz", "nii.gz", _case("scaled.nii.gz", "label.nii")),
    Target("scaled.nii", "nii", _all_slices("scaled.nii")),
    *(Target(name, "hdf5", _all_slices(name)) for name in ("ground_truth_train_000.hdf5", "chunked.hdf5")),
    *(Target(f"protocol_{n}.pck", "pck", _pck(f"protocol_{n}.pck")) for n in range(6)),
    Target("labels.csv", "csv", lambda root: _labelled(read_lodopab(root), root, {0, 1})),
    Target("patient_ids_rand_train.csv", "csv", lambda root: _labelled(read_lodopab(root), root, {0, 1})),
    Target("knee/metadata.csv", "csv", lambda root: _labelled(read_kneemri(root / "knee"), root, {0, 1})),
    Target("RadiologyAI_train.csv", "csv", _radimagenet),
    Target("RadiologyAI_test.csv", "csv", _radimagenet),
    Target("dataset.json", "json", _index),
    Target("folds.json", "json", _folds),
    Target("converted/checksums.json", "json", lambda root: verify_kneemri(root / "converted")),
    Target("colour.png", "picture", _picture("colour.png")),
    Target("grey.jpg", "picture", _picture("grey.jpg")),
    *(Target(name, "picture", _picture(name)) for name in ("deep.png", "deep.tif", "packed.tif")),
    Target("is_a.txt", "text", _classes),
    Target("069.xml", "text", _readings),
]
DICOM = [  # apart: see docs/reliability.md
    Target("dicom/000001.dcm", "dicom", _dicom_slice),
    *(Target(f"dicom/series/{number}.dcm", "dicom", _dicom_series) for number in range(2)),
]
