"""What experiments publish: figures and notes, and the page that is made of them."""

from pathlib import Path

import pandas as pd
import pytest

from sftdec.evaluation import write_per_image
from sftdec.experiments.definition import Cell, load_experiment
from sftdec.experiments.tables.differences import Place
from sftdec.experiments.tables.documents import read_documents, write_cells, write_document
from sftdec.experiments.tables.table3 import table3_rows
from sftdec.reporting.document import markdown
from sftdec.runtime.errors import DataError
from tests.experiments.tables.test_differences import planted
from tests.experiments.tables.test_readings import report

REPORTS = Path(__file__).parents[3] / "reports"


@pytest.fixture
def folder(tmp_path):
    _, rows = report({"default": 0.0, "better": 0.5})
    write_document(tmp_path, "readings", rows, ["First note.", "Second note."])
    return tmp_path


@pytest.mark.parametrize("name", ["table1", "table2", "table3", "readings"])
def test_the_committed_page_is_what_the_committed_figures_and_notes_say(name):
    assert (REPORTS / f"{name}.md").read_text("utf-8") == markdown(read_documents(REPORTS)[name])


def test_what_was_written_is_read_and_what_is_not_there_is_left_out(folder):
    found = read_documents(folder)
    assert list(found) == ["readings"] and found["readings"].notes == ["First note.", "Second note."]
    assert (folder / "readings.md").read_text("utf-8") == markdown(found["readings"])


def test_figures_without_their_notes_are_named(folder):
    (folder / "readings.txt").unlink()
    with pytest.raises(DataError, match=r"readings\.txt: there is no such file"):
        read_documents(folder)


def test_a_column_that_is_missing_is_named(folder):
    pd.read_csv(folder / "readings.csv").drop(columns="verdict").to_csv(folder / "readings.csv", index=False)
    with pytest.raises(DataError, match=r"readings\.csv: has no column or row 'verdict'"):
        read_documents(folder)


def test_what_each_picture_gave_is_published_too_and_folds_that_are_missing_are_told(tmp_path):
    experiment = load_experiment(REPORTS.parent / "experiments/table3/params.yaml")
    table = planted({Place("baseline", "s1"): 0.0, Place("sft", "s1"): 0.3}, folds=2)
    for (variant, stage, fold), rows in table.groupby(["variant", "stage", "fold"]):
        write_per_image(Cell(variant, stage, fold).per_image(tmp_path), rows.drop(columns=["variant", "stage", "fold"]))
    *pages, figures = write_cells("table3", experiment, tmp_path, tmp_path / "out")
    assert [path.name for path in (*pages, figures)] == ["table3.txt", "table3.csv", "table3.md", "table3.parquet"]
    again = table3_rows(pd.read_parquet(figures)).to_csv(index=False, float_format="%.6f")
    assert again == (tmp_path / "out/table3.csv").read_text("utf-8")
    assert "in 2 folds (of 6; the others aren't trained yet): each network is trained 2 times" in pages[0].read_text()
