"""DVC stage readings: the experiment's per-image tables → build/tables/readings, with copies in reports/."""

from pathlib import Path

from pipelines.stages.entry import run_stage
from pipelines.stages.made_from import record
from pipelines.stages.publish import REPORTS, publish
from sftdec.experiments import Experiment, default_note, load_experiment, read_cells, readings_rows, write_document

BUILD, TABLES, PARAMS = Path("build/readings"), Path("build/tables/readings"), Path("experiments/readings/params.yaml")
STAGE = "s3"


def notes(experiment: Experiment, scenes: int, photos: int) -> list[str]:
    """How it was trained and judged: paragraphs."""
    report = experiment.report
    return [
        "Made by `dvc repro experiments/readings/dvc.yaml`: `params.yaml` with one thing changed at a time, "
        f"{', '.join(f'{stage} {count} steps' for stage, count in experiment.steps.items())}, seeds "
        f"{', '.join(map(str, experiment.seeds))}. What changes only s2 or s3 starts from the default's own weights.",
        f"Judged on the {scenes} {report.split} scenes (of {photos} photos) after s3; the test photos are not opened. "
        "An effect is the other reading minus the default, same seed and scene; of a map's error less is better. Its "
        f"{report.level:.0%} interval is a hierarchical parametric bootstrap over seeds and scenes (Student's t at "
        "both levels); nothing is corrected for the number of intervals.",
    ]


def main() -> None:
    """Compare each reading with the default."""
    experiment = load_experiment(PARAMS)
    report = experiment.report
    table = read_cells(experiment, BUILD)
    judged = table[table["split"] == report.split]
    said = notes(experiment, len(judged[["dataset", "scene"]].drop_duplicates()), judged["photo"].nunique())
    said.append(default_note(judged, STAGE))
    rows = readings_rows(judged, experiment.labels, STAGE, report.level, report.replicates)
    record("readings", BUILD.rglob("*.safetensors"), REPORTS)
    publish(write_document(TABLES, "readings", rows, said))
    print(f"{REPORTS / 'readings.md'}: {len(experiment.labels)} readings compared with the default")


if __name__ == "__main__":
    run_stage(main)
