"""A repeated name in JSON is refused by every reader of JSON."""

import ast
import json
from pathlib import Path

import pytest

import monai_freq
from monai_freq.data.tables import plain_name
from monai_freq.json_files import parse_json, read_json, repeated_name

PACKAGE = Path(monai_freq.__file__).parent


@pytest.mark.parametrize(
    "text",
    ['{"a": 1, "b": [1, {"c": null}]}', "[]", '"a"', "1.5", '{"a.png": 0, "A.png": 1, "a.png ": 2}', '{"x": NaN}'],
)
def test_other_json_is_read_as_by_python(text):
    assert repr(parse_json(text)) == repr(json.loads(text))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1, "a": 1}', 'the name "a" occurs twice, with 1 and with 1'),
        ('{"x": [{"fold": 0, "b": 0, "fold": 1}]}', 'the name "fold" occurs twice, with 0 and with 1'),
        ('{"a": 1, "\\u0061": 2}', 'the name "a" occurs twice'),
        ('{"\\u001b[2J": 1, "\\u001b[2J": 2}', r'the name "\\u001b\[2J" occurs twice'),
        ('{"a": "%s", "a": 2}' % ("x" * 10**5), r'with "x{36}\.\.\. and with 2$'),
        ("[" * 10**5, "maximum recursion depth exceeded"),
        ('{"a": 1,}', "double quotes|trailing comma"),
    ],
)
def test_what_is_refused(text, says):
    with pytest.raises(ValueError, match=says):
        parse_json(text)


@pytest.mark.parametrize("other", ["Training", " training", "training ", "\\ufefftraining", "TRAINING"])
def test_names_that_people_write_are_compared_without_blanks_and_case(other):
    text = f'{{"training": [1], "{other}": [2]}}'
    assert parse_json(text)["training"] == [1]
    with pytest.raises(ValueError, match='the name "training" occurs twice, the other time as'):
        parse_json(text, alike=plain_name)


def test_a_byte_order_mark_is_no_obstacle_and_another_encoding_is(tmp_path):
    file = tmp_path / "dataset.json"
    file.write_bytes(b'\xef\xbb\xbf{"a": 1}')
    assert read_json(file) == {"a": 1}
    file.write_bytes('{"a": "é"}'.encode("latin-1"))
    with pytest.raises(ValueError, match="codec"):
        read_json(file)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{'0': 'background', '1': 'kidney', '1': 'tumour'}", "1"),
        ('{"a": {"b": true, "b": null}}', "b"),
        ("[{1: 2, 1: 3}]", "1"),
        ("{'a': 1, 'b': 1}", None),
        ("{}", None),
        ("figure2", None),
        ("{'a': ", None),
        ("$torch.device('cpu')", None),
        ("\0", None),
        ("(" * 10**4, None),
    ],
)
def test_mappings_of_a_command_line(text, name):
    assert repeated_name(text) == name


def readers(file):
    """Calls of readers that silently keep the last of two values."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = f"{node.value.id}.{node.attr}"
            if name in ("json.load", "json.loads", "csv.reader", "csv.DictReader", "pd.read_csv"):
                yield f"{file.relative_to(PACKAGE)}: {name}"


def test_there_is_one_reader_of_json_and_one_of_tables():
    found = [call for file in sorted(PACKAGE.rglob("*.py")) for call in readers(file)]
    ours = "study/report/published.py: pd.read_csv"  # of a table that comes with the package
    assert sorted(found) == ["data/tables.py: csv.reader", "json_files.py: json.loads", ours]
