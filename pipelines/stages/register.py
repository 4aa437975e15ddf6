"""DVC stage register: weights → a verified version of the registered model; the gate decides who serves."""

import json
import os
from pathlib import Path

from pipelines.stages.entry import run_stage
from sftdec.params import load_params
from sftdec.registry import Judge, register_and_judge
from sftdec.runtime import checksum
from sftdec.tracking import track_stage

WEIGHTS, REPORTS, SCENES = Path("build/models/s3.safetensors"), Path("reports"), Path("build/scenes")
MARK = Path("build/registered.json")  # an out, so that a checkout without it registers
DECISION = Path(".tracking/gate.json")  # for whoever started the stage; no out, since it tells the time


def main() -> None:
    """Register the network that evaluate has judged; promote it if it beats what serves, on the same photos.

    What is an experiment of DVC's (`dvc exp run`) registers nothing, unless SFTDEC_REGISTER=on asks for it.
    """
    if "DVC_EXP_BASELINE_REV" in os.environ and os.environ.get("SFTDEC_REGISTER", "off") != "on":
        MARK.write_text(json.dumps({"weights_sha256": None}) + "\n")
        print("An experiment registers nothing: SFTDEC_REGISTER=on asks for it, `dvc repro -f register` does it later")
        return
    root, params = Path.cwd(), load_params(Path("params.yaml"))
    reads = [WEIGHTS, REPORTS / "metrics.json", REPORTS / "per_image.parquet"]
    with track_stage("register", root, reads=reads, params=params.gate.model_dump()) as tracker:
        metrics = json.loads((REPORTS / "metrics.json").read_text())
        judge = Judge(SCENES, params.evaluate.split, params.evaluate.device, root)
        outcome = register_and_judge(WEIGHTS, tracker.run_id(), metrics, judge, params.gate, DECISION)
        MARK.write_text(json.dumps({"weights_sha256": checksum(WEIGHTS)}) + "\n")
        tracker.tags({"version": outcome.version, "gate.promoted": outcome.promoted, "gate.reason": outcome.reason})
        tracker.metrics({f"gate.{key}": value for key, value in outcome.figures.items()}, step=0)
        tracker.log_row_metrics(metrics)
        verdict = "promoted" if outcome.promoted else "not promoted"
        tracker.note(told := f"models:/sft-dec/{outcome.version}: {verdict}: {outcome.reason}")
        print(told)


if __name__ == "__main__":
    run_stage(main)
