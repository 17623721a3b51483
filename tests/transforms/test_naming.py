"""Warnings that name their item, once each, in any epoch, thread or worker."""

import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from monai_freq.transforms import FourierLowPass
from monai_freq.transforms.naming import OncePerItem, fingerprint, naming


def from_file(name, value=0.0):
    return MetaTensor(torch.full((1, 2, 2), value), meta={"filename_or_obj": name})


def said(once, image, item=None, key="t1"):
    """What is heard of an image."""
    with warnings.catch_warnings(record=True) as heard, naming(key, image, item):
        warnings.simplefilter("always")
        once.warn("it is dark", image)
    return [str(warning.message) for warning in heard]


def test_a_file_is_named_once_whatever_it_holds():
    once = OncePerItem()
    assert said(once, from_file("a.nii")) == ["it is dark (key 't1', file 'a.nii')"]
    assert said(once, from_file("a.nii", 1.0)) == []  # augmented otherwise
    assert said(once, from_file("b.nii")) == ["it is dark (key 't1', file 'b.nii')"]
    assert said(once, from_file("a.nii"), key="t2") == ["it is dark (key 't2', file 'a.nii')"]
    assert said(OncePerItem(), from_file("a.nii")) != []


def test_without_a_file_the_content_tells_items_apart_and_their_entries_name_them():
    once, item = OncePerItem(), {"id": 7, "name": "a\x1b[31m", "flag": True, "t1": 3, "site": np.int64(2), "more": 0}
    first, second = torch.zeros(1, 2, 2), torch.ones(1, 2, 2)
    assert said(once, first, item) == [r"it is dark (key 't1', of the item with id=7, name='a\x1b[31m', site=2)"]
    assert said(once, first.clone(), item) == []
    assert said(once, second, item) != []
    assert said(once, first, {}, key="t2") == ["it is dark (key 't2')"]


def test_outside_of_a_dictionary_the_file_is_named():
    with pytest.warns(UserWarning, match=r"^it is dark \(file 'a.nii'\)$"):
        OncePerItem().warn("it is dark", from_file("a.nii"))
    with pytest.warns(UserWarning, match="^it is dark$"):
        OncePerItem().warn("it is dark", torch.zeros(1, 2))


def test_names_of_files_cannot_steer_a_terminal():
    with (
        pytest.raises(ValueError, match=r"\(key 't1', file 'a\\x1b\[2J\\n.nii'\)"),
        naming("t1", from_file("a\x1b[2J\n.nii")),
    ):
        raise ValueError("it is dark.")


def test_keys_cannot_steer_a_terminal():
    with pytest.raises(ValueError, match=r"\(key 't\\x1b\[2J1'\)"), naming("t\x1b[2J1", None):
        raise ValueError("it is dark.")
    with pytest.raises(ValueError, match=r"the path 'a\\x1b\[2J\.nii'"):
        FourierLowPass(0.2)("a\x1b[2J.nii")


def test_threads_name_their_own_items():
    once = OncePerItem()
    with ThreadPoolExecutor(4) as pool, warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")

        def tell(number):
            image = from_file(f"{number}.nii")
            with naming("t1", image):
                once.warn("it is dark", image)

        for _ in range(2):
            list(pool.map(tell, range(20)))
    assert sorted(str(w.message) for w in heard) == sorted(f"it is dark (key 't1', file '{n}.nii')" for n in range(20))


def test_a_thousand_items_are_told_apart():
    once = OncePerItem()
    assert sum(len(said(once, from_file(f"{n}.nii"))) for n in range(1000)) >= 999


def test_it_can_be_sent_away():
    once = OncePerItem()
    said(once, from_file("a.nii"))
    again = pickle.loads(pickle.dumps(once))
    assert said(again, from_file("a.nii")) == []
    assert said(again, from_file("b.nii")) != []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int16, torch.bool])
def test_a_fingerprint_is_of_the_content(dtype):
    image = (10 * torch.rand(2, 3, 4)).to(dtype)
    assert fingerprint(image) == fingerprint(MetaTensor(image.clone()))
    assert fingerprint(image.transpose(0, 2)) == fingerprint(image.transpose(0, 2).contiguous())
    assert fingerprint(image) != fingerprint(~image if dtype == torch.bool else image + 1)
    if dtype != torch.bfloat16:
        assert fingerprint(image.numpy()) == fingerprint(image)
