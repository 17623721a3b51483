"""Outlines enclose equal areas about the origin, and differ."""

import numpy as np
import pytest

from monai_freq.phantoms.outlines import OUTLINES, outline_level

AXIS = np.arange(-3, 3, 0.01) + 0.005


def inside(kind: str) -> np.ndarray:
    return outline_level(kind, AXIS[:, None], AXIS[None, :]) < 0


@pytest.mark.parametrize("kind", OUTLINES)
def test_the_area_is_that_of_the_unit_disc(kind):
    found = inside(kind)
    assert found.sum() * 0.01**2 == pytest.approx(np.pi, rel=0.01)
    assert not found[[0, -1]].any()
    assert not found[:, [0, -1]].any()
    assert np.abs(AXIS[np.argwhere(found)].mean(0)).max() < 0.25


@pytest.mark.parametrize("kind", OUTLINES)
def test_levels_grow_by_about_one_a_unit_at_the_edge(kind):
    level = outline_level(kind, AXIS[:, None], AXIS[None, :])
    slope = np.hypot(*np.gradient(level, 0.01))
    assert 0.6 < np.median(slope[np.abs(level) < 0.05]) < 1.6


def test_outlines_differ_even_when_turned():
    """Mean radius and its spread over the area, which turning leaves alone, tell the kinds apart."""
    radius = np.hypot(AXIS[:, None], AXIS[None, :])
    marks = []
    for kind in OUTLINES:
        level = outline_level(kind, AXIS[:, None], AXIS[None, :])
        edge = np.abs(level) < 0.01
        marks.append((radius[level < 0].mean(), radius[edge].mean(), radius[edge].std()))
    distances = [np.abs(np.subtract(a, b)).max() for i, a in enumerate(marks) for b in marks[:i]]
    assert min(distances) > 0.02
