"""DVC stage table3: the experiment's per-image tables → build/tables/table3, with copies in reports/."""

from pathlib import Path

from pipelines.stages.entry import run_stage
from pipelines.stages.publish import REPORTS, publish
from sftdec.experiments import load_experiment, notes, read_cells, table3_rows, write_document

BUILD, TABLES, PARAMS = Path("build/table3"), Path("build/tables/table3"), Path("experiments/table3/params.yaml")


def main() -> None:
    """Compare the cells."""
    experiment = load_experiment(PARAMS)
    table = read_cells(experiment, BUILD)
    judged = table[table["split"] == experiment.report.split]
    report = experiment.report
    rows = table3_rows(judged, report.level, report.replicates)
    publish(write_document(TABLES, "table3", rows, notes(experiment, judged)))
    trainings = len(table[["budget", "variant", "stage", "seed"]].drop_duplicates())
    print(f"{REPORTS / 'table3.md'}: {trainings} trainings compared")


if __name__ == "__main__":
    run_stage(main)
