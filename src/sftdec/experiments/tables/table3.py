"""The paper's table 3 beside ours, and what our figures say of each statement of its sec. 4.3."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from sftdec.evaluation import Interval
from sftdec.experiments.definition import Experiment
from sftdec.experiments.tables.differences import (
    DECIMALS,
    ROW,
    UNITS,
    Measure,
    Place,
    Row,
    cell_figures,
    check_table,
    decided,
    difference_row,
    judged_notes,
    number,
    shown,
    spanned,
)
from sftdec.reporting import Block, Document, Sheet

NAMES = {"baseline": "baseline", "sft": "+SFT", "sft_dec": "+SFT-Dec", "sft_fdec": "+SFT-FDec"}
STAGES = {"s1": "s1", "s2": "s2", "s3": "s3", "end_to_end": "end-to-end"}
FINAL = "sft_dec"
MEASURES: tuple[Measure, ...] = ("psnr", "ssim")

# PSNR (dB) and SSIM on Realistic. The table lost its row names in print-outs; in this order it fits sec. 4.3.
PAPER: dict[Place, dict[Measure, float]] = {
    Place(variant, stage): dict(zip(MEASURES, cell, strict=True))
    for stage, row in {
        "s1": ((25.6443, 0.8077), (26.1286, 0.8294), (26.0837, 0.8289), (25.9939, 0.8253)),
        "s2": ((25.7936, 0.8118), (26.2533, 0.8307), (26.4275, 0.8310), (26.1735, 0.8307)),
        "s3": ((25.9638, 0.8191), (26.3973, 0.8379), (26.5535, 0.8465), (26.4327, 0.8400)),
    }.items()
    for variant, cell in zip(NAMES, row, strict=True)
} | {Place(FINAL, "end_to_end"): {"psnr": 26.1143, "ssim": 0.8259}}

Key = tuple[str, str, Measure]  # first, second ("" of a cell or a statement), measure
Rows = Mapping[Key, Row]


@dataclass(frozen=True)
class Statement:
    """What the paper says, the pairs of which the first is to be above the second for it to hold, and by how much.

    ``by``: the size that the sentence names, by measure; where it names none, each pair's own in the paper's table is
    meant. ``short``: what it says of the sign, in a word or two.
    """

    text: str
    short: str
    above: tuple[tuple[Place, Place], ...]
    by: Mapping[Measure, float] = field(default_factory=dict)

    def sizes(self, measure: Measure) -> list[float]:
        """By how much the paper has the first of each pair above the second."""
        return [self.by.get(measure, paper_difference(*pair, measure)) for pair in self.above]


def _at(stages: Sequence[str], first: str, second: str) -> tuple[tuple[Place, Place], ...]:
    return tuple((Place(first, stage), Place(second, stage)) for stage in stages)


STATEMENTS = (
    Statement(
        "“For all these methods, the performance increases after each stage training.”",
        "Each stage above the one before",
        tuple(
            (Place(name, late), Place(name, early)) for name in NAMES for early, late in (("s1", "s2"), ("s2", "s3"))
        ),
    ),
    Statement(
        "“The final model baseline+SFT-Dec-s3 achieves the best performance compared with other ablated networks.”",
        "SFT-Dec s3 above all others",
        tuple((Place(FINAL, "s3"), place) for place in PAPER if place != (FINAL, "s3")),
    ),
    Statement(
        "“If the final model is trained in an end-to-end manner, the performance decreases by a large margin.”",
        "Training in stages above end-to-end",
        ((Place(FINAL, "s3"), Place(FINAL, "end_to_end")),),
    ),
    Statement(
        "“By introducing the SFT, the performance increases about 0.4db in PSNR and 0.02 in SSIM compared with the "
        "baseline model.”",
        "SFT above the baseline",
        _at(("s1", "s2", "s3"), "sft", "baseline"),
        {"psnr": 0.4, "ssim": 0.02},
    ),
    Statement(
        "“While incorporating the decomposition method, the performance increases by about 0.6db in PSNR and 0.03 in "
        "SSIM compared with the baseline model.”",
        "SFT-Dec above the baseline",
        _at(("s1", "s2", "s3"), FINAL, "baseline"),
        {"psnr": 0.6, "ssim": 0.03},
    ),
    Statement(
        "The decomposition is above the plain SFT at s2 and s3 (table 3).",
        "SFT-Dec above SFT",
        _at(("s2", "s3"), FINAL, "sft"),
    ),
    Statement(
        "The decomposition is not above the plain SFT at s1 (table 3).", "SFT above SFT-Dec", _at(("s1",), "sft", FINAL)
    ),
    Statement(
        "“If we also apply the decomposition method to the β, the performance drops about 0.1db in PSNR.”",
        "SFT-Dec above SFT-FDec",
        _at(("s1", "s2", "s3"), FINAL, "sft_fdec"),
        {"psnr": 0.1},
    ),
)


def paper_difference(first: Place, second: Place, measure: Measure) -> float:
    """The paper's figure for a difference."""
    return PAPER[first][measure] - PAPER[second][measure]


def table3_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the CSV file (``ROW``) from a per-image table (``differences.COLUMNS``): one a cell, one a
    difference, one a statement.

    Cells that are missing have no figures and make no statement hold.

    Raises:
        ValueError: a table that can't be compared, or has no rows.
    """
    check_table(table)
    rows = [_cell(table, place, measure) for place in PAPER for measure in MEASURES]
    pairs = dict.fromkeys((*pair, measure) for each in STATEMENTS for measure in MEASURES for pair in each.above)
    of = {_key(*pair): _difference(table, *pair) for pair in pairs}
    rows += of.values()
    for measure in MEASURES:
        parts = [_pairs(of, statement, measure) for statement in STATEMENTS]
        signs = decided([[(row, 0.0) for row in own] for own in parts])
        sizes = decided(
            [list(zip(own, each.sizes(measure), strict=True)) for each, own in zip(STATEMENTS, parts, strict=True)]
        )
        for statement, (verdict, chance), (size, size_chance) in zip(STATEMENTS, signs, sizes, strict=True):
            key: Row = {"kind": "statement", "first": statement.short, "measure": measure}
            found = {"verdict": verdict, "chance": chance, "size": size, "size_chance": size_chance}
            rows.append(key | {"paper": statement.by.get(measure)} | found)
    return pd.DataFrame(rows, columns=ROW)


def _key(first: Place, second: Place, measure: Measure) -> Key:
    return " ".join(first), " ".join(second), measure


def _cell(table: pd.DataFrame, place: Place, measure: Measure) -> Row:
    key: Row = {"kind": "cell", "first": " ".join(place), "measure": measure}
    return key | {"paper": PAPER[place][measure]} | cell_figures(table, place, measure)


def _difference(table: pd.DataFrame, first: Place, second: Place, measure: Measure) -> Row:
    named = dict(zip(("first", "second", "measure"), _key(first, second, measure), strict=True))
    paper = paper_difference(first, second, measure)
    row = difference_row(table, first, second, measure) | named | {"paper": paper, "size": "can't be told"}
    if "low" in row:
        row["size"] = Interval(*(row[end] - paper for end in ("ours", "low", "high"))).verdict()
    return row


def table3_notes(experiment: Experiment, judged: pd.DataFrame) -> list[str]:
    """How it was trained and judged, as far as a reader needs it beside the figures: paragraphs."""
    return [
        "Made by `dvc repro experiments/table3/dvc.yaml`. All else is as in `params.yaml`. Where a "
        "stage keeps its best weights, an eighth of the photos that aren't judged chooses them.",
        f"Steps: {', '.join(f'{stage} {count}' for stage, count in experiment.steps.items())}.",
        *judged_notes(experiment, judged),
        "A statement of the paper is judged twice: by its sign, and by its size. The size is the one that the sentence "
        "names or, if it names none, the differences in the paper's table; it holds where ours are larger, and doesn't "
        "where they are smaller. A statement about several differences holds if all of them do, and doesn't if one of "
        "them doesn't. Verdicts on statements allow for the number of statements (Holm) and of differences in each "
        "(Bonferroni). Verdicts on single differences, and all intervals, don't: an interval may exclude 0 although "
        "the statement can't be told.",
    ]


def table3_document(rows: pd.DataFrame, notes: Sequence[str]) -> Document:
    """What the rows of the CSV file say; ``notes`` are paragraphs on how it was trained."""
    named = rows.assign(second=rows["second"].fillna("")).to_dict("records")
    of: Rows = {(row["first"], row["second"], row["measure"]): row for row in named}
    table: list[Block] = [_cells(of, measure) for measure in MEASURES]
    said: list[Block] = []
    for statement in STATEMENTS:
        pairs = {measure: _pairs(of, statement, measure) for measure in MEASURES}
        said += [f"**{statement.text}**", _verdict_line(of, statement), _parts(statement, pairs)]
    parts = {"The table": table, "What the paper says of it": said}
    return Document("Table 3 of the paper, and ours", notes, parts, opening=[_summary(of), _decided_line(of)])


def _pairs(of: Rows, statement: Statement, measure: Measure) -> list[Row]:
    return [of[_key(*pair, measure)] for pair in statement.above]


def _summary(of: Rows) -> Sheet:
    """Each statement once, with what PSNR says of its sign, and of its size."""
    head = [
        "What the paper says, and what our PSNR does",
        "its sign",
        "lowest to highest of its parts' intervals (dB)",
        "which size",
        "its size",
    ]
    body = []
    for statement in STATEMENTS:
        verdict, ends, by, size = _said(of, statement, "psnr")
        body.append([statement.text, verdict, ends or "—", by, size or "—"])
    return Sheet(head, body, texts=True)


def _decided_line(of: Rows) -> str:
    """How many statements PSNR decides."""
    told = [(verdict, size) for verdict, _, _, size in (_said(of, each, "psnr") for each in STATEMENTS)]
    either = sum(not {"holds", "doesn't hold"}.isdisjoint(pair) for pair in told)
    counts = [
        f"the {what} of {count} {verdict}"
        for what, kind in zip(("sign", "size"), zip(*told, strict=True), strict=True)
        for verdict in ("holds", "doesn't hold")
        if (count := kind.count(verdict))
    ]
    return f"By PSNR {either} of {len(told)} statements are decided{': ' if counts else ''}{', '.join(counts)}."


def _said(of: Rows, statement: Statement, measure: Measure) -> tuple[str, str, str, str]:
    """The verdict on the sign, from where to where the parts' intervals reach, the size, and the verdict on that."""
    found = of[statement.short, "", measure]
    unit: str = " dB" if measure == "psnr" else ""
    by: str = "by the table's differences" if pd.isna(found["paper"]) else f"by {found['paper']:g}{unit}"
    if all(pd.isna(part["ours"]) for part in _pairs(of, statement, measure)):
        return "not trained", "", by, ""
    parts = [part for part in _pairs(of, statement, measure) if not pd.isna(part["low"])]
    lows, highs = ([float(part[end]) for part in parts] for end in ("low", "high"))
    ends = spanned(min(lows), max(highs), DECIMALS[measure]) if parts else ""
    return found["verdict"], ends, by, found["size"]


def _verdict_line(of: Rows, statement: Statement) -> str:
    """The plain sentences."""
    parts = _pairs(of, statement, "psnr")
    missing = sum(pd.isna(part["ours"]) for part in parts)
    if missing == len(parts):
        return f"{statement.short}: not trained on two folds or more."
    lines = []
    for measure in MEASURES:
        verdict, ends, by, size = _said(of, statement, measure)
        line = f"{statement.short} by {measure.upper()}: {verdict}{f' ({ends})' if ends else ''}"
        lines.append(f"{line}; {by}: {size} at this scale.")
    more = f" Not trained on two folds or more: {missing} of {len(parts)} parts." if missing else ""
    return " ".join(lines) + more


def _parts(statement: Statement, pairs: dict[Measure, list[Row]]) -> Sheet:
    """A row a difference: the paper's, ours with its interval, in how many photos PSNR's is above 0, whether it is
    above 0, and above the paper's.
    """
    head = ["difference"]
    for measure in MEASURES:
        name = UNITS[measure].partition(" ")[0]
        ours = ("ours", "interval", *(("photos above 0",) if measure == "psnr" else ()), "sign", "size")
        head += [f"{UNITS[measure]}: paper", *(f"{name}: {what}" for what in ours)]
    rows = []
    for (first, second), *both in zip(statement.above, *pairs.values(), strict=True):
        rows.append([f"{_name(first)} − {_name(second)}", *(cell for pair in both for cell in _shown(pair))])
    return Sheet(head, rows)


def _shown(pair: Row) -> list[str]:
    digits = DECIMALS[pair["measure"]]
    counted, said = "—", ["—", "—"]
    if not pd.isna(pair["ours"]):
        counted, said = f"{pair['photos_above_0']:.0f} of {pair['photos']:.0f}", [pair["verdict"], pair["size"]]
    if pair["measure"] == "psnr":
        said.insert(0, counted)
    return [number(pair["paper"], digits), *shown(pair, digits), *said]


def _name(place: Place) -> str:
    return f"{NAMES[place[0]]} {STAGES[place[1]]}"


def _cells(of: Rows, measure: Measure) -> Sheet:
    """The table itself, of one measure: in each cell the paper's figure and ours."""
    rows = [
        [title, *(_both(of.get((f"{variant} {stage}", "", measure))) for variant in NAMES)]
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
