import math
from functools import cache

import numpy as np
import pandas as pd
import pytest

from sftdec.experiments.tables.methods import BUDGET_TITLES, CLASSICAL, TABLE_1, TABLE_2
from sftdec.experiments.tables.pages import comparison_document
from sftdec.experiments.tables.rows import columns_of, table_rows
from sftdec.reporting import markdown
from tests.experiments.tables.planted import LEVELS, all_judged, costs, judged_rows, training


def rows_of(table=TABLE_2, judged=None):
    return all_rows(table) if judged is None else table_rows(table, judged, costs(), training())


@cache
def all_rows(table):
    return table_rows(table, all_judged(), costs(), training())


def one(rows, method, budget="equal_time"):
    (found,) = rows[(rows["method"] == method) & (rows["budget"] == budget)].to_dict("records")
    return found


@pytest.mark.parametrize("table", [TABLE_1, TABLE_2])
def test_every_figure_is_the_mean_of_the_methods_own_rows(table):
    judged = all_judged(without=("mprnet", "mimo_unet", "mimo_unet_plus", "nafnet32", "nafnet64"))
    judged[["psnr", "ssim", "mae", "mse"]] += np.random.default_rng(0).normal(0, 0.01, (len(judged), 4))
    rows = rows_of(table, judged)
    assert list(rows.columns) == columns_of(table)
    for method in (each for each in table.methods if each.judged in set(judged["model"])):
        for budget in BUDGET_TITLES:
            own = judged[judged["model"] == method.judged]
            own = own if method.judged in CLASSICAL else own[own["budget"] == budget]
            for measure in table.measures:
                assert one(rows, method.judged, budget)[measure] == pytest.approx(own[measure].mean(), abs=1e-12)


def test_a_case_that_was_counted_by_hand():
    judged = pd.concat([judged_rows("sft_dec"), judged_rows("dpdnet", gains=[1, 1, 1, -1, -1, 2])])
    row = one(rows_of(judged=judged), "dpdnet")
    assert row["psnr"] == pytest.approx(168 / 6 + 0.5) and row["psnr_difference"] == pytest.approx(0.5)
    assert row["better"] == 4 and row["scenes"] == 6 and row["photos"] == 3
    assert row["psnr_low"] < 0.5 < row["psnr_high"]
    assert (row["paper_psnr"], row["paper_ssim"]) == (24.7232, 0.7640)
    assert (row["parameters"], row["seconds"], row["memory"], row["steps"], row["minutes"]) == (
        1.5,
        1.25,
        321,
        1234,
        10,
    )
    assert row["weights"] == "sha-dpdnet-equal_time"


def test_the_floors_are_the_blurred_input_and_the_best_constant_map():
    assert one(rows_of(), "floor")["psnr"] == pytest.approx((LEVELS - 1).mean())
    floor = one(rows_of(TABLE_1), "floor")
    assert (floor["mae"], floor["mse"]) == pytest.approx((0.2, 0.05))


def test_a_method_that_learns_nothing_stands_in_both_budgets_without_a_training():
    rows = rows_of()
    found = [one(rows, "karaali_jung", budget) for budget in BUDGET_TITLES]
    assert found[0]["psnr"] == found[1]["psnr"] and math.isnan(found[0]["steps"])
    assert found[0]["parameters"] == 3.5  # of the map with the deconvolution, not of the map alone
    assert one(rows_of(TABLE_1), "karaali_jung")["parameters"] == 2.5


def test_what_isnt_trained_has_its_row_and_says_so():
    judged = pd.concat([judged_rows("sft_dec"), judged_rows("sft_dec", "equal_steps"), judged_rows("ifan")])
    rows = rows_of(judged=judged)
    assert one(rows, "mprnet")["status"] == "not trained" and math.isnan(one(rows, "mprnet")["psnr"])
    assert one(rows, "ifan")["status"] == "" and one(rows, "ifan", "equal_steps")["status"] == "not trained"
    assert one(rows, "mprnet")["paper_psnr"] == 25.2738


def test_without_sft_dec_there_are_figures_and_no_differences():
    rows = rows_of(judged=judged_rows("dpdnet"))
    assert one(rows, "sft_dec")["status"] == "not trained"
    assert one(rows, "dpdnet")["psnr"] > 0 and math.isnan(one(rows, "dpdnet")["psnr_difference"])


def test_data_sets_dont_mix():
    judged = pd.concat([judged_rows("sft_dec"), judged_rows("sft_dec", gain=5, dataset="mine")])
    rows = rows_of(judged=judged)
    assert one(rows[rows["dataset"] == "mine"], "sft_dec")["psnr"] == pytest.approx(LEVELS.mean() + 5)
    assert one(rows[rows["dataset"] == "sample"], "sft_dec")["psnr"] == pytest.approx(LEVELS.mean())


def test_nothing_judged_is_refused():
    with pytest.raises(ValueError, match="no method was judged"):
        rows_of(judged=all_judged().iloc[:0])


def test_what_is_trained_and_not_judged_says_so():
    judged = judged_rows("sft_dec")
    rows = table_rows(TABLE_2, judged, costs(), training(("sft_dec", "ifan", "mprnet"), ("ifan",)))
    assert [one(rows, name)["status"] for name in ("ifan", "mprnet")] == ["not judged", "not trained"]


def test_the_page_names_the_methods_that_the_intervals_tell_from_ours():
    """The first is steadily better, the second steadily worse, and the third is better on one photo alone."""
    gains = {"ifan": 0.5 + 0.01 * LEVELS / 30, "mprnet": -0.5 - 0.01 * LEVELS / 30, "dpdnet": [0.9, 0.9, 0.9, 0, 0, 0]}
    judged = pd.concat([judged_rows(name, gains=list(each)) for name, each in gains.items()] + [judged_rows("sft_dec")])
    rows = table_rows(TABLE_2, judged, costs(), training((*gains, "sft_dec")))
    found = rows.set_index(["budget", "method"])
    assert (found.loc["equal_time"].loc[["ifan", "mprnet"], "psnr_chance"] < 0.01).all()
    said = "Against SFT-Dec by PSNR ({}): better: IFAN, worse: blurred input; MPRNet. Can't be told from it: 1."
    assert said.format("Holm over 4") in markdown(comparison_document(TABLE_2, rows, []))
    older = rows.drop(columns=["psnr_chance", "ssim_chance"])
    assert said.format("each of 4 intervals by itself") in markdown(comparison_document(TABLE_2, older, []))
