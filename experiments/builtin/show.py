"""Draw README's picture: the sample photo of the demo's page at 100 %, before and after, by the model that ships.

    python -m experiments.builtin.show [--out docs/before-after.jpg]

The photo: John Severns, "European honey bee extracts nectar", Wikimedia Commons, public domain; as Debian's
palapeli-data has it (collection/european-honey-bee.jpg). No model of ours was trained on it.
"""

import argparse
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from sftdec import Deblurrer

OUT = Path("docs/before-after.jpg")
CORNER, SIDE, GAP = (1182, 560), (436, 470), 8  # px of the photo, which are px of the picture
INK, PAPER = "white", "#000c"
SAVED: dict[str, int] = {"quality": 93, "subsampling": 0}


def sides() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The same part of the photo, before and after; the whole of it is deblurred."""
    with files("sftdec.demo").joinpath("page/bee.jpg").open("rb") as opened:
        photo = np.asarray(Image.open(opened).convert("RGB"))
    deblurred = Deblurrer.load("builtin", precision="fp32", runtime="torch")(photo).image
    (x, y), (width, height) = CORNER, SIDE
    part = np.s_[y : y + height, x : x + width]
    return photo[part], deblurred[part]


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    out = parser.parse_args().out
    (width, height), picture = SIDE, Image.new("RGB", (2 * SIDE[0] + GAP, SIDE[1]), "white")
    draw, font = ImageDraw.Draw(picture, "RGBA"), ImageFont.load_default(17)
    for side, (levels, name) in enumerate(zip(sides(), ("before", "after"), strict=True)):
        left = side * (width + GAP)
        picture.paste(Image.fromarray(levels), (left, 0))
        box = draw.textbbox((left + 20, height - 36), name, font=font)
        draw.rounded_rectangle((box[0] - 9, box[1] - 6, box[2] + 9, box[3] + 7), 5, fill=PAPER)
        draw.text((left + 20, height - 36), name, font=font, fill=INK)
    picture.save(out, **SAVED)
    print(out)


if __name__ == "__main__":
    main()
