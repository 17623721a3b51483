"""What the columns of a table are called after."""

import pytest

from monai_freq.handlers import CaseReport, ScoreReport
from monai_freq.handlers.rows import column_names


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        ({"1": "kidney", "2": "kidney"}, "'classes' has two of the name 'kidney'"),
        ({"1": "left atrium", "2": "left_atrium"}, "'classes' has two of the name 'left_atrium'"),
        ({"1": "kidney", "01": "tumour"}, "'classes' has two of the number 01"),
        ({"0": "kidney", "1": "kidney"}, "'classes' has two of the name 'kidney'"),
    ],
)
def test_two_classes_never_share_a_column(classes, says, tmp_path):
    for make in (column_names, lambda given: CaseReport(tmp_path, given), lambda given: ScoreReport(tmp_path, given)):
        with pytest.raises(ValueError, match=says):
            make(classes)


def test_names_become_columns():
    assert column_names({"0": "background", 2: " left  atrium"}) == {0: "background", 2: "left__atrium"}
    assert column_names({"1": "A", "2": "a"}) == {1: "A", 2: "a"}


def test_classes_without_a_column_may_share_a_name(tmp_path):
    """ImageNet has two cranes."""
    assert ScoreReport(tmp_path, {str(number): "crane" for number in range(21)}).classes[20] == "crane"


@pytest.mark.parametrize("name", ["at\x1b[31mrium", "left\natrium", "a\u202eb"])
def test_a_name_that_would_steer_a_terminal_is_refused(name):
    with pytest.raises(ValueError, match=r"a name that cannot be printed, '.*'") as caught:
        column_names({"1": name})
    assert all(line.isprintable() for line in str(caught.value).splitlines())
