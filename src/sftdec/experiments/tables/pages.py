"""Tables 1 and 2 as documents, and what has to be said beside them."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from sftdec.evaluation import PROTOCOL, holm
from sftdec.experiments.tables.differences import BETTER, LEVEL, UNITS, Measure, number, spanned
from sftdec.experiments.tables.methods import BUDGET_TITLES, DECIMALS, FLOOR, ORACLE, Table
from sftdec.reporting import Block, Cell, Document, Sheet, Spread

NOTHING = "—"
NO_FIGURES = "Nothing is measured with the present weights."
ADDED = "†"  # marks a row that the paper's table doesn't have
_COSTS: dict[str, tuple[str, Callable[[float], str]]] = {
    "parameters": ("parameters (M)", lambda value: f"{value:.3f}"),
    "gmacs": ("GMAC / MP", lambda value: f"{value:.0f}"),
    "seconds": ("s / MP", lambda value: f"{value:.2f}"),
    "memory": ("MiB / MP", lambda value: f"{value:.0f}"),
}
_SPENT: dict[str, tuple[str, Callable[[float], str]]] = {
    "steps": ("steps", lambda value: f"{value:,.0f}".replace(",", "\u2009")),
    "minutes": ("training (min)", lambda value: f"{value:.1f}"),
}


def comparison_document(table: Table, rows: pd.DataFrame, notes: Sequence[str]) -> Document:
    """What the rows of the table's CSV file say (``rows.table_rows``), first of the data set with most photos.

    ``notes``: what is said before the figures. A row without figures says why, and never is left out.
    """
    rows, parts = rows.fillna({"status": ""}), {}
    sections = list(rows.groupby(["dataset", "budget"], sort=False))
    for (dataset, budget), section in sorted(sections, key=lambda each: -each[1]["photos"].fillna(0).max()):
        parts[f"{BUDGET_TITLES[str(budget)]}: {dataset}"] = _section(table, section)
    if costs := _costs(rows):
        parts["What each costs"] = costs
    title = f"Table {table.number} of the paper, and ours: {table.title}"
    footnotes = (f"{ADDED} Not in the paper's table. {_footnote(table)}", f"How figures are measured: {PROTOCOL}")
    return Document(title, notes, parts, footnotes=footnotes)


def _section(table: Table, section: pd.DataFrame) -> list[Block]:
    scenes, photos = (section[column].max() for column in ("scenes", "photos"))
    head = ["", *(f"{whose}: {UNITS[measure]}" for whose in ("paper", "ours") for measure in table.measures)]
    head += [f"{UNITS[measure]} − SFT-Dec's [{LEVEL:.0%} interval]" for measure in table.measures]
    head += [
        f"better than SFT-Dec by {UNITS[table.measures[0]].partition(' ')[0]}",
        *(title for title, _ in _SPENT.values()),
    ]
    best = {measure: _best(table, section, measure) for measure in table.measures}
    body = [_row(table, row, best) for _, row in section.iterrows()]
    counted = f"{scenes:.0f} pictures of {photos:.0f} photo{'' if photos == 1 else 's'}."
    return [NO_FIGURES if pd.isna(scenes) else counted, Sheet(head, body), *_told_apart(table, section)]


def _costs(rows: pd.DataFrame) -> list[Block]:
    """What a picture costs each method, which is the same in all sections; nothing where none was measured."""
    measured = rows.dropna(subset=list(_COSTS), how="all").drop_duplicates("method")
    body = [[str(row["title"]), *(_shown(row[column], said) for column, (_, said) in _COSTS.items())]
            for _, row in measured.iterrows()]  # fmt: skip
    return [Sheet(["", *(title for title, _ in _COSTS.values())], body)] if body else []


def _told_apart(table: Table, section: pd.DataFrame) -> list[Block]:
    """Which methods the first measure tells from SFT-Dec; Holm's over them all, where the figures have p-values."""
    measure = table.measures[0]
    rows = section[section[f"{measure}_low"].notna()]
    if rows.empty:
        return []
    if f"{measure}_chance" in rows and rows[f"{measure}_chance"].notna().all():
        certain, how = [each < 1 - LEVEL for each in holm(list(rows[f"{measure}_chance"]))], f"Holm over {len(rows)}"
    else:
        certain = list((rows[f"{measure}_low"] > 0) | (rows[f"{measure}_high"] < 0))
        how = f"each of {len(rows)} intervals by itself"
    ahead = BETTER[measure] * rows[f"{measure}_difference"] > 0
    sides = {"better": [each and over for each, over in zip(certain, ahead, strict=True)],
             "worse": [each and not over for each, over in zip(certain, ahead, strict=True)]}  # fmt: skip
    said = [f"{word}: {'; '.join(rows.loc[which, 'title']) or 'none'}" for word, which in sides.items()]
    rest = len(rows) - sum(map(bool, certain))
    what = UNITS[measure].partition(" ")[0]
    return [f"Against SFT-Dec by {what} ({how}): {', '.join(said)}. Can't be told from it: {rest}."]


def _row(table: Table, row: "pd.Series[Any]", best: dict[Measure, float]) -> list[Cell]:
    floor = row["method"] == FLOOR
    added = floor or pd.isna(row[f"paper_{table.measures[0]}"])
    cells: list[Cell] = [f"{row['title']} {ADDED}" if added else str(row["title"])]
    cells += [_shown(row[f"paper_{measure}"], lambda value: f"{value:.4f}") for measure in table.measures]
    for measure in table.measures:
        text = _shown(row[measure], lambda value, digits=DECIMALS[measure]: f"{value:.{digits}f}")  # type: ignore[misc]
        cells.append(f"**{text}**" if row[measure] == best[measure] and not floor else text)
    if row["status"]:
        cells[3:5] = [str(row["status"]), ""]
    cells += [_difference(row, measure) for measure in table.measures]
    cells.append(_shown(row["better"], lambda value: f"{value:.0f} of {row['scenes']:.0f}"))
    return cells + [_shown(row[column], said) for column, (_, said) in _SPENT.items()]


def _best(table: Table, section: pd.DataFrame, measure: Measure) -> float:
    """The best figure of a method that isn't told the truth."""
    honest = section[~section["method"].isin([FLOOR, ORACLE])][measure]
    return float(honest.max() if BETTER[measure] > 0 else honest.min())


def _difference(row: "pd.Series[Any]", measure: Measure) -> Cell:
    mean, low, high = (float(row[f"{measure}_{part}"]) for part in ("difference", "low", "high"))
    if pd.isna(mean):
        return NOTHING
    text = number(mean, DECIMALS[measure])
    if not pd.isna(low):
        text += f" [{spanned(low, high, DECIMALS[measure])}]"
    return Spread(text, mean, low, high, BETTER[measure])


def _shown(value: float, said: Callable[[float], str]) -> str:
    return NOTHING if pd.isna(value) else said(value)


def _footnote(table: Table) -> str:
    if table.number == 1:
        return (
            "The best constant map is one value for all of a data set's maps, the median for MAE and the mean for MSE."
        )
    return (
        "The paper names neither NAFNet's width nor MIMO-UNet's variant; its figures stand at the smaller of each. "
        "Deconvolution is Krishnan & Fergus's (hyper-Laplacian prior) with the map of the method named; its time and "
        "memory include the map's, its GMAC are the map's network alone."
    )


def notes(rows: pd.DataFrame) -> list[str]:
    """How the figures came about, and what they can and can't show."""
    minutes = rows.loc[rows["budget"] == "equal_time", "minutes"].max()
    budget = "the same time" if pd.isna(minutes) else f"about {minutes:.0f} minutes"
    sizes = rows["parameters"].dropna()
    size = f" ({sizes.min():.1f} to {sizes.max():.1f} million parameters)" if len(sizes) else ""
    return [
        "Made by `dvc repro experiments/comparison/dvc.yaml`. All networks learn from the same patches, one seed each; "
        f"equal time: {budget} of the same machine each; equal steps: as many steps for each. A difference is the mean "
        "over pictures of the method's figure minus SFT-Dec's on the same picture; its interval is Student's t "
        "over photos' means, since pictures of one photo aren't independent; one photo has none. "
        "The intervals aren't corrected for their number; the sentence below each table is (Holm). "
        "Time and memory were measured side by side on one machine "
        "(stage `costs`), MP being a million pixels.",
        "**What this can show, and what it can't.** It shows that every method goes the same way from patches to "
        f"figures, and how far networks of a size for CPUs{size} get within a budget of minutes: which of them learn "
        "quickly from little. It doesn't show how good the published networks are: these are narrower and shallower, "
        "learned for minutes instead of days, from blur that was rendered rather than photographed, and nothing but "
        "their rates was tuned (`experiments/comparison/rates.csv`). The paper's figures are of another data set "
        "(Realistic), another scale of its maps and networks of full size: compare figures within a column, never the "
        "paper's level with ours. What another training would have changed isn't in the intervals; they speak of other "
        "photos like those of each section.",
    ]
