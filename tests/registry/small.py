"""A dozen photos of two data sets that are too dark, and networks that do nothing but brighten."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sftdec.datasets import Scene, load_scenes, write_index, write_scene
from sftdec.evaluation.evaluate import evaluate_network, summarise
from sftdec.networks import build_network, load_weights, save_weights
from sftdec.params import GateParams
from sftdec.params.network import NetworkConfig
from sftdec.registry import Judge, Outcome, register_and_judge

TINY = {"features": 8, "blocks": 1, "dme_features": 8, "condition_features": 8, "sft_features": 8}
FRESH = build_network(NetworkConfig.of_size("small", **TINY))


def make_scenes(folder: Path, count: int = 6, seed: int = 0, dark: Sequence[str] = ("here", "there")) -> Path:
    """Test scenes of two data sets, ``count`` each; the blurred photos of ``dark`` ones are darker, others brighter."""
    rows = []
    for dataset in ("here", "there"):
        for number in range(count):
            generator = np.random.default_rng([seed, number, dataset == "here"])
            coarse = generator.integers(60, 170, (4, 4, 3)).repeat(8, axis=0).repeat(8, axis=1)
            sharp = (coarse + generator.integers(0, 20, coarse.shape)).astype(np.uint8)
            blurred = (sharp * (0.8 if dataset in dark else 1.25)).astype(np.uint8)
            levels = np.full((32, 32), 0.3, np.float32)
            scene = Scene(f"{dataset}/{number}", dataset, "test", f"{number}", 6.0, blurred, sharp, levels)
            rows.append(write_scene(folder, scene))
    write_index(folder, rows)
    return folder


def brightening(path: Path, level: float) -> Path:
    """Weights of a network that adds ``level`` (of 0..1) to every picture."""
    network = copy.deepcopy(FRESH)
    bias = network.deblurring.last.bias
    assert bias is not None
    with torch.no_grad():
        bias += level
    save_weights(network, path)
    return path


def measured(weights: Path, judge: Judge) -> dict[str, Any]:
    """What the evaluate stage writes into metrics.json."""
    return summarise(evaluate_network(load_weights(weights), load_scenes(judge.scenes, judge.split)))


def judged(weights: Path, judge: Judge, gate: GateParams, metrics: Mapping[str, Any] | None = None) -> Outcome:
    """What the register stage does after the evaluate stage."""
    report = judge.root / ".tracking" / "gate.json"
    return register_and_judge(weights, None, metrics or measured(weights, judge), judge, gate, report)


def tamper(path: Path) -> None:
    """Change one byte."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
