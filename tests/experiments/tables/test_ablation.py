"""Paired differences with planted effects, intervals that cover, and verdicts."""

import itertools

import numpy as np
import pandas as pd
import pytest

from sftdec.evaluation.statistics import Interval
from sftdec.experiments.tables.ablation import (
    Trained,
    bootstrap_interval,
    check_table,
    difference,
    mean_of_seeds,
    number,
    sentence,
    together,
)

REPLICATES = 4000


def planted(effects, seeds=3, photos=4, seed_effect=0.05, noise=0.02):
    """Trainings of {Trained: PSNR above 25 dB}, whose scenes (three a photo) and seeds have effects of their own."""
    generator = np.random.default_rng(7)
    of_scene = generator.normal(0, 2.0, 3 * photos)
    rows = []
    for trained, effect in effects.items():
        own = generator.normal(0, seed_effect, seeds)
        for seed, scene in itertools.product(range(seeds), range(3 * photos)):
            psnr = 25 + effect + of_scene[scene] + own[seed] + generator.normal(0, noise)
            figures = {"psnr": psnr, "ssim": psnr / 30, "mae": 0.1}
            place = {"dataset": "set", "scene": f"s{scene}", "photo": f"p{scene // 3}"}
            rows.append({**trained._asdict(), "seed": seed, **place, **figures})
    return pd.DataFrame(rows)


A, B = Trained("equal_steps", "sft", "s3"), Trained("equal_steps", "baseline", "s3")


def compare(table, first=A, second=B, measure="psnr"):
    return difference(table, first, second, measure, 0.95, REPLICATES)


def test_a_planted_difference_is_found_though_scenes_differ_by_more():
    found = compare(planted({A: 0.5, B: 0.0}))
    assert 0.5 in found.interval and found.interval.low > 0
    assert found.interval.mean == pytest.approx(0.5, abs=0.15)
    assert (found.verdict(), found.verdict(-1)) == ("holds", "doesn't hold")
    assert (found.seeds, found.scenes, found.photos, found.photos_above) == ((0, 1, 2), 12, 4, 4)


def test_the_other_way_round_is_the_same_with_another_sign():
    table = planted({A: 0.5, B: 0.0})
    assert compare(table, B, A).interval.mean == pytest.approx(-compare(table).interval.mean)
    assert compare(table, B, A).verdict() == "doesn't hold"


def test_no_difference_can_t_be_told():
    assert compare(planted({A: 0.0, B: 0.0}, seed_effect=0.2)).verdict() == "can't be told"
    assert compare(planted({A: 0.0}), A, A).verdict() == "can't be told"


def test_one_seed_gives_no_interval_and_no_verdict():
    table = planted({A: 0.5, B: 0.0})
    found = compare(table[(table["variant"] == "sft") | (table["seed"] == 1)])
    assert found.seeds == (1,) and found.interval is None and found.verdict() == "can't be told"


def test_a_training_that_is_missing_gives_no_verdict():
    found = compare(planted({A: 0.5}))
    assert found.seeds == () and found.interval is None and found.verdict() == "can't be told"


def test_only_the_common_seeds_are_compared():
    table = planted({A: 0.5, B: 0.0})
    table.loc[(table["variant"] == "sft") & (table["seed"] == 2), "psnr"] += 100
    found = compare(table[(table["variant"] == "sft") | (table["seed"] < 2)])
    assert found.seeds == (0, 1) and found.interval.mean < 1


def test_trainings_judged_on_different_scenes_are_refused():
    table = planted({A: 0.5, B: 0.0})
    for missing in (table["variant"] == "sft", (table["variant"] == "sft") & (table["seed"] == 0)):
        with pytest.raises(ValueError, match="sft/s3 and equal_steps/baseline/s3 were not judged on the same"):
            compare(table[~(missing & (table["scene"] == "s4"))])


@pytest.mark.parametrize(
    ("seed_spread", "scene_spread", "rest"), [(0.1, 0.1, 0.1), (0.2, 0.02, 0.02), (0.02, 0.2, 0.02), (0.1, 0.1, 0.0)]
)
def test_the_interval_covers_the_truth_at_least_as_often_as_it_says(seed_spread, scene_spread, rest):
    generator = np.random.default_rng(1)
    seeds, scenes, times, level = 3, 12, 600, 0.9
    covered = 0
    for _ in range(times):
        effects = generator.normal(0, seed_spread, (seeds, 1)) + generator.normal(0, scene_spread, (1, scenes))
        covered += 0.3 in bootstrap_interval(0.3 + effects + generator.normal(0, rest, (seeds, scenes)), level, 2000)
    assert level - 0.03 < covered / times < 0.99  # 0.03: two and a half standard errors of 600 draws


def test_the_interval_narrows_with_more_seeds_and_with_a_lower_level():
    three = np.array([[-0.1], [0.0], [0.1]]) + np.zeros((3, 12))
    few, many = bootstrap_interval(three), bootstrap_interval(np.tile(three, (4, 1)))
    assert few.high - few.low > 3 * (many.high - many.low)  # by Student's t: 4.30 / 2.20 times the errors' ratio
    lower = bootstrap_interval(three, 0.5)
    assert lower.high - lower.low < 0.25 * (few.high - few.low)


def test_the_same_differences_give_the_same_interval():
    differences = np.random.default_rng(3).normal(0, 1, (3, 5))
    assert bootstrap_interval(differences) == bootstrap_interval(differences)


def test_too_few_seeds_or_scenes_are_refused():
    with pytest.raises(ValueError, match="found 1 seeds × 5 scenes"):
        bootstrap_interval(np.zeros((1, 5)))


def test_a_cell_is_the_mean_and_the_scatter_of_its_seeds():
    table = planted({A: 0.0}, seeds=2)
    means = table.groupby("seed")["psnr"].mean()
    cell = mean_of_seeds(table, A, "psnr")
    assert cell == pytest.approx((means.mean(), abs(means[0] - means[1]) / np.sqrt(2), 2))
    assert mean_of_seeds(table[table["seed"] == 0], A, "psnr").deviation is None
    assert mean_of_seeds(table, B, "psnr") is None


def test_a_table_that_can_t_be_compared_is_refused():
    table = planted({A: 0.0})
    with pytest.raises(ValueError, match="lacks photo"):
        check_table(table.drop(columns="photo"))
    with pytest.raises(ValueError, match="a row twice"):
        check_table(pd.concat([table, table.iloc[:1]]))
    with pytest.raises(ValueError, match="NaN or infinite"):
        check_table(table.assign(psnr=np.inf))


def test_a_claim_holds_with_all_its_parts_and_fails_with_one():
    assert together(["holds", "holds"]) == "holds"
    assert together(["holds", "can't be told"]) == "can't be told"
    assert together(["holds", "can't be told", "doesn't hold"]) == "doesn't hold"
    assert sentence(["holds", "holds"]) == "holds (all 2 parts)"
    assert sentence(["holds", "can't be told", "holds"]) == "can't be told (of 3 parts holds: 2, can't be told: 1)"
    assert sentence(["can't be told"]) == "can't be told"
    with pytest.raises(ValueError, match="without parts"):
        together([])


def test_an_interval_that_touches_0_tells_nothing():
    assert Interval(0.5, 0.0, 1.0).verdict() == "can't be told"
    assert Interval(-0.5, -1.0, 0.0).verdict() == "can't be told"


def test_a_rounded_zero_has_no_sign():
    assert [number(value, 2) for value in (0.004, -0.004, -0.006, 1)] == ["0.00", "0.00", "−0.01", "+1.00"]
    assert [number(value, 3) for value in (-0.0005, 0.4335, 0.4334999)] == ["−0.001", "+0.434", "+0.434"]
