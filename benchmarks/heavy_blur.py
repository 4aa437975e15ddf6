"""What blur reads as on the map, up to far more than the map holds, and what becomes of smooth bokeh.

    python benchmarks/heavy_blur.py [WEIGHTS …] [--photos FOLDER] [--count N] [--side PX]
                                    [--sigmas 1 2 … 20] [--bokeh FOLDER] [--windows N]

First table: photos that no training recipe names, halved, are blurred by discs and Gaussians in light and stored as PNG
or JPEG of quality 85; the median of each photo's map, in px of sigma, mean over the photos and lowest. Second table:
the smoothest windows of 256 px of the photos in ``--bokeh`` (mate-backgrounds' nature photos, say), or of the same
photos blurred by a disc of 24 px in radius where none is given; their deviation once what is coarser than 2 px is taken
off, before and after, in grey levels. ``--count 1 --side 128 --sigmas 2 12`` takes seconds.
"""

from argparse import Namespace
from pathlib import Path

import numpy as np
from kept_apart import Picture, deblurred, engines, middle, parser, photos, pictures, table
from scipy import ndimage

from sftdec.datasets.photos import recipe_photo
from sftdec.inference import Engine
from sftdec.optics import Aperture, PsfShape, linear_to_srgb, render_photo, srgb_to_linear, through_jpeg, to_8bit

SIGMAS = (1, 2, 3, 4, 5, 6, 8, 12, 16, 20)
SHAPES: tuple[PsfShape, ...] = ("disc", "gaussian")
QUALITIES = (0, 85)  # 0: PNG
WINDOW = 256  # px
BOKEH_RADIUS = 24.0  # px, where no bokeh is given
FINE = 2.0  # px, sigma
LEAST_RANGE = 8.0  # grey levels between a window's 5th and 95th percentile: less is a wall, or clipped


def blurred(photo: Picture, radius: float, shape: PsfShape = "disc") -> Picture:
    """A photo through a lens whose circle of confusion has this radius (px) all over."""
    light = srgb_to_linear(photo / np.float32(255))
    rendered, _ = render_photo(light, np.full(photo.shape[:2], radius, np.float32), Aperture(shape))
    return to_8bit(linear_to_srgb(rendered))


def readings(engine: Engine, given: Namespace, sharp: dict[str, Picture]) -> list[list[str]]:
    """Rows: a shape and a format, then mean and lowest reading at each sigma."""
    rows = []
    for shape in SHAPES:
        for quality in QUALITIES:
            cells = [shape, f"JPEG {quality}" if quality else "PNG"]
            for sigma in given.sigmas:
                seen = [through_jpeg(blurred(photo, 2 * sigma, shape), quality) for photo in sharp.values()]
                found = [float(np.median(deblurred(engine, each)[1])) for each in seen]
                cells.append(f"{np.mean(found):.1f} ({min(found):.1f})")
            rows.append(cells)
    return rows


def deviation(photo: Picture) -> float:
    """Of what is finer than 2 px, in grey levels."""
    grey = photo.astype(np.float32).mean(axis=2)
    return float(np.std(grey - ndimage.gaussian_filter(grey, FINE, mode="reflect")))


def smoothest(photo: Picture, count: int) -> list[Picture]:
    """The windows with the least fine detail that aren't flat."""
    side = min(WINDOW, *photo.shape[:2])
    tops, lefts = (range(0, length - side + 1, side) for length in photo.shape[:2])
    windows = [photo[top : top + side, left : left + side] for top in tops for left in lefts]
    alive = [each for each in windows if np.ptp(np.percentile(each.mean(axis=2), [5, 95])) >= LEAST_RANGE]
    return [np.ascontiguousarray(each) for each in sorted(alive, key=deviation)[:count]]


def bokeh(given: Namespace, sharp: dict[str, Picture]) -> dict[str, list[Picture]]:
    """Smooth windows by photo."""
    if given.bokeh is None:
        made = {name: through_jpeg(blurred(photo, BOKEH_RADIUS), 92) for name, photo in sharp.items()}
    else:
        made = {path.stem: recipe_photo(str(path)) for path in pictures(given.bokeh)[: given.count]}
    found = {name: smoothest(photo, given.windows) for name, photo in made.items()}
    return {name: [middle(each, given.side) for each in windows] for name, windows in found.items() if windows}


def main() -> None:
    """Measure and print."""
    options = parser(__doc__)
    options.add_argument("--sigmas", type=float, nargs="+", default=SIGMAS)
    options.add_argument("--bokeh", metavar="FOLDER", type=Path)
    options.add_argument("--windows", type=int, default=2, help="of each photo")
    given = options.parse_args()
    sharp, models = photos(given), engines(given)
    print(f"{len(sharp)} photos: {', '.join(sharp)}; the map's median in px of sigma, mean (lowest)\n")
    titles = ["model", "blur", "stored", *(f"σ {sigma:g}" for sigma in given.sigmas)]
    print(
        table(titles, [[name, *row] for name, engine in models.items() for row in readings(engine, given, sharp)])
        + "\n"
    )
    smooth = bokeh(given, sharp)
    rows = []
    for name, windows in smooth.items():
        before = float(np.mean([deviation(each) for each in windows]))
        after = [
            float(np.mean([deviation(deblurred(engine, each)[0]) for each in windows])) for engine in models.values()
        ]
        rows.append([name, f"{before:.2f}", *(f"{each:.2f} (× {each / before:.2f})" for each in after)])
    print("smooth bokeh, deviation of what is finer than 2 px in grey levels (times the photo's); aim × 1.2\n")
    print(table(["photo", "before", *models], rows))


if __name__ == "__main__":
    main()
