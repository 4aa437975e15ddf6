"""Broken and hostile archives, folders and pictures, put before ``sftdec datasets check``.

    python benchmarks/fuzz_check.py [--files 1000] [--seed 0]

Small data sets in the public layouts are written, and of each file one copy is damaged: bits flipped, cut short, a
block zeroed or doubled, another format's header put on it. It is looked at by itself, in its data set's folder, in an
archive of that, or the archive is what is damaged. Other archives hold members that lead out of their folder. Prints
what became of them. What must be 0: crashes, files outside, attacks let through, refusals that name no file.
"""

import argparse
import contextlib
import io
import shutil
import tarfile
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from scipy.io import savemat
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from sftdec.datasets import FolderReport, check_folder
from sftdec.runtime import DataError

HEADERS = [
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff\xe0",
    b"II*\0",
    b"MM\0*",
    b"RIFF",
    b"GIF89a",
    b"BM",
    b"Pf\n",
    b"%PDF-1.4",
]
HEADERS += [b"%PDF-1.4", b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", b"\x93NUMPY"]
KINDS = ("picture or map", "folder", "archive", "file in archive", "attack")
ARCHIVES = {".zip": "zip", ".tar": "tar", ".gz": "gztar", ".bz2": "bztar", ".xz": "xztar"}
RECIPES = (
    "name,split,count,content,photo,scale,height,width,top,left,depth,near_m,far_m,focus,focal_length_mm,"
    "pixel_pitch_um,max_coc_px,psf,blades,softness_px,shot_noise,read_noise,seed\n"
    "hopper,test,2,photo,coffee,0.25,64,64,0,0,ramp,0.4,0.9,0.75,50,60,3,disc,6,0,0.00002,0.001,101\n"
)


class Counts:
    """What became of the files: how many of each kind, how they were judged, and what must not be."""

    def __init__(self, *faults: str) -> None:
        self.kinds: Counter[str] = Counter()
        self.verdicts: Counter[str] = Counter()
        self.faults: dict[str, list[str]] = {fault: [] for fault in faults}

    def text(self) -> str:
        """The counts, a line each, and the first of what should not be."""
        lines = [f"{'files':<32}{sum(self.kinds.values())}"]
        lines += [f"  {kind:<30}{count}" for kind, count in sorted(self.kinds.items())]
        lines += [f"{verdict:<32}{count}" for verdict, count in sorted(self.verdicts.items())]
        for what, found in self.faults.items():
            lines += [f"{what:<32}{len(found)}", *(f"  {example}" for example in found[:10])]
        return "\n".join(lines)


def write_sets(root: Path) -> list[Path]:
    """Write a small data set in each layout below ``root``; return their folders."""
    generator = np.random.default_rng(0)
    sharp = np.uint8(255 * gaussian_filter(generator.random((48, 64, 3)), (1, 1, 0)))
    blurred = np.uint8(gaussian_filter(sharp.astype(float), (2, 2, 0)))
    sigma = np.full((48, 64), 2.0)
    level = (sigma / 6 * 65535).astype(np.uint16)
    pictures: dict[str, Any] = {
        "own/blurred/a.jpg": blurred, "own/sharp/a.png": sharp, "own/defocus/a.png": level,
        "own/blurred/b.tif": blurred, "own/sharp/b.webp": sharp, "own/defocus/b.png": level,
        "dpdd/test_c/source/1P0A1.png": blurred.astype(np.uint16) * 257,
        "dpdd/test_c/target/1P0A2.png": sharp.astype(np.uint16) * 257,
        "lfdof/input/IMG_1/IMG_1_ap1_00.png": blurred, "lfdof/ground_truth/IMG_1.png": sharp,
        "realdof/source/01.png": blurred, "realdof/target/01.png": sharp,
        "realistic/image/0/image_01.png": blurred, "realistic/GT/sharp_01.png": sharp,
        "realistic/image/0/image_02.png": blurred, "realistic/GT/sharp_02.png": sharp,
        "ded/image/image_1.jpg": blurred, "ded/sharp/a_1.jpg": sharp, "ded/filtered/defocus_filterd_1.png": level,
        "syndof/image/x.png": blurred, "syndof/sharp/x.png": sharp,
        "syndof/blur_map/x.png": np.repeat((10 * sigma).astype(np.uint16)[..., None], 3, 2),
        "pairs_csv/left/a.png": blurred, "pairs_csv/right/b.png": sharp,
        "flat/a_blur.png": blurred, "flat/a_sharp.png": sharp,
        "stereo/Aloe/im0.png": sharp, "cuhk/out_of_focus1.jpg": blurred,
    }  # fmt: skip
    for name, levels in pictures.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if levels.dtype == np.uint16 and levels.ndim == 3:
            path.write_bytes(cv2.imencode(".png", levels)[1].tobytes())
        else:
            Image.fromarray(levels).save(path)
    maps = root / "realistic" / "gt" / "0"
    maps.mkdir(parents=True)
    savemat(maps / "map_01.mat", {"blurMap": sigma[:, :60]})
    np.save(maps / "map_02.npy", sigma[:, :60])
    disparity = np.tile(np.linspace(10, 60, 64, dtype="<f4"), (48, 1))
    (root / "stereo" / "Aloe" / "disp0.pfm").write_bytes(b"Pf\n64 48\n-1.0\n" + disparity.tobytes())
    (root / "pairs_csv" / "pairs.csv").write_text("blurred,sharp\nleft/a.png,right/b.png\n", encoding="utf-8")
    (root / "sample").mkdir()
    (root / "sample" / "recipes.csv").write_text(RECIPES, encoding="utf-8")
    return sorted(path for path in root.iterdir() if path.is_dir())


def damaged(data: bytes, generator: np.random.Generator) -> bytes:
    """A file's bytes with one kind of damage."""
    levels = np.frombuffer(data, np.uint8).copy()
    start, end = sorted(int(place) for place in generator.integers(0, len(data) + 1, 2))
    match int(generator.integers(6)):
        case 0:
            places = generator.integers(0, len(data), int(generator.integers(1, 65)))
            levels[places] ^= np.uint8(1) << generator.integers(0, 8, len(places), np.uint8)
        case 1:  # near the beginning, where sizes and offsets stand
            places = generator.integers(0, min(len(data), 128), int(generator.integers(1, 9)))
            levels[places] = generator.integers(0, 256, len(places), np.uint8)
        case 2:
            return data[:start]
        case 3:
            header = HEADERS[int(generator.integers(len(HEADERS)))]
            return header + data[len(header) :]
        case 4:
            levels[start:end] = 0
        case 5:
            return data[:end] + data[start:]
    return levels.tobytes()


def pack(folder: Path, archive: Path) -> Path:
    """Pack a folder by the archive's ending."""
    made = shutil.make_archive(str(archive.with_suffix("")), ARCHIVES[archive.suffix], folder.parent, folder.name)
    return Path(made)


def attack(archive: Path, folder: Path, outside: Path, generator: np.random.Generator) -> Path:
    """A zip or tar of a data set with one more member, which is to land outside its folder or to fill the disk."""
    up = "../" * int(generator.integers(1, 7))
    names = [f"{up}evil.png", f"{outside}/evil.png", f"..\\{up}evil.png", "C:\\evil.png", f"own/{up}{up}evil.png"]
    name = names[int(generator.integers(len(names)))]
    pack(folder, archive)
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "a", zipfile.ZIP_DEFLATED) as packed:
            kind = int(generator.integers(3))
            member = zipfile.ZipInfo(name if kind else "own/link")
            if kind == 0:
                member.external_attr = 0o120777 << 16
            packed.writestr(member, f"{outside}/evil.png")
        return archive
    with tarfile.open(archive, "a") as packed:
        tar = tarfile.TarInfo(name)
        tar.type = (tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE)[int(generator.integers(4))]
        if tar.type != tarfile.REGTYPE:
            tar.name, tar.linkname = "own/link", f"{outside}/evil.png"
        packed.addfile(tar)
    return archive


def bomb(archive: Path) -> Path:
    """A zip of 100 MB of nothing."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("own/blurred/a.png", bytes(100_000_000))
    return archive


def cases(arena: Path, sets: list[Path], count: int, seed: int) -> Iterator[tuple[str, Path, list[str]]]:
    """Kind and path of each file and the names that lie in it; it is there until the next is asked for."""
    generator = np.random.default_rng(seed)
    for number in range(count):
        place = arena / "in" / f"case{number:04d}"
        source = sets[int(generator.integers(len(sets)))]
        folder = Path(shutil.copytree(source, place / source.name))
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        victim = files[int(generator.integers(len(files)))]
        kind = KINDS[int(generator.integers(len(KINDS)))]
        archive = place / f"{source.name}{list(ARCHIVES)[int(generator.integers(len(ARCHIVES)))]}"
        if kind in ("picture or map", "folder", "file in archive"):
            victim.write_bytes(damaged(victim.read_bytes(), generator))
        match kind:
            case "picture or map":
                path = victim
            case "folder":
                path = folder
            case "file in archive":
                path = pack(folder, archive)
            case "archive":
                path = pack(folder, archive)
                path.write_bytes(damaged(path.read_bytes(), generator))
            case _:
                ending = (".zip", ".tar")[int(generator.integers(2))]
                path = attack(place / f"{source.name}{ending}", folder, arena / "outside", generator)
        yield kind, path, [file.stem for file in files]
        shutil.rmtree(place)
    place = arena / "in" / "bomb"
    place.mkdir(parents=True)
    yield "attack", bomb(place / "own.zip"), []
    shutil.rmtree(place)


def _judge(kind: str, path: Path, names: list[str], report: FolderReport, counts: Counts) -> None:
    """Count one report."""
    counts.verdicts[("nothing wrong", "something wrong", "not recognised")[report.exit_code]] += 1
    if kind == "attack" and report.exit_code != 1:
        counts.faults["attacks let through"].append(f"{path}: {report.text()}")
    known = [path.name, *names]
    told = [f"{problem.scene} {problem.reason}" for problem in report.problems]
    if report.exit_code and (
        path.name not in report.text() or not all(any(name in line for name in known) for line in told)
    ):
        counts.faults["refusals that name no file"].append(f"{path}: {report.text()}")


def fuzz(arena: Path, count: int, seed: int) -> Counts:
    """Check ``count`` damaged files, made in ``arena``, an empty folder."""
    counts = Counts("crashes", "files outside", "attacks let through", "refusals that name no file")
    sets = write_sets(arena / "sets")
    temporary, before_all = arena / "tmp", tempfile.tempdir
    for folder in (temporary, arena / "in", arena / "outside"):
        folder.mkdir()
    known = set(arena.rglob("*"))
    tempfile.tempdir = str(temporary)  # where archives are unpacked
    try:
        for kind, path, names in tqdm(cases(arena, sets, count, seed), total=count + 1, unit="file", disable=None):
            counts.kinds[kind] += 1
            inputs = set((arena / "in").rglob("*"))
            try:
                with contextlib.redirect_stderr(io.StringIO()):
                    _judge(kind, path, names, check_folder(path), counts)
            except DataError as error:
                counts.faults["refusals that name no file"].append(f"{path}: left the check: {error}")
            except Exception as error:  # the very thing that is looked for
                counts.faults["crashes"].append(f"{kind} {path}: {type(error).__name__}: {error}")
            strays = set(arena.rglob("*")) - known - inputs
            counts.faults["files outside"] += [f"{path}: {stray}" for stray in strays]
            known |= strays
    finally:
        tempfile.tempdir = before_all
    return counts


def main() -> None:
    """Fuzz and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as arena:
        print(fuzz(Path(arena), arguments.files - 1, arguments.seed).text())


if __name__ == "__main__":
    main()
