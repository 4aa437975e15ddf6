"""CUHK's blur detection set (Shi, Xu and Jia 2014): blurred photos with binary masks, no sharp picture.

It shows how a network does on photos from the street; it can neither train nor be measured against.
"""

from pathlib import Path
from typing import NoReturn

from sftdec.datasets.importers.pair import other_files
from sftdec.datasets.listing import About, Entry, LeftOut, Listing, list_scenes, name_of, pictures
from sftdec.runtime import DataError

_PHOTOS = frozenset({".jpg", ".jpeg"})

ABOUT = About(
    name="cuhk",
    title="CUHK blur detection, partly blurred photos (Shi, Xu and Jia 2014)",
    layout=(
        "out_of_focus<number>.jpg (or .JPG)     the photos, flat or in image/\n"
        "out_of_focus<number>.png               binary masks, flat or in gt/; not needed\n"
        "motion<number>.jpg                     left out: no defocus\n"
        "or image/<number>.jpg and gt/<number>.png, as copies have them"
    ),
    licence="none stated; ask the authors",
    page="http://www.cse.cuhk.edu.hk/leojia/projects/dblurdetect/",
    map_unit=None,
    has_sharp=False,
)


def _photos(folder: Path) -> Path:
    return folder / "image" if (folder / "image").is_dir() else folder


def recognises(folder: Path) -> bool:
    """Whether a folder holds photos by the names that the authors gave, or by numbers beside a folder of masks."""
    names = [name_of(path).lower() for path in pictures(_photos(folder)) if path.suffix.lower() in _PHOTOS]
    masked = (folder / "image").is_dir() and {name_of(path).lower() for path in pictures(folder / "gt")} & {*names}
    return any(name.startswith("out_of_focus") for name in names) or any(name.isdecimal() for name in masked or ())


def find(folder: Path) -> Listing:
    """CUHK's photos by name, all for looking at: split ``test``; ``details`` hold the mask where there is one."""
    place = _photos(folder)
    files = pictures(place)
    found = [path for path in files if path.suffix.lower() in _PHOTOS]
    others = [path for path in files if path.suffix.lower() not in _PHOTOS] + pictures(folder / "gt")
    masks = {name_of(path).lower(): path for path in others}
    entries: dict[str, Entry] = {}
    left_out = []
    for path in found:
        stem = name_of(path).lower()
        if stem.startswith("motion"):
            left_out.append(LeftOut(path, "blurred by motion, not by defocus", "extra"))
        elif stem in entries:
            left_out.append(LeftOut(path, f"a second photo by that name, beside {entries[stem].blurred.name}"))
        else:
            details = (("mask", masks[stem]),) if stem in masks else ()
            entries[stem] = Entry(name_of(path), name_of(path), "test", path, None, None, details)
    stems = {name_of(path).lower() for path in found}
    lonely = [path for path in others if name_of(path).lower() not in stems]
    left_out += [LeftOut(path, "a mask without its photo", "extra") for path in lonely]
    left_out += [item for part in (place, folder / "gt") for item in other_files(part)]
    return list_scenes(ABOUT, folder, entries.values(), left_out)


def read(entry: Entry, sigma_max: float) -> NoReturn:
    """CUHK makes no scene."""
    raise DataError(
        f"{entry.blurred}: CUHK has no sharp picture to train on or to compare with; "
        f"take {ABOUT.name} out of fetch.datasets, and see what a model makes of it: "
        f"sftdec deblur {entry.blurred.parent} -o OUT"
    )
