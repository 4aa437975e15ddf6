"""Data sets of pairs as rows of one table: where their pictures lie, in which splits, and who belongs to whom."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from sftdec.datasets.importers.pair import Found, by_name, map_fault, read_agreed, read_pair, scene_of
from sftdec.datasets.importers.pairing import by_beginning, by_order, by_place, by_side
from sftdec.datasets.listing import About, Entry, LeftOut, Listing, list_scenes, name_of, split_of
from sftdec.datasets.scene import Scene, Split
from sftdec.photos import read_defocus

ANY: tuple[Split, ...] = ("train", "validation", "test")


_CROP = re.compile(r"[-_]\d+$")


def inside(folder: Path, path: str, folders: Callable[[Path], list[str]]) -> str | None:
    """The name that a folder below ``folder`` has, whatever its case; None if there is no such folder.

    ``folders``: the names of those in a folder.
    """
    found = folder
    for name in Path(path).parts:
        fitting = [each for each in folders(found) if each.lower() == name.lower()]
        if not fitting:
            return None
        found /= name if name in fitting else fitting[0]
    return found.relative_to(folder).as_posix() if found.is_dir() else None


def _folders(folder: Path) -> list[str]:
    """The folders in a folder, by name; none if there is no such folder."""
    return sorted(each.name for each in os.scandir(folder) if each.is_dir()) if folder.is_dir() else []


@dataclass(frozen=True)
class Part:
    """Two folders of a layout, below the data set's own.

    A photo is in the split that its name draws, or in the first of ``splits`` if that isn't one of them. ``prefix``
    comes before its scenes' and photos' names. ``within``: only in a data set's folder of this name. ``crops``: names
    are ``PHOTO-NUMBER`` or ``PHOTO_NUMBER``, and crops of one photo stay together. ``maps``: the folder of maps, if
    there are some.
    """

    blurred: str
    sharp: str
    splits: tuple[Split, ...] = ANY
    prefix: str = ""
    within: str = ""
    crops: bool = False
    maps: str = ""

    def split(self, photo: str) -> Split:
        """A photo's split."""
        drawn = split_of(photo)
        return drawn if drawn in self.splits else self.splits[0]


@dataclass(frozen=True)
class Layout:
    """The importer of a data set that a row of the table describes.

    ``names``: there are pairs and their names fit this pattern, or it is another data set. ``own_splits``: it is
    anybody's, called as its folder is; parts are splits, and what isn't there is drawn from ``train``. ``map_unit``: of
    the maps that it may have.
    """

    ABOUT: About
    parts: tuple[Part, ...]
    pairing: Callable[[Sequence[Path]], Found] = by_name
    names: str = ""
    own_splits: bool = False
    map_unit: str | None = None

    def _parts(self, folder: Path) -> list[Part]:
        """The parts that a folder has, by the names that they have there, each pair of folders once."""
        found: dict[tuple[str, str], Part] = {}
        folders = cache(_folders)
        for part in self.parts:
            blurred, sharp, maps = (inside(folder, each, folders) for each in (part.blurred, part.sharp, part.maps))
            if blurred and sharp and part.within in ("", folder.name.lower()):
                there = maps or "" if part.maps else ""
                found.setdefault((blurred, sharp), replace(part, blurred=blurred, sharp=sharp, maps=there))
        own = {part.splits for part in found.values()}
        if not self.own_splits or own <= {ANY}:
            return list(found.values())
        lacking = tuple(split for split in ANY if (split,) not in own)
        return [
            replace(part, splits=("train", *lacking)) if part.splits == ("train",) else part for part in found.values()
        ]

    def recognises(self, folder: Path) -> bool:
        """Whether a folder has a part of the layout."""
        parts = self._parts(folder)
        if not self.names:
            return bool(parts)
        shared = [name for part in parts for name, _ in self.pairing([folder / part.blurred, folder / part.sharp])[0]]
        return bool(shared) and all(re.fullmatch(self.names, name) for name in shared)

    def find(self, folder: Path) -> Listing:
        """The pairs of each part."""
        about = self.ABOUT
        if self.own_splits:  # there is a name even for "."; a link keeps its own
            about = replace(about, name=Path(os.path.abspath(folder)).name)
        candidates: list[Entry] = []
        left_out: list[LeftOut] = []
        for part in self._parts(folder) or self.parts[-1:]:
            maps = [folder / part.maps] if part.maps else []
            about = replace(about, map_unit=self.map_unit) if maps else about
            places = [folder / part.blurred, folder / part.sharp]
            matched, refused = self.pairing([*places, *maps])
            left_out += refused
            for photo, files in matched:
                blurred, sharp, defocus = *files[:2], files[2] if maps else None
                fault = map_fault(blurred, defocus) if defocus else None
                if fault:
                    left_out.append(LeftOut(blurred, *fault))
                    continue
                whole = _CROP.sub("", photo) if part.crops else photo
                name, of = part.prefix + self.scene_name(blurred, photo), part.prefix + whole
                details = (("dataset", about.name),)
                candidates.append(Entry(name, of, part.split(whole), blurred, sharp, defocus, details))
        return list_scenes(about, folder, candidates, left_out)

    def scene_name(self, blurred: Path, photo: str) -> str:
        """A scene's name: its blurred picture's, but with ``own_splits``, where both sides share one, that."""
        return photo if self.own_splits else name_of(blurred)

    def read(self, entry: Any, sigma_max: float) -> Scene:
        """One scene, rounded to 8 bit; its map, read or estimated, is in units of ``sigma_max`` px."""
        dataset = dict(entry.details)["dataset"]
        if entry.defocus is None:
            return read_pair(dataset, entry, sigma_max)
        return scene_of(dataset, entry, read_agreed(entry), read_defocus(entry.defocus), sigma_max)


_DPDD: tuple[tuple[str, Split], ...] = (("train", "train"), ("val", "validation"), ("test", "test"))

DPDD = Layout(
    About(
        name="dpdd",
        title="Dual-Pixel Defocus Deblurring, combined view (Abuolaim & Brown, ECCV 2020)",
        layout=(
            "{train,val,test}_c/source/*.png   blurred, 16 bit, 350 + 74 + 76\n"
            "{train,val,test}_c/target/*.png   sharp, the shot before or after\n"
            "or {train,val,test}/inputC/*.png and {train,val,test}/target/*.png\n"
            "or inputC/*.png and target/*.png, which is how the test part is also handed out"
        ),
        licence="none stated for the pictures (the authors' code is MIT); cite the paper, ask the authors",
        page="https://github.com/Abdullah-Abuolaim/defocus-deblurring-dual-pixel",
        map_unit=None,
    ),
    (
        *(Part(f"{name}_c/source", f"{name}_c/target", (split,), f"{name}_") for name, split in _DPDD),
        *(Part(f"{name}/inputC", f"{name}/target", (split,), f"{name}_") for name, split in _DPDD),
        *(Part("inputC", "target", (split,), f"{name}_", within=name) for name, split in _DPDD),
        *(Part("source", "target", (split,), f"{name}_", within=f"{name}_c") for name, split in _DPDD),
        Part("inputC", "target", ("test",), "test_"),
    ),
    by_order,
)

LFDOF = Layout(
    About(
        name="lfdof",
        title="Light Field Defocus, up to 15 blurred pictures of each sharp one (Ruan et al., IEEE TCI 2021)",
        layout=(
            "{train_data,test_data}/input/IMG_x/IMG_x_ap{1,2,3}_0{0..4}.png   blurred\n"
            "{train_data,test_data}/ground_truth/IMG_x.png                    sharp\n"
            "or without train_data/ and test_data/, or with all blurred pictures directly in input/"
        ),
        licence="none stated for the pictures; cite the paper, ask the authors",
        page="https://sweb.cityu.edu.hk/miullam/AIFNET/",
        map_unit=None,
    ),
    (
        Part("train_data/input", "train_data/ground_truth", ("train", "validation")),
        Part("test_data/input", "test_data/ground_truth", ("test",)),
        Part("input", "ground_truth"),
    ),
    by_beginning,
)

REALDOF = Layout(
    About(
        name="realdof",
        title="RealDOF, 50 real pairs for testing (Lee et al., CVPR 2021)",
        layout="source/NN.png   blurred, 01 to 50\ntarget/NN.png   sharp",
        licence="none stated for the pictures; cite the paper, ask the authors",
        page="https://github.com/codeslake/IFAN",
        map_unit=None,
    ),
    (Part("source", "target", ("test",)),),
    names=r"\d+",
)

_NAMES = (  # of the folders of pairs, blurred and sharp
    ("blurred", "sharp"),
    ("blur", "sharp"),
    ("input", "target"),
    ("input", "gt"),
    ("inputC_crops", "target_crops"),
    ("lq", "gt"),
)
_SPLITS: tuple[tuple[str, Split], ...] = (
    *_DPDD,
    ("validation", "validation"),
    ("valid", "validation"),
)


def _own_parts() -> tuple[Part, ...]:
    """Every pair of names, in a folder a split or without one; the most usual one last."""
    parts = []
    for blurred, sharp in reversed(_NAMES):
        crops = blurred.endswith("_crops")
        for name, split in _SPLITS:
            for within in (f"{name}/{{}}", f"{{}}/{name}"):
                blurred_in, sharp_in, maps = (within.format(each) for each in (blurred, sharp, "defocus"))
                parts.append(Part(blurred_in, sharp_in, (split,), f"{name}_", crops=crops, maps=maps))
        parts.append(Part(blurred, sharp, crops=crops, maps="defocus"))
    return tuple(parts)


FOLDER = Layout(
    About(
        name="folder",
        title="pairs of your own, with or without maps",
        layout=(
            "blurred/NAME.png   PNG, JPEG, TIFF, WebP, AVIF, HEIC, BMP or JPEG 2000\n"
            "sharp/NAME.png     of the same name and size, the ending may differ, and _blur, _sharp, _gt after it\n"
            "defocus/NAME.png   optional: grey, its full level is fetch.sigma_max px of sigma\n"
            "or blur/ and sharp/, input/ and target/, input/ and gt/, inputC_crops/ and target_crops/, lq/ and gt/\n"
            "or these in train/, val/ (validation/, valid/) and test/, or these three in them\n"
            "or folders below both, of equal names"
        ),
        licence="yours",
        page="",
        map_unit=None,
    ),
    _own_parts(),
    by_place,
    own_splits=True,
    map_unit="px of sigma: full level is fetch.sigma_max",
)

FLAT = Layout(
    About(
        name="flat",
        title="pairs of your own in one folder, told apart by what ends their names",
        layout=(
            "NAME_blur.png, NAME_sharp.png   or _blurred, _input or _lq, and _target, _gt or _hq; - for _ too\n"
            "or these in train/, val/ (validation/, valid/) and test/"
        ),
        licence="yours",
        page="",
        map_unit=None,
    ),
    (*(Part(name, name, (split,), f"{name}_") for name, split in _SPLITS), Part(".", ".")),
    by_side,
    names=".+",
    own_splits=True,
)

LAYOUTS = {layout.ABOUT.name: layout for layout in (DPDD, LFDOF, REALDOF, FOLDER, FLAT)}
