"""Headless Chromium on loopback, driven over its own DevTools protocol: nothing but the browser is needed."""

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.services.servers import base_environment, wait_until

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--remote-debugging-port=0",
)
SECONDS = 120.0  # that a page may take on a busy machine


def chromium() -> str | None:
    """The browser's path; None where there is none."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Page:
    """One tab. Each call waits for its answer."""

    def __init__(self, socket: Any) -> None:
        self._socket, self._number = socket, 0
        self.requested: list[str] = []  # every address that a page of this tab has asked for, or tried to

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the DevTools protocol."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv(timeout=SECONDS))
            if answer.get("method") == "Network.requestWillBeSent":
                self.requested.append(str(answer["params"]["request"]["url"]))
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def open(self, address: str, width: int = 1400, height: int = 900) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url="about:blank")  # else an address that differs behind # alone loads nothing
        self.call("Page.navigate", url=address)
        there = "true" if address == "about:blank" else "location.href !== 'about:blank'"
        loaded = f"{there} && document.readyState === 'complete'"
        wait_until(lambda: bool(self.run(loaded)), f"{address} is loaded", SECONDS)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        found = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def text(self) -> str:
        return str(self.run("document.body ? document.body.innerText : ''")).replace("\xa0", " ")

    def wait_for(self, *words: str, seconds: float = SECONDS) -> None:
        """Return once the page shows all these words."""

        def shown() -> bool:
            text = self.text()
            return all(word in text for word in words)

        try:
            wait_until(shown, f"the page shows {words}", seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it shows: {self.text()[:3000]}") from None

    def click(self, text: str) -> None:
        """Click the innermost element that is seen and has just this text."""
        script = f"""(() => {{
            const named = e => e.getClientRects().length && e.innerText?.trim() === {json.dumps(text)};
            const all = [...document.querySelectorAll('body *')].filter(named);
            const found = all[all.length - 1];
            if (found) found.click();
            return !!found;
        }})()"""
        wait_until(lambda: bool(self.run(script)), f"something to click that is called {text!r}", SECONDS)

    def press(self, label: str) -> None:
        """Press what has this label for readers of the screen."""
        self.run(f"document.querySelector({json.dumps(f'[aria-label={json.dumps(label)}]')}).click()")

    def escape(self) -> None:
        """Close what has opened over the page."""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key="Escape", code="Escape", windowsVirtualKeyCode=27)

    def give(self, selector: str, *given: Path) -> None:
        """Choose files in the form's field, as a visitor does, once it is there."""
        field = f"document.querySelector({json.dumps(selector)})"
        wait_until(lambda: bool(self.run(f"!!{field}")), selector, SECONDS)
        found = self.call("Runtime.evaluate", expression=field)["result"]["objectId"]
        self.call("DOM.setFileInputFiles", files=[str(each) for each in given], objectId=found)

    def drag(self, selector: str, start: float, end: float) -> None:
        """Drag the mouse across an element; ``start`` and ``end`` in 0..1 of its width, at half its height."""
        box = self.run(f"document.querySelector({json.dumps(selector)}).getBoundingClientRect().toJSON()")
        y, moves = box["y"] + box["height"] / 2, ("mousePressed", "mouseMoved", "mouseMoved", "mouseReleased")
        for kind, part in zip(moves, (start, (start + end) / 2, end, end), strict=True):
            x = box["x"] + box["width"] * part
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def download(self, selector: str, folder: Path) -> Path:
        """Click an element that downloads a file, and return the file once it is whole."""
        folder.mkdir(parents=True)
        self.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

        def whole() -> bool:
            return bool([path for path in folder.iterdir() if not path.name.endswith(".crdownload")])

        wait_until(whole, f"{selector} is downloaded", SECONDS)
        return next(folder.iterdir())

    def beside(self, text: str) -> list[str]:
        """What stands in one row with the first text that is just this one."""
        script = f"""(() => {{
            const written = e => [...e.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.data.trim());
            const seen = [...document.querySelectorAll('body *')].filter(e => e.getClientRects().length && written(e));
            const box = seen.find(e => e.textContent.trim() === {json.dumps(text)})?.getBoundingClientRect();
            const middle = box ? box.y + box.height / 2 : NaN;
            const across = e => (r => r.y < middle && middle < r.y + r.height)(e.getBoundingClientRect());
            return seen.filter(across).map(e => e.textContent.trim());
        }})()"""
        return list(self.run(script))

    def wait_for_pictures(self, count: int) -> None:
        """Return once that many pictures of some size are drawn, whether as images or as backgrounds (plotly)."""
        drawn = "[...document.querySelectorAll('img, image')].filter(i => i.getBoundingClientRect().width > 99).length"
        wait_until(lambda: int(self.run(drawn)) >= count, f"{count} pictures are drawn", SECONDS)

    def screenshot(self, path: Path, settle: float = 1.0, colours: int | None = 128) -> None:
        """What is seen, as PNG of few colours: a page of an interface needs no more, and a repository stays small.

        None keeps all colours, for pages with photos.
        """
        from io import BytesIO

        from PIL import Image

        time.sleep(settle)  # what moves has come to rest
        taken = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        path.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.open(BytesIO(taken)).convert("RGB")
        (picture if colours is None else picture.quantize(colours)).save(path, optimize=True)


@contextmanager
def browser(folder: Path) -> Iterator[Page]:
    """A page of a browser with an empty profile in ``folder``."""
    from websockets.sync.client import connect

    command = [str(chromium()), *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=base_environment(), start_new_session=True)
    try:
        port_file = folder / "profile" / "DevToolsActivePort"
        wait_until(lambda: port_file.is_file() and len(port_file.read_text().split()) > 1, "Chromium is up")
        with connect(_page_address(int(port_file.read_text().split()[0])), max_size=None) as socket:
            page = Page(socket)
            page.call("Page.enable")
            page.call("Network.enable")
            yield page
            page.call("Browser.close")
    finally:
        process.terminate()
        process.wait()


def _page_address(port: int) -> str:
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=SECONDS) as answer:
        pages = [target for target in json.load(answer) if target["type"] == "page"]
    return str(pages[0]["webSocketDebuggerUrl"])
