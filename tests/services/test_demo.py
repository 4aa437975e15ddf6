"""`sftdec demo` in a browser: a photo given, looked at and taken home again; and what the page says to other files."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image, ImageFilter
from skimage import data

from sftdec.registry import register, set_champion
from sftdec.tracking import read_settings
from tests.services.browser import Page
from tests.services.servers import Process, base_environment, running, wait_until
from tests.tiny import tiny_weights
from tests.tracking.recorded import free_port

pytestmark = pytest.mark.services
SCREENSHOTS = "SFTDEC_SCREENSHOTS"  # the folder that gets the pictures, such as docs
FORMATS = "JPEG, PNG, TIFF, WebP, AVIF, HEIC, BMP or JPEG 2000"
SAMPLE = Path(__file__).parents[2] / "src/sftdec/demo/page/bee.jpg"
WIDTHS = {"desktop": (1280, 620), "phone": (390, 844)}


@dataclass(frozen=True)
class Demo:
    """A running page, and the project and temporary folder that it has."""

    address: str
    project: Path
    temporary: Path
    process: Process

    @property
    def photos_here(self) -> set[Path]:
        return set(self.temporary.glob("sftdec-demo-*/*"))


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The page in a project whose registry has a champion."""
    project, temporary = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("temporary")
    settings = read_settings(project, {})
    version = register(tiny_weights(project / "tiny.safetensors"), None, {}, project, settings=settings)
    set_champion(version, "the first one", {}, project, settings, allow_dirty=True)
    port = free_port()
    command = [sys.executable, "-m", "sftdec.cli", "demo", "--no-browser", "--port", str(port), "--model", "builtin"]
    environment = base_environment(TMPDIR=str(temporary))
    with running(command, project, environment, "demo.log") as process:
        process.wait_for(f"http://127.0.0.1:{port}/page/demo.css")
        yield Demo(f"http://127.0.0.1:{port}", project, temporary, process)


@pytest.fixture
def page(page: Page) -> Iterator[Page]:
    yield page
    hosts = {urlsplit(address).hostname for address in page.requested if address.startswith("http")}
    assert hosts == {"127.0.0.1"}  # nothing was asked of anyone else
    assert {urlsplit(address).scheme for address in page.requested} <= {"http", "blob", "data", "about"}


@pytest.fixture
def coffee(tmp_path: Path) -> Path:
    """A photo that is out of focus and lies on its side, as cameras write it."""
    path, exif = tmp_path / "Kaffee & Löffel.jpg", Image.Exif()
    exif[0x0112] = 6  # to be shown rotated by 90° clockwise
    photo = Image.fromarray(data.coffee()).resize((480, 320)).filter(ImageFilter.GaussianBlur(1.4))
    photo.transpose(Image.Transpose.ROTATE_90).save(path, quality=93, exif=exif, dpi=(300, 300))
    return path


def by_command(photo: Path, folder: Path, model: str, demo: Demo, *wished: str) -> Path:
    """The folder of what ``sftdec deblur`` makes of the photo."""
    command = [sys.executable, "-m", "sftdec.cli", "deblur", str(photo), "-o", str(folder), "--map", "--model", model]
    command += wished
    subprocess.run(command, cwd=demo.project, env=base_environment(), check=True, capture_output=True)
    return folder


def shot(page: Page, name: str, tmp_path: Path) -> None:
    page.screenshot(Path(os.environ.get(SCREENSHOTS) or tmp_path) / name, colours=None)


def test_a_photo_is_given_compared_and_taken_home_as_the_command_writes_it(
    demo: Demo, page: Page, coffee: Path, tmp_path: Path
) -> None:
    expected = by_command(coffee, tmp_path / "expected", "builtin", demo)
    page.open(demo.address, *WIDTHS["desktop"])
    page.give("#file", coffee)
    page.wait_for("Download photo", "480 × 320 px", "Built-in model", coffee.name)
    page.drag("#stage", 0.5, 0.25)
    assert float(page.run("document.querySelector('#cut').value")) == pytest.approx(25, abs=1)
    widths = [
        page.run(f"document.querySelector('#{name}').getBoundingClientRect().width") for name in ("stage", "line")
    ]
    clipped = str(page.run("getComputedStyle(document.querySelector('#before')).clipPath"))
    hidden = float(clipped.split()[1].removesuffix("px"))
    assert hidden == pytest.approx(0.75 * widths[0], abs=3)  # three quarters of "before" are cut off
    assert page.run("document.querySelector('#after').naturalWidth") == 480
    page.click("Defocus map")
    assert page.run("getComputedStyle(document.querySelector('#map')).opacity") == "0.6"
    assert page.run("document.querySelector('#map').naturalWidth") == 480
    page.wait_for("blur in px (σ)")
    assert page.run("document.querySelector('#ticks').lastChild.textContent") == "6"
    for selector, file in (("#download", coffee.name), ("#download-map", f"{coffee.stem}_defocus.png")):
        got = page.download(selector, tmp_path / selector.removeprefix("#"))
        assert got.name == file and got.read_bytes() == (expected / file).read_bytes()


def test_a_registered_version_can_be_chosen(demo: Demo, page: Page, coffee: Path, tmp_path: Path) -> None:
    expected = by_command(coffee, tmp_path / "expected", "models:/sft-dec@champion", demo)
    page.open(demo.address, *WIDTHS["phone"])
    page.wait_for("Version 1 · challenger · champion")
    page.give("#file", coffee)
    page.wait_for("Download photo", "Built-in model ·")
    page.run(CHOOSE.format(model="models:/sft-dec/1"))
    page.click("Deblur like this")
    page.wait_for("Version 1 · challenger · champion · ")
    assert page.run("document.documentElement.scrollWidth") <= WIDTHS["phone"][0]
    got = page.download("#download", tmp_path / "got")
    assert got.read_bytes() == (expected / coffee.name).read_bytes()


def test_strength_and_place_are_chosen_and_give_what_the_command_writes(
    demo: Demo, page: Page, coffee: Path, tmp_path: Path
) -> None:
    grey = Image.linear_gradient("L").resize((320, 480))  # as the photo is to be seen: it lies on its side
    grey.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "mask.png")
    wished = ["--strength", "0.5", "--only", "blurred", "--mask", str(tmp_path / "mask.png")]
    expected = by_command(coffee, tmp_path / "expected", "builtin", demo, *wished)
    page.open(demo.address, *WIDTHS["desktop"])
    page.give("#file", coffee)
    page.wait_for("Download photo")
    page.run(SET.format(id="strength", value="50"))
    page.wait_for("50 %", "Deblur like this")
    page.run(SET.format(id="only", value="blurred"))
    page.give("#mask", tmp_path / "mask.png")
    page.click("Deblur like this")
    page.wait_for("Other photos")
    got = page.download("#download", tmp_path / "got")
    assert got.read_bytes() == (expected / coffee.name).read_bytes()


SET = """(() => {{
    const chosen = document.querySelector('#{id}');
    chosen.value = '{value}';
    chosen.dispatchEvent(new Event('input'));
}})()"""
CHOOSE = """(() => {{
    const select = document.querySelector('#model');
    select.value = '{model}';
    select.dispatchEvent(new Event('input'));
}})()"""


def test_the_sample_is_looked_at_closely_and_a_part_of_it_painted(demo: Demo, page: Page, tmp_path: Path) -> None:
    page.open(demo.address, 1280, 760)
    page.click("Try a sample")
    page.wait_for("Download photo", "1620 × 1280 px")
    page.click("100 %")
    page.drag("#stage", 0.85, 0.45)
    shot(page, "demo.png", tmp_path)
    page.click("200 %")
    assert page.run("document.querySelector('#after').getBoundingClientRect().width") == 2 * 1620
    page.click("400 %")
    assert page.run("document.querySelector('#after').getBoundingClientRect().width") == 4 * 1620
    page.click("Fit")
    page.click("Paint a mask")
    page.drag("#stage", 0.5, 0.6)
    page.wait_for("Deblur like this")
    page.click("Deblur like this")
    page.wait_for("Other photos")
    given, got = (Image.open(each) for each in (SAMPLE, page.download("#download", tmp_path / "got")))
    changed = (np.abs(np.asarray(given).astype(int) - np.asarray(got)).max(-1) > 24).mean(1)  # JPEG written anew
    assert changed[:400].max() == 0 < changed[600:700].max()  # the drag went along the middle


def test_several_photos_are_deblurred_one_after_the_other(demo: Demo, page: Page, coffee: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    Image.open(coffee).rotate(180).save(other)
    (tmp_path / "no photo.jpg").write_text("a text")
    page.open(demo.address, *WIDTHS["phone"])
    page.give("#file", coffee, tmp_path / "no photo.jpg", other)
    page.wait_for("Download photo", "no photo.jpg: found 6 bytes")
    wait_until(lambda: page.run("document.querySelectorAll('#row .done').length") == 2, "both are deblurred")
    assert coffee.name in page.text().split("Download")[0]
    page.click("other.png")
    page.wait_for("other.png · 320 × 480 px")
    assert page.download("#download", tmp_path / "got").name == "other.png"
    assert page.run("document.documentElement.scrollWidth") <= WIDTHS["phone"][0]
    shot(page, "demo-phone.png", tmp_path)


def test_other_files_get_a_sentence_and_the_page_goes_on(demo: Demo, page: Page, coffee: Path, tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("notes.txt", "empty.jpg", "huge.png")}
    files["notes.txt"].write_text("hello, this is a text")
    files["empty.jpg"].touch()
    Image.new("1", (10_000, 6_000)).save(files["huge.png"])
    page.open(demo.address, *WIDTHS["phone"])
    for name, sentence in (
        ("notes.txt", f"found 21 bytes that are no picture, expected {FORMATS}"),
        ("empty.jpg", f"found an empty file, expected {FORMATS}"),
        ("huge.png", "found 10000×6000 px, 60 megapixels, expected 25 at most"),
    ):
        page.give("#file", files[name])
        page.wait_for(f"{name}: {sentence}", "Choose photos")
    shot(page, "demo-refusal.png", tmp_path)
    page.give("#file", coffee)
    page.wait_for("Download photo")
    assert "expected" not in page.text()


def test_a_photo_goes_when_its_visitor_goes(demo: Demo, page: Page, coffee: Path) -> None:
    before = demo.photos_here  # of browsers that were killed
    page.open(demo.address)
    page.give("#file", coffee)
    page.wait_for("Download photo")
    (mine,) = demo.photos_here - before
    page.open("about:blank")
    wait_until(lambda: not mine.exists(), "the photo is deleted")


def test_stopping_leaves_nothing(tmp_path: Path) -> None:
    environment = base_environment(TMPDIR=str(tmp_path))
    command = [sys.executable, "-m", "sftdec.cli", "demo", "--no-browser", "--port", str(port := free_port())]
    with running([*command, "--model", "builtin"], tmp_path, environment, "demo.log") as process:
        process.wait_for(f"http://127.0.0.1:{port}/page/demo.css")
        assert list(tmp_path.glob("sftdec-demo-*"))
        os.kill(process.pid, 15)
        wait_until(lambda: not list(tmp_path.glob("sftdec-demo-*")), "the folder is deleted")
    assert "Traceback" not in (tmp_path / "demo.log").read_text()
