"""DVC stages train_s1, train_s2, train_s3 (and end_to_end): patches, and the stage before's weights → weights."""

import argparse
import os
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from pipelines.stages.entry import run_stage
from sftdec.networks import save_weights
from sftdec.params import Params, load_params
from sftdec.registry import find_weights
from sftdec.runtime import checksum, keep_freed_memory
from sftdec.tracking import track_stage
from sftdec.training import (
    STAGES,
    Group,
    Stage,
    joined,
    stage_params,
    start_processes,
    train_sft_dec,
    under_torchrun,
    weights_path,
    write_curve,
)

BUILD = Path("build")


def main() -> None:
    """Train one stage, in as many processes as train.processes says or torchrun has started."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stage", required=True, choices=sorted(STAGES))
    stage = STAGES[parser.parse_args().stage]
    keep_freed_memory()
    params = load_params(Path("params.yaml"))
    device, processes = params.train.common.device, params.train.processes
    if processes > 1 and not under_torchrun(os.environ):
        start_processes(processes, device, "pipelines.stages.train", ["--stage", stage.name])
    with joined(device, os.environ) as group:
        train(stage, params, group)


def train(stage: Stage, params: Params, group: Group) -> None:
    """Train one stage as one of the group's processes; the first one tracks and writes."""
    shown = {
        "network": asdict(params.network),
        "common": params.train.common.model_dump(),
        stage.name: stage_params(params, stage).model_dump(),
    }
    tracked = None if group.first else False  # None: as the environment says
    reads, name = stage.inputs(BUILD), f"train_{stage.name}"
    with track_stage(name, Path.cwd(), reads, shown, enabled=tracked) as tracker:
        index = BUILD / "patches" / "index.parquet"
        patches = pd.read_parquet(index)[["sigma_mean", "sharpness", "brightness"]]
        means = {str(key): round(float(value), 4) for key, value in patches.mean().items()}
        tracker.dataset("patches", index.parent, checksum(index), len(patches), means)
        watched = (lambda step, metrics: tracker.metrics(metrics, step), tracker.picture)
        network, curve, checkpoints = train_sft_dec(
            stage, params, BUILD, Path(".checkpoints"), *watched, group, find_weights
        )
        if not group.first:
            return
        network.training_crop = params.train.common.crop
        save_weights(network, weights_path(BUILD, stage.name))
        write_curve(table := BUILD / "curves" / f"{stage.name}.csv", curve)
        tracker.artifact(table, "curves")
        tracker.writes([weights_path(BUILD, stage.name)])
    checkpoints.finish(weights_path(BUILD, stage.name))


if __name__ == "__main__":
    run_stage(main)
