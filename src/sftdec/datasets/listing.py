"""What an importer says of its data set, and what it finds in a folder."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from sftdec.datasets.scene import Scene, Split
from sftdec.photos import PHOTO_ENDINGS, Header, picture_header
from sftdec.runtime import DataError

# what a file or scene is refused for; "extra": it belongs to no scene by what it is, so nothing is wrong
Check = Literal["unreadable", "size", "pair", "aligned", "light", "sharper", "map", "duplicate", "extra"]
ENDINGS = frozenset(PHOTO_ENDINGS)  # compare with path.suffix.lower()
_READERS = 16  # threads that look at pictures' headers
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class About:
    """A data set as its authors publish it.

    ``layout``: its folders and files, a line each. ``map_unit``: what a value of its map stands for; None where there
    is no map and it is estimated from the pair. ``has_sharp``: False for pictures without a sharp partner. ``peak``: px
    of sigma that its maps are published to reach.
    """

    name: str  # as in fetch.datasets
    title: str
    layout: str
    licence: str
    page: str  # where its authors publish it
    map_unit: str | None
    has_sharp: bool = True
    peak: float | None = None

    def beyond(self, sigma_max: float) -> list[str]:
        """That the maps reach farther than ``sigma_max`` px, and the mend, in a line; none if they don't."""
        if self.peak is None or self.peak <= sigma_max:
            return []
        told = f"{self.name}'s maps reach {self.peak:g} px of sigma, above fetch.sigma_max={sigma_max:g}"
        return [f"{told}: set that to {self.peak:g}, or scenes beyond it are left out"]


@dataclass(frozen=True)
class Entry:
    """The files of one scene. ``photo``: what it was taken of, never in two splits; ``details``: an importer's own."""

    name: str  # unique in its data set
    photo: str
    split: Split
    blurred: Path
    sharp: Path | None
    defocus: Path | None = None
    details: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class LeftOut:
    """A file that no scene is made of, and why; ``check`` is the kind of reason."""

    path: Path
    reason: str
    check: Check = "pair"


@dataclass(frozen=True)
class Listing:
    """What an importer found in ``folder``. ``sizes``: pictures by height and width; ``bits``: by bits a channel."""

    about: About
    folder: Path
    entries: Sequence[Any]  # what the importer's ``read`` takes; each has name, photo and split
    left_out: Sequence[LeftOut] = ()
    sizes: tuple[tuple[tuple[int, int], int], ...] = ()
    bits: tuple[tuple[int, int], ...] = ()

    @property
    def faults(self) -> list[LeftOut]:
        """What was left out although it should make a scene."""
        return [item for item in self.left_out if item.check != "extra"]

    def table(self) -> str:
        """The listing as text: pairs, sizes, bit depth, the map's unit, what was left out and why."""
        splits = Counter(entry.split for entry in self.entries)
        rows = {
            "data set": f"{self.about.name}: {self.about.title}",
            "pairs" if self.about.has_sharp else "pictures": f"{len(self.entries)} ("
            + ", ".join(f"{split} {splits[split]}" for split in ("train", "validation", "test"))
            + ")",
            "sizes": ", ".join(f"{w}×{h} ({n})" for (h, w), n in self.sizes) or "as its recipes say",
            "bit depth": ", ".join(f"{bits} bit ({n})" for bits, n in self.bits) or "8 bit",
            "map": self.about.map_unit or ("estimated from each pair" if self.about.has_sharp else "none"),
            "left out": str(len(self.left_out)),
        }
        lines = [f"{key:<10} {value}" for key, value in rows.items()]
        return "\n".join(lines + [f"  {_shown(item.path.name)}: {item.reason}" for item in self.left_out])


def _shown(name: str) -> str:
    """A file's name on one line."""
    return _CONTROL.sub("?", name)


def _name_fault(entry: Entry) -> str | None:
    """Why an index, its files and other machines can't keep a scene's name; None if they can."""
    for name in (entry.name, entry.photo):
        if found := _CONTROL.search(name):
            what = "a line break" if found[0] in "\r\n" else f"the control character {ord(found[0]):#04x}"
        elif "\\" in name:
            what = "a backslash"
        elif not name.isprintable() and any("\ud800" <= letter <= "\udfff" for letter in name):
            what = "bytes that are no UTF-8"
        else:
            continue
        return f"its name, {name!a}, holds {what}: rename the file, and its partners"
    return None


class Importer(Protocol):
    """What each importer offers, a module or a row of ``importers.layouts``."""

    ABOUT: About

    def recognises(self, folder: Path) -> bool:
        """Whether a folder has this data set's layout; looks at names only."""

    def find(self, folder: Path) -> Listing:
        """Its scenes, by name. What makes no scene is left out with a reason.

        Raises:
            DataError: there is no scene at all.
        """

    def read(self, entry: Any, sigma_max: float) -> Scene:
        """One scene; its map is in units of ``sigma_max`` px.

        Raises:
            DataError: a picture that can't be read, sizes that differ, or a map out of range.
        """


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC): one and the same "ü" may be a letter with dots, or a letter and dots."""
    return unicodedata.normalize("NFC", name)


def name_of(path: Path) -> str:
    """A file's name without its ending, composed."""
    return composed(path.stem)


def split_of(name: str) -> Split:
    """One photo in ten is for testing and one for validation, by its name alone: new photos move no old one."""
    tenth = int(hashlib.sha256(composed(name).encode(errors="surrogateescape")).hexdigest(), 16) % 10
    return "test" if tenth == 0 else "validation" if tenth == 1 else "train"


def pictures(folder: Path) -> list[Path]:
    """The pictures directly in a folder, by name; none if there is no such folder. Hidden files are no pictures."""
    if not folder.is_dir():
        return []
    found = (path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and not path.name.startswith("."))
    return sorted((path for path in found if path.is_file()), key=lambda path: (composed(path.name), path.name))


def _header_of(entry: Entry) -> Header | LeftOut:
    """What a scene's pictures say of themselves, or why it is left out."""
    if fault := _name_fault(entry):
        return LeftOut(entry.blurred, fault, "unreadable")
    files = [path for path in (entry.blurred, entry.sharp) if path is not None]
    try:
        headers = [picture_header(path) for path in files]
    except DataError as error:
        return LeftOut(entry.blurred, str(error), "unreadable")
    if len({header.size for header in headers}) > 1:
        (height, width), (other_height, other_width) = (header.size for header in headers)
        reason = f"{width}×{height} px, but {files[1].name} is {other_width}×{other_height}: a pair has one size"
        return LeftOut(entry.blurred, reason, "size")
    return headers[0]


def list_scenes(about: About, folder: Path, candidates: Iterable[Entry], left_out: Iterable[LeftOut] = ()) -> Listing:
    """A listing of the candidates whose names can be kept, whose photos' headers can be read, and whose blurred and
    sharp photo are of one size.

    Raises:
        DataError: none is left; the message names the first reason and the layout that is expected.
    """
    entries, refused = [], list(left_out)
    sizes: Counter[tuple[int, int]] = Counter()
    bits: Counter[int] = Counter()
    candidates = list(candidates)
    with ThreadPoolExecutor(_READERS) as readers:  # which wait for a disk, or a network's, rather than compute
        for entry, header in zip(candidates, readers.map(_header_of, candidates), strict=True):
            if isinstance(header, LeftOut):
                refused.append(header)
                continue
            entries.append(entry)
            sizes[header.size] += 1
            bits[header.bits] += 1
    if not entries:
        first = f"; {refused[0].path.name}: {refused[0].reason}" if refused else ""
        raise DataError(f"{folder}: no scene of {about.name} here{first}. Expected:\n{about.layout}")
    names = Counter(entry.name for entry in entries)
    twice = [name for name, count in names.items() if count > 1]
    if twice:
        raise DataError(f"{folder}: two scenes of one name: {', '.join(twice[:5])}; rename the files of one")
    return Listing(
        about, folder, tuple(entries), tuple(refused), tuple(sorted(sizes.items())), tuple(sorted(bits.items()))
    )
