"""Whatever is outside an argument's range is refused at once, in a message that names the argument."""

import inspect
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reliability.drawn import FAMILIES

from monai_freq.data import plan_shortcut
from monai_freq.transforms import ApplyShortcutd, FourierLowPass, StaticShortcutd, artifact_psd

NAN = st.just(math.nan)
INFINITE = st.sampled_from([math.inf, -math.inf])
BELOW_ZERO = st.floats(max_value=0, exclude_max=True, allow_nan=False)
AT_MOST_ZERO = st.floats(max_value=0, allow_nan=False)
NO_NUMBER = st.one_of(st.none(), st.text(max_size=3), st.just([]), st.just({}), st.just(1j))
NO_CHOICE = st.one_of(st.text(max_size=8), st.integers(), st.none())
NO_COUNT = st.one_of(st.integers(max_value=0), st.just(2.5), NAN, INFINITE, NO_NUMBER.filter(lambda x: x is not None))
NO_RADIUS = st.one_of(st.integers(max_value=-1), st.just(1.5), st.just([1, -1]), st.just([1] * 5), st.just("2"))
NO_PROBABILITY = st.one_of(st.floats(min_value=1, exclude_min=True), BELOW_ZERO, NAN, NO_NUMBER)
NO_POSITIVE = st.one_of(AT_MOST_ZERO, NAN, INFINITE, st.booleans(), NO_NUMBER)
NO_RUN_SEED = st.one_of(st.integers(max_value=-1), st.booleans(), st.just("3"), st.floats(), st.none())

NO_DENSITIES = st.one_of(
    st.none(),
    st.just(3),
    st.just([]),
    st.just([[]]),
    st.just([-1.0] * 11),
    st.just([math.inf] * 11),
    st.just([1.0] * 10),
)

BAD = {
    "reference": NO_DENSITIES,
    "references": st.one_of(NO_DENSITIES.map(lambda value: [value]), st.just([]), st.none(), st.just("a.png")),
    "edges": st.one_of(
        st.just(()), st.just((0.1,)), st.just((0.2, 0.1)), st.just((-0.1, 0.1)), st.just(0.1), st.none()
    ),
    "unit": NO_CHOICE,
    "cells": st.sampled_from([[], [11], [-1], [0.5], 3, "1"]),
    "max_gain": st.one_of(st.floats(max_value=1, allow_nan=False), NAN, INFINITE, st.just(True), NO_NUMBER),
    "theta": st.one_of(AT_MOST_ZERO, st.floats(min_value=1), NAN, st.booleans(), NO_NUMBER),
    "cutoff": st.one_of(AT_MOST_ZERO, st.floats(min_value=0.5, exclude_min=True), NAN, st.booleans(), NO_NUMBER),
    "axes": st.one_of(st.just(()), st.just((0, 0)), st.lists(st.integers(3), min_size=1), st.just((-1,)), st.just(1)),
    "convention": NO_CHOICE,
    "patch_radius": NO_RADIUS,
    "search_radius": NO_RADIUS,
    "h": st.one_of(BELOW_ZERO, NAN, INFINITE, st.just(True), st.just("2"), st.just([])),
    "sigma": st.one_of(BELOW_ZERO, NAN, INFINITE, st.just(True), st.just("2"), st.just([])),
    "noise_model": NO_CHOICE,
    "prob": NO_PROBABILITY,
    "n_angles": st.one_of(NO_COUNT, st.none(), st.just(True)),
    "n_detectors": NO_COUNT,
    "extent_mm": st.one_of(AT_MOST_ZERO, NAN, INFINITE, st.booleans(), st.just("2"), st.just([])),
    "spacing": st.one_of(
        st.lists(AT_MOST_ZERO, min_size=1, max_size=4),
        st.just([1.0]),
        st.just([1.0] * 4),
        st.just([math.nan, 1.0]),
        st.just(1.0),
    ),
    "input_range": st.one_of(
        st.text(max_size=4).filter(lambda text: text != "hu"),
        st.just((0.0, 1.0)),
        st.just((1.0, 0.0, 0.0, 1.0)),
        st.just((0.0, 1.0, 1.0, 1.0)),
        st.just((0.0, math.inf, 0.0, 1.0)),
        st.just(None),
        st.just(3),
    ),
    "filter": NO_CHOICE,
    "min_count": NO_POSITIVE,
    "sampler": NO_CHOICE,
    "slice_dim": st.one_of(st.integers(min_value=3), st.integers(max_value=-4), st.just(0.5), NO_NUMBER),
}
NO_RANGE = st.one_of(
    NAN, st.just(1.0), st.just((2.0, 1.0)), st.just((1.0,)), st.just((-1.0, 1.0)), st.just((1, "2")), st.none()
)
NO_SHARE = st.one_of(st.floats(min_value=1, exclude_min=True), BELOW_ZERO, NAN, st.just(True), NO_NUMBER)
NO_FACTOR = st.one_of(BELOW_ZERO, NAN, INFINITE, st.just(True), NO_NUMBER)


def of_family(family, name):
    """What the argument of a name must not be; two mean something else where they are drawn."""
    random = family.name.startswith("Rand")
    of_its_own = {"h_factor": NO_RANGE if random else NO_FACTOR, "n_photons": NO_RANGE if random else NO_POSITIVE}
    of_its_own |= {"strength": NO_RANGE if random else NO_SHARE}
    return of_its_own[name] if name in of_its_own else BAD[name]


NEEDED = {
    "FourierLowPass": {"cutoff": 0.2},
    "SpectrumMatch": {"reference": [1.0] * 11},
    "RandSpectrumMatch": {"references": [[1.0] * 11]},
}
CASES = [(family, name) for family in FAMILIES for name in inspect.signature(family.array).parameters]


@pytest.mark.parametrize(("family", "name"), CASES, ids=lambda value: getattr(value, "name", value))
@given(data=st.data())
def test_every_argument_is_checked(family, name, data):
    if name in ("channel_wise", "directional"):  # a truth value, and any object has one
        return
    value = data.draw(of_family(family, name))
    needed = NEEDED.get(family.name, {})
    for make in (family.array, lambda **settings: family.dictionary(keys="image", **settings)):
        with pytest.raises(ValueError, match=f"'{name}'"):
            make(**needed | {name: value})


@given(seed=NO_RUN_SEED)
def test_what_is_no_seed_of_a_shortcut_is_refused(seed):
    for shortcut in (ApplyShortcutd, StaticShortcutd):
        with pytest.raises(ValueError, match="'seed'"):
            shortcut("image", FourierLowPass(0.2), seed=seed)
    with pytest.raises(ValueError, match="'seed'"):
        plan_shortcut([{"label": 1}], "label", 1, fraction=1, seed=seed)


@given(seed=st.one_of(NO_RUN_SEED, st.integers(min_value=2**32)))
def test_what_is_no_seed_or_artifact_or_power_is_refused(seed):
    import torch

    image = torch.rand(1, 8, 8)
    with pytest.raises(ValueError, match="'seed'"):
        artifact_psd(FourierLowPass(0.2), [image], seed=seed)
    for power in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="'power'"):
            artifact_psd(FourierLowPass(0.2), [image], power=power)
    for shortcut in (ApplyShortcutd, StaticShortcutd):
        with pytest.raises(TypeError, match="'artifact'"):
            shortcut("image", seed)
