"""Which photos are meant, and which files each becomes."""

import glob
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from sftdec.photos.errors import PhotoError
from sftdec.photos.formats import DEVELOP, FORMATS, PHOTO_ENDINGS, RAW_ENDINGS

_OF_RESULTS = {ending: kind.written for kind in FORMATS.values() for ending in kind.endings}


class Found(NamedTuple):
    """A photo, and the folder below the results' one that its results belong into."""

    path: Path
    place: Path = Path()


@dataclass(frozen=True)
class Targets:
    """The files that a photo becomes; None is not asked for."""

    source: Path
    result: Path
    map: Path | None = None
    preview: Path | None = None
    compare: Path | None = None

    @property
    def files(self) -> list[Path]:
        """All of them."""
        return [path for path in (self.result, self.map, self.preview, self.compare) if path is not None]


def find_photos(
    inputs: Sequence[Path | str], recursive: bool = False, leave_out: Path | None = None
) -> Iterator[Found]:
    """The photos among files, folders and patterns, in order, each once; of folders what doesn't begin with a dot.

    ``recursive``: of sub-folders, too, but for ``leave_out``, into whose folder of the same name their results belong.

    Raises:
        PhotoError: an input that doesn't exist, or a folder without photos.
    """
    seen: set[Path] = set()
    for given in inputs:
        if not str(given):
            raise PhotoError("found an empty name among the photos, expected a file, a folder or a pattern")
        for found in _of_input(Path(given), recursive, leave_out):
            if (place := found.path.resolve()) not in seen:
                seen.add(place)
                yield found


def _of_input(path: Path, recursive: bool, leave_out: Path | None) -> Iterator[Found]:
    if path.is_dir():
        found = list(_of_folder(path, recursive, leave_out))
        if not found:
            unread = told_unread([path], recursive, leave_out)
            there = f" ({unread})" if unread else ""
            expected = ", ".join(PHOTO_ENDINGS)
            raise PhotoError(f"{path}: no photo in this folder{there}; expected files ending in {expected}")
        yield from found
    elif path.exists():
        yield Found(path)
    else:
        matches = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]
        files = [match for match in matches if match.is_file()]
        if not files:
            what = "no file matches this pattern" if glob.has_magic(str(path)) else "there is no such file or folder"
            raise PhotoError(f"{path}: {what}")
        yield from (Found(file) for file in files)


def _of_folder(folder: Path, recursive: bool, leave_out: Path | None) -> Iterator[Found]:
    for path in _visible(folder, recursive, leave_out):
        if path.suffix.lower() in PHOTO_ENDINGS and path.is_file():
            yield Found(path, path.relative_to(folder).parent)


def _visible(folder: Path, recursive: bool, leave_out: Path | None) -> Iterator[Path]:
    """What lies in a folder, files and folders, but for what begins with a dot and the results' folder."""
    results = leave_out.resolve() if leave_out else None
    if results in (folder.resolve(), *folder.resolve().parents):  # the folder itself, or one above it
        results = None
    for path in sorted(folder.rglob("*") if recursive else folder.iterdir()):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and results not in (path.resolve(), *path.resolve().parents):
            yield path


def told_unread(inputs: Sequence[Path | str], recursive: bool = False, leave_out: Path | None = None) -> str:
    """A line on what lies in the folders among ``inputs`` and ``find_photos`` passes over; empty where nothing does."""
    folders = [Path(given) for given in inputs if Path(given).is_dir()]
    there = [path for folder in folders for path in _visible(folder, recursive, leave_out)]
    others = [path for path in there if path.suffix.lower() not in PHOTO_ENDINGS and path.is_file()]
    endings = Counter(path.suffix.lower() for path in others)
    parts = [f"{count} {ending or 'without an ending'}" for ending, count in sorted(endings.items())]
    if recursive:
        parts += [f"the folder {path} ({why})" for path in there if (why := _shut(path))]
    if not parts:
        return ""
    raw = any(ending in RAW_ENDINGS for ending in endings)
    return f"not read: {', '.join(parts)}" + (f"; of a camera's raw files: {DEVELOP}" if raw else "")


def _shut(path: Path) -> str:
    """Why nobody looks into a folder; empty of others, and of files."""
    if not path.is_dir():
        return ""
    if path.is_symlink():
        return "a link; name it by itself"
    return "" if os.access(path, os.R_OK | os.X_OK) else "no right to read it"


def plan_targets(
    photos: Sequence[Found], output: Path, format: str | None = None, map: bool = False, compare: bool = False
) -> list[Targets]:
    """The files that each photo becomes below ``output``; ``format``: another than the photo's own.

    Of a format that has no place for what a photo says beside its pixels it becomes a PNG.

    Raises:
        PhotoError: two files of one name (whether written large or small), or one that is a photo itself.
    """
    planned = [_targets(photo, output, format, map, compare) for photo in photos]
    sources = {photo.path.resolve() for photo in photos}
    owners: dict[str, Targets] = {}
    for targets in planned:
        for file in targets.files:
            if file.resolve() in sources:
                own = "the photo itself" if file.resolve() == targets.source.resolve() else f"the photo {file}"
                raise PhotoError(f"{targets.source}: the result would overwrite {own}; give another folder with -o")
            other = owners.setdefault(str(file).lower(), targets)
            if other is not targets:
                raise PhotoError(
                    f"{other.source} and {targets.source}: both would become {file}; deblur them into two folders"
                )
    return planned


def _targets(photo: Found, output: Path, format: str | None, map: bool, compare: bool) -> Targets:
    folder, stem, ending = output / photo.place, photo.path.stem, photo.path.suffix.lower()
    if format is None and ending in _OF_RESULTS and ending not in FORMATS[_OF_RESULTS[ending]].endings:
        format = _OF_RESULTS[ending]
    return Targets(
        photo.path,
        folder / (photo.path.name if format is None else stem + FORMATS[format].endings[0]),
        folder / f"{stem}_defocus.png" if map else None,
        folder / f"{stem}_defocus_preview.png" if map else None,
        folder / f"{stem}_compare.png" if compare else None,
    )


def refuse_existing(planned: Sequence[Targets]) -> None:
    """Refuse to overwrite."""
    there = [str(file) for targets in planned for file in targets.files if file.exists()]
    if there:
        raise PhotoError(f"{', '.join(there)}: already there; overwrite with --force, or give another folder with -o")


def refuse_unwritable(planned: Sequence[Targets]) -> None:
    """Refuse folders that can't be made or written to, by trying; nothing of the trial stays."""
    for folder in dict.fromkeys(targets.result.parent for targets in planned):
        made: list[Path] = []
        try:
            made.extend(each for each in (folder, *folder.parents) if not each.exists())
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".", suffix=".part"):
                pass
        except OSError as error:
            what = error.strerror or error
            raise PhotoError(f"{folder}: can't be written to ({what}); give another folder with -o") from error
        finally:
            for each in made:  # the innermost first
                with suppress(OSError):
                    each.rmdir()
