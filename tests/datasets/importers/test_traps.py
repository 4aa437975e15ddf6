"""Pairs as they come from the wild, one a trap, in every layout of pairs: read rightly, or named."""

import numpy as np
import pytest

from sftdec.datasets.importers import IMPORTERS
from sftdec.runtime.errors import DataError
from tests.datasets.importers.pictures import photo, soften, truncate, write

KEPT = ("plain", "capital ending", "16 bit", "grey", "alpha", "turned")


# importer, where a pair's blurred and sharp picture and its map lie, by its number and the picture's ending
PLACES = {
    "folder": ("folder", "blurred/IMG {0}{1}", "sharp/IMG {0}{1}", None),
    "realdof": ("realdof", "source/{0:02d}{1}", "target/{0:02d}{1}", None),
    "lfdof": ("lfdof", "train_data/input/IMG_{0}_ap3_00{1}", "train_data/ground_truth/IMG_{0}{1}", None),
    "nested": ("lfdof", "train_data/input/IMG_{0}/IMG_{0}_ap3_00{1}", "train_data/ground_truth/IMG_{0}{1}", None),
    "dpdd": ("dpdd", "test_c/source/1P0A{0:03d}0{1}", "test_c/target/1P0A{0:03d}1{1}", None),
    "realistic": ("realistic", "image/0/image_{0:02d}{1}", "GT/sharp_{0:02d}{1}", None),
    "ded": ("ded", "image/image_{0}{1}", "sharp/a_{0}{1}", "filtered/defocus_filterd_{0}.png"),
    "syndof": ("syndof", "image/{0}{1}", "sharp/{0}{1}", "blur_map/{0}.png"),
}
TOLD = {"realdof": "no partner of this name in target/", "lfdof": "no sharp IMG_", "realistic": "no sharp picture"}


def write_traps(root, layout, without):
    """Write a pair for each trap; return trap → (blurred path, sharp path)."""
    files = {}
    traps = [*KEPT, "other size", "no partner", "cut short", "empty"]
    for number, trap in enumerate((trap for trap in traps if trap not in without), start=1):
        sharp = photo(48, 64, number)
        blurred = soften(sharp, 1.5)
        ending, orientation = ".png", None
        if trap == "capital ending":
            ending = ".PNG"
        elif trap == "16 bit":
            blurred, sharp = np.uint16(blurred) * 257, np.uint16(sharp) * 257
        elif trap == "grey":
            blurred, sharp = blurred[..., 1], sharp[..., 1]
        elif trap == "alpha":
            blurred = np.dstack([blurred, np.full((48, 64), 77, np.uint8)])
        elif trap == "turned":
            ending, orientation = ".jpg", 6
        elif trap == "other size":
            sharp = sharp[:40]
        _, *places, defocus = PLACES[layout]
        paths = [root / place.format(number, end) for place, end in zip(places, (ending, ".png"), strict=True)]
        if defocus:
            write(root / defocus.format(number), np.full((48, 64), 10, np.uint16))
        write(paths[0], blurred, orientation)
        write(paths[1], sharp)
        if trap == "no partner":
            paths[1].unlink()
        elif trap == "cut short":
            truncate(paths[1])
        elif trap == "empty":
            paths[0].write_bytes(b"")
        files[trap] = paths
    files["plain"][0].with_name("Thumbs.db").write_bytes(b"no picture")
    return files


@pytest.mark.parametrize("layout", PLACES)
def test_what_can_be_read_is_read_as_it_is_to_be_seen_and_the_rest_is_named(tmp_path, layout):
    importer = IMPORTERS[PLACES[layout][0]]
    without = ("no partner",) if layout == "dpdd" else ()  # which makes the whole part worthless
    files = write_traps(tmp_path, layout, without)
    listing = importer.find(tmp_path)
    entries = {entry.blurred: entry for entry in listing.entries}
    reasons = {item.path: item.reason for item in listing.left_out}
    for trap in KEPT:
        number = list(files).index(trap) + 1
        scene = importer.read(entries.pop(files[trap][0]), 4.0)
        sharp = photo(48, 64, number)
        if trap == "grey":
            sharp = np.repeat(sharp[..., 1:2], 3, axis=2)
        assert np.array_equal(scene.sharp, sharp), trap
        assert np.abs(scene.blurred.astype(int) - soften(sharp, 1.5)).mean() < 1.5, trap
        assert scene.defocus.shape == (48, 64) and 0 <= scene.defocus.min() <= scene.defocus.max() <= 1
    blurred, sharp = files["cut short"]
    if blurred in entries:  # its header can be read
        with pytest.raises(DataError, match=sharp.name):
            importer.read(entries.pop(blurred), 4.0)
    else:
        assert sharp.name in reasons[blurred]
    assert not entries
    assert "64×40" in reasons[files["other size"][0]]
    assert any("an empty file" in reasons.get(path, "") for path in files["empty"])
    if "no partner" in files:
        assert TOLD.get(importer.ABOUT.name, "") in reasons[files["no partner"][0]]
    stray = files["plain"][0].with_name("Thumbs.db")
    assert "no picture that is read" in reasons[stray] and stray not in [item.path for item in listing.faults]
