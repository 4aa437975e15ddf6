import html
import re

import numpy as np
import pandas as pd
import pytest

from sftdec.datasets.scene import Scene, write_scene
from sftdec.evaluation.evaluate import summarise
from sftdec.reporting.report import PAGE_LIMIT, Material, write_report
from sftdec.reporting.report.data import SHOWN
from sftdec.reporting.report.data_tables import LISTED, row_of
from sftdec.runtime.errors import DataError
from tests.evaluation.scenes import make_patches, make_per_image, make_scenes

WILD = '<b>&"'
REFUSED = [
    *[("other", f"other/r{number}", "aligned", f"shifted by {number} px, at most 2 expected") for number in range(5)],
    ("other", "plain", "aligned", "shifted by 7 px"),
    ("other", "other/r1", "size", "3×3 px"),
    (WILD, "<script>alert(1)</script>", f"check {WILD}", f"{WILD} is no picture"),
]


def refuse(root, *rows):
    pd.DataFrame(rows, columns=["dataset", "scene", "check", "reason"]).to_parquet(root / "refused.parquet")


def write(folder):
    """The page's part on the data."""
    judged = make_per_image([1.0])
    material = Material(summarise(judged), judged, scenes=folder / "scenes", patches=folder / "patches")
    write_report(folder / "report.html", material)
    page = (folder / "report.html").read_text("utf-8")
    assert len(page.encode()) <= PAGE_LIMIT
    return page.partition('<section id="data">')[2].partition("</section>")[0]


def without_pictures(page):
    return re.sub(r"data:image/\w+;base64,[A-Za-z0-9+/=]+", "", page)


def cells(page, heading):
    """The table rows below a heading, as lists of their cells' text."""
    part = re.split(rf"<h[34]>{heading}</h[34]>", page)[1].partition("</table>")[0]
    rows = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr.*?</tr>", part)]
    return [[html.unescape(re.sub("<[^>]*>", "", cell)) for cell in row] for row in rows if row]


def card(page, name):
    found = re.search(
        rf'<div class="name">{name}</div><div class="value[^"]*">(.*?)</div><div class="sub">(.*?)<', page
    )
    return found.groups()


@pytest.fixture
def folder(tmp_path):
    make_patches(tmp_path / "patches", make_scenes(tmp_path / "scenes"))
    return tmp_path


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The page of four scenes of one data set, none refused."""
    root = tmp_path_factory.mktemp("plain")
    make_patches(root / "patches", make_scenes(root / "scenes"))
    return write(root)


@pytest.fixture(scope="module")
def wild(tmp_path_factory):
    """The page of two data sets with names like HTML, one without patches; measured, and some refused."""
    root = tmp_path_factory.mktemp("wild")
    first = make_scenes(root / "scenes", ("train", "train", "test"))
    second = make_scenes(root / "scenes", ("test",), "other")
    index = pd.concat([first.assign(dataset=WILD), second], ignore_index=True)
    index["scene"] = [f"{WILD}/0", f"{WILD}/1", f"{WILD}/2", "other/$0"]
    index["photo"] = ["a", "a", "b", "a"]
    index["height"], index["sigma_mean"] = [480, 48, 48, 48], [1.0, 4.0, 1.0, 2.0]
    index = index.assign(shift=[0.1, 0.75, np.nan, np.nan], sharpening=[3.0, None, 1.25, 2.0])
    index.to_parquet(root / "scenes/index.parquet")
    make_patches(root / "patches", index)
    refuse(root / "scenes", *REFUSED)
    return write(root)


def test_the_cards_and_the_split_table_count_what_the_index_holds(plain):
    assert card(plain, "Pictures")[0] == "4"
    assert card(plain, "Patches") == ("6", "from 2 pictures")
    rows = cells(plain, "Splits")
    assert rows[0] == ["sample"]
    assert [row[:3] for row in rows[1:4]] == [["train", "2", "2"], ["validation", "1", "1"], ["test", "1", "1"]]
    assert rows[4] == ["all", "4", "4", "0.01", "2.00", "4.00"]  # 4 × 48 × 64 px, a ramp of sigma from 0 to 4 px


def test_two_pictures_of_one_photo_count_as_one_and_a_larger_one_weighs_more(wild):
    rows = cells(wild, "Splits")
    assert [row[:3] for row in rows[1:4]] == [["train", "2", "1"], ["test", "1", "1"], ["all", "3", "2"]]
    assert rows[1][4] == f"{(10 * 1 + 4) / 11:.2f}"
    assert "4 pictures of 3 photos from 2 data sets" in wild  # the other set's photo a is another photo


def test_every_refusal_is_named_with_its_reason_below_its_check(wild):
    assert card(wild, "Refused") == ("7", "of 11 found")  # one of them by two checks
    part = wild.partition("<h3>Refused</h3>")[2].partition("<h3>")[0]
    lists = dict(re.findall(r"<summary>(.*?)</summary>(.*?)</details>", part, re.DOTALL))
    assert list(lists) == [
        "not aligned: 6 pictures",
        "check &lt;b&gt;&amp;&#34;: 1 picture",
        "of unequal size: 1 picture",
    ]
    for _, scene, check, reason in REFUSED:
        title = {"aligned": "not aligned", "size": "of unequal size"}.get(check, check)
        below = html.unescape(next(part for found, part in lists.items() if html.unescape(found).startswith(title)))
        assert f"{scene}</b><span>{reason}</span>" in below
    assert "<b>other: plain</b>" in wild and "<b>other/r1</b>" in wild  # a data set is named once
    assert "Nothing was refused" not in wild


def test_files_that_belong_to_no_scene_are_listed_and_not_counted_as_refused(folder):
    refuse(folder / "scenes", ("mine", "Thumbs.db", "extra", "no PNG, JPEG, TIFF or WebP picture"))
    page = write(folder)
    assert card(page, "Refused") == ("0", "of 4 found") and "Nothing was refused" in page
    assert "extra: 1 file" in page and "Thumbs.db" in page


def test_where_there_is_no_list_of_refused_scenes_the_page_says_that_nothing_was(plain):
    assert "Nothing was refused" in plain and card(plain, "Refused") == ("0", "of 4 found")


def test_an_empty_list_of_refused_scenes_is_as_good_as_none(folder, plain):
    refuse(folder / "scenes")
    assert write(folder) == plain


def test_names_and_reasons_are_text_whatever_they_hold(wild):
    page = without_pictures(wild)
    assert "<script" not in page and WILD not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    shown = html.unescape(page)
    assert all(text in shown for text in (f"{WILD}/1", f"check {WILD}", f"{WILD} is no picture"))


def test_a_page_asks_nothing_of_another_host(plain, wild):
    for page in map(without_pictures, (plain, wild)):
        assert "http:" not in page and "https:" not in page and "//" not in page and "url(" not in page
        assert set(re.findall(r"(?:src|href|srcset)=\"([^\"]*)\"", page)) == {""}


def test_equal_folders_give_equal_bytes_wherever_they_lie(folder, plain):
    assert write(folder) == plain
    assert str(folder) not in plain


@pytest.mark.slow
def test_a_huge_index_and_a_long_list_keep_the_page_small(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (240, 360, 3), dtype=np.uint8)  # the worst for JPEG
    grey = np.linspace(0, 1, 86400, dtype=np.float32).reshape(240, 360)
    row = write_scene(tmp_path / "scenes", Scene("noise", "d", "train", "p", 4.0, noise, noise[::-1], grey))
    index = pd.DataFrame([row] * 5000)
    index["dataset"] = [f"d{number % 7}" for number in range(5000)]
    index["scene"] = index["photo"] = [f"d{number % 7}/picture_{number}" for number in range(5000)]
    index["split"] = np.random.default_rng(1).choice(["train", "validation", "test"], 5000, p=[0.8, 0.1, 0.1])
    index["height"] = np.arange(5000) % 90 + 400
    index.to_parquet(tmp_path / "scenes/index.parquet")
    make_patches(tmp_path / "patches", index)
    refuse(tmp_path / "scenes", *[("d1", f"d1/r{number}", "aligned", "x" * 900) for number in range(2500)])
    page = write(tmp_path)
    assert page.count('<figure class="trio">') == SHOWN
    assert "48 of 5\u202f000 pictures" in page and "82 other sizes" in page
    assert page.count("<b>d1/r") == LISTED and "2\u202f400 more" in page
    assert "x" * 399 in page and "x" * 400 not in page


def test_every_picture_of_a_small_set_is_on_the_sheet(plain):
    assert all(f"<b>sample/picture_{number}</b>" in plain for number in range(4))
    assert "chosen evenly" not in plain


def test_a_data_set_without_patches_is_in_their_table_with_none(wild):
    assert [row[:3] for row in cells(wild, "Patches")] == [[WILD, "6", "2"], ["other", "0", "0"]]


def test_what_the_checks_measured_is_shown_where_they_did(plain, wild):
    assert cells(wild, "Pairs") == [[WILD, "0.75", "1.25"], ["other", "–", "2.00"]]
    assert "Pairs" not in plain


def test_of_rendered_pairs_no_shift_is_told_since_nothing_moved_them():
    rows = pd.DataFrame({"dataset": ["sample", "mine", "mine"], "photo": ["a", "b", "c"], "shift": [1.3, 0.2, np.nan]})
    rows = rows.assign(height=48, width=64, sigma_mean=1.0, sigma_peak=2.0)
    assert row_of("all", rows)["shift"] == 0.2 and row_of("sample", rows[:1])["shift"] is None


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("scenes/index.parquet", "dvc repro fetch"),
        ("patches/index.parquet", "dvc repro patches"),
        ("scenes/sharp/sample/picture_1.png", "picture_1.png"),
    ],
)
def test_what_is_missing_is_named_and_the_old_page_stays(folder, lost, said):
    (folder / "report.html").write_text("old")
    (folder / lost).unlink()
    with pytest.raises(DataError, match=said):
        write(folder)
    assert (folder / "report.html").read_text() == "old"


def test_a_table_that_is_none_is_named(folder):
    (folder / "scenes/refused.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match=r"refused\.parquet: not a table"):
        write(folder)
    pd.DataFrame({"dataset": ["sample"]}).to_parquet(folder / "scenes/refused.parquet")
    with pytest.raises(DataError, match=r"refused\.parquet: lacks scene, check, reason"):
        write(folder)
