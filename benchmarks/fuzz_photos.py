"""Broken photos, put before ``sftdec deblur``.

    python -m benchmarks.fuzz_photos [--files 1000] [--seed 0]

Small photos of every kind that is read (JPEG, PNG, TIFF, WebP, AVIF, HEIC where its extra is installed, BMP and JPEG
2000; grey, RGB and alpha; 8 and 16 bits and floats; with EXIF, XMP and a profile) are written, and of each file one
copy is damaged as by ``fuzz_check``. The command deblurs it with a tiny network. Prints what became of them. What must
be 0: crashes, files left (of refused photos, or temporary ones), refusals that don't name the file, and anything said
beside the refusal: a traceback, or a library's own noise, looked for on the process's own descriptors.
"""

import argparse
import io
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tifffile
from PIL import Image, ImageCms
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from benchmarks.fuzz_check import Counts, damaged
from sftdec.cli import main as command
from sftdec.photos import Attachments, Encoding, Photo, deep_png, encode_photo, read_photo_file
from tests.tiny import tiny_weights

XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF tiff:Orientation="6"/></x:xmpmeta>'


def write_photos(folder: Path) -> list[Path]:
    """Write a photo of each kind; return the files."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    deep = np.uint16(65535 * np.clip(gaussian_filter(generator.random((48, 64, 4)), (1, 1, 0)), 0, 1))
    levels = np.uint8(deep >> 8)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x8769] = 6, "camera", {0x829A: 0.01, 0x927C: bytes(range(200))}
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    told: dict[str, Any] = {"exif": exif.tobytes(), "icc_profile": profile}
    other = Image.fromarray(levels[..., 2])

    def write(name: str, channels: int, **options: Any) -> None:
        part = levels[..., 0] if channels == 1 else levels[..., :channels]
        Image.fromarray(part).save(folder / name, **options)

    write("colour.jpg", 3, quality=90, subsampling=2, xmp=XMP, dpi=(300, 300), **told)
    write("progressive.jpg", 3, quality=75, subsampling=0, progressive=True)
    write("grey.jpg", 1, comment=b"grey", **told)
    write("two.mpo", 3, format="MPO", save_all=True, append_images=[other], **told)
    write("colour.png", 3, dpi=(72, 72), **told)
    for name, channels in (("grey.png", 1), ("grey_alpha.png", 2), ("alpha.png", 4)):
        write(name, channels)
    Image.fromarray(levels[..., :3]).quantize(64).save(folder / "palette.png", transparency=3)
    for name, channels in (("grey16.png", 1), ("grey_alpha16.png", 2), ("colour16.png", 3), ("alpha16.png", 4)):
        (folder / name).write_bytes(deep_png(deep[..., :channels]))
    attached = Attachments(profile, exif.tobytes().removeprefix(b"Exif\0\0"), XMP, (300, 300))
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        photo = Photo(levels[..., :3], Encoding("tiff", {"compression": compression}), attached)
        (folder / f"colour_{compression}.tif").write_bytes(encode_photo(photo))
    write("alpha.tif", 4, compression="tiff_lzw")
    Image.fromarray(deep[..., 0]).save(folder / "grey16.tif", compression="tiff_lzw")
    for name, compression, channels in (("raw", 1, 3), ("lzw", 5, 3), ("deflate", 8, 4)):
        options = [cv2.IMWRITE_TIFF_COMPRESSION, compression]
        written = cv2.imencode(".tiff", np.ascontiguousarray(deep[..., :channels]), options)[1]
        (folder / f"colour16_{name}.tif").write_bytes(written.tobytes())
    for compression in ("raw", "tiff_lzw", "zstd"):
        photo = Photo(np.float32(deep / 65535), Encoding("tiff", {"compression": compression}), attached)
        (folder / f"floats_{compression}.tif").write_bytes(encode_photo(photo))
    planes: dict[str, Any] = {"photometric": "rgb", "planarconfig": "separate", "tile": (16, 32), "byteorder": ">"}
    tifffile.imwrite(folder / "planes16.tif", np.moveaxis(deep[..., :3], 2, 0), compression="deflate", **planes)
    write("colour.avif", 3, quality=80, xmp=XMP, **told)
    write("alpha.avif", 4, quality=80)
    with suppress(ModuleNotFoundError):
        from pillow_heif import from_pillow

        from_pillow(Image.fromarray(levels[..., :3])).save(folder / "colour.heic", quality=80, **told)
        from_pillow(Image.fromarray(levels)).save(folder / "alpha.heic", quality=80)
    write("colour.bmp", 3)
    write("colour.jp2", 3)
    write("lossy.webp", 3, quality=80, xmp=XMP, **told)
    write("lossless.webp", 3, lossless=True)
    write("alpha.webp", 4, lossless=True)
    write("lossy_alpha.webp", 4, quality=50)
    return sorted(folder.iterdir())


@contextmanager
def listening(file: Path) -> Iterator[Callable[[], str]]:
    """Everything written to standard error meanwhile, by C libraries as well, goes to ``file``."""
    sys.stderr.flush()
    before, descriptor = os.dup(2), os.open(file, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    python = sys.stderr
    os.dup2(descriptor, 2)
    sys.stderr = io.TextIOWrapper(os.fdopen(os.dup(2), "wb", 0), write_through=True)
    try:
        yield lambda: file.read_text(errors="replace")
    finally:
        sys.stderr.close()
        sys.stderr = python
        os.dup2(before, 2)
        os.close(before)
        os.close(descriptor)


def judge(photo: Path, out: Path, code: int, said: str, counts: Counts) -> None:
    """Count what the command made of one photo."""
    left = [path for path in out.rglob("*") if path.is_file()] if out.exists() else []
    lines = said.splitlines()
    counts.faults["noise"] += [f"{photo}: {line[:300]}" for line in lines if not line.startswith("sftdec: ")]
    if code == 0:
        counts.verdicts["deblurred all the same"] += 1
        result = photo.with_suffix(".png").name if photo.suffix in (".bmp", ".jp2") else photo.name
        names = sorted([result, f"{photo.stem}_defocus.png", f"{photo.stem}_defocus_preview.png"])
        if sorted(path.name for path in left) != names:
            counts.faults["files left"].append(f"{photo}: found {left}, expected {names}")
        with warnings.catch_warnings():  # of a damaged EXIF block, which was kept as it was
            warnings.simplefilter("ignore")
            read_photo_file(out / result)  # what was written is whole
        return
    counts.verdicts["refused"] += 1
    if str(photo) not in said:
        counts.faults["refusals that name no file"].append(f"{photo}: {said[:300]}")
    if code != 1 or "Traceback" in said:
        counts.faults["crashes"].append(f"{photo}: exit code {code}: {said[:300]}")
    counts.faults["files left"] += [f"{photo}: {path}" for path in left]


def fuzz(arena: Path, count: int, seed: int) -> Counts:
    """Deblur ``count`` damaged photos, made in ``arena``."""
    counts = Counts("crashes", "files left", "refusals that name no file", "noise")
    generator = np.random.default_rng(seed)
    weights = tiny_weights(arena / "weights.safetensors")
    photos = write_photos(arena / "whole")
    temporary = Path(tempfile.mkdtemp(dir=arena))
    before, tempfile.tempdir = tempfile.tempdir, str(temporary)
    try:
        for number in tqdm(range(count), unit="file", disable=None):
            source = photos[number % len(photos)]
            place = arena / f"case{number:04d}"
            place.mkdir()
            photo, out = place / source.name, place / "out"
            photo.write_bytes(damaged(source.read_bytes(), generator))
            counts.kinds[f"{source.suffix[1:]}{' 16 bits' if '16' in source.stem else ''}"] += 1
            arguments = ["deblur", str(photo), "-o", str(out), "--map", "--model", str(weights), "--device", "cpu"]
            with listening(arena / "said.txt") as said:
                try:
                    code = command(arguments)
                except Exception as error:  # the very thing that is looked for
                    counts.faults["crashes"].append(f"{photo}: {type(error).__name__}: {error}")
                    continue
            judge(photo, out, code, said(), counts)
        counts.faults["files left"] += [str(path) for path in temporary.rglob("*")]
    finally:
        tempfile.tempdir = before
    return counts


def main() -> None:
    """Fuzz and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    printed = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the command's own list of files
    with tempfile.TemporaryDirectory() as arena:
        os.write(printed, (fuzz(Path(arena), arguments.files, arguments.seed).text() + "\n").encode())


if __name__ == "__main__":
    main()
