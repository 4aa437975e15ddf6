import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sftdec.datasets import write_index, write_scene
from sftdec.evaluation.evaluate import summarise
from sftdec.params import load_params
from sftdec.reporting.document import Document, Sheet
from sftdec.reporting.gallery import Comparison, Gallery
from sftdec.reporting.report import PAGE_LIMIT, Material, write_report
from tests.evaluation.scenes import halfway, make_curve, make_patches, make_per_image, make_scene, make_scenes

PARAMS = Path(__file__).parents[3] / "params.yaml"
SECTIONS = ["result", "pictures", "comparison", "ablation", "training", "data", "rows", "making"]


def document(word="first"):
    table = Sheet(["what", "verdict"], [[word, "holds"]])
    return Document(f"Table of {word}", ["A note."], {word: [table]}, [table], ["Nothing.", word])


def material(per_image, **parts):
    return Material(summarise(per_image), per_image, **parts)


def write(path, per_image, **parts):
    write_report(path, material(per_image, **parts))
    return path.read_text("utf-8")


def without_pictures(page):
    return re.sub(r"data:image/\w+;base64,[A-Za-z0-9+/=]+", "", page)


def embedded(page):
    return [base64.b64decode(code) for code in re.findall(r"data:image/\w+;base64,([A-Za-z0-9+/=]+)", page)]


def sections(page):
    return re.findall(r'<section id="(\w+)"', page)


def noise_pair(scene, width=960):
    pictures = np.random.default_rng(0).integers(0, 256, (2, 640, width, 3), dtype=np.uint8)
    return Comparison("sample", scene, *pictures, *pictures)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    gallery = Gallery(tmp_path_factory.mktemp("gallery"))
    for index in range(2):
        scene = make_scene(f"sample/picture_{index}", seed=index)
        gallery(scene, halfway(scene), scene.defocus)
    gallery.write_contact_sheet()
    return gallery


@pytest.fixture(scope="module")
def everything(tmp_path_factory, gallery):
    """All that a page can be made of."""
    from safetensors.numpy import save_file

    tmp_path = tmp_path_factory.mktemp("everything")
    make_patches(tmp_path / "patches", make_scenes(tmp_path / "scenes", ("train", "train", "test", "test")))
    published = tmp_path / "published"
    (published / "figures" / "comparison").mkdir(parents=True)
    Image.new("RGB", (20, 10)).save(published / "figures" / "comparison" / "panel_1.webp")
    save_file({"a": np.zeros((1000, 1230), np.float32)}, tmp_path / "s3.safetensors")
    return {
        "curves": {"s1": make_curve(), "s2": make_curve(1200)},
        "comparisons": gallery.comparisons,
        "figures": gallery.folder,
        "scenes": tmp_path / "scenes",
        "patches": tmp_path / "patches",
        "documents": {name: document(f"only in {name}") for name in ("table1", "table2", "table3", "readings")},
        "published": published,
        "weights": tmp_path / "s3.safetensors",
        "params": load_params(PARAMS),
        "lineage": {"weights": "ab" * 32},
    }


def test_a_page_with_everything_has_every_part_in_its_contents_and_says_what_was_run(tmp_path, everything):
    page = write(tmp_path / "report.html", make_per_image([1.0, 0.5]), **everything)
    assert sections(page) == SECTIONS
    assert re.findall(r'<a href="#(\w+)">[^<]+</a>\n', page)[: len(SECTIONS)] == SECTIONS
    assert all(said in page for said in ("1.23 million parameters", "s2: 1\u202f200", "of the split test", "ab" * 32))
    assert "2 pictures of 2 photos (sample)" in page and "cut into 6 patches" in page
    assert all(f"only in {name}" in page for name in ("table1", "table2", "table3", "readings"))
    assert "batch_size: 8" in page and "gate" not in page.partition("<pre>")[2].partition("</pre>")[0]


def test_the_parts_that_were_not_given_are_left_out(tmp_path):
    page = write(tmp_path / "bare.html", make_per_image([1.0, 0.5]))
    assert sections(page) == ["result", "rows"]
    assert not embedded(page)


def test_tables_that_are_not_there_leave_no_hole(tmp_path):
    table = make_per_image([1.0, 0.5])
    page = write(tmp_path / "report.html", table, documents={"table3": document()})
    assert sections(page) == ["result", "ablation", "rows"]
    page = write(tmp_path / "other.html", table, documents={"table1": document()})
    assert sections(page) == ["result", "comparison", "rows"]


def test_results_that_are_older_than_their_code_are_said_to_be_at_their_table(tmp_path, everything):
    page = write(tmp_path / "report.html", make_per_image([1.0, 0.5]), **everything)
    assert "Older than" not in page
    said = {name: f"Older than the code of {name}." for name in ("comparison", "table3", "readings")}
    page = write(tmp_path / "report.html", make_per_image([1.0, 0.5]), **{**everything, "outdated": said})
    ablation = page.index('<section id="ablation"')
    assert page.index('<section id="comparison"') < page.index(said["comparison"]) < page.index("only in table1")
    assert ablation < page.index(said["table3"]) < page.index("only in table3")
    assert 0 < page.index(said["readings"]) - page.index("only in readings") < 200  # below its title


def test_a_page_asks_nothing_of_another_host(tmp_path, everything):
    page = without_pictures(write(tmp_path / "report.html", make_per_image([1.0, 0.5]), **everything))
    assert "http:" not in page and "https:" not in page and "//" not in page
    assert "default-src 'none'" in page
    asked = set(re.findall(r"(?:src|href|srcset)=\"([^\"]*)\"", page))
    assert {address for address in asked if not address.startswith("#")} <= {"", "data:,"}


def test_the_same_material_gives_the_same_bytes(tmp_path, everything):
    table = make_per_image([1.0, 0.5])
    assert write(tmp_path / "a.html", table, **everything) == write(tmp_path / "b.html", table, **everything)


def test_names_and_tables_are_text_not_markup(tmp_path, gallery):
    wild = "<script>alert(1)</script>"
    table = make_per_image([1.0, 0.5])
    table.loc[0, "scene"] = wild
    pair = gallery.comparisons[0]._replace(scene=wild)
    said = {"table1": document(wild), "table3": document(wild)}
    page = write(tmp_path / "report.html", table, comparisons=[pair], lineage={wild: wild}, documents=said)
    assert wild not in page and page.count("&lt;script&gt;alert(1)") > 16


def test_a_page_names_every_scene_even_those_without_a_picture(tmp_path, gallery):
    table = pd.concat([make_per_image([1.0, -1.0, 0.5]), make_per_image([0.1] * 30, "many")])
    page = write(tmp_path / "report.html", table, comparisons=gallery.comparisons)
    assert all(scene in page for scene in table["scene"])
    assert "2 of 33 pictures are shown, one of each photo" in page


def test_the_cards_and_the_sentences_say_what_the_metrics_say(tmp_path):
    page = write(tmp_path / "report.html", make_per_image([1.0, -0.5]))
    assert "+0.25 dB" in page and "25.00 → 25.25 dB" in page and "1 of 2" in page
    assert "0.1000" in page and "best constant 0.2000" in page
    assert "6 % smaller, from −0.50 dB (sample/picture_1) to +1.00 dB (sample/picture_0)" in page


def test_a_network_that_makes_things_worse_is_shown_to(tmp_path):
    page = write(tmp_path / "report.html", make_per_image([-0.5, -0.5]))
    assert '<div class="value worse">−0.50 dB</div>' in page and "12 % larger" in page


@pytest.mark.parametrize("gains", [[2.0], [2.0, -1.0]])
def test_a_gain_whose_interval_says_nothing_has_no_colour(tmp_path, gains):
    page = write(tmp_path / "report.html", make_per_image(gains))
    assert f'<div class="value equal">+{np.mean(gains):.2f} dB</div>' in page


def test_the_figures_with_local_pooling_are_shown_where_there_are_any(tmp_path):
    table = make_per_image([1.0, 2.0])
    assert "windows" not in write(tmp_path / "without.html", table)
    table[["psnr_local_pooling", "ssim_local_pooling"]] = [[26.0, 0.8], [27.5, 0.9]]
    page = write(tmp_path / "with.html", table)
    assert "26.75 dB" in page and '<span class="equal">+0.25</span>' in page and "SSIM 0.8500" in page
    table["psnr_local_pooling"] = table["psnr"] + [0.25, 0.26]  # told by an interval, as the cards' figures are
    assert '<span class="better">+0.25</span>' in write(tmp_path / "told.html", table)


def test_a_slider_holds_the_picture_before_and_after_and_stands_over_both_maps(tmp_path, gallery):
    page = write(tmp_path / "report.html", make_per_image([1.0, 0.5]), comparisons=gallery.comparisons)
    assert page.count('type="range"') == 2
    pair, found = gallery.comparisons[0], embedded(page.partition('class="pairs"')[2])
    shown = [np.asarray(Image.open(io.BytesIO(code)), float) for code in found[:4]]
    kept = (pair.deblurred, pair.blurred, pair.defocus, pair.estimate)
    nearest = [int(np.argmin([np.abs(picture - other).mean() for other in kept])) for picture in shown]
    assert nearest == [0, 1, 2, 2]  # the estimate is the truth here


def test_at_the_top_stands_the_picture_of_median_gain(tmp_path):
    table = make_per_image([3.0, 1.0, 2.0])
    pairs = [noise_pair(scene, 16) for scene in table["scene"]]
    page = write(tmp_path / "report.html", table, comparisons=pairs)
    assert re.search(r'deblurred: <b class="better">([^<]*)', page)[1] == "+2.00 dB"


def test_pictures_are_reduced_until_the_page_is_small_enough(tmp_path):
    table = make_per_image([0.1] * 4)
    one = write(tmp_path / "one.html", table, comparisons=[noise_pair("sample/picture_0")])
    many = write(tmp_path / "many.html", table, comparisons=[noise_pair(name) for name in table["scene"]])
    assert len(many) < PAGE_LIMIT
    sizes = [Image.open(io.BytesIO(embedded(page)[0])).width for page in (one, many)]
    assert sizes[1] < sizes[0]


def test_at_most_twelve_pictures_get_a_slider(tmp_path):
    table = make_per_image([0.1] * 14)
    page = write(tmp_path / "report.html", table, comparisons=[noise_pair(name, 16) for name in table["scene"]])
    assert page.count('type="range"') == 12
    assert "12 of 14 pictures are shown" in page


def test_pictures_of_one_photo_get_one_slider_and_count_as_one(tmp_path):
    table = make_per_image([1.0, 1.0, 2.0, 2.0])
    rows = [
        write_scene(tmp_path / "scenes", replace(make_scene(name, seed=number), photo=f"photo {number // 2}"))
        for number, name in enumerate(table["scene"])
    ]
    write_index(tmp_path / "scenes", [row | {"split": "test"} for row in rows])
    pairs = [noise_pair(name, 16) for name in table["scene"]]
    page = write(tmp_path / "report.html", table, comparisons=pairs, scenes=tmp_path / "scenes")
    assert page.count('type="range"') == 2 and "2 of 4 pictures are shown, one of each photo" in page
    assert "by its 2 photos" in page and '<div class="value equal">+1.50 dB</div>' in page  # two tell nothing
    alone = write(tmp_path / "alone.html", table)
    reached = alone.partition("<dt>Reached</dt>")[2].partition("</dd>")[0]
    assert "+1.50 dB</b> over the blurred photo, 95 % interval +0.58 to +2.42;" in reached
    assert "95 % interval +0.58 to +2.42<" in alone and '<div class="value better">+1.50 dB</div>' in alone


def test_metrics_of_other_data_sets_than_the_tables_are_refused(tmp_path):
    good = material(make_per_image([1.0]))
    with pytest.raises(ValueError, match=r"\['ded'\].*\['sample'\]"):
        write_report(tmp_path / "r.html", replace(good, metrics={"ded": {}}))
    with pytest.raises(ValueError, match="at least one"):
        write_report(tmp_path / "r.html", Material({}, pd.DataFrame()))
    assert not list(tmp_path.iterdir())


def test_a_picture_without_a_row_is_refused_by_name(tmp_path, gallery):
    with pytest.raises(ValueError, match="sample/picture_1"):
        write(tmp_path / "report.html", make_per_image([1.0]), comparisons=gallery.comparisons)
