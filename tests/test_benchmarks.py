"""What the benchmarks keep of a run, how they time, and that README and RESULTS.md say what was measured."""

import importlib
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EPYC, XEON = "AMD EPYC, AVX2", "Intel Xeon, AVX-512"


@pytest.fixture
def part(monkeypatch):
    """Import a module of the benchmarks, which import one another by their names."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module


def section(part, *figures, commit="abc1234", details=("A text.", "### Times\n\n| ms |\n| --- |\n| 1 |")):
    targets = [(name, figure, 2, True) for name, figure in figures]
    return part("results").section(f"2026-01-01, commit {commit}.", commit, targets, details)


def test_the_page_shows_what_was_measured(part):
    results = part("results")
    page = (ROOT / "benchmarks/RESULTS.md").read_text(encoding="utf-8")
    assert page == results.render(results.read()) + "\n"
    assert all(one["measured"] in page for sections in results.read().values() for one in sections.values())


def test_readme_gives_the_ranges_of_all_kinds(part):
    table = part("readme").speed_table(part("results").read())
    assert table in (ROOT / "README.md").read_text(encoding="utf-8"), "run: python benchmarks/readme.py"
    assert not re.search(r"[|,] -[ ,]", table), "a target has another name now"


def test_ranges_span_the_kinds(part):
    name = "`PSDHandler`: share of a `heart_fd` run"
    found = {EPYC: {"PSDHandler": section(part, (name, 0.03))}, XEON: {"PSDHandler": section(part, (name, 0.012))}}
    assert "logged twice | 1.2% to 3.0% |" in part("readme").speed_table(found)
    del found[XEON]["PSDHandler"]
    assert "logged twice | 3.0% |" in part("readme").speed_table(found)
    assert "logged twice | - |" in part("readme").speed_table({})


def test_a_run_replaces_the_column_of_its_kind_alone(part, tmp_path):
    results, clocks, places = part("results"), part("targets").Clocks, (tmp_path / "results", tmp_path / "page.md")
    results.record(EPYC, "Bands", section(part, ("split", 3.0), ("gone", 5.0)), *places)
    results.record(EPYC, "Noise", section(part, ("noise", 9.0)), *places)
    results.record(XEON, "Bands", section(part, ("split", 1.5)), *places)
    before = results.read(places[0])
    results.record(EPYC, "Bands", section(part, ("split", clocks(4.0, 3.9))), *places)
    after = results.read(places[0])
    assert after[XEON] == before[XEON]
    assert after[EPYC]["Noise"] == before[EPYC]["Noise"]
    page = places[1].read_text()
    assert "| split | ≥ 2 | 4 (3.9) | **1.5** |" in page
    assert "gone" not in page
    assert page.count("#### Times") == 3
    assert f"### Bands: {EPYC}\n\n2026-01-01, commit abc1234.\n\nA text." in page


def test_a_target_that_was_not_measured_keeps_its_last_figure(part, tmp_path):
    results, places = part("results"), (tmp_path / "results", tmp_path / "page.md")
    first = section(part, ("split", 3.0), commit="1111111")
    first["date"] = first["targets"][0]["date"] = "2026-01-01"
    results.record(EPYC, "Bands", first, *places)
    results.record(EPYC, "Bands", section(part, ("split", float("nan")), ("new", float("nan"))), *places)
    split, new = results.read(places[0])[EPYC]["Bands"]["targets"]
    assert (split["wall"], split["commit"]) == (3.0, "1111111")
    assert "wall" not in new
    assert "| split | ≥ 2 | 3, 2026-01-01 |" in places[1].read_text()
    assert "| new | ≥ 2 | - |" in places[1].read_text()
    assert "NaN" not in next(places[0].iterdir()).read_text()


def test_the_summary_counts_every_target(part):
    figures = ("kept", 3.0), ("missed", part("targets").Clocks(1.0, 2.5)), ("open", float("nan"))
    said = part("results").summary(EPYC, {"Bands": section(part, *figures)})
    assert said.startswith(f"## All targets on {EPYC}: 1 reached, 1 missed, 1 not measured")
    assert "| Bands: kept | ≥ 2 | 3 | yes |" in said
    assert "| Bands: missed | ≥ 2 | 1 (2.5) | **no** (CPU time: yes) |" in said
    assert "| Bands: open | ≥ 2 | - | not measured |" in said


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("AMD EPYC", "AMD EPYC"),
        ("Intel(R) Xeon(R) Processor", "Intel Xeon"),
        ("Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz", "Intel Xeon Platinum 8370C"),
        ("AMD EPYC 7763 64-Core Processor", "AMD EPYC 7763"),
    ],
)
def test_a_kind_is_the_same_on_all_its_machines(part, model, expected):
    assert part("machines").short_name(model) == expected


def test_the_kind_names_the_instructions_that_torch_uses(part, monkeypatch):
    torch, machines = part("torch"), part("machines")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX512")
    assert re.fullmatch(r".+, AVX-512", machines.kind())


def test_contenders_take_turns_and_both_clocks_run(part, monkeypatch):
    """On clocks of the test's own: the second call waits, the first one works in two threads."""
    measure, now, calls = part("measure"), [0.0, 0.0], []
    monkeypatch.setattr(measure.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(measure, "_processor_seconds", lambda: now[1])

    def call(name, wall, cpu):
        def run():
            calls.append(name)
            now[:] = [now[0] + wall * len(calls), now[1] + cpu * len(calls)]

        return run

    times = measure.interleave({"works": call("works", 1, 2), "waits": call("waits", 2, 0.5)}, 3)
    assert calls == ["works", "waits"] * 3
    assert times["works"] == [measure.Clocks(1, 2), measure.Clocks(3, 6), measure.Clocks(5, 10)]
    assert measure.milliseconds(times, "works") == measure.Clocks(3000, 6000)
    assert measure.ratio(times, "waits", "works").wall == pytest.approx(2 * 4 / 3)  # of 2 / 1, 4 / 3 and 6 / 5, times 2
    assert measure.ratio(times, "waits", "works").cpu == pytest.approx(0.5 * 4 / 6)
    assert measure.ratio(times, "waits", "missing").wall != measure.ratio(times, "waits", "missing").wall


def test_the_work_of_ended_children_counts(part):
    measure = part("measure")
    code = "sum(range(3_000_000))"
    spent = measure.timed(lambda: part("subprocess").run([sys.executable, "-c", code], check=True))
    assert spent.cpu > 0


@pytest.fixture
def checkout(tmp_path):
    package = tmp_path / "earlier/monai_freq"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from .size import SIZE\n")
    (package / "size.py").write_text("SIZE = 7\n")
    (package / "spectral").mkdir()
    (package / "spectral/__init__.py").write_text("")
    (package / "spectral/bands.py").write_text("from .. import SIZE\n\ndef split():\n    return SIZE\n")
    return package.parent


def test_an_earlier_build_is_loaded_beside_todays(part, checkout):
    ours = part("monai_freq.spectral.bands")
    build = part("builds").earlier(str(checkout))
    assert build.module("spectral.bands").split() == 7
    assert build.module("spectral.bands") is build.module("spectral.bands")
    assert sys.modules["monai_freq.spectral.bands"] is ours
    assert part("builds").TODAY.module("spectral.bands").__file__ == ours.__file__
    assert part("builds").TODAY.module("spectral.bands") is not ours


def test_the_commands_of_a_build_have_its_package(part, checkout):
    where = "import monai_freq, os; print(monai_freq.SIZE, os.getcwd(), os.environ['GIVEN'])"
    assert part("builds").earlier(str(checkout)).run(["-c", where], {"GIVEN": "x"}).split() == ["7", str(checkout), "x"]
    with pytest.raises(RuntimeError, match="no reason"):
        part("builds").earlier(str(checkout)).run(["-c", "raise ValueError('no reason')"])


def test_an_earlier_build_can_be_a_commit(part):
    builds = part("builds")
    if builds.TODAY.commit == "unknown":
        pytest.skip("no git, or no history")
    found = builds.earlier("HEAD")
    assert found.commit == builds.TODAY.commit.rstrip("+")
    assert found.folder != ROOT
    assert (found.folder / "monai_freq/__init__.py").is_file()


def test_what_is_no_build_is_refused(part):
    with pytest.raises(part("argparse").ArgumentTypeError, match="neither a folder with a checkout nor a commit"):
        part("builds").earlier("no-such-commit")


def test_the_data_are_whole(part):
    for file in (ROOT / "benchmarks/results").glob("*.json"):
        for title, one in json.loads(file.read_text(encoding="utf-8"))["sections"].items():
            assert one["date"] in one["measured"], title
            assert one["commit"] in one["measured"], title
            names = [(row["target"], row["at_least"]) for row in one["targets"]]
            assert len(names) == len(set(names)), title
