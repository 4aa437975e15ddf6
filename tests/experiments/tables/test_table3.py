"""The page and the rows of table 3 from planted tables."""

import pytest

from sftdec.experiments.tables.ablation import Trained
from sftdec.experiments.tables.table3 import PAPER, STATEMENTS, paper_difference, table3_document, table3_rows
from sftdec.reporting.document import markdown
from tests.experiments.tables.test_ablation import planted

BUDGETS = ("equal_steps", "equal_time")


def trainings(effect=lambda place: PAPER[place]["psnr"] - 25, budgets=BUDGETS):
    """Every cell of both budgets, as good as the paper's (or as ``effect`` of its place says)."""
    return {
        Trained(budget, *place): effect(place)
        for budget in budgets
        for place in PAPER
        if budget == "equal_steps" or place[0] != "sft_dec"
    }


def report(effects, seed_effect=0.001, noise=0.001):
    rows = table3_rows(planted(effects, seed_effect=seed_effect, noise=noise), 0.95, 2000)
    return markdown(table3_document(rows, ["How it was made."])), rows


def said(page, statement, heading="## Equal steps"):
    lines = page[page.index(heading) :].splitlines()
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


def test_with_the_papers_own_figures_every_statement_holds_on_both_budgets(as_in_the_paper):
    page, _ = as_in_the_paper
    for statement in STATEMENTS:
        assert "it holds" in said(page, statement.text)
        assert "it holds" in said(page, statement.text, "## Equal time")


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
    assert list(cell["budget"]) == list(BUDGETS) and (cell["paper"] == 26.1286).all() and (cell["seeds"] == 3).all()


def test_the_rows_hold_each_difference_with_its_interval(as_in_the_paper):
    _, rows = as_in_the_paper
    found = rows[(rows["first"] == "sft s2") & (rows["second"] == "baseline s2") & (rows["measure"] == "psnr")]
    assert list(found["budget"]) == list(BUDGETS) and (found["paper"].round(4) == 0.4597).all()
    assert ((found["low"] < found["ours"]) & (found["ours"] < found["high"])).all() and (
        found["verdict"] == "holds"
    ).all()


def test_the_page_begins_with_each_statements_verdict_on_both_budgets(as_in_the_paper):
    page, _ = as_in_the_paper
    summary = page[: page.index("## Equal steps")]
    assert all(f"| {statement.text} | holds | holds |" in summary for statement in STATEMENTS)


def test_a_contradiction_is_said():
    worse = {place: 0.5 if place[0] == "sft_fdec" else 0.0 for place in PAPER}
    page, _ = report(trainings(worse.__getitem__))
    assert "it doesn't hold (all 3 parts) by PSNR" in said(page, "decomposition method to the β")


def test_a_cell_that_is_missing_is_shown_so_and_no_statement_holds_with_it():
    effects = {trained: effect for trained, effect in trainings().items() if trained.stage != "end_to_end"}
    page, rows = report(effects)
    assert "26.1143 / not trained" in page
    assert "by SSIM. Not trained with two seeds or more: 1 of 1 parts." in said(page, "end-to-end manner")
    assert "it holds" in said(page, "By introducing the SFT")
    assert rows.loc[rows["second"] == "sft_dec end_to_end", "verdict"].eq("can't be told").all()


def test_equal_time_takes_the_final_network_from_the_one_budget_it_was_trained_on():
    page, rows = report(trainings(budgets=("equal_steps",)))
    assert "it holds" in said(page, "end-to-end manner", "## Equal time")
    assert "it can't be told" in said(page, "decomposition method to the β", "## Equal time")
    time = rows[(rows["kind"] == "cell") & (rows["budget"] == "equal_time")]
    assert time.loc[time["first"].str.startswith("sft_dec "), "ours"].notna().all()
    assert time.loc[time["first"].str.startswith("sft "), "ours"].isna().all()


def test_the_papers_difference_is_that_of_its_cells():
    found = paper_difference(("sft_dec", "s3"), ("baseline", "s3"), "psnr")
    assert found == pytest.approx(0.5897)


def test_an_empty_table_is_refused():
    with pytest.raises(ValueError, match="no rows"):
        table3_rows(planted({Trained("equal_steps", "sft", "s1"): 0.0}).iloc[:0], 0.95, 2000)
