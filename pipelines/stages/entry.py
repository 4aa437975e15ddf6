"""How every stage's script begins and ends."""

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from sftdec.params import load_params


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage; what is wrong with its input is one sentence and exit code 1, not a traceback."""
    try:
        main()
    except (ValueError, OSError) as error:
        print(f"error: {error}{_room(error)}", file=sys.stderr)
        sys.exit(1)


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
    run_stage(lambda: print(f"{params}: {load_params(params).network.size} network, parameters are valid"))
