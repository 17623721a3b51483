"""Tables are read by the names in their header, and a faulty line or cell is named."""

from pathlib import Path

import pytest

from monai_freq.data import DataError
from monai_freq.data.tables import Row, plain_name, read_rows


@pytest.fixture
def table(tmp_path):
    return tmp_path / "metadata.csv"


def rows(table, content, columns=("a", "b")):
    table.write_bytes(content)
    return [(row.line, row.cells) for row in read_rows(table, columns)]


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,two\n",
        b"a,b\r\n1,two\r\n",
        b"a,b\r1,two",
        b"\xef\xbb\xbfa,b\n1,two\n",
        b" a , b\n 1 , two \n",
        b'"a","b"\n"1","two"\n',
    ],
)
def test_the_ways_that_spreadsheets_write(table, content):
    assert rows(table, content) == [(2, {"a": "1", "b": "two"})]


def test_blank_lines_and_quoted_commas_and_breaks(table):
    found = rows(table, b'x,b,a\n\n0,"two, or 2",1\n,,\n0,"3\n4",5\n')
    cells = [{key: row[key] for key in ("a", "b")} for _, row in found if row["a"]]
    assert cells == [{"a": "1", "b": "two, or 2"}, {"a": "5", "b": "3\n4"}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"has no column 'a' \(found: none\)"),
        (b"a;b\n1;2\n", r"has no column 'a' \(found: a;b\)"),
        (b"a,b\n1\n", "Line 2 of .* has 1 cells, its header 2"),
        (b"a,b\n1,2,3\n", "Line 2 of .* has 3 cells, its header 2"),
        (b'a,b\n1,"2', "cannot be read: unexpected end of data"),
        (b"a,b\n1,\xff\xfe\n", "cannot be read: 'utf-8' codec"),
        (b"a,b\n1," + b"x" * 200_000 + b"\n", "cannot be read: field larger"),
    ],
)
def test_a_faulty_table_is_refused(table, content, message):
    with pytest.raises(DataError, match=message) as caught:
        rows(table, content)
    assert str(table) in str(caught.value)


def cell(table, text):
    table.write_text(f"a,b\n{text},\n", encoding="utf-8")
    return next(read_rows(table, ["a", "b"]))


def test_numbers_are_plain_and_in_range(table):
    assert cell(table, "7").integer("a", 0, 7) == 7
    assert cell(table, "-3").integer("a", -3) == -3
    assert cell(table, "2.5").number("a", 1, 5) == 2.5
    for text in ("8", "-1", "1_0", "0x1", "7.0", "٣", "²", "", "--1", "9" * 5000):
        with pytest.raises(DataError, match=r"'a' in line 2 of .* must be an integer in \[0, 7\]"):
            cell(table, text).integer("a", 0, 7)
    for text in ("nan", "inf", "6", "", "one"):
        with pytest.raises(DataError, match=r"must be a number in \[1, 5\]"):
            cell(table, text).number("a", 1, 5)


def test_paths_stay_inside(table, tmp_path):
    for text in ("vol01/x.pck", "./vol01//x.pck", "vol01\\x.pck", "vol02/../vol01/x.pck"):
        assert cell(table, text).path("a", tmp_path) == f"{tmp_path}/vol01/x.pck"
    for text in ("../x", "/etc/passwd", ".", "a/../..", "..\\x"):
        with pytest.raises(DataError, match="must be a path that stays inside"):
            cell(table, text).path("a", tmp_path)


def test_a_cell_longer_than_any_path_is_refused_in_a_short_message():
    row = Row(Path("labels.csv"), 2, {"patient": "x" * 501, "file": "x" * 500})
    assert row.text("file") == "x" * 500
    with pytest.raises(
        DataError, match=r"'patient' in line 2 of labels.csv must have at most 500 characters"
    ) as caught:
        row.text("patient")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("again", ["a", " a ", "A", "\ufeffa", '"a"', "a\u00a0"])
@pytest.mark.parametrize("order", ["a,b,{}", "{},a,b", "a,{},b"])
def test_a_column_that_occurs_twice_is_refused(table, order, again):
    with pytest.raises(DataError, match=r"has 2 columns 'a'\.\nDelete or rename") as caught:
        rows(table, (order.format(again) + "\n1,2,3\n").encode())
    assert str(table) in str(caught.value)


def test_other_columns_that_occur_twice_are_not_read(table):
    assert rows(table, b"notes,a,,b,Notes,,x\n1,2,3,4,5,6,7\n") == [(2, {"a": "2", "b": "4", "x": "7"})]


def test_all_columns_once_each_unless_some_are_asked_for(table):
    table.write_text("case,dice_A,dice_a\nla_003,0.9,0.8\n")
    assert [row.cells for row in read_rows(table)] == [{"case": "la_003", "dice_A": "0.9", "dice_a": "0.8"}]
    table.write_text("case,dice_a,dice_a\nla_003,0.9,0.8\n")
    with pytest.raises(DataError, match="has 2 columns 'dice_a'"):
        list(read_rows(table))


def test_a_second_byte_order_mark_is_no_part_of_a_name(table):
    assert rows(table, b"\xef\xbb\xbf\xef\xbb\xbfa,b\n1,2\n") == [(2, {"a": "1", "b": "2"})]
    assert plain_name("\ufeff\ufeff \ufeffaclDiagnosis\t") == "acldiagnosis"
