"""reports/report.html in a browser, at the widths of a desk and of a phone: it asks for nothing and scrolls one way."""

from pathlib import Path

import numpy as np
import pytest

from sftdec.evaluation.evaluate import summarise
from sftdec.experiments.tables.documents import read_documents
from sftdec.reporting.gallery import Gallery
from sftdec.reporting.report import Material, write_report
from tests.evaluation.scenes import halfway, make_curve, make_patches, make_per_image, make_scene, make_scenes
from tests.services.browser import SECONDS, Page
from tests.services.servers import wait_until

pytestmark = pytest.mark.services
PUBLISHED = Path(__file__).parents[2] / "reports"
LEFT_CUT = "getComputedStyle(document.querySelector('.stage .before')).clipPath"
MARKED = "document.querySelector('.toc [aria-current]')?.innerText"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of all parts, with the tables that are committed and a name that is hard to break."""
    folder = tmp_path_factory.mktemp("page")
    index = make_scenes(folder / "scenes", ("train", "test", "test"))
    make_patches(folder / "patches", index)
    table = make_per_image([1.0, 0.5])
    gallery = Gallery(folder / "figures")
    for number, name in enumerate(table["scene"]):
        scene = make_scene(f"{name}{'unbreakable' * 8 * number}", seed=number)
        table.loc[number, "scene"] = scene.name
        gallery(scene, halfway(scene), np.asarray(scene.defocus))
    write_report(
        folder / "report.html",
        Material(
            metrics=summarise(table),
            per_image=table,
            curves={"s1": make_curve()},
            comparisons=gallery.comparisons,
            figures=gallery.folder,
            scenes=folder / "scenes",
            patches=folder / "patches",
            documents=read_documents(PUBLISHED),
            published=PUBLISHED,
            lineage={"weights": "ab" * 32},
        ),
    )
    return folder / "report.html"


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_all_parts_fit_the_width_even_unfolded_and_nothing_is_asked_of_anyone(
    file: Path, page: Page, width: int, height: int
) -> None:
    page.open(file.as_uri(), width, height)
    page.wait_for("How it was made", "SFT-Dec on sample")
    page.run("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.run("document.scrollingElement.scrollWidth <= innerWidth")
    beyond = (
        "[...document.querySelectorAll('section > *, section h3, .card, .stage, figcaption, summary')]"
        ".filter(e => e.getBoundingClientRect().right > innerWidth + 0.5).map(e => e.outerHTML.slice(0, 120))"
    )
    assert page.run(beyond) == []
    wider = (
        "[...document.querySelectorAll('table')].filter(e => e.scrollWidth > e.parentElement.clientWidth)"
        ".map(e => [e.scrollWidth, e.parentElement.clientWidth, e.innerText.slice(0, 80)])"
    )
    assert page.run(wider) == []
    assert page.run("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert {address for address in page.requested if not address.startswith(("data:", "about:"))} == {file.as_uri()}


def test_a_slider_follows_the_keys_and_the_contents_follow_the_reader(file: Path, page: Page) -> None:
    page.open(file.as_uri(), 390, 844)
    page.wait_for("Before and after")
    before = page.run(LEFT_CUT)
    page.run("document.querySelector('.stage input').focus()")
    for kind in ("rawKeyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key="Home", code="Home", windowsVirtualKeyCode=36)
    assert before != page.run(LEFT_CUT) and "100%" in page.run(LEFT_CUT)
    for link, here in (("data", "Data"), ("making", "How it was made")):
        page.run(f"document.querySelector('.toc a[href=\"#{link}\"]').click()")
        wait_until(lambda here=here: page.run(MARKED) == here, f"the contents mark {here}", SECONDS)
        assert page.run("Math.abs(document.querySelector('.toc').getBoundingClientRect().top) < 1")
