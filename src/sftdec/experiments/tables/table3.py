"""The paper's table 3 beside ours, and what our figures say of each statement of its sec. 4.3."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sftdec.experiments.tables.ablation import (
    Measure,
    Trained,
    check_table,
    difference,
    mean_of_seeds,
    number,
    sentence,
    together,
)
from sftdec.reporting import Block, Document, Sheet

NAMES = {"baseline": "baseline", "sft": "+SFT", "sft_dec": "+SFT-Dec", "sft_fdec": "+SFT-FDec"}
STAGES = {"s1": "s1", "s2": "s2", "s3": "s3", "end_to_end": "end-to-end"}
FINAL = "sft_dec"  # the network whose time the budget equal_time gives to the others
BUDGET_TITLES = {"equal_steps": "Equal steps", "equal_time": "Equal time"}
DECIMALS: dict[Measure, int] = {"psnr": 3, "ssim": 4}
MEASURES: tuple[Measure, ...] = ("psnr", "ssim")
UNITS = {"psnr": "PSNR (dB)", "ssim": "SSIM"}

# PSNR (dB) and SSIM on Realistic. The table lost its row names in print-outs; in this order it fits sec. 4.3.
PAPER: dict[tuple[str, str], dict[Measure, float]] = {
    (variant, stage): dict(zip(MEASURES, cell, strict=True))
    for stage, row in {
        "s1": ((25.6443, 0.8077), (26.1286, 0.8294), (26.0837, 0.8289), (25.9939, 0.8253)),
        "s2": ((25.7936, 0.8118), (26.2533, 0.8307), (26.4275, 0.8310), (26.1735, 0.8307)),
        "s3": ((25.9638, 0.8191), (26.3973, 0.8379), (26.5535, 0.8465), (26.4327, 0.8400)),
    }.items()
    for variant, cell in zip(NAMES, row, strict=True)
} | {(FINAL, "end_to_end"): {"psnr": 26.1143, "ssim": 0.8259}}

COLUMNS = ["kind", "budget", "first", "second", "measure", "paper", "ours", "deviation", "low", "high", "seeds",
           "scenes", "photos", "photos_above_0", "verdict"]  # fmt: skip

Place = tuple[str, str]  # variant, stage
Row = dict[Any, Any]  # of ``COLUMNS``
Rows = Mapping[tuple[str, str, str, str], Row]  # by budget, first, second ("" of a cell), measure


@dataclass(frozen=True)
class Statement:
    """What the paper says, and the pairs of which the first is to be above the second for it to hold."""

    text: str
    above: tuple[tuple[Place, Place], ...]


def _at(stages: Sequence[str], first: str, second: str) -> tuple[tuple[Place, Place], ...]:
    return tuple(((first, stage), (second, stage)) for stage in stages)


STATEMENTS = (
    Statement(
        "“For all these methods, the performance increases after each stage training.”",
        tuple(((name, late), (name, early)) for name in NAMES for early, late in (("s1", "s2"), ("s2", "s3"))),
    ),
    Statement(
        "“The final model baseline+SFT-Dec-s3 achieves the best performance compared with other ablated networks.”",
        tuple(((FINAL, "s3"), place) for place in PAPER if place != (FINAL, "s3")),
    ),
    Statement(
        "“If the final model is trained in an end-to-end manner, the performance decreases by a large margin.”",
        (((FINAL, "s3"), (FINAL, "end_to_end")),),
    ),
    Statement(
        "“By introducing the SFT, the performance increases about 0.4db in PSNR and 0.02 in SSIM compared with the "
        "baseline model.”",
        _at(("s1", "s2", "s3"), "sft", "baseline"),
    ),
    Statement(
        "“While incorporating the decomposition method, the performance increases by about 0.6db in PSNR and 0.03 in "
        "SSIM compared with the baseline model.”",
        _at(("s1", "s2", "s3"), FINAL, "baseline"),
    ),
    Statement("The decomposition is above the plain SFT at s2 and s3 (table 3).", _at(("s2", "s3"), FINAL, "sft")),
    Statement("The decomposition is not above the plain SFT at s1 (table 3).", _at(("s1",), "sft", FINAL)),
    Statement(
        "“If we also apply the decomposition method to the β, the performance drops about 0.1db in PSNR.”",
        _at(("s1", "s2", "s3"), FINAL, "sft_fdec"),
    ),
)


def paper_difference(first: Place, second: Place, measure: Measure) -> float:
    """The paper's figure for a difference."""
    return PAPER[first][measure] - PAPER[second][measure]


def table3_rows(table: pd.DataFrame, level: float, replicates: int) -> pd.DataFrame:
    """The rows of the CSV file from a per-image table (``ablation.COLUMNS``): one a cell, one a difference.

    Cells that are missing have no figures and make no statement hold.

    Raises:
        ValueError: a table that can't be compared, or has no rows.
    """
    check_table(table)
    if table.empty:
        raise ValueError("per-image table has no rows; train at least one cell")
    rows = [_cell(table, budget, place, measure) for budget in BUDGET_TITLES for place in PAPER for measure in MEASURES]
    compared = {
        _key(budget, measure, *pair): (measure, *pair)
        for budget in BUDGET_TITLES
        for statement in STATEMENTS
        for measure in MEASURES
        for pair in statement.above
    }
    rows += [_difference(table, key, *pair, level, replicates) for key, pair in compared.items()]
    return pd.DataFrame(rows, columns=COLUMNS)


def _key(budget: str, measure: Measure, first: Place, second: Place) -> tuple[str, str, str, str]:
    """What tells a difference from the others; the final network's trainings serve both budgets."""
    own = "equal_steps" if first[0] == second[0] == FINAL else budget
    return own, " ".join(first), " ".join(second), measure


def _trained(budget: str, place: Place) -> Trained:
    return Trained("equal_steps" if place[0] == FINAL else budget, *place)


def _cell(table: pd.DataFrame, budget: str, place: Place, measure: Measure) -> Row:
    cell = mean_of_seeds(table, _trained(budget, place), measure)
    ours: Row = {} if cell is None else {"ours": cell.mean, "deviation": cell.deviation, "seeds": cell.seeds}
    key: Row = {"kind": "cell", "budget": budget, "first": " ".join(place), "measure": measure}
    return key | {"paper": PAPER[place][measure]} | ours


def _difference(
    table: pd.DataFrame, key: tuple[str, str, str, str], measure: Measure, first: Place, second: Place,
    level: float, replicates: int,
) -> Row:  # fmt: skip
    pair = difference(table, _trained(key[0], first), _trained(key[0], second), measure, level, replicates)
    interval = pair.interval
    ours = {} if interval is None else {"ours": interval.mean, "low": interval.low, "high": interval.high}
    row: Row = {"kind": "difference", **dict(zip(("budget", "first", "second", "measure"), key, strict=True))}
    row |= {"paper": paper_difference(first, second, measure), "seeds": len(pair.seeds), "scenes": pair.scenes}
    return row | {"photos": pair.photos, "photos_above_0": pair.photos_above, "verdict": pair.verdict()} | ours


def table3_document(rows: pd.DataFrame, notes: Sequence[str]) -> Document:
    """What the rows of the CSV file say; ``notes`` are paragraphs on how it was trained."""
    named = rows.assign(second=rows["second"].fillna("")).to_dict("records")
    of: Rows = {(row["budget"], row["first"], row["second"], row["measure"]): row for row in named}
    parts: dict[str, list[Block]] = {}
    for budget, title in BUDGET_TITLES.items():
        parts[title] = [_cells(of, budget, measure) for measure in MEASURES]
        for statement in STATEMENTS:
            pairs = {measure: _pairs(of, budget, statement, measure) for measure in MEASURES}
            parts[title] += [f"**{statement.text}**", _verdict_line(pairs), _parts(statement, pairs)]
    return Document("Table 3 of the paper, and ours", notes, parts, opening=[_summary(of)])


def _pairs(of: Rows, budget: str, statement: Statement, measure: Measure) -> list[Row]:
    return [of[_key(budget, measure, *pair)] for pair in statement.above]


def _summary(of: Rows) -> Sheet:
    """Each statement once, with what PSNR says of it on either budget."""
    rows = []
    for statement in STATEMENTS:
        found = (_pairs(of, budget, statement, "psnr") for budget in BUDGET_TITLES)
        rows.append([statement.text, *(together(pair["verdict"] for pair in pairs) for pairs in found)])
    return Sheet(["What the paper says, by our PSNR", *BUDGET_TITLES.values()], rows)


def _verdict_line(pairs: dict[Measure, list[Row]]) -> str:
    """The plain sentence."""
    said = [f"{sentence([pair['verdict'] for pair in parts])} by {name.upper()}" for name, parts in pairs.items()]
    missing = sum(pd.isna(pair["ours"]) for pair in pairs["psnr"])
    more = f" Not trained with two seeds or more: {missing} of {len(pairs['psnr'])} parts." if missing else ""
    return f"At this scale it {' and '.join(said)}.{more}"


def _parts(statement: Statement, pairs: dict[Measure, list[Row]]) -> Sheet:
    """A row a difference: the paper's, ours with its interval, in how many photos it is above 0, and the verdict."""
    head = ["difference"]
    for measure in MEASURES:
        head += [f"paper, {UNITS[measure]}", "ours", "interval", "photos above 0", "verdict"]
    rows = []
    for (first, second), *both in zip(statement.above, *pairs.values(), strict=True):
        rows.append([f"{_name(first)} − {_name(second)}", *(cell for pair in both for cell in _shown(pair))])
    return Sheet(head, rows)


def _shown(pair: Row) -> list[str]:
    digits = DECIMALS[pair["measure"]]
    paper = number(pair["paper"], digits)
    if pd.isna(pair["ours"]):
        return [paper, "—", "—", "—", pair["verdict"]]
    ours, low, high = (number(pair[part], digits) for part in ("ours", "low", "high"))
    return [paper, ours, f"{low} … {high}", f"{pair['photos_above_0']:.0f} of {pair['photos']:.0f}", pair["verdict"]]


def _name(place: Place) -> str:
    return f"{NAMES[place[0]]} {STAGES[place[1]]}"


def _cells(of: Rows, budget: str, measure: Measure) -> Sheet:
    """The table itself, of one measure: in each cell the paper's figure and ours."""
    rows = [
        [title, *(_both(of.get((budget, f"{variant} {stage}", "", measure))) for variant in NAMES)]
        for stage, title in STAGES.items()
    ]
    return Sheet([f"{UNITS[measure]}: paper / ours", *NAMES.values()], rows)


def _both(cell: Row | None) -> str:
    """The paper's figure and ours; nothing where the paper has none."""
    if cell is None:
        return ""
    digits = DECIMALS[cell["measure"]]
    ours: str = "not trained" if pd.isna(cell["ours"]) else f"{cell['ours']:.{digits}f}"
    if not pd.isna(cell["deviation"]):
        ours += f" ± {cell['deviation']:.{digits}f}"
    return f"{cell['paper']:.4f} / {ours}"
