"""Writing files whole or not at all."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to; it takes the place of ``path`` when the block ends well.

    When the block fails (a full disk, a kill between two writes) the file that was there before stays as it was, and
    an ``OSError`` is raised anew naming ``path``.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        mend = ": make room and run again" if full else ""
        message = f"{path} could not be written ({error.strerror or error}); the old file, if any, is untouched{mend}"
        raise OSError(error.errno, message) from error
    finally:
        temporary.unlink(missing_ok=True)
