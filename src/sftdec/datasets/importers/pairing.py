"""Which blurred picture belongs to which sharp one where their names differ."""

import re
from collections.abc import Callable, Container, Sequence
from pathlib import Path

from sftdec.datasets.importers.pair import Found, by_name, matched_by_name, other_files
from sftdec.datasets.listing import LeftOut, composed, name_of, pictures

_APART = 2  # how far the numbers of a scene's two shots are apart at most, over all 500 pairs of DPDD's own lists
SPLIT_FOLDERS = frozenset(("train", "val", "validation", "valid", "test"))
_SIDE = re.compile(r"(?<=.)[-_](?:(blur|blurred|input|lq)|(?P<sharp>sharp|target|gt|hq))$", re.IGNORECASE)
_REFOCUSED = re.compile(r"(?P<photo>.+)_ap\d+_\d+")  # LFDOF: a photo's picture for an aperture and a distance


def by_beginning(folders: Sequence[Path]) -> Found:
    """The blurred pictures, several of each sharp one, whose names begin with the sharp one's; by path.

    What follows begins with neither letter nor digit: ``10`` isn't of photo ``1``. Of several the longest counts; of
    LFDOF's ``IMG_12_ap1_00`` only ``IMG_12``. Blurred pictures may also lie in folders one deeper, one a photo. They
    are one photo, so that none of them is in two splits.
    """
    blurred, sharp = folders
    named, left_out = by_name([sharp])
    truths = {name: path for name, (path,) in named}
    deeper = [path for path in blurred.glob("*") if path.is_dir() and not path.name.startswith(".")]
    matched = []
    for folder in (blurred, *sorted(deeper)):
        left_out += other_files(folder)
        for path in pictures(folder):
            photo = _photo_of(name_of(path), truths)
            if photo in truths:
                matched.append((path, photo))
            else:
                left_out.append(LeftOut(path, f"no sharp {photo} in {sharp.name}/"))
    for photo in sorted(truths.keys() - {photo for _, photo in matched}):
        reason = f"{sharp.name}/{truths[photo].name}: nothing in {blurred.name}/ is of this photo"
        left_out.append(LeftOut(truths[photo], reason))
    return [(photo, [path, truths[photo]]) for path, photo in sorted(matched)], left_out


def _photo_of(name: str, photos: Container[str]) -> str:
    if refocused := _REFOCUSED.fullmatch(name):
        return refocused["photo"]
    ends = (end for end in range(len(name), 0, -1) if not name[end : end + 1].isalnum())
    return next((name[:end] for end in ends if name[:end] in photos), name)


def by_place(folders: Sequence[Path]) -> Found:
    """As ``by_name``, also in folders below, of equal names, where a photo's name has its folder before it.

    What ends in ``_blur`` or ``_sharp``, or the like, goes by what stands before that, if the other side has it so.
    """
    matched, left_out = by_name(folders, _bare(folders))
    below = {path.name for path in folders[0].glob("*") if path.is_dir() and not path.name.startswith(".")}
    splits = below & SPLIT_FOLDERS
    for name in sorted(below - splits):
        deeper = [place / name for place in folders]
        if any(place.is_dir() for place in deeper[1:]):
            inner, refused = by_place(deeper)
            matched += [(f"{composed(name)}/{photo}", files) for photo, files in inner]
            left_out += refused
    return matched, left_out


def by_side(folders: Sequence[Path]) -> Found:
    """Pairs that lie in one folder, both sides' own, and whose names end in ``_blur`` and ``_sharp``, or the like."""
    sides: tuple[dict[str, list[Path]], dict[str, list[Path]]] = ({}, {})
    left_out = other_files(folders[0])
    for path in pictures(folders[0]):
        name = name_of(path)
        if side := _SIDE.search(name):
            sides[side["sharp"] is not None].setdefault(name[: side.start()], []).append(path)
        else:
            left_out.append(LeftOut(path, "expected a name that ends in _blur or _sharp, beside its partner"))
    matched, lonely = matched_by_name(sides, ["that ends in _blur", "that ends in _sharp"])
    return matched, left_out + lonely


def _bare(folders: Sequence[Path]) -> Callable[[Path], str]:
    """What pictures go by: their names, or those without what tells blurred from sharp."""
    names = [{name_of(path) for path in pictures(folder)} for folder in folders[:2]]
    if names[0] & names[1] or not any(_SIDE.search(name) for side in names for name in side):
        return name_of
    return lambda path: _SIDE.sub("", name_of(path))


def by_order(folders: Sequence[Path]) -> Found:
    """DPDD's pairs: by sorted order, or by name where a copy was renamed so that names are equal.

    The two shots of a scene have neighbouring numbers, the open one first in some scenes and last in others (in two
    scenes a shot lies between), and no two files share a name. So pictures are paired as the authors' own code does,
    and only while the numbers agree with it: one lost file would otherwise mispair all that follow.
    """
    blurred, sharp = folders
    sources, targets = pictures(blurred), pictures(sharp)
    shared = {name_of(path) for path in sources} & {name_of(path) for path in targets}
    if 2 * len(shared) > min(len(sources), len(targets)):
        return by_name(folders)
    left_out = other_files(blurred, sharp)
    counts = f"{len(sources)} pictures in {blurred.name}/ and {len(targets)} in {sharp.name}/"
    strays = _first_strangers(sources, targets)
    if len(sources) == len(targets) and strays is None:
        return [(name_of(pair[0]), list(pair)) for pair in zip(sources, targets, strict=True)], left_out
    where = "" if strays is None else f", and by sorted order {strays[0].name} would meet {strays[1].name}"
    reason = (
        f"{counts}{where}: pairs are told by order alone, so none of this part can be trusted; "
        "bring back the file that is missing near there, or take its partner away"
    )
    return [], [*left_out, LeftOut(blurred.parent, f"{blurred.parent.name}/ as a whole: {reason}")]


def _first_strangers(sources: Sequence[Path], targets: Sequence[Path]) -> tuple[Path, Path] | None:
    """The first pair by order whose names, with numbers of one camera, are too far apart; None if there is none."""
    for source, target in zip(sources, targets, strict=False):
        (series, number), (other_series, other_number) = _number(source), _number(target)
        if series == other_series and abs(number - other_number) > _APART:
            return source, target
    return None


def _number(path: Path) -> tuple[str, int]:
    """What stands before the last digits of a name, and those as a number; the name and 0 if it has none."""
    match = re.fullmatch(r"(.*?)(\d+)", name_of(path))
    return (match[1], int(match[2])) if match else (name_of(path), 0)
