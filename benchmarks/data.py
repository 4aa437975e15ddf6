"""Speed and memory of patches, loader, extraction and rendering, each figure beside its target.

    python benchmarks/data.py [--quick] [--parts NAME …] | --photos 100 1000 10000

Everything is made in a temporary folder (12 GB, --quick: 2 GB; TMPDIR says where) and removed again. Pictures are
1008×688 as in LFDOF. Times are wall clock, repeated, what is compared taking turns; on a machine that does other work
as well the best repetition says most, so it stands beside the median.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import psutil
from joblib.externals.loky import get_reusable_executor

from benchmarks.data_fetch import growth_of_fetch
from sftdec.datasets import Scene, read_index, write_index, write_scene
from sftdec.patches import STATISTICS, Patch, PatchStore, extract_store, lay_out
from sftdec.patches import write_index as write_patches_index
from sftdec.runtime import compute

SIZE, TRIPLE = 256, 256 * 256 * 8  # px, bytes


def show(what: str, figure: str, target: str = "") -> None:
    """Print a line of the table as soon as it is known."""
    print(f"{what:<66} {figure:>34}   {target}", flush=True)


def seconds(function: Callable[[], Any]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def rates(count: int, times: list[float]) -> str:
    """``count`` things in each of ``times``, as things a second."""
    return f"{count / np.median(times):,.0f}/s (best {count / min(times):,.0f})"


def make_scenes(root: Path, photos: int, height: int = 688, width: int = 1008) -> Path:
    """A folder of ``photos`` scenes; four are on disk, the others are the same files under other names."""
    from skimage.data import coffee

    distinct = []
    for number in range(4):
        sharp = np.roll(cv2.resize(coffee(), (width, height), interpolation=cv2.INTER_AREA), 97 * number, axis=1)
        ramp = np.linspace(0, 1, height * width, dtype=np.float32).reshape(height, width)
        blurred = cv2.GaussianBlur(sharp, (0, 0), 2.0)
        scene = Scene(f"set/{number}", "set", "train", f"{number}", 6.0, np.asarray(blurred, np.uint8), sharp, ramp)
        distinct.append(write_scene(root, scene))
    rows = [distinct[number % 4] | {"scene": f"set/{number}", "photo": str(number)} for number in range(photos)]
    write_index(root, rows)
    return root


def make_store(root: Path, patches: int, size: int) -> Path:
    """A store of noise: a few patches, many times."""
    generator = np.random.default_rng(0)

    def noise() -> Patch:
        blurred, sharp = generator.integers(0, 256, (2, size, size, 3), np.uint8)
        defocus = generator.integers(0, 65536, (size, size), np.uint16)
        return Patch("set/0", "set", 0, 0, blurred, sharp, defocus, 6.0, sharp.mean(2, dtype=np.float32))

    distinct = [noise() for _ in range(48)]
    with lay_out(root, patches, size) as files:
        files.fill((row, distinct[row % 48]) for row in range(patches))
    place = {"scene": ["set/0"] * patches, "dataset": "set", "top": 0, "left": 0}
    write_patches_index(root, pd.DataFrame(place | dict.fromkeys(STATISTICS, 1.0)), size)
    return root


def child(*arguments: object) -> dict[str, float]:
    """Run one of the functions below in a fresh process; what it prints last is its answer."""
    command = [sys.executable, __file__, "--child", *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def peak_mb() -> float:
    """The largest resident memory of this process so far, pages of mapped files included (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def read_everything(root: str) -> dict[str, float]:
    """Read every byte of a store in random order, once."""
    store = PatchStore(Path(root))
    order, total, start = np.random.default_rng(0).permutation(len(store)), 0, time.perf_counter()
    for number in order:
        total += sum(len(levels.tobytes()) for levels in store[int(number)])
    took = time.perf_counter() - start
    own = int(Path("/proc/self/smaps_rollup").read_text().split("Anonymous:")[1].split()[0]) / 1024
    return {"gb": total / 1e9, "rate": len(order) / took, "peak_mb": peak_mb(), "own_mb": own}


def extract(scenes: str, out: str, processes: str) -> dict[str, float]:
    """Extract a folder of scenes; peak memory of this process and of its largest worker."""
    import resource

    index = read_index(Path(scenes))
    with compute("joblib", None, int(processes)) as run:
        list(run(abs, [(-1,), (-2,)]))  # workers are up
        options: dict[str, Any] = {"size": 128, "stride": 96, "drop_least_sharp": 0.3}
        took = seconds(lambda: extract_store(Path(scenes), index, Path(out), run=run, **options))
    get_reusable_executor().shutdown(wait=True)
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"seconds": took, "peak_mb": peak_mb(), "worker_mb": worker}


def random_reads(folder: Path, quick: bool) -> None:
    """Random reads of 256² on one thread; the store is in the page cache."""
    store = PatchStore(make_store(folder / "reads", 400, SIZE))
    everything = PatchStore(store.root, resident=1 << 40)
    order = np.random.default_rng(1).integers(0, len(store), 2000 if quick else 20000).tolist()
    into: list[Any] = [np.empty_like(levels) for levels in store[0]]

    def look(level: int, store: PatchStore = store) -> None:
        for number in order:
            triple: tuple[Any, ...] = store[number]
            for target, levels in zip(into, triple, strict=True) if level else ():
                if level == 1:
                    levels.reshape(-1)[::2048].max()
                else:
                    np.copyto(target, levels)

    look(2, everything)
    tasks = {
        "random reads of 256² triples, warm, one thread: views": lambda: look(0),
        "  … and a value of each of their memory pages looked at": lambda: look(1),
        "  … and every byte copied": lambda: look(2),
        "  … every byte copied, and no page given back meanwhile": lambda: look(2, everything),
    }
    times = {what: [seconds(task) for _ in range(5)] for what, task in tasks.items()}
    for number, (what, found) in enumerate(times.items()):
        show(what, rates(len(order), found), "" if number else "≥ 20,000/s")
    shutil.rmtree(store.root)


def memory_of_reading(folder: Path, quick: bool) -> None:
    """Memory of a process that reads a whole store, small and large."""
    for gigabytes in (1,) if quick else (1, 10):
        root = make_store(folder / "large", round(gigabytes * 1e9 / TRIPLE), SIZE)
        found = child("read", root)
        figure = f"{found['peak_mb']:.0f} MB (anonymous {found['own_mb']:.0f})"
        what = f"peak memory of reading all of {found['gb']:.1f} GB in random order"
        show(what, figure, "< 400 MB, mapped pages too")
        show("  … every byte copied, at", f"{found['rate']:,.0f}/s")
        shutil.rmtree(root)


def loader_against_plain(folder: Path, quick: bool) -> None:
    """Crops of 256² from the loader, and by decoding, turning and cropping whole pictures; one thread each."""
    import torch
    from PIL import Image
    from scipy import ndimage

    from sftdec.params import AugmentationParams
    from sftdec.patches import CropDataset, batches

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    scenes = make_scenes(folder / "plain", 4)
    first = read_index(scenes).iloc[0]
    files = [folder / "blurred.jpg", folder / "sharp.jpg", scenes / first["defocus"]]
    for path, part in zip(files, ("blurred", "sharp"), strict=False):
        Image.open(scenes / first[part]).save(path, quality=95)
    augmentation = AugmentationParams(crop=SIZE, rotation=180.0, flips=True)
    dataset = CropDataset(PatchStore(make_store(folder / "patches", 96, 512)), augmentation, 0)
    generator = np.random.default_rng(0)

    def plain(count: int, room: int) -> None:
        for _ in range(count):
            angle, top, left = generator.uniform(-180, 180), *generator.integers(0, [688 - room + 1, 1008 - room + 1])
            for path in files:
                levels = np.asarray(Image.open(path), np.float32)
                if room < 688:
                    levels = levels[top : top + room, left : left + room]
                turned = ndimage.rotate(levels, angle, reshape=False, order=1, mode="reflect")
                middle = [(length - SIZE) // 2 for length in turned.shape[:2]]
                turned[middle[0] : middle[0] + SIZE, middle[1] : middle[1] + SIZE].copy()

    steps = 3 if quick else 12
    times: dict[str, list[float]] = {"loader": [], "cpu": [], "plain": [], "cropped first": []}
    list(batches(dataset, 0, 6, 16))
    for repetition in range(5):
        used = time.process_time()
        at = repetition * steps
        start = time.perf_counter()
        list(batches(dataset, at, at + steps, 16))
        times["loader"].append((time.perf_counter() - start) / (16 * steps))
        times["cpu"].append((time.process_time() - used) / (16 * steps))
        times["plain"].append(seconds(lambda: plain(2, 688)) / 2)
        times["cropped first"].append(seconds(lambda: plain(2, 364)) / 2)
    show("loader, crops of 256² turned ±180° and flipped, one core", rates(1, times["loader"]), "≥ 400/s")
    show("  … a second of its processor time", rates(1, times["cpu"]), "≥ 400/s")
    for name in ("plain", "cropped first"):
        ratio = np.array(times[name]) / times["loader"]
        what = {"plain": "decode, turn all by scipy.ndimage, crop", "cropped first": "decode, crop 364², turn, crop"}[
            name
        ]
        show(f"  … against: {what}", f"{rates(1, times[name])}", "")
        show("", f"{np.median(ratio):,.0f} × slower (least {ratio.min():,.0f})", "≥ 20 ×" if name == "plain" else "")
    shutil.rmtree(folder / "patches")


def render_one(recipe: Any) -> None:
    """Render one of the sample's recipes."""
    from sftdec.datasets import sample

    sample.read(recipe, 6.0)


def processor_times() -> list[float]:
    """Seconds of processor that this process and each of its workers have had."""
    process = psutil.Process()
    return [sum(each.cpu_times()[:2]) for each in (process, *process.children(recursive=True))]


def scaling(what: str, work: Callable[[Any], object], repetitions: int, target: str = "≥ 1.7 ×") -> None:
    """One process against two, taking turns; workers are up before.

    On a machine that does other work, wall time says little. So the processor's time is counted as well: two free
    cores need at least half of what all processes had together, and all of what the busiest had.
    """
    times: dict[int, list[float]] = {1: [], 2: []}
    free: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(repetitions):
        for processes in (1, 2):
            with compute("joblib", None, processes) as run:
                list(run(sum, [(range(200_000),)] * 4))
                before = processor_times()
                start = time.perf_counter()
                work(run)
                times[processes].append(time.perf_counter() - start)
                had = np.subtract(processor_times(), before)
                free[processes].append(float(had.sum() if processes == 1 else max(had.sum() / 2, had.max())))
    ratio = np.array(times[1]) / times[2]
    best = f"{min(times[1]) / min(times[2]):.2f} × (median {np.median(ratio):.2f})"
    show(f"{what}: 2 processes against 1, wall, best of each", best, target)
    show("  … by the processor's time, as on free cores", f"{np.median(free[1]) / np.median(free[2]):.2f} ×", target)


def scaling_of_both(folder: Path, quick: bool) -> None:
    """Extraction and rendering in two processes."""
    from sftdec.datasets import sample

    scenes = make_scenes(folder / "scaling", 16 if quick else 40)
    index = read_index(scenes)
    options: dict[str, Any] = {"size": SIZE, "stride": 192, "drop_least_sharp": 0.3}
    repetitions = 2 if quick else 4
    scaling("bare arithmetic", lambda run: list(run(sum, [(range(2_000_000),)] * 40)), repetitions, "what is there")
    scaling("extraction", lambda run: extract_store(scenes, index, folder / "cut", run=run, **options), repetitions)
    recipes = sample.find(Path(__file__).parents[1] / "data" / "sample").entries[: 16 if quick else 40]
    scaling("rendering", lambda run: list(run(render_one, [(each,) for each in recipes])), repetitions)
    shutil.rmtree(folder / "cut")


def growth(folder: Path, quick: bool) -> None:
    """Time and memory of extraction against the number of photos, in two processes, half the pictures' size."""
    for photos in (5, 20, 80) if quick else (10, 100, 1000):
        scenes = make_scenes(folder / f"growth{photos}", photos, 344, 504)
        found = child("extract", scenes, folder / "grown", 2)
        each = f"{found['seconds']:.1f} s, {found['seconds'] / photos * 1000:.0f} ms a photo"
        show(f"extraction of {photos} photos of 504×344: time", each, "linear")
        memory = f"{found['peak_mb']:.0f} MB, worker {found['worker_mb']:.0f} MB"
        show("  … peak memory of the process and of its largest worker", memory, "flat")
        shutil.rmtree(folder / "grown")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller, in a minute or two; not the figures to quote")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    parts = (random_reads, loader_against_plain, scaling_of_both, growth, memory_of_reading)
    names = [part.__name__ for part in parts]
    parser.add_argument("--parts", nargs="+", choices=names, default=names, help="all if left out")
    parser.add_argument("--photos", nargs="+", type=int, help="only: what fetching so many photos costs")
    arguments = parser.parse_args()
    if arguments.photos:
        growth_of_fetch(arguments.photos)
        return
    if arguments.child:
        tasks: dict[str, Callable[..., Any]] = {"read": read_everything, "extract": extract}
        print(json.dumps(tasks[arguments.child[0]](*arguments.child[1:])))
        return
    with tempfile.TemporaryDirectory(prefix="sftdec-benchmark-") as name:
        needed = (2 if arguments.quick else 12) * 1e9
        if shutil.disk_usage(name).free < needed:
            parser.error(f"{name}: {needed / 1e9:.0f} GB are needed; make room, or set TMPDIR to a larger disk")
        print(f"{psutil.cpu_count()} cores, load {psutil.getloadavg()[0]:.1f} before")
        for part in parts:
            if part.__name__ in arguments.parts:
                part(Path(name), arguments.quick)


if __name__ == "__main__":
    main()
