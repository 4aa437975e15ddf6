"""The page and the rows of table 3 from planted tables."""

import pytest

from sftdec.experiments.tables.differences import Place
from sftdec.experiments.tables.table3 import PAPER, STATEMENTS, paper_difference, table3_document, table3_rows
from sftdec.reporting.document import markdown
from tests.experiments.tables.test_differences import planted


def trainings(effect=lambda place: PAPER[place]["psnr"] - 25):
    """Every cell, as good as the paper's (or as ``effect`` of its place says)."""
    return {place: effect(place) for place in PAPER}


def report(effects, fold_effect=0.001, noise=0.001):
    rows = table3_rows(planted(effects, fold_effect=fold_effect, noise=noise))
    return markdown(table3_document(rows, ["How it was made."])), rows


def said(page, statement):
    lines = page[page.index("## What the paper says") :].splitlines()
    at = next(number for number, line in enumerate(lines) if statement in line)
    return lines[at + 2]


@pytest.fixture(scope="module")
def as_in_the_paper():
    return report(trainings())


def test_the_papers_figures_are_table_3_and_fit_its_sentences():
    assert len(PAPER) == 13 and PAPER["sft_dec", "s3"] == {"psnr": 26.5535, "ssim": 0.8465}
    for statement in STATEMENTS:
        for first, second in statement.above:
            assert PAPER[first]["psnr"] > PAPER[second]["psnr"]


def test_with_the_papers_own_figures_every_statement_holds(as_in_the_paper):
    page, _ = as_in_the_paper
    for statement in STATEMENTS:
        assert f"{statement.short} by PSNR: holds (" in said(page, statement.text)


def test_the_page_has_the_papers_cell_beside_ours(as_in_the_paper):
    page, rows = as_in_the_paper
    assert "How it was made." in page
    line = next(line for line in page.splitlines() if line.startswith("| s3 |"))
    assert [cell.split(" / ")[0].strip() for cell in line.split("|")[2:6]] == [
        "25.9638",
        "26.3973",
        "26.5535",
        "26.4327",
    ]
    cell = rows[(rows["kind"] == "cell") & (rows["first"] == "sft s1") & (rows["measure"] == "psnr")]
    assert cell["paper"].tolist() == [26.1286] and cell["trainings"].tolist() == [3]


def test_the_rows_hold_each_difference_with_its_interval(as_in_the_paper):
    _, rows = as_in_the_paper
    found = rows[(rows["first"] == "sft s2") & (rows["second"] == "baseline s2") & (rows["measure"] == "psnr")]
    assert found["paper"].round(4).tolist() == [0.4597]
    assert ((found["low"] < found["ours"]) & (found["ours"] < found["high"])).all() and (
        found["verdict"] == "holds"
    ).all()


def test_the_page_begins_with_each_statements_verdict(as_in_the_paper):
    page, _ = as_in_the_paper
    summary = page[: page.index("## The table")]
    for statement in STATEMENTS:
        (line,) = (line for line in summary.splitlines() if statement.text in line)
        assert [cell.strip() for cell in line.split("|")][2] == "holds"
    assert "By PSNR 8 of 8 statements are decided: the sign of 8 holds" in summary


def test_a_size_is_judged_apart_from_the_sign():
    above = {place: 0.25 if place[0] in ("sft", "sft_dec") else 0.0 for place in PAPER}
    page, rows = report(trainings(above.__getitem__))
    line = said(page, "increases by about 0.6db in PSNR")
    assert line.startswith("SFT-Dec above the baseline by PSNR: holds (+0.2")
    assert "by 0.6 dB: doesn't hold at this scale." in line
    sizes = rows[(rows["kind"] == "statement") & (rows["measure"] == "psnr")].set_index("first")["size"]
    assert sizes["SFT above the baseline"] == "doesn't hold"


def test_where_a_sentence_names_no_size_that_of_the_papers_table_is_judged():
    half = report(trainings(lambda place: (PAPER[place]["psnr"] - 25) / 2))
    page, rows = report(trainings(lambda place: (PAPER[place]["psnr"] - 25) * 2))
    for (found, _), size in (((page, rows), "holds"), (half, "doesn't hold")):
        line = said(found, "increases after each stage training")
        assert "by PSNR: holds (" in line and f"; by the table's differences: {size} at this scale." in line
    line = next(line for line in half[0].splitlines() if line.startswith("| +SFT-Dec s2 − +SFT-Dec s1 |"))
    assert [cell.strip() for cell in line.split("|")][6:8] == ["holds", "doesn't hold"]
    of = rows.set_index(["first", "second", "measure"]).loc["sft_dec s2", "sft_dec s1", "psnr"]
    assert of["size"] == "holds" and of["low"] > of["paper"]


def test_a_stage_that_keeps_the_weights_of_the_one_before_says_so():
    table = planted(trainings())
    of = table.set_index(["variant", "stage", "scene"])["psnr"]
    later = (table["variant"] == "sft") & (table["stage"] == "s3")
    table.loc[later, "psnr"] = of.sort_index().loc["sft", "s2"][table.loc[later, "scene"]].to_numpy()
    page = markdown(table3_document(table3_rows(table), []))
    assert "| +SFT s3 − +SFT s2 | +0.144 | no picture differs | — |" in page


def test_a_contradiction_is_said():
    worse = {place: 0.5 if place[0] == "sft_fdec" else 0.0 for place in PAPER}
    page, _ = report(trainings(worse.__getitem__))
    assert "SFT-Dec above SFT-FDec by PSNR: doesn't hold (−0.5" in said(page, "decomposition method to the β")


def test_a_cell_that_is_missing_is_shown_so_and_no_statement_holds_with_it():
    effects = {place: effect for place, effect in trainings().items() if place.stage != "end_to_end"}
    page, rows = report(effects)
    assert "26.1143 / not trained" in page
    assert "end-to-end: not trained on two folds or more." in said(page, "end-to-end manner")
    row = "the performance decreases by a large margin.” | not trained | — | by the table's differences | — |"
    assert row in page
    assert "By PSNR 6 of 8 statements are decided" in page  # nor is that of the best of all, which has this part
    assert "above the baseline by PSNR: holds" in said(page, "By introducing the SFT")
    assert rows.loc[rows["second"] == "sft_dec end_to_end", "verdict"].eq("can't be told").all()


def test_the_papers_difference_is_that_of_its_cells():
    found = paper_difference(("sft_dec", "s3"), ("baseline", "s3"), "psnr")
    assert found == pytest.approx(0.5897)


def test_an_empty_table_is_refused():
    with pytest.raises(ValueError, match="no rows"):
        table3_rows(planted({Place("sft", "s1"): 0.0}).iloc[:0])
