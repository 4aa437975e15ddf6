"""DVC stage readings: the experiment's per-image tables → build/tables/readings, with copies in reports/."""

from pathlib import Path

import pandas as pd

from pipelines.stages.entry import run_stage
from pipelines.stages.made_from import record
from pipelines.stages.publish import REPORTS, publish
from sftdec.experiments import (
    Experiment,
    default_note,
    judged_notes,
    load_experiment,
    read_cells,
    readings_rows,
    write_document,
)

BUILD, TABLES, PARAMS = Path("build/readings"), Path("build/tables/readings"), Path("experiments/readings/params.yaml")
STAGE = "s3"


def notes(experiment: Experiment, judged: pd.DataFrame) -> list[str]:
    """How it was trained and judged: paragraphs."""
    return [
        "Made by `dvc repro experiments/readings/dvc.yaml`: `params.yaml` with one thing changed at a time, "
        f"{', '.join(f'{stage} {count} steps' for stage, count in experiment.steps.items())}. What changes only s2 or "
        "s3 starts from the default's own weights. An effect is the other reading minus the default, after s3; of a "
        f"map's error less is better. Left out: {', '.join(experiment.photos.left_out) or 'no photo'}; what follows is "
        "chosen without the photos that the sample's test is of.",
        *judged_notes(experiment, judged),
        "Verdicts are corrected for the number of readings by Holm's method, of each measure by itself.",
        default_note(judged, STAGE),
    ]


def main() -> None:
    """Compare each reading with the default."""
    experiment = load_experiment(PARAMS)
    table = read_cells(experiment, BUILD)
    rows = readings_rows(table, experiment.labels, STAGE, experiment.report.level)
    record("readings", BUILD.rglob("*.safetensors"), REPORTS)
    publish(write_document(TABLES, "readings", rows, notes(experiment, table)))
    print(f"{REPORTS / 'readings.md'}: {len(experiment.labels)} readings compared with the default")


if __name__ == "__main__":
    run_stage(main)
