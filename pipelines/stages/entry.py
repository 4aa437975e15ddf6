"""How every stage's script begins and ends."""

import ctypes
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from pipelines.stages.progress import how_far
from sftdec.params import load_params

PR_SET_PDEATHSIG = 1  # linux/prctl.h
EXPERIMENTS = (".dvc", "tmp", "exps")  # below a checkout: where DVC runs `exp run --temp` and `--queue`


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage; what is wrong with its input is one sentence and exit code 1, not a traceback."""
    _end_with_dvc()
    _track_in_the_checkout(Path.cwd())
    _let_go(Path.cwd())
    began = time.monotonic()
    try:
        main()
    except (ValueError, OSError) as error:
        print(f"error: {error}{_room(error)}", file=sys.stderr)
        sys.exit(1)
    if "DVC_STAGE" in os.environ:
        minutes, seconds = divmod(round(time.monotonic() - began), 60)
        stage = os.environ["DVC_STAGE"]
        print(f"{stage}: done in {minutes} min {seconds:02} s{how_far(Path.cwd(), stage)}")


def _end_with_dvc() -> None:
    """Have a SIGTERM for this stage, or (on Linux) for the DVC that has started it, end all that it starts too."""
    signal.signal(signal.SIGTERM, _end)
    if sys.platform == "linux" and "DVC_STAGE" in os.environ:  # a shell's end is no reason to stop: nohup
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        own = os.getsid(0)  # of torchrun's processes each has one
        if own not in (os.getpid(), os.getsid(os.getppid())):  # whoever takes orphans: DVC died meanwhile
            signal.raise_signal(signal.SIGTERM)


def _end(number: int, _: Any) -> None:
    for process in psutil.Process().children(recursive=True):  # joblib's would work on
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _track_in_the_checkout(folder: Path) -> None:
    """Have an experiment of DVC's, in a folder that DVC removes, use the tracking store of its checkout."""
    for place in folder.resolve().parents:
        if place.parts[-3:] == EXPERIMENTS:
            os.environ.setdefault("MLFLOW_TRACKING_URI", f"sqlite:///{place.parents[2] / 'mlflow.db'}")


def _let_go(root: Path) -> None:
    """Remove the checkpoints of trainings that have ended and whose result DVC has noted."""
    locks = [root / "dvc.lock", *root.glob("experiments/*/dvc.lock")]
    for done in list(root.glob(".checkpoints/*/done")):
        with suppress(FileNotFoundError):  # a stage that began beside this one was quicker
            result = done.read_text("utf-8")
            if any(lock.is_file() and result in lock.read_text("utf-8") for lock in locks):
                shutil.rmtree(done.parent, ignore_errors=True)


def _room(error: ValueError | OSError) -> str:
    """For a full disk that was met outside ``atomic_path``, which tells it better: what is free, and where."""
    message = str(error)
    if "bytes are free" in message or not re.search(r"No space left|quota exceeded|disk is full|too large", message):
        return ""
    named = Path(str(getattr(error, "filename", None) or Path.cwd()))
    folder = next(each for each in [named, *named.resolve().parents] if each.is_dir())
    free = shutil.disk_usage(folder).free
    return f"; the disk is full: {free:,} bytes are free in {folder}; make room and run again"


def check(params: Path) -> None:
    """Refuse a parameter file that can't be used before anything runs."""

    def told() -> None:
        found = load_params(params)
        stages = (found.train.s1, found.train.s2, found.train.s3)
        lengths = [f"{each.steps:,} steps" if each.steps else f"{each.epochs:g} epochs" for each in stages]
        print(f"{params}: nothing wrong; {found.network.size} network, training of {' + '.join(lengths)}")

    run_stage(told)
