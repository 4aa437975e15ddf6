"""A training of seconds: three scenes of noise, a network of 8 features, 12 steps."""

import shutil
from pathlib import Path

import numpy as np
import torch

from sftdec.datasets import Scene, write_index, write_scene
from sftdec.networks import build_network, save_weights
from sftdec.params import parse_params
from sftdec.patches import CropDataset, PatchStore, extract_patches, write_store
from sftdec.runtime import read_yaml
from sftdec.training.distributed import Group
from sftdec.training.engine import Engine, Feed
from sftdec.training.objective import Objective
from sftdec.training.run import train_sft_dec, weights_path
from sftdec.training.schedule import STAGES
from sftdec.training.state import begin

ROOT = Path(__file__).parents[2]


def scenes(splits=("train", "train", "validation")):
    for number, split in enumerate(splits):
        generator = np.random.default_rng(number)
        sharp = generator.integers(0, 256, (48, 48, 3), np.uint8)
        blurred = (sharp // 2 + np.roll(sharp, 1, axis=1) // 2).astype(np.uint8)
        yield Scene(f"set/{number}", "set", split, str(number), 6.0, blurred, sharp, np.full((48, 48), 0.2, np.float32))


def values(common=None, network=None, processes=1, **stage):
    """params.yaml cut down to seconds, as plain values."""
    found = read_yaml(ROOT / "params.yaml")
    found["patches"] |= {"patch_size": 24, "stride": 24}
    narrow = {"features": 8, "blocks": 1, "dme_features": 8, "condition_features": 8, "sft_features": 8}
    found["network"] |= narrow | (network or {})
    fixed = {"crop": 16, "batch_size": 2, "threads": 1, "precision": "fp32", "device": "cpu"}
    found["train"]["common"] |= fixed | (common or {})
    found["train"]["processes"] = processes
    for name in ("s1", "s2", "s3", "end_to_end"):
        short = {"steps": 12, "warm_up": 2, "validate_every": 5, "checkpoint_every": 4}
        found["train"][name] |= short | stage
    return found


def params(**changes):
    """The same as typed parameters."""
    return parse_params(values(**changes), "test")


def make_build(folder, *more_splits):
    """Scenes and patches, as the stages before training leave them; a scene more for each of ``more_splits``."""
    all_scenes = list(scenes(("train", "train", "validation", *more_splits)))
    write_index(folder / "scenes", [write_scene(folder / "scenes", scene) for scene in all_scenes])
    patches = [patch for scene in all_scenes[:2] for patch in extract_patches(scene, 24, 24)]
    write_store(folder / "patches", patches, 24)
    return folder


def train(build, stage, settings, folder="checkpoints"):
    network, curve, saved = train_sft_dec(STAGES[stage], settings, build, build / folder)
    save_weights(network, weights_path(build, stage))
    shutil.rmtree(saved.folder)
    return weights_path(build, stage).read_bytes(), curve


class Killed(Exception):
    pass


def kill_at(step):
    def report(now, metrics):
        if now >= step:
            raise Killed

    return report


def engine_of(build, settings, steps=50):
    """An engine at the start of stage s1, and its first inputs."""
    objective = Objective(STAGES["s1"], settings.train.s1, settings.train.common)
    dataset = CropDataset(PatchStore(build / "patches"), objective.common, 0)
    group = Group.alone(objective.common.device)
    state = begin(build_network(settings.network), objective, group)
    feed = Feed(dataset, objective, group, 0)
    return Engine(state, objective, group, feed), feed.inputs(0, steps)


def spoil_a_step(engine, stream):
    """Take a step that gives no number, which must leave everything as it was, and a good one after it."""
    state = engine.state
    state.read()
    first, *others = state.network.parameters()
    others += list(state.average.parameters())[1:]  # all but the one that is spoilt
    kept = [weights.detach().clone() for weights in (first, *others)]
    moments = [each["exp_avg"].clone() for each in state.optimizer.state.values()]
    with torch.no_grad():
        first.fill_(torch.nan)
    engine.take(next(stream), 1e-3)
    assert not np.isfinite(state.read()["loss"])
    assert (state.skipped, state.bad_in_a_row) == (1, 1)
    assert all(map(torch.equal, others, kept[1:])) and first.isnan().all()
    assert all(map(torch.equal, [each["exp_avg"] for each in state.optimizer.state.values()], moments))
    with torch.no_grad():
        first.copy_(kept[0])
    engine.take(next(stream), 1e-3)
    assert np.isfinite(state.read()["loss"]) and (state.skipped, state.bad_in_a_row) == (1, 0)
    assert not all(map(torch.equal, others, kept[1:]))
