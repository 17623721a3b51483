"""Sources that can be told apart, in grey as well."""

from itertools import combinations

from monai_freq.study.transfer_report.styles import ARTIFACT, styles_of, wrapped

MANY = ["imagenet", "radimagenet", "random", "own", "other", "imagenet a", "imagenet b", "imagenet c", "own a"]


def test_no_two_sources_look_alike():
    styles = styles_of(MANY)
    assert len(styles) == len(MANY)
    assert len({(style.color, str(style.line)) for style in styles.values()}) == len(MANY)
    for first, second in combinations(styles.values(), 2):
        assert first.marker != second.marker


def test_no_source_has_the_colour_of_the_artifact():
    assert ARTIFACT not in {style.color for style in styles_of(MANY).values()}


def test_a_source_looks_the_same_in_every_study():
    assert styles_of(["imagenet"])["imagenet"] == styles_of(MANY)["imagenet"]
    assert styles_of(["random"])["random"] == styles_of(MANY)["random"]


def test_lines_break_after_commas_and_dollars_are_dollars():
    assert wrapped("kneemri, blur between scanners, lam 0", 36) == "kneemri, blur between scanners,\nlam 0"
    assert wrapped("one very long name of a source", 12) == "one very\nlong name of\na source"
    assert wrapped("a$b", 12) == "a\\$b"
    assert wrapped("", 12) == ""
