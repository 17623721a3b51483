"""What is not there is named."""

import math
from dataclasses import replace

from monai_freq.study.transfer_report.cells import study_of
from monai_freq.study.transfer_report.missing import missing


def lines(results, asked=()):
    return missing(study_of(results), results, [], asked)


def test_a_whole_study_lacks_nothing(whole):
    results = whole()
    assert lines(results) == []
    assert lines(results, [run.name for run in results]) == []


def test_failed_runs_are_named_with_their_last_line(whole, tuned):
    failed = replace(tuned(fold=2), status="failed", measures={}, error="Traceback\nKilled by signal 9.\n")
    results = [*[run for run in whole() if run.name != failed.name], failed]
    found = lines(results, [run.name for run in results])
    assert found == [f"Failed: {failed.name}: Killed by signal 9."]


def test_runs_that_were_not_made_are_named_by_what_was_asked_for(whole):
    results = whole()
    names = [run.name for run in results]
    kept = [run for run in results if (run.overrides["source"], run.overrides.get("fraction")) != ("random", 0.5)]
    found = lines(kept, names)
    assert len(found) == 1
    assert found[0].startswith("Not made yet: lodopab_transfer/nall_none_")
    assert found[0].endswith(": draws 0, 1, 2")


def test_without_a_list_the_other_sources_tell(whole):
    results = whole(seeds=2)
    gone = {("random", 0.5, 1, 0), ("random", 0.5, 2, 1)}
    kept = [run for run in results if (*_place(run), run.draw, run.seed) not in gone]
    kept = [run for run in kept if _place(run) != ("imagenet", 1.0)]
    assert lines(kept) == [
        "Absent: lodopab, photon noise, imagenet, p = 1",
        "Absent: lodopab, photon noise, random, p = 0.5: folds 1 (seed 0), 2 (seed 1)",
    ]


def test_missing_values_are_counted(whole):
    results = whole()
    last = results[-1]
    conditions = last.measures["conditions"] | {"ood": {"auc": math.nan}}
    densities = {key: value for key, value in last.measures["densities"].items() if key != "after"}
    measures = last.measures | {"conditions": conditions, "densities": densities}
    assert lines([*results[:-1], replace(last, measures=measures)]) == [
        "Absent: lodopab, photon noise, random, p = 1: ood AUC of 1 of 3 runs",
        "Absent: lodopab, photon noise, random, p = 1: learning priority after it of 1 of 3 runs",
    ]


def test_without_an_artifact_its_density_is_not_missed(whole):
    assert lines(whole(artifact="none")) == []


def test_sources_from_elsewhere_are_named(whole):
    results = [run for run in whole() if run.bundle != "source_pretrain"]
    assert lines(results) == ["No pre-training of imagenet, radimagenet is in this study: their accuracy is not known."]


def test_a_long_list_is_cut(whole):
    results = whole(folds=9)
    names = [f"{run.name}_{n}" for run in results for n in range(3)]
    found = lines(results, names)
    assert len(found) <= 60


def _place(run):
    return run.overrides["source"], run.overrides.get("fraction")
