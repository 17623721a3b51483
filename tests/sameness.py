"""What is the same to the last bit."""

import torch


def assert_same(actual, expected):
    """Tensors, numbers, and mappings and sequences of them."""
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)
