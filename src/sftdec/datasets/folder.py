"""Any folder of triplets: ``blurred/``, ``sharp/`` and ``defocus/`` with files of equal names.

A defocus map is a 16-bit (or 8-bit) grey PNG whose full level stands for ``fetch.sigma_max`` px of sigma.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from sftdec.datasets.errors import DataError
from sftdec.datasets.images import read_defocus, read_photo
from sftdec.datasets.scene import Scene, Split

_ENDINGS = {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp"}
_PARTS = ("blurred", "sharp", "defocus")


@dataclass(frozen=True)
class Triplet:
    """The three files of one scene."""

    dataset: str
    name: str
    files: tuple[Path, Path, Path]

    @property
    def split(self) -> Split:
        """One photo in ten is for testing and one for validation, by its name alone: new photos move no old one."""
        tenth = int(hashlib.sha256(self.name.encode()).hexdigest(), 16) % 10
        return get_args(Split)[{0: 2, 1: 1}.get(tenth, 0)]  # type: ignore[no-any-return]


def scenes(folder: Path) -> Sequence[Triplet]:
    """The triplets of a folder, by name.

    Raises:
        DataError: a part is missing, empty, or holds names that the others lack.
    """
    found: dict[str, dict[str, Path]] = {}
    for part in _PARTS:
        if not (folder / part).is_dir():
            raise DataError(f"{folder / part}: there is no such folder; expected {', '.join(_PARTS)} in {folder}")
        files = sorted(path for path in (folder / part).iterdir() if path.suffix.lower() in _ENDINGS)
        found[part] = {path.stem: path for path in files}
    names = sorted(set().union(*found.values()))
    for part in _PARTS:
        lacking = [name for name in names if name not in found[part]]
        if lacking:
            shown = ", ".join(lacking[:5]) + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
            raise DataError(f"{folder / part}: no picture for {shown}; every scene needs {', '.join(_PARTS)}")
    if not names:
        raise DataError(f"{folder}: no pictures ({', '.join(sorted(_ENDINGS))}) in {', '.join(_PARTS)}")
    return [Triplet(folder.name, name, tuple(found[part][name] for part in _PARTS)) for name in names]  # type: ignore[arg-type]


def render(triplet: Triplet, sigma_max: float) -> Scene:
    """Read one triplet; its map is in units of ``sigma_max`` px.

    Raises:
        DataError: a picture that can't be read, or sizes that differ.
    """
    blurred, sharp, defocus = triplet.files
    return Scene(
        name=f"{triplet.dataset}/{triplet.name}",
        dataset=triplet.dataset,
        split=triplet.split,
        photo=triplet.name,
        sigma_max=sigma_max,
        blurred=read_photo(blurred),
        sharp=read_photo(sharp),
        defocus=read_defocus(defocus),
    )
