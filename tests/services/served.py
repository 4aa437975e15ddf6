"""The registered model behind a real ``mlflow models serve``, and requests for it, good ones and bad ones."""

import base64
import io
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from PIL import Image

from sftdec.deblurrer import Deblurrer
from sftdec.registry import MODEL, register, set_champion
from sftdec.tracking import read_settings
from tests.services.servers import Process, base_environment, running
from tests.tracking.recorded import free_port

JSON = "application/json"
CLIENTS = 4
SIZES = ((48, 64), (96, 72), (160, 120), (33, 57))  # px, height and width


@dataclass(frozen=True)
class Answer:
    status: int
    body: str

    @property
    def message(self) -> str:
        try:
            return str(json.loads(self.body)["message"])
        except (ValueError, KeyError, TypeError):
            return self.body


@dataclass(frozen=True)
class Bad:
    """A request that has to be refused: its body, the status, and words that have to be in the answer."""

    body: bytes
    words: str
    status: int = 400
    kind: str = JSON


@dataclass(frozen=True)
class Good:
    """A request and what it has to be answered."""

    body: bytes
    image: np.ndarray
    defocus: np.ndarray


@dataclass(frozen=True)
class Served:
    port: int
    process: Process

    def ask(self, body: bytes, kind: str = JSON) -> Answer:
        address = f"http://127.0.0.1:{self.port}/invocations"
        request = urllib.request.Request(address, body, {"Content-Type": kind})
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:
                return Answer(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.read().decode())

    def memory(self) -> int:
        """Resident bytes of the process that deblurs: the largest of those that the command started."""
        parent = psutil.Process(self.process.pid)
        return max(each.memory_info().rss for each in [parent, *parent.children(recursive=True)])

    def is_right(self, request: Good | Bad) -> bool:
        """Whether the service answers a request as it has to."""
        if isinstance(request, Bad):
            answer = self.ask(request.body, request.kind)
            return answer.status == request.status and request.words in answer.message
        answer = self.ask(request.body)
        if answer.status != 200:
            return False
        (row,) = json.loads(answer.body)["predictions"]
        same = np.array_equal(opened(row["deblurred"]), request.image)
        return same and np.array_equal(opened(row["defocus"]), request.defocus)

    def all_right(self, requests: list[Good | Bad]) -> list[bool]:
        """Of each request, sent by several clients at once, whether it was answered as it has to be."""
        with ThreadPoolExecutor(CLIENTS) as clients:
            return list(clients.map(self.is_right, requests))


@contextmanager
def serving(weights: Path, root: Path, **environment: str) -> Iterator[Served]:
    """The weights as the champion of a registry in ``root``, served from there."""
    settings = read_settings(root, {})
    version = register(weights, None, {}, root, settings=settings)
    set_champion(version, "the first one", {}, root, settings, allow_dirty=True)
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", f"models:/{MODEL}@champion"]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    variables = base_environment(MLFLOW_TRACKING_URI=settings.uri, **environment)
    with running(command, root, variables, "serve.log") as process:
        process.wait_for(f"http://127.0.0.1:{port}/ping")
        yield Served(port, process)


def good_requests(weights: Path, count: int, seed: int = 0) -> list[Good]:
    """Photos of several sizes, PNG and JPEG in turn, and what ``Deblurrer`` makes of each in this process."""
    deblurrer, generator, made = Deblurrer.load(weights), np.random.default_rng(seed), []
    for number in range(count):
        height, width = SIZES[number % len(SIZES)]
        coarse = generator.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
        photo = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        content = written(photo, ("PNG", "JPEG")[number // len(SIZES) % 2])
        image, defocus = deblurrer(np.asarray(Image.open(io.BytesIO(content))))
        made.append(Good(records(content), image, np.rint(defocus * 65535).astype(np.uint16)))
    return made


def bad_requests() -> dict[str, Bad]:
    """One of each kind."""
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    text, png, jpeg = b"hello, this is a text", written(photo, "PNG"), written(photo, "JPEG")
    grey = written(Image.new("L", (64, 32), 255), "PNG")
    moving = written(photo, "GIF", save_all=True, append_images=[photo.rotate(90)])
    large = written(Image.new("1", (10_000, 10_000)), "PNG")
    bomb = written(Image.new("1", (14_000, 14_000)), "PNG")
    return {
        "no image": Bad(records(text), "found 21 bytes that are no picture"),
        "a cut JPEG": Bad(records(jpeg[:-200]), "corrupt or cut short"),
        "100 megapixels": Bad(records(large), "100 megapixels, expected 25 at most"),
        "100 megapixels and a higher wish": Bad(records(large, {"max_megapixels": 200.0}), "expected 25 at most"),
        "a bomb": Bad(records(bomb), "196 megapixels, expected 25 at most"),
        "an animated GIF": Bad(records(moving), "found a GIF, expected PNG, JPEG, TIFF or WebP"),
        "no base64": Bad(table([{"image": "§"}]), "is not base64"),
        "no JSON": Bad(b'{"dataframe_records": [', "valid JSON"),
        "an empty body": Bad(b"", "valid JSON"),
        "a JSON list": Bad(b"[1]", "Received a list"),
        "another field": Bad(json.dumps({"image": "x"}).encode(), "exactly one of the input fields"),
        "no column image": Bad(table([{"photo": encoded(png)}]), "missing inputs ['image']"),
        "no row": Bad(table([]), "missing inputs ['image']"),
        "a number": Bad(table([{"image": 5}]), "is int, expected a base64 string"),
        "nothing": Bad(table([{"image": None}]), "is NoneType, expected a base64 string"),
        "a list": Bad(table([{"image": [encoded(png)]}]), "is list, expected a base64 string"),
        "a bad second row": Bad(table([{"image": encoded(png)}, {"image": "aGVsbG8="}]), "row 1 of column 'image'"),
        "a limit of text": Bad(records(png, {"max_megapixels": "x"}), "Invalid parameters found"),
        "a limit of NaN": Bad(records(png, {"max_megapixels": float("nan")}), "expected a number above 0"),
        "a strength of text": Bad(records(png, {"strength": "x"}), "Invalid parameters found"),
        "a strength out of range": Bad(records(png, {"strength": 3.0}), "strength: found 3, expected 0 to 1.5"),
        "another place": Bad(records(png, {"only": "subject"}), "only: found 'subject'"),
        "a mask of another size": Bad(table([{"image": encoded(png), "mask": encoded(grey)}]), "mask: found (32, 64)"),
        "a plain text": Bad(records(png), "only supports the following content types", 415, "text/plain"),
    }


def table(rows: list[dict[str, Any]], params: Mapping[str, object] | None = None) -> bytes:
    return json.dumps({"dataframe_records": rows} | ({"params": params} if params else {})).encode()


def records(content: bytes, params: Mapping[str, object] | None = None) -> bytes:
    """The request for one photo."""
    return table([{"image": encoded(content)}], params)


def encoded(content: bytes) -> str:
    return base64.b64encode(content).decode()


def opened(text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def written(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)  # type: ignore[arg-type]
    return buffer.getvalue()


def mixed(good: list[Good], count: int) -> list[Good | Bad]:
    """``count`` good requests among as many bad ones, each kind as often as the others, in an order that is always
    the same.
    """
    bad = list(bad_requests().values())
    requests = [*(good[n % len(good)] for n in range(count)), *(bad[n % len(bad)] for n in range(count))]
    return [requests[place] for place in np.random.default_rng(1).permutation(len(requests))]
