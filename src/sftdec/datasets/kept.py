"""What a photo gave, kept by all that decides it: the bytes of its sources, parameters, code and libraries.

A folder of the user's, which every checkout, retraining and data set shares. Its pictures are the scenes' own files
under a second name (hard links) where one disk has both. It may be deleted at any time.
"""

import ast
import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

from sftdec.datasets.listing import Entry
from sftdec.datasets.photos import photo_files
from sftdec.runtime import Imports, atomic_path, checksum

PARTS = ("blurred", "sharp", "defocus")
VARIABLE = "SFTDEC_PHOTOS"  # names the folder; nothing is kept where it is empty
LIMIT = 50 * 10**9  # bytes that are kept of what isn't in use
_TOLD = "told.json"
_LIBRARIES = ("numpy", "scipy", "opencv-python-headless", "pillow", "pillow-heif", "scikit-image", "imagehash")
_ABANDONED = 86_400  # seconds, after which nobody is writing an entry any more


def users_folder() -> Path | None:
    """Where this user's photos are kept, by the environment; None: nowhere."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    named = os.environ.get(VARIABLE, str(Path(cache, "sftdec", "photos")))
    return Path(named) if named else None


@cache
def code_checksum(*modules: str) -> str:
    """Of the code that modules lead to, comments, docstrings and layout aside, and of the libraries that they use."""
    imports = Imports()
    files = {file for module in modules for file in imports.closure(module, _isnt_of_a_package)}
    parts = sorted(f"{file.parent.name}/{file.name} {_meaning(file)}" for file in files)
    for name in _LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            parts.append(f"{name} {metadata.version(name)}")
    return hashlib.sha256("\n".join([*parts, platform.machine()]).encode()).hexdigest()


def _isnt_of_a_package(importer: Path, imported: Path) -> bool:
    return importer.name != "__init__.py"  # which lists importers that read other data sets


def _meaning(file: Path) -> str:
    """The checksum of what a file does."""
    if file.suffix != ".py":
        return checksum(file)
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def key_of(entry: Any, code: str, parameters: str) -> str | None:
    """What a scene's work goes by: neither its name, split and data set, nor where its files lie; None if one can't be
    read.
    """
    if isinstance(entry, Entry):
        files = [path for path in (entry.blurred, entry.sharp, entry.defocus) if path is not None]
        details = repr([each for each in entry.details if each[0] != "dataset"])
        said = [details, entry.defocus.parent.name if entry.defocus else ""]  # gt/ means what blur_map/ doesn't
    else:  # a recipe
        files, said = photo_files(entry.photos), [repr(replace(entry, photos=()))]
    try:
        sums = [f"{path.suffix.lower()} {_sum(path, path.stat().st_mtime_ns, path.stat().st_size)}" for path in files]
    except OSError:
        return None
    return hashlib.sha256("\0".join([code, parameters, *said, *sums]).encode()).hexdigest()


@lru_cache(maxsize=256)
def _sum(path: Path, changed: int, size: int) -> str:
    return checksum(path)


@dataclass(frozen=True)
class Kept:
    """The photos kept in ``folder``, a folder each: what there is to tell, with its checksum, and the scene's files.

    Entries come whole or not at all, whoever writes beside; one whose bytes aren't what they were is taken for none.
    """

    folder: Path

    def take(self, key: str, out: Path, names: Mapping[str, Any]) -> dict[str, Any] | None:
        """What was kept under a key, with other ``names`` in its row; the scene's pictures then lie in ``out``."""
        place = self._place(key)
        told = _read(place)
        if told is None:
            return None
        if row := told["row"]:
            row |= names
            for part in PARTS:
                file = _file(place, part, row)
                row[part] = f"{part}/{row['scene']}{file.suffix}"
                with atomic_path(out / row[part]) as temporary:
                    _link(file, temporary)
        with suppress(OSError):
            os.utime(place / _TOLD)
        return told

    def keep(self, key: str, out: Path, told: Mapping[str, Any]) -> None:
        """Keep what a scene gave; ``out`` has its pictures. Where there is no room for it, it isn't kept."""
        place, row = self._place(key), told["row"]
        unfinished = place.with_name(f".{key}.{os.getpid()}.part")
        text = json.dumps(told)
        with suppress(OSError):
            unfinished.mkdir(parents=True, exist_ok=True)
            for part in PARTS if row else ():
                _link(out / row[part], _file(unfinished, part, row))
            (unfinished / _TOLD).write_text(f"{hashlib.sha256(text.encode()).hexdigest()}\n{text}", "utf-8")
            unfinished.rename(place)  # fails where another process was first
        shutil.rmtree(unfinished, ignore_errors=True)

    def entries(self) -> list[tuple[float, int, Path]]:
        """When each was last used (s), its bytes and its folder, the one not used for longest first."""
        found = []
        for place in self.folder.glob("??/*"):
            with suppress(OSError):
                used = (place if place.name.startswith(".") else place / _TOLD).stat().st_mtime
                found.append((used, sum(file.stat().st_size for file in place.iterdir()), place))
        return sorted(found)

    def trim(self, limit: int = LIMIT, since: float | None = None) -> int:
        """Remove what wasn't used for longest until ``limit`` bytes are left; nothing used after ``since``.

        Returns:
            How many entries were removed.
        """
        entries = self.entries()
        left, removed, now = sum(size for _, size, _ in entries), 0, time.time()
        for used, size, place in entries:
            unfinished = place.name.startswith(".")
            if (used < now - _ABANDONED) if unfinished else (left > limit and (since is None or used < since)):
                shutil.rmtree(place, ignore_errors=True)
                left, removed = left - size, removed + 1
        return removed

    def _place(self, key: str) -> Path:
        return self.folder / key[:2] / key


def _read(place: Path) -> dict[str, Any] | None:
    """What an entry tells, if there is one and its bytes are what was written; a damaged one is removed."""
    if not place.is_dir():
        return None
    try:
        digest, text = (place / _TOLD).read_text("utf-8").split("\n", 1)
        told: dict[str, Any] = json.loads(text)
        row = told["row"] or {}
        pictures = all(checksum(_file(place, part, row)) == row[f"{part}_sha256"] for part in PARTS if row)
        if pictures and hashlib.sha256(text.encode()).hexdigest() == digest:
            return told
    except (OSError, ValueError, KeyError, TypeError):
        pass
    shutil.rmtree(place, ignore_errors=True)
    return None


def _file(place: Path, part: str, row: Mapping[str, Any]) -> Path:
    return place / f"{part}{Path(row[part]).suffix}"


def _link(file: Path, other: Path) -> None:
    """The same file under another name; a copy of it on another disk."""
    try:
        os.link(file, other)
    except OSError:
        shutil.copyfile(file, other)
