"""The work on one photo: read, deblurred, written as ``sftdec deblur`` writes it, and pictures of it to look at."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from sftdec.datasets.images import MAP_LEVELS, open_picture, rgb_levels, picture_header
from sftdec.demo.choices import Choices
from sftdec.demo.visits import Visit
from sftdec.evaluation.style import DEFOCUS_COLOURS

MAP_SIDE = 1600  # px of the map that is laid over the photo, which is smooth
QUALITY = 95  # of the pictures to look at


def deblurring(choices: Choices) -> Callable[[Visit], None]:
    """What ``Visits`` is to do with each photo."""

    def work(visit: Visit) -> None:
        start = time.monotonic()
        visit.tell("Reading the photo")
        deblurrer = choices.deblurrer(visit.model.name)
        picture = open_picture(visit.source)
        levels = rgb_levels(ImageOps.exif_transpose(picture))
        _look(levels, visit.folder / "before.jpg")
        visit.tell("Deblurring")
        image, defocus = deblurrer(levels, progress=lambda done, of: visit.tell("Deblurring", done, of))
        visit.tell("Writing the result")
        result = visit.folder / "result" / visit.name
        result.parent.mkdir()
        Image.fromarray(image).save(result, format=picture.format, quality=95)
        map_path = visit.folder / "result" / f"{visit.source.stem}_defocus.png"
        Image.fromarray(np.rint(defocus * MAP_LEVELS).astype(np.uint16)).save(map_path)
        _look(image, visit.folder / "after.jpg")
        _overlay(defocus, visit.folder / "map.png")
        visit.facts.update(
            name=visit.name,
            width=image.shape[1],
            height=image.shape[0],
            sigma_max=deblurrer.sigma_max,
            model=visit.model.label,
            seconds=round(time.monotonic() - start, 1),
            files={
                "before": {"path": "before.jpg"},
                "after": {"path": "after.jpg"},
                "map": {"path": "map.png"},
                "photo": {"path": f"result/{result.name}", "download": result.name},
                "defocus": {"path": f"result/{map_path.name}", "download": map_path.name},
            },
        )

    return work


def check(max_megapixels: float) -> Callable[[Path], None]:
    def look(path: Path) -> None:
        height, width = picture_header(path).size
        if height * width > max_megapixels * 1e6:
            raise ValueError(
                f"{path.name} has {width}×{height} px ({width * height / 1e6:.1f} megapixels), the limit is {max_megapixels:g}; "
                "give a smaller one, or start sftdec demo with --max-megapixels"
            )

    return look


def defocus_colours() -> list[str]:
    """The colours of a defocus map from 0 to its largest, for a page's scale."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps[DEFOCUS_COLOURS](step / 16)) for step in range(17)]


def _look(levels: NDArray[np.generic], path: Path) -> None:
    """A picture to look at, for a browser: 8 bits a channel."""
    eight = levels if levels.dtype == np.uint8 else np.rint(levels / 257.0).astype(np.uint8)
    Image.fromarray(eight).save(path, quality=QUALITY, subsampling=0)


def _overlay(defocus: NDArray[np.float32], path: Path) -> None:
    from matplotlib import colormaps

    small = Image.fromarray(defocus)
    small.thumbnail((MAP_SIDE, MAP_SIDE))
    coloured = colormaps[DEFOCUS_COLOURS](np.asarray(small), bytes=True)[:, :, :3]
    Image.fromarray(np.ascontiguousarray(coloured)).save(path, compress_level=3)
