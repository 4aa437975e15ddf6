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
    load_experiment,
    read_cells,
    table3_rows,
    write_document,
)

BUILD, TABLES, PARAMS = Path("build/table3"), Path("build/tables/table3"), Path("experiments/table3/params.yaml")


def notes(experiment: Experiment, judged: pd.DataFrame) -> list[str]:
    """How it was trained and judged, as far as a reader needs it beside the figures: paragraphs."""
    scenes, photos = judged[["dataset", "scene"]].drop_duplicates(), judged["photo"].nunique()
    steps = "; ".join(_steps(experiment, name) for name in [FINAL, *experiment.equal_time])
    report = experiment.report
    return [
        f"Made by `dvc repro experiments/table3/dvc.yaml`. Seeds {', '.join(map(str, experiment.seeds))} of "
        "initialisation and data order; what isn't said here is as in `params.yaml`, the rule by which a stage keeps "
        "its weights (on the validation photos) included.",
        f"Steps: {', '.join(f'{stage} {count}' for stage, count in experiment.steps.items())}. In equal time: {steps}. "
        "These follow from what a step costs (`step_cost`, measured by `benchmarks/modulations.py`).",
        f"Judged on {len(scenes)} {report.split} scenes rendered from {photos} photos, the network's own map guiding "
        "it after every stage. The paper judges on Realistic, so differences compare and levels don't.",
        "Ours: mean ± standard deviation over seeds. A difference is paired (same seed, same scene); its "
        f"{report.level:.0%} interval is a hierarchical parametric bootstrap over seeds and scenes (Student's t at "
        "both levels). It speaks of other scenes of these photos; in how many photos the difference is above 0 stands "
        "beside it. A part holds if its interval lies above 0, doesn't if below, else it can't be told; nothing is "
        "corrected for the number of intervals.",
    ]  # fmt: skip


def _steps(experiment: Experiment, variant: str) -> str:
    stages: tuple[StageName, ...] = ("s1", "s2", "s3")
    cells = (Cell(variant, stage, 0, "equal_steps" if variant == FINAL else "equal_time") for stage in stages)
    return f"{variant} {' + '.join(str(experiment.steps_of(cell)) for cell in cells)}"


def main() -> None:
    """Compare the cells."""
    experiment = load_experiment(PARAMS)
    table = read_cells(experiment, BUILD)
    judged = table[table["split"] == experiment.report.split]
    report = experiment.report
    rows = table3_rows(judged, report.level, report.replicates)
    record("table3", BUILD.rglob("*.safetensors"), REPORTS)
    publish(write_document(TABLES, "table3", rows, notes(experiment, judged)))
    trainings = len(table[["budget", "variant", "stage", "seed"]].drop_duplicates())
    print(f"{REPORTS / 'table3.md'}: {trainings} trainings compared")


if __name__ == "__main__":
    run_stage(main)
