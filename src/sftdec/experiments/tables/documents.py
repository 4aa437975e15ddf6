"""What an experiment publishes of its figures: NAME.csv, NAME.txt with how they were made, and a page of both, NAME.md.

The page is made of what stands in the two other files, and so is the report's part.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from sftdec.evaluation import write_per_image
from sftdec.experiments.definition import Experiment, read_cells
from sftdec.experiments.tables.methods import TABLE_1, TABLE_2
from sftdec.experiments.tables.pages import comparison_document
from sftdec.experiments.tables.readings import readings_document, readings_notes, readings_rows
from sftdec.experiments.tables.table3 import table3_document, table3_notes, table3_rows
from sftdec.reporting import Document, markdown
from sftdec.runtime import DataError, atomic_path

_MAKERS: dict[str, Callable[[pd.DataFrame, Sequence[str]], Document]] = {
    "table1": partial(comparison_document, TABLE_1),
    "table2": partial(comparison_document, TABLE_2),
    "table3": table3_document,
    "readings": readings_document,
}


def write_cells(name: str, experiment: Experiment, build: Path, folder: Path) -> list[Path]:
    """``write_document`` of the cells of table3 or readings that are below ``build``, and what each picture gave in
    each cell, NAME.parquet.

    Raises:
        ValueError: there is none, or they can't be compared.
    """
    table = read_cells(experiment, build)
    if name == "table3":
        pages = write_document(folder, name, table3_rows(table), table3_notes(experiment, table))
    else:
        rows = readings_rows(table, experiment.labels)
        pages = write_document(folder, name, rows, readings_notes(experiment, table))
    write_per_image(figures := folder / f"{name}.parquet", table)
    return [*pages, figures]


def write_document(folder: Path, name: str, rows: pd.DataFrame, notes: Sequence[str]) -> list[Path]:
    """Write the three files of a document (table1, table2, table3 or readings) and return their paths.

    ``notes`` are paragraphs. Figures have six decimals.
    """
    said = folder / f"{name}.txt"
    with atomic_path(said) as temporary:
        temporary.write_text("\n\n".join(notes) + "\n", "utf-8")
    return [said, *write_page(folder, name, rows, lambda written: _MAKERS[name](written, notes))]


def write_page(folder: Path, name: str, rows: pd.DataFrame, make: Callable[[pd.DataFrame], Document]) -> list[Path]:
    """Write ``rows`` as NAME.csv, and what ``make`` says of that file as NAME.md; returns both."""
    figures, page = (folder / f"{name}.{ending}" for ending in ("csv", "md"))
    with atomic_path(figures) as temporary:
        rows.to_csv(temporary, index=False, float_format="%.6f", lineterminator="\n")
    with atomic_path(page) as temporary:
        temporary.write_text(markdown(make(_rows(figures))), "utf-8")
    return [figures, page]


def read_documents(folder: Path) -> dict[str, Document]:
    """The documents whose files lie in a folder, by name.

    Raises:
        DataError: a CSV file without its notes, or without a column that its document needs.
    """
    return {
        name: _read(figures, figures.with_suffix(".txt"))
        for name in _MAKERS
        if (figures := folder / f"{name}.csv").is_file()
    }


def _read(figures: Path, said: Path) -> Document:
    mend = f"make both again with dvc repro of the experiment that publishes {figures.stem}"
    if not said.is_file():
        raise DataError(f"{said}: there is no such file, which {figures.name} comes with; {mend}")
    notes = said.read_text("utf-8").strip().split("\n\n")
    try:
        return _MAKERS[figures.stem](_rows(figures), notes)
    except KeyError as error:
        raise DataError(f"{figures}: has no column or row {error}; {mend}") from error


def _rows(figures: Path) -> pd.DataFrame:
    """A CSV file's rows; what is empty isn't known, and a model may be called nan."""
    return pd.read_csv(figures, keep_default_na=False, na_values=[""])
