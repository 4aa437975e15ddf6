"""Pairs as they come from the wild, one a trap, in whatever layout an importer reads."""

import numpy as np
import pytest

from sftdec.runtime.errors import DataError
from tests.datasets.importers.pictures import photo, soften, truncate, write

KEPT = ("plain", "capital ending", "16 bit", "grey", "alpha", "turned")


def write_traps(path_of, without=()):
    """Write a pair for each trap with ``path_of(role, number, ending)``; return trap → (blurred path, sharp path)."""
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
        paths = path_of("blurred", number, ending), path_of("sharp", number, ".png")
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


def assert_traps_are_read_or_named(importer, root, files):
    """What can be read is found and read as it is to be seen; the rest is left out, or refused by name."""
    listing = importer.find(root)
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
    assert "40×64" in reasons[files["other size"][0]]
    assert "an empty file" in reasons[files["empty"][0]]
    assert "no picture that is read" in reasons[files["plain"][0].with_name("Thumbs.db")]
    return listing, reasons
