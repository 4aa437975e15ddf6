"""The files of the comparison: table1 and table2 as .md, .csv and .png, and the panels."""

import shutil
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from sftdec.datasets import load_scene, read_index, select_scenes
from sftdec.experiments.tables.charts import comparison_chart
from sftdec.experiments.tables.judging import panel_scenes
from sftdec.experiments.tables.methods import (
    BUDGET_TITLES,
    PANEL_BUDGET,
    TABLE_1,
    TABLE_2,
    TABLES,
    Table,
    trained_model,
)
from sftdec.experiments.tables.pages import notes, page
from sftdec.experiments.tables.panels import comparison_panel, map_sheet, read_shown
from sftdec.experiments.tables.rows import columns_of, photographed_rows, table_rows
from sftdec.reporting import save_figure
from sftdec.runtime import atomic_path

if TYPE_CHECKING:
    from sftdec.datasets import Split


class Measured(NamedTuple):
    """All that the tables are made of; see ``rows.table_rows`` and ``rows.photographed_rows``."""

    judged: pd.DataFrame
    costs: pd.DataFrame
    training: pd.DataFrame
    photographed: pd.DataFrame


def planned(table: Table, models: Iterable[str]) -> Table:
    """The table without the networks that nobody means to train: ``models`` are those of the comparison."""
    wanted = {None, *models}
    return table._replace(methods=tuple(each for each in table.methods if trained_model(each.judged) in wanted))


def write_tables(measured: Measured, out: Path, level: float, replicates: int) -> None:
    """Write ``table1`` and ``table2`` below ``out``.

    Raises:
        ValueError: nothing was judged, or two methods not on the same scenes.
    """
    judged, costs, training, photographed = measured
    for table in (planned(each, training["model"]) for each in TABLES.values()):
        rows = table_rows(table, judged, costs, training, level, replicates)
        real = pd.DataFrame(columns=columns_of(table))
        if table.number == TABLE_2.number and len(photographed):  # no map's truth is known of real photographs
            real = photographed_rows(table, photographed, judged, costs, training, level, replicates)
        text = page(table, rows, real, level, notes(judged, rows))
        _write(out / f"table{table.number}", table, rows, real, text, level)


def _write(out: Path, table: Table, rows: pd.DataFrame, real: pd.DataFrame, text: str, level: float) -> None:
    with atomic_path(out.with_suffix(".md")) as temporary:
        temporary.write_text(text, "utf-8")
    with atomic_path(out.with_suffix(".csv")) as temporary:
        both = pd.concat([rows, real], ignore_index=True) if len(real) else rows
        both.to_csv(temporary, index=False, float_format="%.6f")
    save_figure(comparison_chart(table, rows, real, level), out.with_suffix(".png"))


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


def publish(tables: Path, reports: Path) -> list[Path]:
    """Copy the tables to ``reports`` and the panels to ``reports/figures/comparison``, whose older pictures go.

    The copies are Git's; DVC keeps its own.
    """
    figures = reports / "figures" / "comparison"
    shutil.rmtree(figures, ignore_errors=True)
    published = []
    for path in sorted([*tables.glob("table*.*"), *tables.glob("panels/*.png")]):
        goal = (figures if path.suffix == ".png" and path.parent != tables else reports) / path.name
        with atomic_path(goal) as temporary:
            shutil.copyfile(path, temporary)
        published.append(goal)
    return published
