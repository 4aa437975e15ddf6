"""Bring the photos that the built-in model is trained on into data/builtin: photos.csv's, out of Debian packages.

Runs where ``apt-get`` and ``dpkg-deb`` are; a package isn't installed, only opened. The packages are Debian 12's.
"""

import csv
import hashlib
import io
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from sftdec.datasets import OWN_PHOTOS, RECIPES
from sftdec.runtime import atomic_path

HERE = Path(__file__).parent
OUT = Path("data/builtin")


def read_table(name: str) -> list[dict[str, str]]:
    """The rows of a table beside this module."""
    return list(csv.DictReader((HERE / name).read_text("utf-8").splitlines()))


def unpack(package: str, folder: Path) -> Path:
    """Download a Debian package of this machine's release and return the folder it is unpacked in."""
    subprocess.run(["apt-get", "download", package], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (archive,) = folder.glob(f"{package}_*.deb")
    unpacked = folder / package
    subprocess.run(["dpkg-deb", "-x", archive, unpacked], check=True)
    return unpacked


def _resources(archive: bytes) -> Iterator[bytes]:
    """What a Qt resource file (.rcc) holds, in order: each with its length before it. Their names aren't needed."""
    start, end = struct.unpack(">12x2I", archive[:20])
    while start < end:
        (size,) = struct.unpack_from(">I", archive, start)
        yield archive[start + 4 : start + 4 + size]
        start += 4 + size


def find(row: dict[str, str], unpacked: Path) -> bytes:
    """The photo that a row names: a file, or one within a Qt resource file (``….rcc/photo.webp``).

    Raises ``ValueError`` where it is not the one whose licence was read.
    """
    file = unpacked / row["file"]
    held = _resources(file.parent.read_bytes()) if file.parent.suffix == ".rcc" else [file.read_bytes()]
    for data in held:
        if hashlib.sha256(data).hexdigest() == row["sha256"]:
            return data
    raise ValueError(
        f"{row['package']}, {row['file']}: found nothing of SHA-256 {row['sha256'][:16]}…; another release's package "
        "has another file: look at its licence, then mend photos.csv"
    )


def bring(row: dict[str, str], unpacked: Path) -> None:
    """Shrink one photo so that its longer side has ``side`` px, which makes it sharp to the pixel, and write a PNG."""
    photo = Image.open(io.BytesIO(find(row, unpacked))).convert("RGB")
    factor = int(row["side"]) / max(photo.size)
    size = (round(photo.width * factor), round(photo.height * factor))
    with atomic_path(OUT / OWN_PHOTOS / f"{row['name']}.png") as temporary:
        photo.resize(size, Image.Resampling.LANCZOS).save(temporary, format="PNG")


def main() -> None:
    """Bring all photos and the recipes that name them."""
    rows = read_table("photos.csv")
    with tempfile.TemporaryDirectory() as folder:
        packages = {name: unpack(name, Path(folder)) for name in sorted({row["package"] for row in rows})}
        for row in rows:
            bring(row, packages[row["package"]])
            print(f"{row['name']}: {row['author']}, {row['licence']}")
    shutil.copyfile(HERE / RECIPES, OUT / RECIPES)


if __name__ == "__main__":
    main()
