"""What a DVC command that was killed leaves: `.dvc/tmp/rwlock`, who works on which files, and empty folders.

`python -m pipelines.dvc.locks` mends that of the project in the working directory.
"""

import json
import re
import time
from contextlib import suppress
from pathlib import Path

import psutil

from sftdec.lineage import cache_folder

LOCK_SECONDS = 15.0  # for a killed execution's stage to end
WRITING_SECONDS = 1.0  # DVC writes the file in place, in far less


def mend_torn_lock(root: Path) -> str | None:
    """Remove the note of the DVC project at ``root`` if DVC was killed while it wrote it, and say so.

    No DVC command runs with a note that is no JSON. One that is only just being written stays.
    """
    path = _note(root)
    torn = _torn(path)
    if torn is None:
        return None
    time.sleep(WRITING_SECONDS)
    if _torn(path) != torn:
        return None
    path.unlink(missing_ok=True)
    return f"{path}: removed, because a DVC command was killed while it wrote this file, and DVC can't read the half"


def mend_run_cache(root: Path) -> str | None:
    """Remove the folders that DVC made for what a stage gave, and was killed before it wrote it, and say so.

    Every later run of that stage would end with "join() argument must be str … not 'NoneType'". One that DVC has only
    just made stays.
    """
    old, found = time.time() - WRITING_SECONDS, list[Path]()
    for folder in Path(cache_folder(root)).glob("runs/*/*"):
        with suppress(OSError):  # there is something in it, or another process was quicker
            if folder.stat().st_mtime < old:
                folder.rmdir()
                found.append(folder)
    killed = "a DVC command was killed before it wrote what belongs there, and DVC stumbles over nothing"
    return f"{found[0]}: removed, because {killed}" if found else None


def clear_dead_locks(root: Path) -> None:
    """Remove the note of processes that were killed, once they are gone; nobody may start a DVC command meanwhile.

    DVC does it by itself, but takes a process that nobody has collected, or another one that was given its number,
    for alive.
    """
    path = _note(root)
    if not path.is_file():
        return
    holders = {int(number) for number in re.findall(r'"pid": (\d+)', path.read_text("utf-8"))}
    deadline = time.monotonic() + LOCK_SECONDS
    while any(_is_dvc(holder) for holder in holders):
        if time.monotonic() > deadline:
            return  # somebody works here by hand; DVC will say who
        time.sleep(0.1)
    path.unlink()


def _note(root: Path) -> Path:
    return root / ".dvc" / "tmp" / "rwlock"


def _torn(path: Path) -> str | None:
    """What the file holds if it is there and no JSON."""
    if not path.is_file():
        return None
    text = path.read_text("utf-8", errors="replace")
    try:
        json.loads(text)
    except ValueError:
        return text
    return None


def _is_dvc(number: int) -> bool:
    """Whether a process of this number runs, and is DVC's."""
    try:
        process = psutil.Process(number)
        return process.status() != psutil.STATUS_ZOMBIE and "dvc" in " ".join(process.cmdline())
    except psutil.Error:
        return False


if __name__ == "__main__":
    for mended in (mend_torn_lock(Path()), mend_run_cache(Path())):
        if mended:
            print(mended)
