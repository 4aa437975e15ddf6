"""Training from files.

``train_sft_dec`` is a stage of the paper's from its parameters and the weights of the stage before, ``train_on_build``
any network that is there already; both come down to ``loop.train_stage``.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pandas as pd
import torch

from sftdec.datasets import load_scene, read_index
from sftdec.networks import SFTDec, WeightsError, build_network, load_into
from sftdec.params import NetworkConfig, Params, StageParams
from sftdec.patches import PatchStore
from sftdec.runtime import Imports, atomic_path, checksum, compute_exactly
from sftdec.training.checkpoint import Checkpoints, checkpoint_key, file_hashes
from sftdec.training.distributed import Group
from sftdec.training.loop import Curve, Network, Picture, Report, train_stage
from sftdec.training.objective import Objective
from sftdec.training.schedule import Stage, weights_path

_NO_RESULT = (  # of the code that a training runs; values of parameters are in a checkpoint's key themselves
    *("params/schema.py", "params/fields.py"),
    *(
        f"runtime/{name}.py"
        for name in ("atomic", "checksums", "errors", "extras", "imports", "memory", "waiting", "yaml_text")
    ),
)
_JUDGED_BY = ("blurred", "sharp", "defocus")


class StageOrderError(ValueError):
    """A stage was started without what the stage before it makes."""


def stage_params(params: Params, stage: Stage) -> StageParams:
    """The stage's own section."""
    found: StageParams = getattr(params.train, stage.name)
    return found


def initial_weights(stage: Stage, params: StageParams, build: Path, find: Callable[[str], Path] = Path) -> Path | None:
    """The file of the weights that a stage starts from; None: fresh ones.

    Raises:
        StageOrderError: the weights of the stage before are missing.
        WeightsError: the ones to go on from are missing, or aren't those whose SHA-256 is given.
    """
    if stage.after is not None:
        before = weights_path(build, stage.after)
        if not before.exists():
            raise StageOrderError(
                f"{before}: there are no weights of stage {stage.after}, from which {stage.name} starts; "
                f"run dvc repro train_{stage.after} first"
            )
        return before
    if params.initial is None:
        return None
    key, given = f"train.{stage.name}.initial", params.initial
    file = find(given.weights)
    if not file.is_file():
        raise WeightsError(f"{key}.weights: found {given.weights}, but there is no such file; name one that is there")
    if (found := checksum(file)) != given.sha256:
        raise WeightsError(
            f"{key}.sha256: found {given.sha256[:12]}…, but {given.weights} is {found[:12]}… now; go back to those "
            f"weights, or set {key}.sha256 to {found}"
        )
    return file


def train_sft_dec(
    stage: Stage,
    params: Params,
    build: Path,
    checkpoints: Path,
    report: Report = lambda step, metrics: None,
    picture: Picture = lambda key, pixels, step: None,
    group: Group | None = None,
    find: Callable[[str], Path] = Path,
) -> tuple[SFTDec, Curve, Checkpoints]:
    """Train one stage on ``build/scenes`` and ``build/patches``, from the weights that ``initial_weights`` finds.

    It goes on from a checkpoint of the same inputs, code and parameters below ``checkpoints``. The last one stays, for
    the caller to finish when the result is written. ``group``: the processes that train together (``joined``).
    ``find``: the file that the name of ``initial`` weights stands for.

    Raises:
        StageOrderError, WeightsError: as ``initial_weights``, or the weights are of another network.
        DataError: scenes or patches are missing or damaged.
        TrainingError, EngineError: as ``train_stage``.
    """
    common = params.train.common
    network = build_network(params.network, common.seed)
    started_from = initial_weights(stage, stage_params(params, stage), build, find)
    if started_from is not None:
        load_into(network, started_from)
    objective = Objective(stage, stage_params(params, stage), common)
    workers = params.train.workers
    return train_on_build(network, objective, build, checkpoints, started_from, report, picture, group, workers)


def train_on_build(
    network: Network,
    objective: Objective,
    build: Path,
    checkpoints: Path,
    started_from: Path | None,
    report: Report = lambda step, metrics: None,
    picture: Picture = lambda key, pixels, step: None,
    group: Group | None = None,
    workers: int | Literal["auto"] = "auto",
) -> tuple[Network, Curve, Checkpoints]:
    """Train any network on ``build/scenes`` and ``build/patches``; ``started_from``: the file of the weights it has.

    A peer trains in one process. Checkpoints and errors are as ``train_sft_dec``'s.
    """
    compute_exactly(objective.common.threads, objective.common.exact)
    group = group or Group.alone(objective.common.device)
    store, index = PatchStore(build / "patches"), read_index(build / "scenes")
    judged = index[index["split"] == "validation"]
    inputs = dict(
        network=network.config.to_json() if isinstance(network.config, NetworkConfig) else repr(network.config),
        common=objective.common.model_dump(),
        stage=objective.params.model_dump(),
        recipe=repr(getattr(objective, "recipe", None)),
        weights="fresh" if started_from is None else checksum(started_from),
        patches=group.from_first(file_hashes(build / "patches") if group.first else {}),
        code=code_hashes("sftdec.training.run", type(objective).__module__, type(network).__module__),
        validation=[[str(row[f"{part}_sha256"]) for part in _JUDGED_BY] for row in judged.to_dict("records")],
        torch=torch.__version__,
        processes=group.size,
    )
    saved = Checkpoints(checkpoints, objective.stage.name, checkpoint_key(**inputs), inputs)
    validation = [load_scene(build / "scenes", row) for row in judged.to_dict("records")]
    return *train_stage(network, store, validation, objective, saved, report, picture, group, workers), saved


def code_hashes(*modules: str) -> dict[str, str]:
    """SHA-256 of the source of modules of ours, and of all that they lead to and that decides a training's result."""
    imports, package = Imports(), Path(__file__).parents[1]
    left_out = {package / name for name in _NO_RESULT}
    ours = [module for module in modules if module.startswith(f"{package.name}.")]
    files = {file for module in ours for file in imports.closure(module, lambda _, to: to not in left_out)}
    return {path.relative_to(package).as_posix(): checksum(path) for path in sorted(files)}


def write_curve(path: Path, curve: Curve) -> None:
    """Write a stage's curve as CSV, a row each logged step; equal curves give equal bytes."""
    with atomic_path(path) as temporary:
        pd.DataFrame(curve).astype({"step": int}).to_csv(temporary, index=False, float_format="%.8g")
