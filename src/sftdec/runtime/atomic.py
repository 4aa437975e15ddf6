"""Writing files whole or not at all."""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # a disk, a quota, a limit of one file
NAME_BYTES = 255  # of a file's name, in most file systems


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to; it takes the place of ``path`` when the block ends well.

    When the block fails (a full disk, a kill between two writes) the file that was there before stays as it was, and
    an ``OSError`` is raised anew naming ``path``; of a full disk it names the folder, the bytes that the file needs at
    least, and those that are free there. A device or a pipe isn't replaced: it gets the bytes.
    """
    if _is_special(path):
        with tempfile.TemporaryDirectory() as folder:
            yield (whole := Path(folder, "whole"))
            with path.open("wb") as opened:
                opened.write(whole.read_bytes())
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(_temporary_name(path.name))
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except OSError as error:
        mend = _room(temporary) if error.errno in FULL else ""
        message = f"{path} could not be written ({error.strerror or error}); the old file, if any, is untouched{mend}"
        raise OSError(error.errno, message) from error
    finally:
        temporary.unlink(missing_ok=True)


def _is_special(path: Path) -> bool:
    """Whether it is a device, a pipe, or one of this process's streams, such as /dev/stdout."""
    if path.is_symlink() and str(path.readlink()).startswith("/proc/"):
        return True
    return path.exists() and not path.is_file() and not path.is_dir()


def _temporary_name(name: str) -> str:
    """A hidden file's, after ``name``; of one that leaves no room for more, its beginning and its digest."""
    ending = f".{os.getpid()}.part"
    stored = os.fsencode(name)
    if len(stored) + len(ending) + 1 > NAME_BYTES:
        ending = f".{hashlib.sha256(stored).hexdigest()[:16]}{ending}"
        name = stored[: NAME_BYTES - len(ending) - 1].decode(errors="ignore")
    return f".{name}{ending}"


def _room(unfinished: Path) -> str:
    """What a file that could not be finished needs, and what its folder has without it."""
    needed = unfinished.stat().st_size if unfinished.exists() else 0
    unfinished.unlink(missing_ok=True)
    free = shutil.disk_usage(unfinished.parent).free
    more = f"more than {needed:,} bytes" if needed else "more"
    return f": it needs {more} in {unfinished.parent}, where {free:,} bytes are free; make room and run again"
