"""DVC stage table3: the experiment's per-image tables → build/tables/table3, with copies in reports/."""

from pathlib import Path

from pipelines.stages.entry import run_stage
from pipelines.stages.publish import REPORTS, publish
from sftdec.experiments import load_experiment, notes, read_cells, table3_report
from sftdec.runtime import atomic_path

BUILD, TABLES, PARAMS = Path("build/table3"), Path("build/tables/table3"), Path("experiments/table3/params.yaml")


def main() -> None:
    """Compare the cells."""
    experiment = load_experiment(PARAMS)
    table = read_cells(experiment, BUILD)
    judged = table[table["split"] == experiment.report.split]
    report = experiment.report
    page, rows = table3_report(judged, report.level, report.replicates, notes(experiment, judged))
    with atomic_path(TABLES / "table3.md") as temporary:
        temporary.write_text(page, "utf-8")
    with atomic_path(TABLES / "table3.csv") as temporary:
        rows.to_csv(temporary, index=False, float_format="%.6f")
    publish([TABLES / "table3.md", TABLES / "table3.csv"])
    trainings = len(table[["budget", "variant", "stage", "seed"]].drop_duplicates())
    print(f"{REPORTS / 'table3.md'}: {trainings} trainings compared")


if __name__ == "__main__":
    run_stage(main)
