"""DVC stage report: what evaluate and the experiments left → reports/report.html, one page that draws offline."""

import json
from pathlib import Path

import pandas as pd

from pipelines.stages.entry import run_stage
from pipelines.stages.made_from import outdated
from sftdec.experiments import read_documents
from sftdec.params import load_params
from sftdec.reporting import Material, load_comparisons, write_report
from sftdec.runtime import checksum
from sftdec.tracking import track_stage

BUILD, REPORTS = Path("build"), Path("reports")
WEIGHTS, SCENES, PATCHES = BUILD / "models" / "s3.safetensors", BUILD / "scenes", BUILD / "patches"
PAGE = REPORTS / "report.html"


def main() -> None:
    """Show what was run and how good it is."""
    params = load_params(Path("params.yaml"))
    reads = [WEIGHTS, REPORTS / "metrics.json", REPORTS / "per_image.parquet"]
    with track_stage("report", Path.cwd(), reads=reads) as tracker:
        material = Material(
            metrics=json.loads((REPORTS / "metrics.json").read_text("utf-8")),
            per_image=pd.read_parquet(REPORTS / "per_image.parquet"),
            curves={stage: pd.read_csv(BUILD / "curves" / f"{stage}.csv") for stage in ("s1", "s2", "s3")},
            comparisons=load_comparisons(BUILD / "comparisons"),
            figures=REPORTS / "figures" / "evaluation",
            scenes=SCENES,
            patches=PATCHES,
            documents=read_documents(REPORTS),
            published=REPORTS,
            outdated=outdated(Path.cwd(), REPORTS),
            weights=WEIGHTS,
            params=params,
            lineage={str(path): checksum(path) for path in (WEIGHTS, SCENES, PATCHES)},
        )
        write_report(PAGE, material)
        tracker.log_row_metrics(material.metrics)  # of an evaluation that DVC had in its cache as well
        tracker.artifact(PAGE, "reports", row=True)


if __name__ == "__main__":
    run_stage(main)
