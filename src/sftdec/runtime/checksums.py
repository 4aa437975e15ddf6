"""The SHA-256 of what lies on disk."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def checksum(path: Path) -> str:
    """SHA-256 (hex) of a file, or of a folder.

    A folder's is the hash over its sorted relative names and their files' hashes. Raises
    ``FileNotFoundError`` naming the path where there is neither.
    """
    if path.is_file():
        with path.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: no such file or folder to hash; run the stage that makes it")
    files = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
    return together((name, checksum(files[name])) for name in sorted(files))


def together(named: Iterable[tuple[str, str]]) -> str:
    """One SHA-256 (hex) over names and the checksums of what they name, in this order."""
    return hashlib.sha256("".join(f"{name}\0{digest}\n" for name, digest in named).encode()).hexdigest()
