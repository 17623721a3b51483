"""The message of a reader's refusal, which is two or three lines."""

import pytest

from monai_freq.data import DataError

__all__ = ["refusal"]


def refusal(function, *arguments, **settings):
    with pytest.raises(DataError) as caught:
        function(*arguments, **settings)
    assert 2 <= len(str(caught.value).splitlines()) <= 3
    return str(caught.value)
