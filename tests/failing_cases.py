"""What has writes that may fail: a promotion, a registration, a training, the scratch checkout of a night."""

import shutil
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from sftdec.runtime import checksum
from tests.failing import Case

QUIET: Callable[..., None] = lambda *_: None  # noqa: E731


def cases(folder: Path, names: list[str]) -> list[Case]:
    """Those of the names, each in a place of its own."""
    made = {"promote": promoting, "register": registering, "train": training, "checkout": checking_out}
    found = []
    for name in names:
        (folder / name).mkdir()
        found.append(made[name](folder / name))
    return found


def promoting(folder: Path) -> Case:
    """Version 2 comes to serve in place of version 1."""
    from sftdec.registry import promote
    from tests.registry.killed import told
    from tests.registry.races import prepare

    root, _ = prepare(folder, 2)
    put_back = keep(root)

    def seen() -> Any:
        found = told(root)
        del found["decision"]  # the version's own tags, which the next move brings up to date
        return found

    def work() -> None:
        if told(root)["champions"] != [2]:
            promote(2, "better", root)

    return Case("promote", put_back, work, seen)


def registering(folder: Path) -> Case:
    """Weights that are new become a version, verified and the challenger."""
    from sftdec.registry import register, versions
    from tests.registry.conftest import recorded
    from tests.registry.races import prepare
    from tests.registry.small import brightening

    root, _ = prepare(folder, 1)
    weights = brightening(folder / "new.safetensors", 0.09)
    from tests.registry.killed import forked

    forked(lambda: recorded(weights, root, _settings(root)), root / "recorded.json")
    put_back = keep(root)
    models = folder / "made/mlruns/sft-dec/models"
    first = {path.name for path in models.iterdir()}

    def reset() -> None:
        put_back()
        for path in models.iterdir():
            if path.name not in first:
                shutil.rmtree(path)

    def seen() -> Any:
        """A version is registered once an alias names it."""
        named = [each for each in versions(root) if each.aliases]
        return [[each.number, each.aliases, each.tags["weights_sha256"], each.tags["verified"]] for each in named]

    return Case("register", reset, partial(register, weights, None, {}, root), seen)


def training(folder: Path) -> Case:
    """Twelve steps of stage s1, its weights and its curve."""
    from sftdec.networks import save_weights
    from sftdec.training import STAGES, train_sft_dec, weights_path, write_curve
    from tests.training.small import make_build, params

    build, settings = make_build(folder), params()
    weights, curve = weights_path(build, "s1"), build / "curves/s1.csv"

    def reset() -> None:
        for path in (weights.parent, curve.parent, folder / "checkpoints"):
            shutil.rmtree(path, ignore_errors=True)

    def work() -> None:
        network, rows, checkpoints = train_sft_dec(STAGES["s1"], settings, build, folder / "checkpoints")
        save_weights(network, weights)
        write_curve(curve, rows)
        checkpoints.finish(weights)

    def left() -> list[str]:
        found = [path for path in folder.rglob("*") if ".part" in path.name or path.name.startswith("step-")]
        return [
            str(path) for path in found if not (path.parent / "done").is_file()
        ]  # which stays till DVC has noted it

    return Case("train", reset, work, lambda: checksum(weights) if weights.is_file() else None, left)


def checking_out(folder: Path) -> Case:
    """The scratch checkout goes on from one commit to the next."""
    from pipelines.flows.worktree import Definition, prepare
    from tests.pipelines.conftest import PIPELINE, make_project
    from tests.pipelines.flows import commit, git

    pristine, root = folder / "pristine", folder / "project"
    make_project(pristine, PIPELINE)
    prepare(pristine, pristine / ".retrain/worktree", Definition(), QUIET)
    (pristine / "code/more.py").write_text("print(1)\n" * 1000)
    (pristine / "code/stage.py").write_text("print(2)\n")
    commit(pristine)
    place = root / ".retrain/worktree"

    def reset() -> None:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(pristine, root, symlinks=True)

    def seen() -> Any:
        """Its commit, and whether what bears the newer one's name is that one's; what bears the other's is mended."""
        head, newest = git(place, "rev-parse", "HEAD"), git(root, "rev-parse", "HEAD")
        return [head, newest, head != newest or git(place, "status", "--porcelain", "code", "dvc.yaml", "data.dvc")]

    def left() -> list[str]:
        own = git(root, "status", "--porcelain")
        return [str(path) for path in (root / ".git").rglob("*.lock")] + ([own] if own else [])

    return Case("checkout", reset, partial(prepare, root, place, Definition(), QUIET), seen, left)


def keep(root: Path) -> Callable[[], None]:
    """What brings the project's database back to what it is now."""
    pristine = root / "pristine.db"
    with sqlite3.connect(root / "mlflow.db") as database, sqlite3.connect(pristine) as copy:
        database.backup(copy)

    def put_back() -> None:
        for file in root.glob("mlflow.db*"):
            file.unlink()
        shutil.copy(pristine, root / "mlflow.db")

    return put_back


def _settings(root: Path) -> Any:
    from sftdec.tracking import read_settings

    return read_settings(root, {})
