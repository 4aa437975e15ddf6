"""DVC stages judge, deconvolution and classical of the comparison: a method and test scenes → a row a scene."""

import argparse
import shutil
from pathlib import Path

from pipelines.stages.entry import run_stage
from sftdec.evaluation import MEASURES, write_per_image
from sftdec.experiments import BUDGETS, Trained, judge_method, load_comparison, trained_model
from sftdec.params import load_params
from sftdec.runtime import choose_device
from sftdec.tracking import track_stage

SCENES, BUILD = Path("build/scenes"), Path("build/comparison")
UNSEEN = BUILD / "unseen/scenes"
EXPERIMENT = "sft-dec-comparison"  # of MLflow
PARAMS = Path("experiments/comparison/params.yaml")


def main() -> None:
    """Judge the method that the command names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("method", help="a network, a classical method, or either with +deconvolution")
    name = parser.parse_args().method
    report = load_comparison(PARAMS).report
    scenes = [SCENES, UNSEEN] if report.unseen else [SCENES]
    device = str(choose_device(load_params(Path("params.yaml")).evaluate.device))
    pictures = BUILD / "pictures" / name
    shutil.rmtree(pictures, ignore_errors=True)
    pictures.mkdir(parents=True)  # an out of the stage, whether or not the method makes pictures
    weights = {budget: Trained(trained_model(name) or name, budget).weights(BUILD) for budget in BUDGETS}
    table = judge_method(name, weights, scenes, report.split, pictures, device)
    write_per_image(found := BUILD / "judged" / f"{name}.parquet", table)
    with track_stage(f"judged {name}", Path.cwd(), scenes, {"method": name}, experiment=EXPERIMENT) as tracker:
        tracker.log_means(table, ["budget", "dataset"], MEASURES)
        tracker.artifact(found)
    for (budget, dataset), rows in table.groupby(["budget", "dataset"], sort=False):
        print(f"{name}, {budget}: {rows['psnr'].mean():.2f} dB on {len(rows)} scenes of {dataset}")


if __name__ == "__main__":
    run_stage(main)
