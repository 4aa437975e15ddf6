import base64
import io
import re

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sftdec.evaluation.evaluate import summarise
from sftdec.evaluation.gallery import Comparison, Gallery
from sftdec.evaluation.report import PAGE_LIMIT, write_report
from tests.evaluation.scenes import halfway, make_curve, make_per_image, make_scene


def write(path, per_image, curves=None, **parts):
    write_report(path, summarise(per_image), per_image, curves or {}, **parts)
    return path.read_text("utf-8")


def without_pictures(page):
    return re.sub(r"data:image/\w+;base64,[A-Za-z0-9+/=]+", "", page)


def noise_pair(scene, width=960):
    pictures = np.random.default_rng(0).integers(0, 256, (2, 640, width, 3), dtype=np.uint8)
    return Comparison("sample", scene, pictures[0], pictures[1])


@pytest.fixture
def gallery(tmp_path):
    gallery = Gallery(tmp_path / "figures")
    for index in range(2):
        scene = make_scene(f"sample/picture_{index}", seed=index)
        gallery(scene, halfway(scene), scene.defocus)
    return gallery


def everything(gallery):
    return {
        "curves": {"s1": make_curve(), "s2": make_curve(1200)},
        "comparisons": gallery.comparisons,
        "figures": [gallery.write_contact_sheet()],
        "params": {"train": {"batch": 16}},
        "lineage": {"weights": "ab" * 32},
        "gate": {"decision": "kept"},
    }


def test_a_page_names_every_scene_even_those_without_a_picture(tmp_path, gallery):
    table = pd.concat([make_per_image([1.0, -1.0, 0.5]), make_per_image([0.1] * 30, "many")])
    page = write(tmp_path / "report.html", table, **everything(gallery))
    assert all(scene in page for scene in table["scene"])
    assert "2 of 33 pictures are shown" in page


def test_the_figures_with_local_pooling_are_shown_where_there_are_any(tmp_path):
    table = make_per_image([1.0, 2.0])
    assert "windows" not in write(tmp_path / "without.html", table)
    table[["psnr_local_pooling", "ssim_local_pooling"]] = [[26.0, 0.8], [27.5, 0.9]]
    page = write(tmp_path / "with.html", table)
    assert "26.75 dB" in page and "+0.25" in page and "SSIM 0.8500" in page


def test_a_page_asks_nothing_of_another_host(tmp_path, gallery):
    page = without_pictures(write(tmp_path / "report.html", make_per_image([1.0, 0.5]), **everything(gallery)))
    assert "http:" not in page and "https:" not in page and "//" not in page
    assert "default-src 'none'" in page
    assert set(re.findall(r"(?:src|href|srcset)=\"([^\"]*)\"", page)) <= {"", "data:,"}


def test_the_same_arguments_give_the_same_bytes(tmp_path, gallery):
    table = make_per_image([1.0, 0.5])
    pages = [write(tmp_path / name, table, **everything(gallery)) for name in ("a.html", "b.html")]
    assert pages[0] == pages[1]


def test_the_cards_say_what_the_metrics_say(tmp_path):
    page = write(tmp_path / "report.html", make_per_image([1.0, -0.5]))
    assert "+0.25 dB" in page and "25.00 → 25.25 dB" in page
    assert "1 of 2" in page
    assert "0.1000" in page and "best constant 0.2000" in page


def test_a_network_that_makes_things_worse_is_shown_to(tmp_path):
    page = write(tmp_path / "report.html", make_per_image([-0.5]))
    assert '<div class="value worse">−0.50 dB</div>' in page


def test_a_slider_holds_the_picture_before_and_after(tmp_path, gallery):
    page = write(tmp_path / "report.html", make_per_image([1.0, 0.5]), comparisons=gallery.comparisons)
    assert page.count('type="range"') == 2
    after, before = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(code))), float)
        for code in re.findall(r"base64,([A-Za-z0-9+/=]+)", page)[:2]
    )
    pair = gallery.comparisons[0]
    assert np.abs(before - pair.blurred).mean() < np.abs(before - pair.deblurred).mean()
    assert np.abs(after - pair.deblurred).mean() < np.abs(after - pair.blurred).mean()


def test_the_parts_that_were_not_given_are_left_out(tmp_path, gallery):
    table = make_per_image([1.0, 0.5])
    headings = ("Before and after", "Training", "Close-ups", "Contact sheet", "How it was made", "Promotion")
    bare = write(tmp_path / "bare.html", table)
    full = write(tmp_path / "full.html", table, **everything(gallery))
    assert not any(heading in bare for heading in headings)
    assert all(heading in full for heading in headings)
    assert "s2: 1\u2009200 steps" in full and "batch: 16" in full and "ab" * 32 in full


def test_names_are_escaped(tmp_path):
    table = make_per_image([1.0]).assign(scene="<script>alert(1)</script>")
    assert "<script>alert" not in write(tmp_path / "report.html", table)


def test_pictures_are_reduced_until_the_page_is_small_enough(tmp_path):
    table = make_per_image([0.1] * 4)
    one = write(tmp_path / "one.html", table, comparisons=[noise_pair("sample/picture_0")])
    four = write(tmp_path / "four.html", table, comparisons=[noise_pair(name) for name in table["scene"]])
    assert len(four) < PAGE_LIMIT
    sizes = [
        Image.open(io.BytesIO(base64.b64decode(re.search(r"base64,([A-Za-z0-9+/=]+)", page)[1]))).width
        for page in (one, four)
    ]
    assert sizes[1] < sizes[0]


def test_at_most_twelve_pictures_get_a_slider(tmp_path):
    table = make_per_image([0.1] * 14)
    pairs = [noise_pair(name, width=16)._replace(blurred=np.zeros((16, 16, 3), np.uint8)) for name in table["scene"]]
    page = write(tmp_path / "report.html", table, comparisons=pairs)
    assert page.count('type="range"') == 12
    assert "12 of 14 pictures are shown" in page


def test_metrics_of_other_data_sets_than_the_tables_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\['ded'\].*\['sample'\]"):
        write_report(tmp_path / "r.html", {"ded": {}}, make_per_image([1.0]), {})
    with pytest.raises(ValueError, match="at least one"):
        write_report(tmp_path / "r.html", {}, pd.DataFrame(), {})
    assert not list(tmp_path.iterdir())


def test_a_picture_without_a_row_is_refused_by_name(tmp_path, gallery):
    with pytest.raises(ValueError, match="sample/picture_1"):
        write(tmp_path / "report.html", make_per_image([1.0]), comparisons=gallery.comparisons)
