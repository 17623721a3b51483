"""Equality to the last bit."""

import torch


def assert_same(actual, expected):
    """Compare tensors, numbers, and mappings and sequences of them."""
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)
