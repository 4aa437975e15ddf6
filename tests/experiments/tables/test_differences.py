"""Paired differences with planted effects, and what a table's claims come to."""

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from sftdec.evaluation.clusters import holm
from sftdec.experiments.definition import Experiment, PhotosParams
from sftdec.experiments.tables.differences import (
    Place,
    cell_figures,
    check_table,
    decided,
    difference,
    difference_row,
    judged_notes,
    number,
    rows_of,
    shown,
)
from tests.experiments.tables.planted import LEVELS, judged_rows


def planted(effects, folds=3, photos=4, fold_effect=0.05, noise=0.02):
    """Trainings of {Place: PSNR above 25 dB}, whose pictures (three a photo, ``photos`` a fold) and folds have
    effects of their own.
    """
    generator = np.random.default_rng(7)
    of_picture = generator.normal(0, 2.0, (folds, 3 * photos))
    rows = []
    for where, effect in effects.items():
        own = generator.normal(0, fold_effect, folds)
        for fold, picture in itertools.product(range(folds), range(3 * photos)):
            psnr = 25 + effect + of_picture[fold, picture] + own[fold] + generator.normal(0, noise)
            figures = {"psnr": psnr, "ssim": psnr / 30, "mae": 0.1}
            place = {
                "machine": "CPU",
                "dataset": "set",
                "scene": f"s{fold}_{picture}",
                "photo": f"p{fold}_{picture // 3}",
            }
            rows.append({**where._asdict(), "fold": fold, **place, **figures})
    return pd.DataFrame(rows)


A, B = Place("sft", "s3"), Place("baseline", "s3")


def compare(table, first=A, second=B, measure="psnr"):
    return difference(rows_of(table, first), rows_of(table, second), measure)


def test_a_planted_difference_is_found_though_pictures_differ_by_more():
    found = compare(planted({A: 0.5, B: 0.0}))
    ends = found.estimate.interval()
    assert 0.5 in ends and ends.low > 0 and found.estimate.degrees == 2
    assert (found.trainings, found.pictures, found.photos, found.photos_above, found.unchanged) == (3, 36, 12, 12, 0)


def test_the_other_way_round_is_the_same_with_another_sign():
    table = planted({A: 0.5, B: 0.0})
    one, other = (difference_row(table, *pair, "psnr") for pair in ((A, B), (B, A)))
    assert one["ours"] == pytest.approx(-other["ours"]) and one["low"] == pytest.approx(-other["high"])
    assert (one["verdict"], other["verdict"]) == ("holds", "doesn't hold")


def test_no_difference_can_t_be_told_and_is_said_to_be_none():
    assert difference_row(planted({A: 0.0, B: 0.0}), A, B, "psnr")["verdict"] == "can't be told"
    same = difference_row(planted({A: 0.0}), A, A, "psnr")
    assert same["verdict"] == "can't be told" and same["unchanged"] == 3
    assert shown(same, 3) == ["no picture differs", "—"]


def test_one_fold_or_none_gives_no_interval_and_no_verdict():
    table = planted({A: 0.5, B: 0.0})
    one = table[(table["variant"] == "sft") | (table["fold"] == 1)]
    assert compare(one).trainings == 1 and compare(one).estimate is None
    row = difference_row(planted({A: 0.5}), A, B, "psnr")
    assert (row["trainings"], row["verdict"]) == (0, "can't be told") and "ours" not in row


def test_only_the_common_folds_are_compared():
    table = planted({A: 0.5, B: 0.0})
    table.loc[(table["variant"] == "sft") & (table["fold"] == 2), "psnr"] += 100
    found = compare(table[(table["variant"] == "sft") | (table["fold"] < 2)])
    assert found.trainings == 2 and found.mean < 1


def test_trainings_judged_on_different_pictures_are_refused():
    table = planted({A: 0.5, B: 0.0})
    gone = (table["variant"] == "sft") & (table["scene"] == "s1_4")
    with pytest.raises(ValueError, match="sft/s3 and baseline/s3: found 35 and 36 rows"):
        difference_row(table[~gone], A, B, "psnr")
    broken = judged_rows("ifan", gains=[np.nan, *LEVELS[1:]])
    with pytest.raises(ValueError, match="psnr of sample/sample/cup_0 is not a finite number"):
        difference(broken, judged_rows("sft_dec"), "psnr")


def test_trainings_of_different_kinds_of_machine_are_not_compared():
    table = planted({A: 0.5, B: 0.0})
    table.loc[table["variant"] == "sft", "machine"] = "NVIDIA H200"
    with pytest.raises(ValueError, match="trained on CPU and NVIDIA H200; train both on one kind"):
        difference_row(table, A, B, "psnr")


def test_pictures_that_only_have_the_same_names_are_not_compared():
    moved = judged_rows("ifan").assign(psnr_blurred=lambda rows: rows["psnr_blurred"] + 0.01)
    with pytest.raises(ValueError, match="judged on other pictures of the same names"):
        difference(moved, judged_rows("sft_dec"), "psnr")


def test_of_one_training_pictures_of_one_photo_are_no_more_than_one_witness():
    """Six independent pictures would give t of 5 degrees of freedom, an interval less than half as wide."""
    gains = [0.3, 0.3, 0.3, 0.1, 0.1, -0.1]
    found = difference(judged_rows("ifan", gains=gains), judged_rows("sft_dec").iloc[::-1], "psnr")
    ends, alone = found.estimate.interval(), student.ppf(0.975, 5) * np.std(gains, ddof=1) / np.sqrt(6)
    assert (found.better, found.pictures, found.photos) == (5, 6, 3) and ends.high - ends.low > 4 * alone
    one = [judged_rows(name, gain=gain).query("photo == 'cup'") for name, gain in (("ifan", 1.0), ("b", 0.0))]
    assert difference(*one, "psnr").estimate is None and difference(*one, "psnr").mean == pytest.approx(1.0)


def test_of_a_map_the_smaller_error_is_the_better_one():
    assert difference(judged_rows("dme_net", mae=0.05), judged_rows("sft_dec", mae=0.06), "mae").better == 6
    table = planted({A: 0.0, B: 0.0}).assign(mae=lambda rows: 0.1 + 0.01 * (rows["variant"] == "sft"))
    assert difference_row(table, A, B, "mae")["verdict"] == "doesn't hold"


def test_a_cell_is_the_mean_of_its_pictures_and_the_scatter_of_its_folds():
    table = planted({A: 0.0}, folds=2)
    means = table.groupby("fold")["psnr"].mean()
    expected = {"ours": table["psnr"].mean(), "deviation": abs(means[0] - means[1]) / np.sqrt(2), "trainings": 2}
    assert cell_figures(table, A, "psnr") == pytest.approx(expected)
    assert np.isnan(cell_figures(table[table["fold"] == 0], A, "psnr")["deviation"])
    assert cell_figures(table, B, "psnr") == {}


def test_a_table_that_can_t_be_compared_is_refused():
    table = planted({A: 0.0})
    with pytest.raises(ValueError, match="lacks photo"):
        check_table(table.drop(columns="photo"))
    with pytest.raises(ValueError, match="a row twice"):
        check_table(pd.concat([table, table.iloc[:1].assign(fold=2)]))
    with pytest.raises(ValueError, match="NaN or infinite"):
        check_table(table.assign(psnr=np.inf))
    with pytest.raises(ValueError, match="no rows"):
        check_table(table.iloc[:0])


def part(above, measure="psnr", size=0.0):
    """A difference whose p-value against one that isn't above ``size`` is ``above``, and ``size``."""
    return {"measure": measure, "ours": size + student.isf(above, 5) * 0.1, "error": 0.1, "degrees": 5}, size


def test_a_claim_holds_with_all_its_parts_and_fails_with_one():
    (all_above,) = decided([[part(0.001), part(0.02)]])
    assert all_above == ("holds", pytest.approx(0.04))
    assert decided([[part(0.001), part(0.03)]])[0][0] == "can't be told"
    assert decided([[part(0.001), part(0.995)]]) == [("doesn't hold", pytest.approx(0.02))]  # 2 sides × 2 parts
    assert decided([[part(0.001), ({"measure": "psnr"}, 0.0)]]) == [("can't be told", 1.0)]
    assert decided([[part(0.999, measure="mae")]])[0][0] == "holds"


def test_a_claim_is_of_the_size_beside_each_difference():
    assert decided([[part(0.001, size=0.4), part(0.02, size=-0.1)]]) == [("holds", pytest.approx(0.04))]
    less, _ = part(0.999, size=0.4)  # below 0.4, and above 0
    assert decided([[(less, 0.4)]])[0][0] == "doesn't hold" and decided([[(less, -0.6)]])[0][0] == "holds"


def test_claims_are_corrected_for_their_number_as_holm_says():
    chances = [0.001, 0.02, 0.004]
    found = decided([[part(chance)] for chance in chances])
    assert [chance for _, chance in found] == pytest.approx(holm([2 * chance for chance in chances]))
    assert [verdict for verdict, _ in found] == ["holds", "holds", "holds"]
    assert decided([[part(0.02)]] * 3)[0][0] == "can't be told"


def test_a_rounded_zero_has_no_sign():
    assert [number(value, 2) for value in (0.004, -0.004, -0.006, 1)] == ["0.00", "0.00", "−0.01", "+1.00"]
    assert [number(value, 3) for value in (-0.0005, 0.4335, 0.4334999)] == ["−0.001", "+0.434", "+0.434"]


@pytest.mark.parametrize(("folds", "reach"), [(2, "12.7"), (3, "4.3"), (4, None)])
def test_a_page_of_few_trainings_says_that_it_is_a_trial(folds, reach):
    experiment = Experiment(
        folds=list(range(folds)), photos=PhotosParams(), steps={"s1": 1}, variants={"a": {}, "b": {}}
    )
    row = {"variant": "a", "stage": "s1", "machine": "CPU", "dataset": "d", "ssim_blurred": 0.5}
    rows = [
        row | {"fold": fold, "scene": f"{fold}", "photo": f"{fold}", "psnr_blurred": 20.0 + fold}
        for fold in range(folds)
    ]
    notes = judged_notes(experiment, pd.DataFrame(rows))
    assert notes[0].startswith("**A trial, and no result") == (reach is not None)
    assert reach is None or f"reach {reach} standard errors" in notes[0]
    assert f"Blurred, they have {20 + (folds - 1) / 2:.3f} dB and an SSIM of 0.5000." in " ".join(notes)
