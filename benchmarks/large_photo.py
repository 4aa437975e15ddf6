"""A large photo through the command, Python, the service and the page: the same pixels, how long, in how much memory.

    python -m benchmarks.large_photo [--megapixels 24] [--weights FILE]

The photo is a JPEG of 3 by 2: scikit-image's coffee, enlarged, with noise. The weights (left out: a tiny network's)
become the champion of a registry of their own, which every way then uses. ``seconds``: from the start, or from asking,
to the result; ``peak``: the largest resident memory meanwhile of the process that deblurs, MiB, looked at ten times a
second. ``same``: pixels of picture and map as the command writes them as PNG; the page's files byte for byte as the
command writes them in the photo's own format. Exit code 1 where one isn't. The page needs Chromium.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from pathlib import Path
from subprocess import DEVNULL, Popen

import numpy as np
import psutil
from PIL import Image
from skimage import data

from sftdec import Deblurrer
from sftdec.registry import MODEL
from tests.services.served import opened, records, serving
from tests.services.servers import base_environment, running, wait_until
from tests.tiny import tiny_weights
from tests.tracking.recorded import free_port

CHAMPION = f"models:/{MODEL}@champion"


def photo(megapixels: float, folder: Path) -> Path:
    """Write the photo and return its path."""
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    large = Image.fromarray(data.coffee()).resize((height * 3 // 2, height), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(0).integers(-4, 5, (height, height * 3 // 2, 3), np.int16)
    path = folder / "photo.jpg"
    Image.fromarray((np.asarray(large) + noise).clip(0, 255).astype(np.uint8)).save(path, quality=92)
    return path


class Watched:
    """Of a process or one of its children: ``seconds`` that pass, and the largest resident memory, ``peak`` bytes."""

    def __init__(self, pid: int) -> None:
        self.seconds, self.peak, self._pid, self._over = 0.0, 0, pid, threading.Event()

    def __enter__(self) -> "Watched":
        self._started, self._thread = time.monotonic(), threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.seconds = time.monotonic() - self._started
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.1):
            try:
                parent = psutil.Process(self._pid)
                sizes = [each.memory_info().rss for each in [parent, *parent.children(recursive=True)]]
            except psutil.NoSuchProcess:
                return
            self.peak = max(self.peak, *sizes)


def by_command(path: Path, root: Path, *more: str) -> tuple[Watched, Path]:
    """The folder with what ``sftdec deblur`` makes of the photo."""
    folder = root / "-".join(["command", *more])
    command = [sys.executable, "-m", "sftdec.cli", "deblur", str(path), "-o", str(folder), "--map", "--model", CHAMPION]
    process = Popen([*command, *more], cwd=root, env=base_environment(), stdout=DEVNULL, stderr=DEVNULL)
    with Watched(process.pid) as watched:
        if process.wait():
            raise SystemExit(f"{command} ended with {process.returncode}")
    return watched, folder


def by_service(path: Path, weights: Path, root: Path) -> tuple[Watched, np.ndarray, np.ndarray]:
    """The service's picture and map."""
    with serving(weights, root, MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT="3600") as served:
        body = records(path.read_bytes())
        with Watched(served.process.pid) as watched:
            answer = served.ask(body)
        if answer.status != 200:
            raise SystemExit(f"the service answered {answer.status}: {answer.message}")
        (row,) = json.loads(answer.body)["predictions"]
        return watched, opened(row["deblurred"]), opened(row["defocus"])


def by_page(path: Path, root: Path) -> tuple[Watched, bytes, bytes]:
    """The files that the page gives to take home."""
    from tests.services.browser import browser

    port = free_port()
    command = [sys.executable, "-m", "sftdec.cli", "demo", "--no-browser", "--port", str(port), "--model", CHAMPION]
    with running(command, root, base_environment(), "demo.log") as process, tempfile.TemporaryDirectory() as profile:
        process.wait_for(f"http://127.0.0.1:{port}/page/demo.css")
        with browser(Path(profile)) as page:
            page.open(f"http://127.0.0.1:{port}", 1280, 800)
            with Watched(process.pid) as watched:
                page.give("#file", path)
                shown = "['#message', '#result'].some(part => !document.querySelector(part).hidden)"
                wait_until(lambda: bool(page.run(shown)), "the page has a result or says what is wrong", 3600)
            if message := page.run("document.querySelector('#message').innerText.trim()"):
                raise SystemExit(f"the page says: {message}")
            files = [page.download(f"#{name}", root / name) for name in ("download", "download-map")]
    return watched, files[0].read_bytes(), files[1].read_bytes()


def by_python(path: Path, weights: Path) -> tuple[Watched, np.ndarray, np.ndarray]:
    """``Deblurrer``'s picture and map, the map as 16-bit levels; its memory is this process's."""
    with Watched(os.getpid()) as watched:
        image, defocus = Deblurrer.load(weights)(np.asarray(Image.open(path)))
    return watched, image, np.rint(defocus * 65535).astype(np.uint16)


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, default=24.0, help="(default: %(default)s)")
    parser.add_argument("--weights", type=Path, help="a weights file (default: a tiny network's)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        weights = (arguments.weights or tiny_weights(root / "tiny.safetensors")).resolve()
        path = photo(arguments.megapixels, root)
        print(f"{'':>10} {'seconds':>8} {'peak MiB':>9} {'same':>5}", flush=True)
        served, *by_served = by_service(path, weights, root)  # first, since it registers the champion
        command, written = by_command(path, root, "--format", "png")
        _, files = by_command(path, root)
        expected = [np.asarray(Image.open(written / name)) for name in ("photo.png", "photo_defocus.png")]
        print_way("command", command)
        same = [print_way("service", served, _same(by_served, expected))]
        page, *downloaded = by_page(path, root)
        names = ("photo.jpg", "photo_defocus.png")
        same.append(print_way("page", page, downloaded == [(files / name).read_bytes() for name in names]))
        called, *by_call = by_python(path, weights)
        same.append(print_way("Python", called, _same(by_call, expected)))
    sys.exit(0 if all(same) else 1)


def _same(found: list[np.ndarray], expected: list[np.ndarray]) -> bool:
    return all(np.array_equal(mine, theirs) for mine, theirs in zip(found, expected, strict=True))


def print_way(name: str, watched: Watched, same: bool | None = None) -> bool | None:
    """A line of the table; ``same`` is None for what the others are compared with. Returns ``same``."""
    word = {None: "", True: "yes", False: "NO"}[same]
    print(f"{name:>10} {watched.seconds:>8.1f} {watched.peak / 2**20:>9.0f} {word:>5}", flush=True)
    return same


if __name__ == "__main__":
    main()
