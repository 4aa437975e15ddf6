import pytest

from sftdec.reporting.report.published import read_published

PAGE = """# Table 3

First [note](https://example.org) with ![a chart](chart.png).

| What the paper says, and that is a long sentence indeed | Equal steps | Equal time |
|:--|--:|--:|
| one | holds | doesn't hold |
| two | holds | **can't be told** |
| three | doesn't hold | can't be told |

Second note.

## Equal steps

| a | b |
|:--|--:|
| x < y | −1 |

### Deeper

<img src=x onerror=alert(1)>
"""


@pytest.fixture
def page(tmp_path):
    (tmp_path / "table3.md").write_text(PAGE, "utf-8")
    return read_published(tmp_path / "table3.md")


def test_a_page_falls_into_its_title_what_comes_first_and_its_parts(page):
    assert page.title == "Table 3"
    assert page.tables.count("<table>") == 1 and "note" not in page.tables
    assert "First note" in page.notes and "Second note" in page.notes and "<table" not in page.notes
    assert page.opening.index("First") < page.opening.index("<table>") < page.opening.index("Second")
    assert [heading for heading, _ in page.parts] == ["Equal steps"]
    assert "<h4>Deeper</h4>" in page.parts[0][1]


def test_every_table_lies_in_a_box_of_its_own(page):
    for text in (page.tables, page.parts[0][1]):
        assert text.count('<div class="sheet scroll"><table>') == text.count("</table></div>") == 1


def test_verdicts_have_colours_and_are_counted_by_column(page):
    assert '<td style="text-align:right" class="better">holds</td>' in page.tables
    assert 'class="equal"><strong>can\'t be told</strong>' in page.tables
    assert page.verdicts == [
        ("Equal steps", [("holds", "better", 2), ("doesn't hold", "worse", 1)]),
        ("Equal time", [("doesn't hold", "worse", 1), ("can't be told", "equal", 2)]),
    ]


def test_nothing_in_it_is_obeyed_or_fetched(page):
    assert "<img" not in page.opening + page.parts[0][1] and "href" not in page.opening
    assert "&lt;img" in page.parts[0][1] and "x &lt; y" in page.parts[0][1]


def test_long_cells_may_break_and_numbers_may_not(page):
    assert page.tables.count('class="text"') == 1


def test_a_file_that_is_not_there_is_no_page(tmp_path):
    assert read_published(tmp_path / "table1.md") is None
