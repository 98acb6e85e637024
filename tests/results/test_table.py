"""Results that are tables: saved whole or not at all, read back equal, refused when they are something else."""

import csv
import json
import math
from dataclasses import dataclass

import numpy as np
import pytest
from matplotlib.figure import Figure

from polyinj import InputError
from polyinj.results.files import numbers, write_whole
from polyinj.results.table import TableResult


@dataclass(frozen=True, slots=True)
class Line:
    n: int
    value: float


@dataclass(frozen=True, slots=True)
class Lines(TableResult):
    NAME = "lines"
    KIND = "table of lines"
    TABLES = {"rows": Line}  # noqa: RUF012

    rows: tuple[Line, ...]
    seed: int

    def plot(self):
        return Figure()


TABLE = Lines((Line(1, 0.1), Line(2, math.inf), Line(3, -math.inf)), 7)


def test_a_table_is_saved_and_read_back(tmp_path):
    paths = TABLE.save(tmp_path / "new")
    assert [path.name for path in paths] == ["lines.csv", "lines.json", "lines.png"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["lines.csv", "lines.json", "lines.png"]
    assert Lines.load(tmp_path / "new") == TABLE
    with paths[0].open(newline="") as file:
        assert list(csv.reader(file)) == [["n", "value"], ["1", "0.1"], ["2", "inf"], ["3", "-inf"]]
    assert json.loads(paths[1].read_text())["format"] == "polyinj table of lines"


@dataclass(frozen=True, slots=True)
class SeededLines(Lines):
    ORIGIN = ("seed",)


def test_a_csv_file_that_says_all_is_enough(tmp_path):
    table = SeededLines(TABLE.rows, 7)
    csv_file, *_ = table.save(tmp_path)
    assert SeededLines.load(csv_file) == table
    for spoiled in ("n,value,seed\n1,x,7\n", "n,value,seed\n1,1,7\n2,1,8\n", "n,value\n1,1\n", "", "n,value,seed\n1\n"):
        csv_file.write_text(spoiled)
        with pytest.raises(InputError, match="expected the columns n, value, seed"):
            SeededLines.load(csv_file)
    # Without the seed in its lines it does not.
    with pytest.raises(InputError, match="load the folder"):
        Lines.load(TABLE.save(tmp_path)[0])


def test_numbers_that_json_does_not_know():
    back = numbers({"a": None, "b": "inf", "c": "-inf", "d": 2})
    assert math.isnan(back["a"])
    assert (back["b"], back["c"], back["d"]) == (math.inf, -math.inf, 2)


def test_columns():
    np.testing.assert_array_equal(TABLE.column("value"), [0.1, math.inf, -math.inf])
    with pytest.raises(InputError, match="column is 'x'; allowed are n, value"):
        TABLE.column("x")
    assert list(TABLE.to_pandas()["n"]) == [1, 2, 3]


@pytest.mark.parametrize(
    "text", [None, "", "{}", '{"format": "polyinj other"}', '{"format": "polyinj table of lines"}']
)
def test_what_is_no_table_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "lines.json").write_text(text)
    with pytest.raises(InputError, match="no saved table of lines"):
        Lines.load(tmp_path)


def test_all_files_or_none(tmp_path):
    def fail(path):
        path.write_text("half")
        raise OSError("the disk is full")

    (tmp_path / "a").write_text("before")
    with pytest.raises(OSError, match="full"):
        write_whole({tmp_path / "a": lambda path: path.write_text("after"), tmp_path / "b": fail})
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "before"
