"""Slices are read one by one, by any number of processes and threads, and damaged files are named."""

import multiprocessing
import os
import pickle
import random
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset
from monai.transforms import Compose

from monai_freq.data import DataError, hdf5_slices, slice_address
from monai_freq.data.hdf5_slices import read_hdf5_slice, slices_shape
from monai_freq.transforms import LoadSliced

SLICES = np.random.default_rng(0).random((12, 20, 16), dtype=np.float32)


def write(path: Path, content=SLICES, name="data", **settings) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset(name, data=content, **settings)
    return path


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "ground_truth_train_000.hdf5")


def refusal(path, index=0):
    with pytest.raises(DataError) as caught:
        read_hdf5_slice(path, index)
    assert str(path) in str(caught.value)
    assert 2 <= len(str(caught.value).splitlines()) <= 3
    return str(caught.value)


@pytest.mark.parametrize("settings", [{}, {"chunks": (1, 20, 16)}, {"chunks": (5, 7, 9), "compression": "gzip"}])
@pytest.mark.parametrize("dtype", ["f4", ">f4", "f8", "f2"])
def test_every_slice_is_read_as_written(tmp_path, settings, dtype):
    path = write(tmp_path / "x.hdf5", SLICES.astype(dtype), **settings)
    assert slices_shape(path) == SLICES.shape
    for index, expected in enumerate(SLICES.astype(dtype)):
        found = read_hdf5_slice(path, index)
        assert found.dtype == np.float32
        assert found.flags.writeable
        np.testing.assert_array_equal(found, expected.astype(np.float32))


@pytest.mark.parametrize("index", [-1, 12, 10**6])
def test_an_index_beyond_the_file(file, index):
    assert f"has no slice {index}: it holds 12" in refusal(file, index)


def test_a_file_that_is_missing_or_a_folder(tmp_path):
    assert "cannot be read" in refusal(tmp_path / "ground_truth_train_000.hdf5")
    assert "it is not a file" in refusal(tmp_path)


def test_no_such_data_set(tmp_path):
    assert "has no data set 'data'" in refusal(write(tmp_path / "x.hdf5", name="image"))
    with h5py.File(tmp_path / "group.hdf5", "w") as file:
        file.create_group("data")
    assert "has no data set 'data'" in refusal(tmp_path / "group.hdf5")


@pytest.mark.parametrize(
    "content", [np.zeros((20, 16)), np.zeros((2, 1, 20, 16)), np.zeros((2, 20, 16), int), np.zeros((0, 4, 4)), 1.0]
)
def test_another_shape_or_type(tmp_path, content):
    assert "not (slices, height, width) of floats" in refusal(write(tmp_path / "x.hdf5", content))


def test_a_slice_of_many_terabytes_is_not_attempted(tmp_path):
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        file.create_dataset("data", shape=(1, 2**20, 2**20), dtype="f4", chunks=(1, 1024, 1024))
    assert "At most" in refusal(tmp_path / "x.hdf5")


def test_a_file_leads_to_no_other(tmp_path, file):
    with h5py.File(tmp_path / "link.hdf5", "w") as link:
        link["data"] = h5py.ExternalLink(str(file), "data")
    assert "has no data set" in refusal(tmp_path / "link.hdf5")
    (tmp_path / "raw").write_bytes(bytes(4 * 64))
    with h5py.File(tmp_path / "raw.hdf5", "w") as raw:
        raw.create_dataset("data", (1, 8, 8), "f4", external=[(str(tmp_path / "raw"), 0, 256)])
    assert "lies in other files" in refusal(tmp_path / "raw.hdf5")
    with h5py.File(tmp_path / "virtual.hdf5", "w") as virtual:
        layout = h5py.VirtualLayout(SLICES.shape, "f4")
        layout[:] = h5py.VirtualSource(str(file), "data", SLICES.shape)
        virtual.create_virtual_dataset("data", layout)
    assert "lies in other files" in refusal(tmp_path / "virtual.hdf5")


def test_truncated_files_are_refused_on_opening(file):
    whole = file.read_bytes()
    for length in (0, 1, 8, 100, 1000, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        with pytest.raises(DataError, match="cannot be read"):
            slices_shape(file)


def test_mutated_bytes_are_read_or_refused(tmp_path):
    # In a process of its own: the point is that it comes back.
    write(tmp_path / "x.hdf5", compression="gzip", chunks=(1, 20, 16))
    code = f"""
import random
from pathlib import Path
from monai_freq.data import DataError
from monai_freq.data.hdf5_slices import read_hdf5_slice
whole, chance, found = Path({str(tmp_path / "x.hdf5")!r}).read_bytes(), random.Random(0), []
for trial in range(300):
    mutated = bytearray(whole)
    for _ in range(chance.choice([1, 3, 30])):
        mutated[chance.randrange(len(mutated))] = chance.randrange(256)
    path = Path({str(tmp_path)!r}, f"{{trial}}.hdf5")
    path.write_bytes(mutated)
    try:
        read_hdf5_slice(path, trial % 12)
    except DataError as error:
        found.append(str(path) in str(error))
    path.unlink()
print(len(found), all(found))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    refused, named = done.stdout.split()
    assert int(refused) > 20
    assert named == "True"


def test_few_files_are_kept_open_and_each_answers_for_itself(tmp_path):
    paths = [write(tmp_path / f"{i:03}.hdf5", SLICES[:2] + i) for i in range(30)]
    for path in paths * 2:
        assert read_hdf5_slice(path, 1)[0, 0] == SLICES[1, 0, 0] + np.float32(path.stem)
    ours = [os.readlink(link) for link in Path("/proc/self/fd").iterdir() if link.exists()]
    assert sum(str(tmp_path) in name for name in ours) <= hdf5_slices.MAX_OPEN


def test_a_file_that_is_replaced_is_read_anew(tmp_path, file):
    assert read_hdf5_slice(file, 0)[0, 0] == SLICES[0, 0, 0]
    os.replace(write(tmp_path / "other.hdf5", SLICES + 1), file)
    assert read_hdf5_slice(file, 0)[0, 0] == SLICES[0, 0, 0] + 1


def test_threads_share_files_while_others_leave_the_cache(tmp_path):
    paths = [write(tmp_path / f"{i:03}.hdf5", SLICES + i) for i in range(3 * hdf5_slices.MAX_OPEN)]
    calls = [(path, index) for path in paths for index in range(12)] * 3
    random.Random(0).shuffle(calls)
    with ThreadPoolExecutor(8) as pool:
        for (path, index), found in zip(calls, pool.map(lambda call: read_hdf5_slice(*call), calls), strict=True):
            np.testing.assert_array_equal(found, SLICES[index] + int(path.stem))


@pytest.mark.parametrize("method", ["fork", pytest.param("spawn", marks=pytest.mark.slow)])
def test_workers_read_what_this_process_reads(tmp_path, method):
    paths = [shutil.copy(write(tmp_path / "x.hdf5", SLICES), tmp_path / f"{i}.hdf5") for i in range(3)]
    items = [{"image": slice_address(path, index), "label": index} for path in paths for index in range(12)]
    load = Compose([LoadSliced("image", spacing=0.5)])
    load(items[0])  # a file is open when the workers start
    context = multiprocessing.get_context(method)
    loader = DataLoader(Dataset(items, load), batch_size=4, num_workers=2, multiprocessing_context=context)
    for batch in loader:
        expected = torch.from_numpy(SLICES[batch["label"].numpy()])[:, None]
        assert torch.equal(batch["image"].as_tensor(), expected)
    read_hdf5_slice(paths[0], 0)  # and still here


def test_the_transform_can_be_pickled_after_use(file):
    load = LoadSliced("image")
    first = load({"image": slice_address(file, 3)})["image"]
    again = pickle.loads(pickle.dumps(load))({"image": slice_address(file, 3)})["image"]
    assert torch.equal(first, again)


RSS = """
import resource, sys
from pathlib import Path
from monai.data import DataLoader, Dataset
from monai_freq.data import read_lodopab
from monai_freq.transforms import LoadSliced

def peak(who=resource.RUSAGE_SELF):
    return resource.getrusage(who).ru_maxrss / 1024

def main():
    workers = int(sys.argv[2])
    load = LoadSliced("image")
    import h5py, torch
    torch.zeros(4, 1, 362, 362).sum()
    before = peak()
    items = read_lodopab(sys.argv[1])
    total = 0
    for batch in DataLoader(Dataset(items, load), batch_size=4, num_workers=workers, shuffle=True):
        total += len(batch["image"])
    print(total, peak() - before, peak(resource.RUSAGE_CHILDREN) - before)

main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_of_4000_slices_takes_little_memory(tmp_path, workers):
    lines = ["file,index,patient,malignancy"]
    for number in range(32):
        name = f"ground_truth_train_{number:03}.hdf5"
        with h5py.File(tmp_path / name, "w") as file:  # 67 MB in memory, each, and together 2.1 GB
            data = file.create_dataset("data", (128, 362, 362), "f4", chunks=(1, 362, 362), compression="gzip")
            data[0] = np.linspace(0, 1, 362, dtype=np.float32)
            _, chunk = data.id.read_direct_chunk((0, 0, 0))
            for index in range(1, 128):
                data.id.write_direct_chunk((index, 0, 0), chunk)
        lines += [f"{name},{index},p{number},{1 + 4 * (index % 2)}" for index in range(125)]
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    script = tmp_path / "epoch.py"
    script.write_text(RSS)
    command = [sys.executable, str(script), str(tmp_path), str(workers)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200)
    slices, grown, grown_in_workers = map(float, done.stdout.split())
    assert slices == 4000
    assert grown < 300  # MB
    assert grown_in_workers < 300
