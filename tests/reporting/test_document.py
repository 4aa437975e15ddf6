import math

import pytest

from sftdec.evaluation.evaluate import summarise
from sftdec.reporting.document import Document, Sheet, Spread, markdown
from sftdec.reporting.report import Material, write_report
from tests.evaluation.scenes import make_per_image

NAN = math.nan
HEAD = ["What the paper says, and that is a long sentence indeed", "Equal steps", "Equal time"]
SUMMARY = Sheet(
    HEAD,
    [["one", "holds", "doesn't hold"], ["two", "holds", "can't be told"], ["three", "doesn't hold", "can't be told"]],
)
DIFFERENCES = Sheet(
    ["", "PSNR"],
    [
        ["better", Spread("+1 [+0.5 … +1.5]", 1.0, 0.5, 1.5, 1)],
        ["worse", Spread("−1 [−1.5 … −0.5]", -1.0, -1.5, -0.5, 1)],
        ["unknown", Spread("+1", 1.0, NAN, NAN, 1)],
        ["far", Spread("+90 [−10 … +190]", 90.0, -10.0, 190.0, 1)],
        ["ours", "—"],
    ],
)
DOCUMENT = Document(
    "Table 3",
    ["First `note`.", "**Second** note."],
    {"Equal steps": ["x < y | z", ["a point", "another"], DIFFERENCES]},
    opening=[SUMMARY],
    footnotes=["† A footnote.", "Measured so."],
)
PAGE = """# Table 3

First `note`.

**Second** note.

| What the paper says, and that is a long sentence indeed | Equal steps | Equal time |
|:--|--:|--:|
| one | holds | doesn't hold |
| two | holds | can't be told |
| three | doesn't hold | can't be told |

## Equal steps

x < y | z

- a point
- another

|  | PSNR |
|:--|--:|
| better | +1 [+0.5 … +1.5] |
| worse | −1 [−1.5 … −0.5] |
| unknown | +1 |
| far | +90 [−10 … +190] |
| ours | — |

† A footnote.

Measured so.
"""


def page(folder, **documents):
    judged = make_per_image([1.0])
    write_report(folder / "report.html", Material(summarise(judged), judged, documents=documents))
    return (folder / "report.html").read_text("utf-8")


@pytest.fixture(scope="module")
def ablation(tmp_path_factory):
    return page(tmp_path_factory.mktemp("ablation"), table3=DOCUMENT)


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    return page(tmp_path_factory.mktemp("comparison"), table2=DOCUMENT)


def test_a_document_is_a_markdown_page():
    assert markdown(DOCUMENT) == PAGE


def test_texts_begin_alike_and_numbers_end_alike():
    table = Sheet(["a", "b"], [["x", "y"]])
    assert "|:--|--:|" in markdown(Document("", [], {"": [table]}))
    assert "|:--|:--|" in markdown(Document("", [], {"": [table._replace(texts=True)]}))


def test_a_bar_in_a_cell_ends_no_cell():
    assert "| a\\|b |\n" in markdown(Document("", [], {"": [Sheet(["a"], [["a|b"]])]}))


def test_all_of_a_document_stands_in_the_report(comparison):
    for text in ("First <code>note</code>.", "<strong>Second</strong> note.", "x &lt; y | z", "<li>a point</li>"):
        assert text in comparison
    assert all(text in comparison for text in ("Equal steps", "† A footnote.", "Measured so.", "+90<br> [−10 … +190]"))


def test_every_table_lies_in_a_box_of_its_own(ablation):
    part = ablation.partition('<section id="ablation">')[2].partition("</section>")[0]
    assert part.count('<div class="sheet scroll"><table>') == part.count("</table></div>") == 2


def test_verdicts_have_colours_and_are_counted_by_column(ablation):
    assert '<td class="better">holds</td>' in ablation and '<td class="equal">can&#39;t be told</td>' in ablation
    steps, time = ablation.partition('<div class="tally">')[2].split('<span class="name">')[1:3]
    assert steps.startswith("Equal steps") and time.startswith("Equal time")
    assert "<b>2</b> hold</span>" in steps and "<b>1</b> doesn&#39;t hold</span>" in steps and "told" not in steps
    assert "<b>1</b> doesn&#39;t hold</span>" in time and "<b>2</b> can&#39;t be told</span>" in time


def test_long_cells_may_break_and_numbers_may_not(ablation):
    assert ablation.count('class="text"') == 1


def test_a_difference_is_coloured_by_its_interval_and_hollow_without_one(comparison):
    drawn = comparison.split('<div class="spread ')[1:]
    assert [each.split('"')[0] for each in drawn] == ["better", "worse", "equal", "equal"]
    assert ["<i " in each.split("</div>")[0] for each in drawn] == [True, True, False, True]
    assert '<b class="hollow"' in drawn[2] and 'class="hollow"' not in drawn[0]


@pytest.mark.parametrize(("sign", "verdict"), [(1, "better"), (-1, "worse")])
def test_whether_more_is_better_is_said_by_the_measure(sign, verdict):
    assert Spread("", 1.0, 0.5, 1.5, sign).verdict == verdict


def test_a_difference_that_is_far_off_is_an_arrow_and_leaves_the_others_room(comparison):
    low, high = DIFFERENCES.axis(1)
    assert low < -1.5 and 1.5 < high < 4
    assert comparison.count('<b class="right"') == 1 and comparison.count('<b class="left"') == 0
    assert 'left: 100.0%"></b></div></td></tr>\n<tr><td class="">ours' in comparison


def test_an_axis_without_differences_holds_zero():
    low, high = Sheet(["a"], [["x"], ["y"]]).axis(0)
    assert low < 0 < high
