"""Whether trainings were long enough is judged from their validation curves."""

import math

import numpy as np
import pytest
from studies import conditions_in, reported, run, runs

from monai_freq.study.report import write_report
from monai_freq.study.report.convergence import convergence


def exponential(tau: float, length: int = 40, top: float = 0.8) -> list[float]:
    """A curve that closes its gap with a time constant of ``tau`` trainings."""
    return [top * (1 - math.exp(-n / length / tau)) for n in range(1, length + 1)]


@pytest.mark.parametrize(
    ("curve", "state"),
    [
        (exponential(0.1), "converged"),
        (exponential(0.3), "converged"),
        (exponential(0.6), "undertrained"),
        (exponential(2), "undertrained"),
        ([0.02 * n for n in range(1, 41)], "undertrained"),
        ([0.01] * 40, "undertrained"),
        ([0.0] * 30 + [0.5] * 10, "undertrained"),
        ([0.8] * 40, "converged"),
        ([*exponential(0.1)[:20], *np.linspace(0.8, 0.7, 20)], "converged"),
        ([0.8, math.nan] * 20, "converged"),
        ([math.nan] * 40, "not judged"),
        ([], "not judged"),
    ],
)
def test_convergence_is_judged_from_the_curve(curve, state):
    conditions = conditions_in([run(dice=curve)])
    assert convergence(conditions[0], conditions).state == state


@pytest.mark.parametrize("tau", [0.1, 0.3, 0.5])
def test_the_converged_dice_of_an_exponential_is_its_asymptote(tau):
    conditions = conditions_in([run(dice=exponential(tau))])
    assert convergence(conditions[0], conditions).converged == pytest.approx(0.8, rel=1e-3)


def noisy(curve: list[float], seed: int, sd: float = 0.03) -> list[float]:
    return [float(value) for value in np.array(curve) + sd * np.random.default_rng(seed).standard_normal(len(curve))]


LINE = [0.02 * n for n in range(1, 41)]


def judged_alone(curves):
    """Convergence of many conditions by their own runs alone; ``curves`` has those of the draws of each condition."""
    results = [
        run(size=size, draw=draw, dice=curve, cases=1)
        for size, own in enumerate(curves, 1)
        for draw, curve in enumerate(own)
    ]
    return [convergence(one, [one]) for one in conditions_in(results)]


@pytest.mark.parametrize(
    ("curve", "converged"),
    [
        (LINE, math.nan),  # rises on as before
        ([0.56 * (n / 40) ** 2 for n in range(1, 41)], math.nan),  # ever faster
        (exponential(1), math.nan),  # slows down, but not enough
        (exponential(0.5, top=1.05), math.nan),  # would end where no Dice is
        (exponential(0.3), 0.8),
        ([0.8] * 40, 0.8),
        ([*np.linspace(0.5, 0.8, 20), *np.linspace(0.8, 0.7, 20)], np.linspace(0.8, 0.7, 20)[10:].mean()),  # falls
    ],
)
def test_of_a_curve_there_is_told_what_it_shows(curve, converged):
    conditions = conditions_in([run(dice=curve)])
    found = convergence(conditions[0], conditions)
    final = np.mean(curve[30:])
    assert found.final == pytest.approx(final)
    assert found.rise == pytest.approx(final - np.mean(curve[20:30]), abs=1e-12)
    assert found.converged == pytest.approx(converged, nan_ok=True)
    assert found.reached == pytest.approx(final / converged, nan_ok=True)


@pytest.mark.parametrize(("curve", "final"), [([0.3, 0.6], 0.6), ([0.3], 0.3), ([], math.nan)])
def test_of_a_few_validations_the_last_is_told(curve, final):
    conditions = conditions_in([run(dice=curve)])
    found = convergence(conditions[0], conditions)
    assert [found.final, found.rise, found.converged] == pytest.approx([final, math.nan, math.nan], nan_ok=True)


def test_noise_does_not_seem_to_slow_a_curve_down():
    """Of straight lines with noise, hardly any has an end, and none a state that the noise makes."""
    found = judged_alone([noisy(LINE, seed)] for seed in range(100))
    assert {one.state for one in found} == {"undertrained"}
    assert sum(not math.isnan(one.converged) for one in found) <= 5


def test_two_standard_errors_are_what_noise_reaches_in_one_curve_of_forty():
    """The gains of this curve shrink by just the quarter that they must shrink by more than."""
    curve = exponential(-0.25 / math.log(0.75))
    found = judged_alone([noisy(curve, seed, sd=0.01)] for seed in range(300))
    assert 4 <= sum(not math.isnan(one.converged) for one in found) <= 26


@pytest.mark.parametrize(("level", "state"), [(0.71, "undertrained"), (0.73, "converged")])
def test_nine_tenths_of_the_converged_dice_are_enough(level, state):
    conditions = conditions_in([run(dice=[level] * 20), run(dice=[level] * 20 + [0.8] * 40, epochs=60)])
    assert convergence(conditions[0], conditions).state == state


@pytest.mark.parametrize(("level", "state"), [(0.09, "undertrained"), (0.11, "converged")])
def test_a_level_curve_has_found_something(level, state):
    conditions = conditions_in([run(dice=[level] * 20)])
    assert convergence(conditions[0], conditions).state == state


@pytest.mark.parametrize(("count", "state"), [(7, "not judged"), (8, "converged")])
def test_eight_validations_are_enough(count, state):
    conditions = conditions_in([run(dice=[0.8] * count)])
    assert convergence(conditions[0], conditions).state == state


def test_several_runs_show_an_end_that_one_does_not():
    curves = [noisy(exponential(0.3), seed) for seed in range(20)]
    alone = [conditions_in([run(dice=curve)]) for curve in curves]
    assert sum(math.isnan(convergence(one[0], one).converged) for one in alone) > 5
    together = conditions_in([run(draw=draw, dice=curve) for draw, curve in enumerate(curves)])
    assert convergence(together[0], together).converged == pytest.approx(0.8, abs=0.03)


def test_no_end_is_shown_that_the_curve_does_not_tell(tmp_path):
    texts = reported(write_report, tmp_path, runs(draws=6, dice=LINE))
    lines = texts["report.md"].splitlines()
    assert "| heart | 4 | none | 40 | 71.0 | +20.0 | – | – | undertrained |" in lines
    assert "in this order: 71.0%, +20.0 points; 71.0%, +20.0 points." in texts["report.md"]
    assert "100.0" not in "".join(line for line in lines if "undertrained" in line)


def test_noise_does_not_make_a_level_curve_undertrained():
    rng = np.random.default_rng(0)
    found = judged_alone([0.8 + 0.03 * rng.standard_normal(32) for _ in range(3)] for _ in range(100))
    assert {one.state for one in found} == {"converged"}


def test_longer_runs_show_where_the_short_ones_would_end():
    short, long = run(dice=[0.5] * 20), run(dice=[0.5] * 20 + exponential(0.1, 40), epochs=60)
    conditions = conditions_in([short, long])
    found = convergence(conditions[0], conditions)
    assert (found.state, found.reference, found.epochs) == ("undertrained", 60, 20)
    assert convergence(conditions[1], conditions).reference == 0
    assert convergence(conditions[0], conditions[:1]).state == "converged"
