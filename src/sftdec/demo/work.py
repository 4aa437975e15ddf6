"""The work on one photo: deblurred into files as ``sftdec deblur`` does it, and pictures of them to look at."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sftdec.demo.choices import Choices
from sftdec.demo.visits import Visit
from sftdec.inference import Blend, Wishes, deblur_photo_file
from sftdec.photos import (
    FORMATS,
    Found,
    Photo,
    coloured,
    decode_mask,
    eight_bits,
    plan_targets,
    png_bytes,
    read_defocus,
    read_photo_file,
    scaled,
    shrunk,
)

QUALITY = 95  # of the pictures to look at, JPEGs
LONGEST = FORMATS["jpeg"].longest  # px of a side
COLOURS = 17  # of the scale


def deblurring(choices: Choices, max_megapixels: float) -> Callable[[Visit], None]:
    """What ``Visits`` is to do with each photo: the files it names in ``facts["files"]``."""

    def work(visit: Visit) -> None:
        start = time.monotonic()
        visit.tell("Reading the photo")
        deblurrer = choices.deblurrer(visit.model.name)
        (targets,) = plan_targets([Found(visit.source)], visit.folder / "result", None, True, False)
        assert targets.map is not None
        wishes = Wishes(max_megapixels=max_megapixels, blend=_blend(visit, max_megapixels))
        deblur_photo_file(deblurrer, targets, wishes, lambda done, of: visit.tell("Deblurring", done, of))
        seconds = time.monotonic() - start
        visit.tell("Making pictures to look at")
        files = {"photo": _download(targets.result), "defocus": _download(targets.map)}
        _look(read_photo_file(visit.source, max_megapixels), visit.folder / "before.jpg")
        height, width = _look(read_photo_file(targets.result, max_megapixels), visit.folder / "after.jpg")
        sigma_max = _look_of_map(read_defocus(targets.map), deblurrer.sigma_max, visit.folder / "map.png")
        files |= {"before": {"path": "before.jpg"}, "after": {"path": "after.jpg"}, "map": {"path": "map.png"}}
        facts = {"name": visit.name, "model": visit.model.label, "seconds": round(seconds, 1), "files": files}
        visit.facts.update(facts, width=width, height=height, sigma_max=sigma_max)

    return work


def checking(max_megapixels: float) -> Callable[[Visit], None]:
    """What is asked of a visit before it lines up: a photo, whole and not too large, and wishes that fit it."""
    turn = threading.Lock()  # one photo in memory, however many come

    def check(visit: Visit) -> None:
        with turn:
            size = read_photo_file(visit.source, max_megapixels).levels.shape[:2]
            if max(size) > LONGEST:
                found = f"{visit.source.name}: found {size[1]}×{size[0]} px, expected sides of at most {LONGEST} px"
                raise ValueError(f"{found}, which this page can show; take sftdec deblur")
            _blend(visit, max_megapixels).check(size)

    return check


def _blend(visit: Visit, max_megapixels: float) -> Blend:
    mask = decode_mask(visit.mask.read_bytes(), "the mask", max_megapixels) if visit.mask.exists() else None
    return Blend(visit.strength, mask, visit.only)


def defocus_colours() -> list[str]:
    """The colours of a defocus map from 0 to its largest, for a page's scale."""
    (ramp,) = coloured(np.linspace(0, 1, COLOURS, dtype=np.float32)[None])
    return ["#{:02x}{:02x}{:02x}".format(*colour) for colour in ramp.tolist()]


def _look(photo: Photo, path: Path) -> tuple[int, int]:
    """Write a photo in full size for a browser, which shows neither TIFF nor 16 bits; its height and width in px."""
    options: dict[str, Any] = {"quality": QUALITY, "subsampling": 0, "icc_profile": photo.attachments.profile}
    Image.fromarray(eight_bits(photo.colour)).save(path, **options)
    height, width = photo.levels.shape[:2]
    return height, width


def _look_of_map(defocus: NDArray[np.float32], sigma_max: float, path: Path) -> float:
    """Write a defocus map in colours; px of sigma of the last one."""
    small, sigma_max = scaled(shrunk(defocus), sigma_max)
    path.write_bytes(png_bytes(coloured(small), effort=3))  # it is smooth
    return sigma_max


def _download(path: Path) -> dict[str, str]:
    return {"path": f"{path.parent.name}/{path.name}", "download": path.name}
