"""Which data set is a folder, an archive or a picture, and what is wrong with it, before anything is trained."""

import re
import tempfile
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import pandas as pd
from joblib import Parallel, delayed
from tqdm import tqdm

from sftdec.datasets.agreement import Disagreement, told_made
from sftdec.datasets.checks import CheckLimits, Refusal, check_pair, check_scene
from sftdec.datasets.duplicates import duplicates_across_splits, photo_hash
from sftdec.datasets.importers import IMPORTERS
from sftdec.datasets.importers.pair import read_agreed
from sftdec.datasets.listing import ENDINGS, About, Check, Entry, Importer, Listing
from sftdec.datasets.unpack import unpack
from sftdec.photos import picture_header, read_photo
from sftdec.runtime import DataError

_LEGEND = re.compile(r"\s{2,}")  # stands between a file's name and what it is, in a layout
_DEEPER = 4  # folders, that people nest a data set in


@dataclass(frozen=True)
class FolderReport:
    """What was found at ``path``.

    ``about``: the data set's table, or the picture's line; None where nothing fits. ``scenes``: how many were looked
    at; ``left_out``: files that should make one and don't; ``hints``: what else there is to say.
    """

    path: Path
    about: str | None
    problems: tuple[Refusal, ...] = ()
    scenes: int = 0
    left_out: int = 0
    hints: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0: nothing is wrong; 1: something is; 2: no data set, or none that is known."""
        if self.about is None and not self.problems:
            return 2
        return 1 if self.problems or self.left_out else 0

    def text(self) -> str:
        """The table, each problem with its file, and the verdict on the last line."""
        lines = [self.about] if self.about else []
        if self.problems:
            lines += ["", "problems"]
            lines += [f"  {p.check:<10} {p.scene + ': ' if p.scene else ''}{p.reason}" for p in self.problems]
        lines += [*(["", *self.hints] if self.hints else []), "", f"{self.path}: {self._verdict()}"]
        return "\n".join(lines).lstrip("\n")

    def as_of(self, folder: Path, path: Path) -> Self:
        """The same report for ``path``, an archive that was unpacked to ``folder``: every file is named as in it."""

        def named(text: str) -> str:
            return text.replace(str(folder), str(path))

        problems = tuple(replace(problem, reason=named(problem.reason)) for problem in self.problems)
        about = None if self.about is None else named(self.about)
        return replace(self, path=path, about=about, problems=problems, hints=tuple(map(named, self.hints)))

    def _verdict(self) -> str:
        if self.exit_code == 2:
            return "not recognised"
        if self.exit_code == 0:
            scenes = f"{self.scenes} scene{'' if self.scenes == 1 else 's'}"
            return f"nothing wrong with the pictures of {scenes}" if self.scenes else "nothing wrong"
        if not self.scenes:
            return "can't be used"
        bad = len({problem.scene for problem in self.problems})
        return f"{bad} of {self.scenes} scenes have problems, {self.left_out} files left out"


def recognise(folder: Path) -> list[Importer]:
    """The importers whose data set has this folder's layout, the most particular first; looks at names only."""
    return [importer for importer in IMPORTERS.values() if importer.recognises(folder)]


def check_folder(
    path: Path, sigma_max: float = 6.0, limits: CheckLimits | None = None, processes: int = 1
) -> FolderReport:
    """Look at every picture of a data set: a folder, an archive of one (zip, tar), or a single picture.

    An archive is unpacked into a temporary folder. A pair without a map is checked as a pair: no map is estimated.
    ``sigma_max``: px that a map's 1.0 is to stand for.

    Raises:
        DataError: there is no such file or folder.
    """
    limits = limits or CheckLimits()
    if path.is_dir():
        return _check_directory(path, sigma_max, limits, processes)
    if not path.is_file():
        raise DataError(f"{path}: there is no such file or folder; give a data set's folder, archive or picture")
    if path.suffix.lower() in ENDINGS:
        return _check_picture(path)
    with tempfile.TemporaryDirectory(prefix="sftdec-") as temporary:
        folder = Path(temporary) / (path.name.split(".")[0] or "archive")
        try:
            unpack(path, folder)
        except DataError as error:
            return FolderReport(path, None, (Refusal("", "", "unreadable", str(error)),))
        report = _check_directory(_inner(folder), sigma_max, limits, processes)
        return report.as_of(folder, path)


def _check_picture(path: Path) -> FolderReport:
    try:
        header = picture_header(path)
        read_photo(path)
    except DataError as error:
        return FolderReport(path, None, (Refusal("", "", "unreadable", str(error)),))
    return FolderReport(path, f"picture    {header.size[1]}×{header.size[0]} px, {header.bits} bit a channel")


def _visible(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX"))]


def _inner(folder: Path) -> Path:
    """The data set's own folder: archives often wrap it into another."""
    while not recognise(folder):
        held = _visible(folder)
        if len(held) != 1 or not held[0].is_dir():
            break
        folder = held[0]
    return folder


def _check_directory(folder: Path, sigma_max: float, limits: CheckLimits, processes: int) -> FolderReport:
    fitting = recognise(folder)
    if not fitting:
        return FolderReport(folder, None, hints=_looked_for(folder))
    faults = []
    for importer in fitting:
        try:
            listing = importer.find(folder)
        except DataError as error:
            faults.append(Refusal(importer.ABOUT.name, "", "unreadable", str(error)))
            continue
        others = [other.ABOUT.name for other in fitting if other is not importer]
        hints = (f"it has the layout of {', '.join(others)} too",) if others else ()
        problems, made = _check_entries(importer.ABOUT.name, listing, sigma_max, limits, processes)
        hints = (*hints, *_without_photos(listing), *listing.about.beyond(sigma_max), *told_made(made))
        return FolderReport(folder, listing.table(), tuple(problems), len(listing.entries), len(listing.faults), hints)
    return FolderReport(folder, None, tuple(faults))


def _without_photos(listing: Listing) -> list[str]:
    """The splits of somebody's own pairs that got none; published data sets are as they are."""
    there = {entry.split for entry in listing.entries}
    lacking = [split for split in ("train", "validation", "test") if split not in there]
    if listing.about.page or not lacking:
        return []
    return [
        f"no photo for {' and '.join(lacking)}: make folders train/, val/ and test/, or train beside another data set"
    ]


def deeper(folder: Path, levels: int = _DEEPER) -> Iterator[tuple[Path, list[Importer]]]:
    """The folders below with a layout that is known, and whose; not what lies in those, nor farther down."""
    for path in sorted(path for path in _visible(folder) if path.is_dir() and not path.is_symlink()):
        if fitting := recognise(path):
            yield path, fitting
        elif levels > 1:
            yield from deeper(path, levels - 1)


def _looked_for(folder: Path) -> tuple[str, ...]:
    """What would have been recognised, and where it is if it lies some folders deeper."""
    lines = [_short(importer.ABOUT) for importer in IMPORTERS.values()]
    found = [f"{path} has the layout of {fits[0].ABOUT.name}: check that folder" for path, fits in deeper(folder)]
    return ("looked for (more with: sftdec datasets)", *lines, *found)


def _short(about: About) -> str:
    """A data set's name and the files of its layout, without what they are."""
    files = ", ".join(_LEGEND.split(line)[0] for line in about.layout.splitlines() if line[0] != " ")
    return textwrap.fill(f"  {about.name:<10} {files}", 120, subsequent_indent=" " * 13, break_long_words=False)


def _check_entries(
    importer: str, listing: Listing, sigma_max: float, limits: CheckLimits, processes: int
) -> tuple[list[Refusal], list[str]]:
    """What is wrong with each scene and which photos are in two splits; and what would make photos agree."""
    dataset, folder = listing.about.name, listing.folder
    jobs = [delayed(_check_entry)(importer, dataset, folder, entry, sigma_max, limits) for entry in listing.entries]
    found = Parallel(n_jobs=processes, return_as="generator")(jobs)
    problems, rows, changed = [], [], []
    for entry, (refusals, photo, digits, made) in zip(
        listing.entries, tqdm(found, total=len(jobs), desc="check", unit="scene", disable=None), strict=True
    ):
        problems += refusals
        changed += [f"{dataset}/{entry.name}: {made}"] if made else []
        rows.append((f"{dataset}/{entry.name}", dataset, entry.split, photo, digits))
    index = pd.DataFrame(rows, columns=["scene", "dataset", "split", "photo", "photo_hash"])
    return problems + duplicates_across_splits(index, limits), changed


def _check_entry(
    importer: str, dataset: str, folder: Path, entry: Any, sigma_max: float, limits: CheckLimits
) -> tuple[list[Refusal], str, str, str]:
    """What is wrong with one scene, its photo's name, the sharp photo's hash, and what would make its photos agree.

    There is neither hash nor name of one that can't be used.
    """
    scene, made, photo = f"{dataset}/{entry.name}", "", ""
    try:
        if not isinstance(entry, Entry) or entry.defocus is not None:
            found = IMPORTERS[importer].read(entry, sigma_max)
            refusals, sharp, made, photo = check_scene(found, limits), found.sharp, found.made, found.photo
        elif entry.sharp is None:
            read_photo(entry.blurred)
            return [], entry.photo, "", ""
        else:
            photo = entry.photo
            blurred, sharp, made, _ = read_agreed(entry)
            refusals = check_pair(blurred, sharp, limits, dataset, scene)
    except DataError as error:
        return [Refusal(dataset, scene, _kind(entry, error), str(error))], "", "", ""
    if isinstance(entry, Entry):
        file = entry.blurred.relative_to(folder)
        refusals = [replace(refusal, reason=f"{file}: {refusal.reason}") for refusal in refusals]
    return refusals, photo, photo_hash(sharp), made


def _kind(entry: Any, error: DataError) -> Check:
    """Why a scene could not be read: a photo can't, they can't be made to agree, sizes differ, or it is the map."""
    if isinstance(error, Disagreement):
        return error.check
    if not isinstance(entry, Entry) or entry.sharp is None:
        return "unreadable"
    try:
        shapes = {read_photo(path).shape for path in (entry.blurred, entry.sharp)}
    except DataError:
        return "unreadable"
    return "size" if len(shapes) > 1 else "map" if entry.defocus is not None else "pair"
