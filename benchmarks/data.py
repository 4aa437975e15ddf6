"""What bringing a data set into scenes costs by its size.

    python benchmarks/data.py --photos 100 1000 10000
    python benchmarks/data.py --pairs 10 [--larger 0.4]

Each number of photos is a folder of small JPEG pairs with maps, so that what is measured is what every photo costs
whatever its size; ``docs/scale.md`` has what a megapixel costs. ``--pairs`` are JPEGs of 1680×1120 px without maps, of
photos that the wheels bring: what they become on the disk, as multiples of the sources. ``--larger``: by how many
percent the sharp photo is magnified, so that the pairs have to be aligned.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from sftdec.datasets import Kept, fetch, read_index, select_scenes
from sftdec.datasets.fetching import list_dataset
from sftdec.datasets.photos import recipe_photo
from sftdec.params import FetchParams, load_params
from sftdec.patches import extract_store

SIZE = (48, 64)  # px
LARGE = (1680, 1120)  # px, width and height
PHOTOS = ("astronaut", "coffee", "chelsea", "china", "flower", "rocket", "motorcycle", "hopper")
NOISE = 2.5  # levels, of each pair's photos before they become JPEGs
ROOT = Path(__file__).parents[1]


def add_pairs(folder: Path, first: int, last: int) -> None:
    """Pairs with a map of their own below ``folder``, by numbers."""
    generator = np.random.default_rng([first, last])
    for number in range(first, last):
        coarse = generator.random((12, 16, 3), np.float32)
        sharp = np.uint8(255 * np.clip(cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC), 0, 1))
        parts = {
            "sharp": (sharp, ".jpg"),
            "blurred": (cv2.GaussianBlur(sharp, (0, 0), 1.5), ".jpg"),
            "defocus": (np.full(SIZE, 16384, np.uint16), ".png"),
        }
        for part, (levels, ending) in parts.items():
            (folder / part).mkdir(parents=True, exist_ok=True)
            Image.fromarray(levels).save(folder / part / f"p{number:07d}{ending}", quality=95)


def bytes_of(*folders: Path) -> int:
    """What folders take on the disk together; a file with two names counts once."""
    found = [each.stat() for folder in folders for each in folder.rglob("*") if each.is_file()]
    return sum({stat.st_ino: 512 * stat.st_blocks for stat in found}.values())


def measured(root: str) -> dict[str, float]:
    """One fetch in this process: its processor seconds, and those of looking at the names and headers alone."""
    import resource

    place = Path(root)
    params = FetchParams(datasets=["pairs"], sigma_max=6.0)
    start = time.process_time()
    list_dataset("pairs", params, place / "data")
    listed = time.process_time() - start
    start = time.process_time()
    fetch(params, place / "data", place / "scenes", kept=Kept(place / "kept"))
    took = time.process_time() - start
    return {"listed": listed, "took": took, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def fresh(root: Path) -> dict[str, float]:
    """As ``measured``, in a process of its own."""
    command = [sys.executable, __file__, "--child", str(root)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def growth_of_fetch(photos: list[int]) -> None:
    """Print a row a number of photos."""
    print(
        "processor seconds\nphotos   look (s)   first (s)   ms each   again (s)   one new (s)   peak (MB)   "
        "sources, scenes + kept (MB)"
    )
    for count in sorted(photos):
        with tempfile.TemporaryDirectory(prefix="sftdec-benchmark-") as name:
            root = Path(name)
            add_pairs(root / "data" / "pairs", 0, count)
            first = fresh(root)
            shutil.rmtree(root / "scenes")
            again = fresh(root)
            add_pairs(root / "data" / "pairs", count, count + 1)
            shutil.rmtree(root / "scenes")
            one = fresh(root)
            disk = [bytes_of(root / "data") / 1e6, bytes_of(root / "scenes", root / "kept") / 1e6]
            times = f"{first['listed']:10.2f} {first['took']:11.1f} {1000 * first['took'] / count:9.1f}"
            again_told = f"{again['took']:11.1f} {one['took']:13.1f} {first['peak_mb']:11.0f}"
            print(f"{count:<6} {times} {again_told}   {disk[0]:.1f}, {disk[1]:.1f}", flush=True)


def add_large_pairs(folder: Path, count: int, larger: float) -> None:
    """JPEG pairs of ``LARGE``, one for validation and one for testing; blurred from side to side."""
    magnified = cv2.getRotationMatrix2D((LARGE[0] / 2, LARGE[1] / 2), 0, 1 + larger / 100)
    draw = np.random.default_rng(0)
    ramp = np.linspace(0, 1, LARGE[0], dtype=np.float32)[None, :, None]
    for number in range(count):
        sharp = cv2.resize(recipe_photo(PHOTOS[number % len(PHOTOS)]), LARGE, interpolation=cv2.INTER_CUBIC)
        sharp = np.ascontiguousarray(sharp[:, :: 1 if number < len(PHOTOS) else -1]).astype(np.float32)
        blurred = (1 - ramp) * sharp + ramp * cv2.GaussianBlur(sharp, (0, 0), 5)
        if larger:
            sharp = cv2.warpAffine(sharp, magnified, LARGE, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        split = {0: "val", 1: "test"}.get(number, "train")
        for part, light in (("sharp", sharp), ("blurred", blurred)):
            (folder / split / part).mkdir(parents=True, exist_ok=True)
            levels = np.uint8(np.clip(light + draw.normal(0, NOISE, light.shape), 0, 255))
            Image.fromarray(levels).save(folder / split / part / f"p{number}.jpg", quality=92)


def disk_of_pairs(count: int, larger: float) -> None:
    """Print what JPEG pairs become, in MB and as a multiple of their files."""
    with tempfile.TemporaryDirectory(prefix="sftdec-benchmark-") as name:
        root = Path(name)
        add_large_pairs(root / "data" / "pairs", count, larger)
        scenes, params = root / "scenes", FetchParams(datasets=["pairs"], sigma_max=6.0)
        fetch(params, root / "data", scenes, kept=Kept(root / "kept"))
        chosen = select_scenes(read_index(scenes), "train")
        sources = bytes_of(root / "data")
        found = {"sources": sources, "scenes": bytes_of(scenes), "scenes, kept": bytes_of(scenes, root / "kept")}
        for file in ("params.yaml", "params.paper.yaml"):
            cut = load_params(ROOT / file).patches.model_dump()
            extract_store(scenes, chosen, root / file, size=cut.pop("patch_size"), **cut)
            found[f"patches, {file}"] = bytes_of(root / file)
        for what, size in found.items():
            print(f"{what:<28} {size / 1e6:8.1f} MB {size / sources:6.1f} ×", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", nargs="+", type=int, default=[100, 1000])
    parser.add_argument("--pairs", type=int, help="measure what so many large JPEG pairs take, and nothing else")
    parser.add_argument("--larger", type=float, default=0.0)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measured(arguments.child)))
    elif arguments.pairs:
        disk_of_pairs(arguments.pairs, arguments.larger)
    else:
        growth_of_fetch(arguments.photos)


if __name__ == "__main__":
    main()
