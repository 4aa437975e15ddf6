"""A full disk, told so that it can be mended: which folder, what is free there, what a stage takes."""

import re
import shutil
import tempfile
from pathlib import Path

from sftdec.lineage import cache_folder
from sftdec.runtime import read_yaml

DISK_FULL = re.compile(r"No space left on device|Disk quota exceeded|disk is full|File too large|Errno (28|122|27)\b")


def full_disk(root: Path, stage: str | None) -> str:
    """The sentences for a disk that a stage of the project at ``root`` has filled."""
    cache = Path(cache_folder(root))
    places = {str(root): root, str(cache): cache, tempfile.gettempdir(): Path(tempfile.gettempdir())}
    free = ", ".join(f"{_free(place):,} bytes in {name}" for name, place in places.items())
    needed = _recorded(root, stage)
    takes = (
        f"its results took {needed:,} bytes when it last ran, and DVC keeps as many again in its cache"
        if needed
        else "what its results take isn't known yet, as it has never run to its end"
    )
    return f"The disk is full: free are {free}; {takes}. Make room and run again: it goes on from what is there."


def _free(place: Path) -> int:
    """Free bytes of the file system on which a folder lies or would lie."""
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def _recorded(root: Path, stage: str | None) -> int:
    """Bytes of a stage's outs as dvc.lock has them; 0 where it hasn't."""
    file, _, name = (stage or "").rpartition(":")
    try:
        stages = read_yaml((root / (file or "dvc.yaml")).with_name("dvc.lock"))["stages"]
        return sum(int(out["size"]) for out in stages[name]["outs"])
    except (OSError, KeyError, TypeError, ValueError):
        return 0
