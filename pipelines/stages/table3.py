"""DVC stage table3: the experiment's per-image tables → build/tables/table3, with copies in reports/."""

from pathlib import Path

import pandas as pd

from pipelines.stages.entry import run_stage
from pipelines.stages.made_from import record
from pipelines.stages.publish import REPORTS, publish
from sftdec.experiments import (
    FINAL,
    Cell,
    Experiment,
    StageName,
    judged_notes,
    load_experiment,
    read_cells,
    table3_rows,
    write_document,
)

BUILD, TABLES, PARAMS = Path("build/table3"), Path("build/tables/table3"), Path("experiments/table3/params.yaml")


def notes(experiment: Experiment, judged: pd.DataFrame) -> list[str]:
    """How it was trained and judged, as far as a reader needs it beside the figures: paragraphs."""
    steps = "; ".join(_steps(experiment, name) for name in [FINAL, *experiment.equal_time])
    return [
        "Made by `dvc repro experiments/table3/dvc.yaml`. What isn't said here is as in `params.yaml`, the rule by "
        "which a stage keeps its weights included; the photos that choose them are among those that are learned from.",
        f"Steps: {', '.join(f'{stage} {count}' for stage, count in experiment.steps.items())}. In equal time: {steps}. "
        "These follow from what a step costs (`step_cost`, measured by `benchmarks/modulations.py`).",
        *judged_notes(experiment, judged),
        "Verdicts on the sign are corrected for the number of statements by Holm's method, of each budget and measure "
        "by itself; those on the size, which the paper names for three of them, are each interval's own, and so are "
        "those of single differences.",
    ]


def _steps(experiment: Experiment, variant: str) -> str:
    stages: tuple[StageName, ...] = ("s1", "s2", "s3")
    cells = (Cell(variant, stage, 0, "equal_steps" if variant == FINAL else "equal_time") for stage in stages)
    return f"{variant} {' + '.join(str(experiment.steps_of(cell)) for cell in cells)}"


def main() -> None:
    """Compare the cells."""
    experiment = load_experiment(PARAMS)
    table = read_cells(experiment, BUILD)
    rows = table3_rows(table, experiment.report.level)
    record("table3", BUILD.rglob("*.safetensors"), REPORTS)
    publish(write_document(TABLES, "table3", rows, notes(experiment, table)))
    trainings = len(table[["budget", "variant", "stage", "fold"]].drop_duplicates())
    print(f"{REPORTS / 'table3.md'}: {trainings} trainings compared")


if __name__ == "__main__":
    run_stage(main)
