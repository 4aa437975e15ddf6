"""The paper's table 3 beside ours, and what our figures say of each statement of its sec. 4.3."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from sftdec.experiments.definition import Budget, Cell, Experiment, StageName
from sftdec.experiments.tables.ablation import (
    Difference,
    MeanOfSeeds,
    Measure,
    Trained,
    check_table,
    difference,
    markdown_table,
    mean_of_seeds,
    number,
    sentence,
    together,
)

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

Place = tuple[str, str]  # variant, stage
Found = dict[tuple[str, int, Measure], list[Difference]]  # by budget, number of the statement, measure


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


def differences(
    table: pd.DataFrame, budget: str, statement: Statement, measure: Measure, level: float, replicates: int
) -> list[Difference]:
    """A statement's differences on a budget; the final network's trainings serve both budgets."""
    return [
        difference(table, _trained(budget, first), _trained(budget, second), measure, level, replicates)
        for first, second in statement.above
    ]


def _trained(budget: str, place: Place) -> Trained:
    return Trained("equal_steps" if place[0] == FINAL else budget, *place)


def paper_difference(pair: Difference) -> float:
    """The paper's figure for a difference."""
    first, second = (PAPER[each.variant, each.stage][pair.measure] for each in (pair.first, pair.second))
    return first - second


def table3_report(table: pd.DataFrame, level: float, replicates: int, notes: Sequence[str]) -> tuple[str, pd.DataFrame]:
    """The Markdown page and the rows of the CSV file from a per-image table (``ablation.COLUMNS``).

    ``notes`` are lines on how it was trained. Cells that are missing are shown so and make no statement hold.

    Raises:
        ValueError: a table that can't be compared, or has no rows.
    """
    check_table(table)
    if table.empty:
        raise ValueError("per-image table has no rows; train at least one cell")
    found: Found = {
        (budget, index, measure): differences(table, budget, statement, measure, level, replicates)
        for budget in BUDGET_TITLES
        for index, statement in enumerate(STATEMENTS)
        for measure in MEASURES
    }
    lines = ["# Table 3 of the paper, and ours", "", *notes, "", *_summary(found), ""]
    for budget, title in BUDGET_TITLES.items():
        lines += [f"## {title}", "", *_cells(table, budget)]
        for index, statement in enumerate(STATEMENTS):
            pairs = {measure: found[budget, index, measure] for measure in MEASURES}
            lines += [f"**{statement.text}**", "", _verdict_line(pairs), "", *_parts(pairs), ""]
    return "\n".join(lines).rstrip() + "\n", _csv(table, (pair for pairs in found.values() for pair in pairs))


def _summary(found: Found) -> list[str]:
    """Each statement once, with what PSNR says of it on either budget."""
    rows = [
        [
            statement.text,
            *(together(pair.verdict() for pair in found[budget, index, "psnr"]) for budget in BUDGET_TITLES),
        ]
        for index, statement in enumerate(STATEMENTS)
    ]
    return markdown_table(["What the paper says, by our PSNR", *BUDGET_TITLES.values()], rows)


def _verdict_line(pairs: dict[Measure, list[Difference]]) -> str:
    """The plain sentence."""
    said = [f"{sentence([pair.verdict() for pair in parts])} by {measure.upper()}" for measure, parts in pairs.items()]
    missing = sum(pair.interval is None for pair in pairs["psnr"])
    more = f" Not trained with two seeds or more: {missing} of {len(pairs['psnr'])} parts." if missing else ""
    return f"At this scale it {' and '.join(said)}.{more}"


def _parts(pairs: dict[Measure, list[Difference]]) -> list[str]:
    """A row a difference: the paper's, ours with its interval, in how many photos it is above 0, and the verdict."""
    head = ["difference"]
    for measure in MEASURES:
        head += [f"paper, {UNITS[measure]}", "ours", "interval", "photos above 0", "verdict"]
    rows = []
    for both in zip(*pairs.values(), strict=True):
        row = [f"{_name(both[0].first)} − {_name(both[0].second)}"]
        for pair in both:
            digits = DECIMALS[pair.measure]
            row += [number(paper_difference(pair), digits), *_shown(pair, digits)]
        rows.append(row)
    return markdown_table(head, rows)


def _shown(pair: Difference, digits: int) -> list[str]:
    if pair.interval is None:
        return ["—", "—", "—", pair.verdict()]
    low, high = number(pair.interval.low, digits), number(pair.interval.high, digits)
    return [
        number(pair.interval.mean, digits),
        f"{low} … {high}",
        f"{pair.photos_above} of {pair.photos}",
        pair.verdict(),
    ]


def _name(trained: Trained) -> str:
    return f"{NAMES[trained.variant]} {STAGES[trained.stage]}"


def _cells(table: pd.DataFrame, budget: str) -> Iterator[str]:
    """The table itself: a block a measure, in each cell the paper's figure and ours."""
    for measure in MEASURES:
        digits, rows = DECIMALS[measure], []
        for stage, title in STAGES.items():
            row = [title]
            for variant in NAMES:
                if (variant, stage) not in PAPER:
                    row.append("")
                    continue
                ours = mean_of_seeds(table, _trained(budget, (variant, stage)), measure)
                row.append(f"{PAPER[variant, stage][measure]:.4f} / {_mean(ours, digits)}")
            rows.append(row)
        yield from [*markdown_table([f"{UNITS[measure]}: paper / ours", *NAMES.values()], rows), ""]


def _mean(cell: MeanOfSeeds | None, digits: int) -> str:
    if cell is None:
        return "not trained"
    mean, deviation, _ = cell
    return f"{mean:.{digits}f}" + ("" if deviation is None else f" ± {deviation:.{digits}f}")


def _csv(table: pd.DataFrame, pairs: Iterable[Difference]) -> pd.DataFrame:
    """One row a cell and one a difference, measure and budget."""
    rows: list[dict[str, object]] = []
    for budget in BUDGET_TITLES:
        for (variant, stage), paper in PAPER.items():
            for measure in MEASURES:
                cell = mean_of_seeds(table, _trained(budget, (variant, stage)), measure)
                ours = {} if cell is None else {"ours": cell.mean, "deviation": cell.deviation, "seeds": cell.seeds}
                rows.append({"kind": "cell", "budget": budget, "first": f"{variant} {stage}", "measure": measure,
                             "paper": paper[measure], **ours})  # fmt: skip
    for pair in pairs:
        budget = pair.first.budget if pair.first.variant != FINAL else pair.second.budget
        first, second = (f"{each.variant} {each.stage}" for each in (pair.first, pair.second))
        interval = pair.interval
        found = {} if interval is None else {"ours": interval.mean, "low": interval.low, "high": interval.high}
        rows.append({"kind": "difference", "budget": budget, "first": first, "second": second, "measure": pair.measure,
                     "paper": paper_difference(pair), "seeds": len(pair.seeds), "scenes": pair.scenes,
                     "photos": pair.photos, "photos_above_0": pair.photos_above, "verdict": pair.verdict(),
                     **found})  # fmt: skip
    columns = ["kind", "budget", "first", "second", "measure", "paper", "ours", "deviation", "low", "high", "seeds",
               "scenes", "photos", "photos_above_0", "verdict"]  # fmt: skip
    return pd.DataFrame(rows).reindex(columns=columns).drop_duplicates(ignore_index=True)


def notes(experiment: Experiment, judged: pd.DataFrame) -> list[str]:
    """How it was trained and judged, as far as a reader needs it beside the figures."""
    scenes, photos = judged[["dataset", "scene"]].drop_duplicates(), judged["photo"].nunique()
    steps = "; ".join(_steps(experiment, name) for name in [FINAL, *experiment.equal_time])
    report = experiment.report
    return [
        f"Made by `dvc repro experiments/table3/dvc.yaml`. Seeds {', '.join(map(str, experiment.seeds))} of "
        "initialisation and data order; what isn't said here is as in `params.yaml`, the rule by which a stage keeps "
        "its weights (on the validation photos) included.",
        "",
        f"Steps: {', '.join(f'{stage} {count}' for stage, count in experiment.steps.items())}. In equal time: {steps}. "
        "These follow from what a step costs (`step_cost`, measured by `benchmarks/modulations.py`).",
        "",
        f"Judged on {len(scenes)} {report.split} scenes rendered from {photos} photos, the network's own map guiding "
        "it after every stage. The paper judges on Realistic, so differences compare and levels don't.",
        "",
        "Ours: mean ± standard deviation over seeds. A difference is paired (same seed, same scene); its "
        f"{report.level:.0%} interval is a hierarchical parametric bootstrap over seeds and scenes (Student's t at "
        "both levels). It speaks of other scenes of these photos; in how many photos the difference is above 0 stands "
        "beside it. A part holds if its interval lies above 0, doesn't if below, else it can't be told; nothing is "
        "corrected for the number of intervals.",
    ]  # fmt: skip


def _steps(experiment: Experiment, variant: str) -> str:
    budget: Budget = "equal_steps" if variant == FINAL else "equal_time"
    stages: tuple[StageName, ...] = ("s1", "s2", "s3")
    counts = [experiment.steps_of(Cell(variant, stage, 0, budget)) for stage in stages]
    return f"{variant} {' + '.join(map(str, counts))}"
