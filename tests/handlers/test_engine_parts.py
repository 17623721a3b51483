"""What handlers ask of an engine's parts and of their own arguments."""

from pathlib import Path

import pytest
import torch
from torch import nn

from monai_freq.handlers.engine_parts import bare, check_tag, folder_of, positive


@pytest.mark.usefixtures("single_process_group")
def test_a_network_comes_out_of_its_parallel_wrapper():
    network = nn.Linear(2, 1)
    assert bare(nn.parallel.DistributedDataParallel(network)) is network
    assert bare(nn.DataParallel(network)) is network


def test_a_network_comes_out_of_its_compiled_wrapper():
    network = nn.Linear(2, 1)
    assert bare(torch.compile(network)) is network
    assert bare(nn.DataParallel(torch.compile(network))) is network


def test_anything_else_is_returned_as_it_is():
    optimizer = torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=0.1)
    network = nn.Sequential(nn.Linear(2, 1))
    network.module = nn.Identity()  # a part that has the wrapper's name for its network
    for item in (network, optimizer, None, "network"):
        assert bare(item) is item


@pytest.mark.parametrize("value", [1, 2, 10**9])
def test_a_positive_integer_is_returned(value):
    assert positive("interval", value) == value


@pytest.mark.parametrize("value", [0, -3, 1.0, float("nan"), True, False, "1", None, [1]])
def test_anything_else_is_refused_by_name(value):
    with pytest.raises(ValueError, match=r"^'interval' must be a positive integer, got "):
        positive("interval", value)


@pytest.mark.parametrize("value", ["runs", Path("runs")])
def test_a_folder_is_its_path(value):
    assert folder_of("log_dir", value) == Path("runs")


@pytest.mark.parametrize("value", [None, 3, True, b"runs"])
def test_what_is_no_path_is_no_folder(value):
    with pytest.raises(TypeError, match=r"^'log_dir' must be the path of a folder, got "):
        folder_of("log_dir", value)


@pytest.mark.parametrize("tag", ["psd", "train/psd", "psd 2", "a..b", ".psd", "α"])
def test_a_tag_within_the_folder_is_taken(tag):
    check_tag(tag)
