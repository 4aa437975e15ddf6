"""The files of the comparison: the documents table1 and table2, and the panels."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from sftdec.datasets import load_scene, read_index, select_scenes
from sftdec.experiments.tables.documents import write_document
from sftdec.experiments.tables.judged import panel_scenes
from sftdec.experiments.tables.methods import (
    BUDGET_TITLES,
    PANEL_BUDGET,
    TABLE_1,
    TABLE_2,
    TABLES,
    Table,
    trained_model,
)
from sftdec.experiments.tables.pages import notes
from sftdec.experiments.tables.panels import comparison_panel, map_sheet, read_shown
from sftdec.experiments.tables.rows import table_rows
from sftdec.reporting import save_figure

if TYPE_CHECKING:
    from sftdec.datasets import Split


def planned(table: Table, models: Iterable[str]) -> Table:
    """The table without the networks that nobody means to train: ``models`` are those of the comparison."""
    wanted = {None, *models}
    return table._replace(methods=tuple(each for each in table.methods if trained_model(each.judged) in wanted))


def write_tables(judged: pd.DataFrame, costs: pd.DataFrame, training: pd.DataFrame, out: Path) -> list[Path]:
    """Write the documents ``table1`` and ``table2``, of ``rows.table_rows``, below ``out`` and return their files.

    Raises:
        ValueError: nothing was judged, or two methods not on the same scenes.
    """
    written = []
    for table in (planned(each, training["model"]) for each in TABLES.values()):
        rows = table_rows(table, judged, costs, training)
        written += write_document(out, f"table{table.number}", rows, notes(rows))
    return written


def write_panels(
    scenes: Path, split: "Split", pictures: Path, out: Path, models: Iterable[str], trained: Collection[str]
) -> Sequence[str]:
    """Write a panel for each scene that is shown, and the sheet of maps, below ``out``; returns the scenes' names.

    ``pictures``: the folders that ``judging.Keeper`` wrote, one a method; ``models``: those of the comparison;
    ``trained``: those whose weights are there.

    Raises:
        DataError: the split has no scenes.
    """
    index = read_index(scenes)
    names = panel_scenes(index, split)
    chosen = select_scenes(index, split).set_index("scene", drop=False)
    loaded = [load_scene(scenes, chosen.loc[name]) for name in names]
    maps_of, pictures_of = (planned(table, list(models)).methods for table in (TABLE_1, TABLE_2))
    note = f"trained: {BUDGET_TITLES[PANEL_BUDGET].lower()}"
    for number, scene in enumerate(loaded, start=1):
        shown = read_shown(pictures_of, pictures, scene.name, trained)
        file = f"panel_{number}_{scene.name.replace('/', '_')}.png"
        save_figure(comparison_panel(scene, shown, note), out / file)
    maps = {scene.name: read_shown(maps_of, pictures, scene.name, trained) for scene in loaded}
    save_figure(map_sheet(loaded, maps, note), out / "maps.png")
    return names
