"""Data sets of pairs as rows of one table: where their pictures lie, in which splits, and who belongs to whom."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sftdec.datasets.importers.pair import Found, by_name, map_fault, read_agreed, read_pair, scene_of
from sftdec.datasets.importers.pairing import by_beginning, by_order
from sftdec.datasets.listing import About, Entry, LeftOut, Listing, list_scenes, name_of, pictures, split_of
from sftdec.datasets.scene import Scene, Split
from sftdec.photos import read_defocus

ANY: tuple[Split, ...] = ("train", "validation", "test")


@dataclass(frozen=True)
class Part:
    """Two folders of a layout, below the data set's own.

    A photo is in the split that its name draws, or in the first of ``splits`` if that isn't one of them. ``prefix``
    comes before its scenes' and photos' names. ``within``: only in a data set's folder of this name.
    """

    blurred: str
    sharp: str
    splits: tuple[Split, ...] = ANY
    prefix: str = ""
    within: str = ""

    def split(self, photo: str) -> Split:
        """A photo's split."""
        drawn = split_of(photo)
        return drawn if drawn in self.splits else self.splits[0]


@dataclass(frozen=True)
class Layout:
    """The importer of a data set that a row of the table describes.

    ``numbered``: names are numbers, or it is another data set. ``maps``: the folder of maps, if there are some, and
    their unit; then the data set is called as its folder is.
    """

    ABOUT: About
    parts: tuple[Part, ...]
    pairing: Callable[[Sequence[Path]], Found] = by_name
    numbered: bool = False
    maps: tuple[str, str] | None = None

    def _parts(self, folder: Path) -> list[Part]:
        """The parts that a folder has, each pair of folders once."""
        found: dict[tuple[str, str], Part] = {}
        for part in self.parts:
            there = (folder / part.blurred).is_dir() and (folder / part.sharp).is_dir()
            if there and part.within in ("", folder.name):
                found.setdefault((part.blurred, part.sharp), part)
        return list(found.values())

    def recognises(self, folder: Path) -> bool:
        """Whether a folder has a part of the layout."""
        parts = self._parts(folder)
        if not (parts and self.numbered):
            return bool(parts)
        names = [{name_of(path) for path in pictures(folder / each)} for each in (parts[0].blurred, parts[0].sharp)]
        shared = names[0] & names[1]
        return bool(shared) and all(name.isdecimal() for name in shared)

    def find(self, folder: Path) -> Listing:
        """The pairs of each part.

        Raises:
            DataError: there is none.
        """
        about, maps = self.ABOUT, list[Path]()
        if self.maps:  # there is a name even for "."; a link keeps its own
            about = replace(about, name=Path(os.path.abspath(folder)).name)
            if (folder / self.maps[0]).is_dir():
                about, maps = replace(about, map_unit=self.maps[1]), [folder / self.maps[0]]
        candidates: list[Entry] = []
        left_out: list[LeftOut] = []
        for part in self._parts(folder) or self.parts[-1:]:
            matched, refused = self.pairing([folder / part.blurred, folder / part.sharp, *maps])
            left_out += refused
            for photo, files in matched:
                blurred, sharp, defocus = *files[:2], files[2] if maps else None
                fault = map_fault(blurred, defocus) if defocus else None
                if fault:
                    left_out.append(LeftOut(blurred, *fault))
                    continue
                name, of = part.prefix + name_of(blurred), part.prefix + photo
                details = (("dataset", about.name),)
                candidates.append(Entry(name, of, part.split(photo), blurred, sharp, defocus, details))
        return list_scenes(about, folder, candidates, left_out)

    def read(self, entry: Any, sigma_max: float) -> Scene:
        """One scene, rounded to 8 bit; its map, read or estimated, is in units of ``sigma_max`` px.

        Raises:
            DataError: a picture that can't be read, sizes that differ, or a map that isn't grey.
        """
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
    numbered=True,
)

FOLDER = Layout(
    About(
        name="folder",
        title="pairs of your own, with or without maps",
        layout=(
            "blurred/NAME.png   PNG, JPEG, TIFF, WebP, AVIF, HEIC, BMP or JPEG 2000\n"
            "sharp/NAME.png     of the same name and size, the ending may differ\n"
            "defocus/NAME.png   optional: grey, its full level is fetch.sigma_max px of sigma"
        ),
        licence="yours",
        page="",
        map_unit=None,
    ),
    (Part("blurred", "sharp"),),
    maps=("defocus", "px of sigma: full level is fetch.sigma_max"),
)

LAYOUTS = {layout.ABOUT.name: layout for layout in (DPDD, LFDOF, REALDOF, FOLDER)}
