"""The work on one photo: read, deblurred, written as ``sftdec deblur`` writes it, and pictures of it to look at."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sftdec.datasets.images import MAP_LEVELS
from sftdec.demo.choices import Choices
from sftdec.demo.visits import Visit
from sftdec.evaluation.style import DEFOCUS_COLOURS
from sftdec.inference.deblur import map_name
from sftdec.inference.photo_encoding import eight_bits, encode_photo
from sftdec.inference.photo_file import read_photo_file

MAP_SIDE = 1600  # px of the map that is laid over the photo; it is smooth
QUALITY = 95  # of the pictures to look at
COLOURS = 17  # of the scale


def deblurring(choices: Choices, max_megapixels: float) -> Callable[[Visit], None]:
    """What ``Visits`` is to do with each photo: the files it names in ``facts["files"]``."""

    def work(visit: Visit) -> None:
        start = time.monotonic()
        visit.tell("Reading the photo")
        deblurrer = choices.deblurrer(visit.model.name)
        photo = read_photo_file(visit.source, max_megapixels)
        look = _Look(visit.folder, photo.attachments.profile)
        look.write("before", photo.colour)
        visit.tell("Deblurring")
        image, defocus = deblurrer(photo.colour, lambda done, of: visit.tell("Deblurring", done, of))
        visit.tell("Writing the result")
        look.write("after", image)
        look.write_map(defocus)
        result = visit.folder / visit.name
        result.write_bytes(encode_photo(photo.with_colour(image)))
        map_path = visit.folder / map_name(result)
        Image.fromarray(np.rint(defocus * MAP_LEVELS).astype(np.uint16)).save(map_path)
        visit.facts.update(
            name=visit.name,
            width=image.shape[1],
            height=image.shape[0],
            sigma_max=deblurrer.sigma_max,
            model=visit.model.label,
            seconds=round(time.monotonic() - start, 1),
            files=look.files | {"photo": _download(result), "defocus": _download(map_path)},
        )

    return work


def checking(max_megapixels: float) -> Callable[[Path], None]:
    """What is asked of a file before it lines up: to be a photo, whole and not too large."""
    turn = threading.Lock()  # one photo in memory, however many come

    def check(path: Path) -> None:
        with turn:
            read_photo_file(path, max_megapixels)

    return check


def defocus_colours() -> list[str]:
    """The colours of a defocus map from 0 to its largest, for a page's scale."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps[DEFOCUS_COLOURS](step / (COLOURS - 1))) for step in range(COLOURS)]


class _Look:
    """Pictures for a browser, which shows neither TIFF nor 16 bits a channel."""

    def __init__(self, folder: Path, profile: bytes | None) -> None:
        self.files: dict[str, dict[str, str]] = {}
        self._folder, self._profile = folder, profile

    def write(self, name: str, levels: NDArray[Any]) -> None:
        """A picture H×W×3 in full size, in the photo's own colours."""
        options: dict[str, Any] = {"quality": QUALITY, "subsampling": 0, "icc_profile": self._profile}
        Image.fromarray(eight_bits(levels)).save(self._path(name, "jpg"), **options)

    def write_map(self, defocus: NDArray[np.float32]) -> None:
        """The defocus map H×W in colours."""
        from matplotlib import colormaps

        small = Image.fromarray(defocus)
        small.thumbnail((MAP_SIDE, MAP_SIDE))
        coloured = colormaps[DEFOCUS_COLOURS](np.asarray(small), bytes=True)[:, :, :3]
        Image.fromarray(np.ascontiguousarray(coloured)).save(self._path("map", "png"), compress_level=3)

    def _path(self, name: str, ending: str) -> Path:
        path = self._folder / "look" / f"{name}.{ending}"
        path.parent.mkdir(exist_ok=True)
        self.files[name] = {"path": str(path.relative_to(self._folder))}
        return path


def _download(path: Path) -> dict[str, str]:
    return {"path": path.name, "download": path.name}
