"""DVC stage register: weights → a verified version of the registered model; the gate decides who serves."""

import json
from pathlib import Path

import pandas as pd

from pipelines.stages.entry import run_stage
from sftdec.datasets import load_scenes
from sftdec.devices import choose_device
from sftdec.evaluation.evaluate import evaluate_network
from sftdec.networks import load_weights
from sftdec.params import load_params
from sftdec.registry import champion, decide, record_decision, register, resolve_weights
from sftdec.tracking import checksum, track_stage

WEIGHTS, REPORTS, SCENES = Path("build/models/s3.safetensors"), Path("reports"), Path("build/scenes")
MARK = Path("build/registered.json")  # an out, so that a checkout without it registers


def main() -> None:
    """Register the network that evaluate has judged; promote it if it beats what serves, on the same photos."""
    root, params = Path.cwd(), load_params(Path("params.yaml"))
    reads = [WEIGHTS, REPORTS / "metrics.json", REPORTS / "per_image.parquet"]
    with track_stage("register", root, reads=reads, params=params.gate.model_dump()) as tracker:
        metrics = json.loads((REPORTS / "metrics.json").read_text())
        version = register(WEIGHTS, tracker.run_id(), metrics, root)
        MARK.write_text(json.dumps({"weights_sha256": checksum(WEIGHTS)}) + "\n")
        serving = champion(root)
        if serving is not None and serving.number == version.number:
            print(f"{version.uri} already serves")
            return
        theirs = None
        if serving is not None:
            network = load_weights(resolve_weights(serving.uri, root))
            device = choose_device(params.evaluate.device)
            theirs = evaluate_network(network.to(device), load_scenes(SCENES, params.evaluate.split), str(device))
        decision = decide(pd.read_parquet(REPORTS / "per_image.parquet"), theirs, params.gate.min_gain)
        record_decision(version, decision, root)
        tracker.tags({"version": version.number, "gate.promoted": decision.promote, "gate.reason": decision.reason})
        tracker.metrics({f"gate.{key}": value for key, value in decision.figures.items()}, step=0)
        print(f"{version.uri}: {'promoted' if decision.promote else 'not promoted'}: {decision.reason}")


if __name__ == "__main__":
    run_stage(main)
