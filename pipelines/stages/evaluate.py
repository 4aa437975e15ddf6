"""DVC stage evaluate: weights and test scenes → figures and pictures."""

from pathlib import Path

import pandas as pd

from pipelines.stages.entry import run_stage
from sftdec.datasets import load_scenes, read_index, select_scenes
from sftdec.evaluation import evaluate_network, summarise, training_window, write_metrics, write_per_image
from sftdec.networks import load_weights
from sftdec.params import load_params
from sftdec.reporting import Gallery, gain_plot, save_comparisons, save_figure, training_curves
from sftdec.runtime import checksum, choose_device
from sftdec.tracking import track_stage

BUILD, REPORTS = Path("build"), Path("reports")
WEIGHTS = BUILD / "models" / "s3.safetensors"
FIGURES = REPORTS / "figures" / "evaluation"


def main() -> None:
    """Judge the last stage's network."""
    params = load_params(Path("params.yaml"))
    device = choose_device(params.evaluate.device)
    reads = [WEIGHTS, BUILD / "scenes", BUILD / "curves"]
    with track_stage("evaluate", Path.cwd(), reads=reads, params=params.evaluate.model_dump()) as tracker:
        index = BUILD / "scenes" / "index.parquet"
        judged = select_scenes(read_index(index.parent), params.evaluate.split)
        context = "testing" if params.evaluate.split == "test" else params.evaluate.split
        tracker.dataset("scenes", index.parent, checksum(index), len(judged), context=context)
        gallery = Gallery(FIGURES, params.evaluate.panels)
        network = load_weights(WEIGHTS).to(device)
        scenes = load_scenes(BUILD / "scenes", params.evaluate.split)
        window = training_window(network)
        per_image = evaluate_network(network, scenes, str(device), gallery, local_pooling=window)
        metrics = summarise(per_image)
        write_metrics(REPORTS / "metrics.json", metrics)
        write_per_image(REPORTS / "per_image.parquet", per_image)
        gallery.write_contact_sheet()
        save_comparisons(BUILD / "comparisons", gallery.comparisons)
        curves = {stage: pd.read_csv(BUILD / "curves" / f"{stage}.csv") for stage in ("s1", "s2", "s3")}
        save_figure(training_curves(curves), FIGURES / "training_curves.png")
        save_figure(gain_plot(per_image), FIGURES / "gains.png")
        tracker.log_final_metrics(metrics)
        tracker.artifact(REPORTS / "metrics.json", "reports")
        tracker.artifact(REPORTS / "per_image.parquet", "reports")
        tracker.artifact(FIGURES, "reports/figures")
        for shown in gallery.comparisons:  # not on the row, whose 90 parameters MLflow's grid would write above each
            tracker.picture(f"deblurred/{shown.scene}", shown.deblurred)
            tracker.picture(f"defocus/{shown.scene}", shown.estimate)
        tracker.writes([REPORTS / "metrics.json", REPORTS / "per_image.parquet"])


if __name__ == "__main__":
    run_stage(main)
