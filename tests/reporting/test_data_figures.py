import numpy as np
import pandas as pd
import pytest

from sftdec.photos.defocus_pictures import coloured
from sftdec.reporting.data_figures import (
    Distribution,
    bins,
    choose_scenes,
    histograms,
    levels,
    pixel_distributions,
)
from sftdec.reporting.style import png_bytes
from tests.evaluation.scenes import make_scenes, texts


def make_index(counts, seed=0):
    """An index of scenes with ``counts`` per (data set, split), blur at random."""
    generator = np.random.default_rng(seed)
    rows = [(dataset, split) for (dataset, split), count in counts.items() for _ in range(count)]
    index = pd.DataFrame(rows, columns=["dataset", "split"])
    return index.assign(scene=[f"s{number}" for number in index.index], sigma_mean=generator.random(len(index)) * 6)


def test_the_choice_is_even_over_splits_and_data_sets_as_far_as_they_reach():
    index = make_index({("a", "train"): 1000, ("a", "test"): 3, ("b", "train"): 30, ("b", "validation"): 40})
    chosen = choose_scenes(index, 48).groupby(["dataset", "split"]).size()
    assert chosen["a", "test"] == 3
    assert sorted([chosen["a", "train"], chosen["b", "train"], chosen["b", "validation"]]) == [15, 15, 15]


def test_the_choice_reaches_from_the_least_to_the_most_blurred():
    index = make_index({("a", "train"): 1000})
    chosen = choose_scenes(index, 10)
    ranks = index["sigma_mean"].rank().loc[chosen.index]
    assert [int((rank - 1) // 100) for rank in ranks] == list(range(10))


def test_the_chosen_stand_for_every_scene_once():
    index = make_index({("a", "train"): 107, ("a", "test"): 31, ("b", "train"): 2})
    assert choose_scenes(index, 20)["stands_for"].sum() == len(index)
    everything = choose_scenes(index, 1000)
    assert set(everything["scene"]) == set(index["scene"]) and set(everything["stands_for"]) == {1}


def test_the_choice_is_the_same_for_the_same_seed_and_another_for_another():
    index = make_index({("a", "train"): 1000})
    first, again, other = (list(choose_scenes(index, 20, seed)["scene"]) for seed in (3, 3, 4))
    assert first == again != other


def test_more_groups_than_places_give_one_each_to_some():
    index = make_index({(f"d{number:02d}", "train"): 5 for number in range(60)})
    chosen = choose_scenes(index, 48)
    assert len(chosen) == 48 and chosen["dataset"].nunique() == 48


def test_the_histogram_of_pixels_counts_each_pixel_for_the_scenes_it_stands_for(tmp_path):
    index = make_scenes(tmp_path, ("train",) * 6)
    (whole,) = pixel_distributions(tmp_path, index, choose_scenes(index, 6))
    assert set(whole.counts["sample"]) == {6 * 2 * 48}  # 64 columns of a ramp in 32 bins, in each scene
    (half,) = pixel_distributions(tmp_path, index, choose_scenes(index, 3))
    assert np.array_equal(half.counts["sample"], whole.counts["sample"])


def test_each_split_has_a_histogram_of_its_own_and_all_have_the_same_bins(tmp_path):
    index = make_scenes(tmp_path, ("train",) * 4 + ("validation",) + ("test",) * 2)
    train, validation, test = pixel_distributions(tmp_path, index, choose_scenes(index, 7))
    assert [each.title.split(", ")[1] for each in (train, validation, test)] == ["train", "validation", "test"]
    assert train.counts["sample"].sum() == 4 * validation.counts["sample"].sum() == 2 * test.counts["sample"].sum()
    assert np.array_equal(train.edges, test.edges)


def test_many_data_sets_share_the_last_colour():
    edges = bins(4.0)
    counts = {f"set {number}": np.ones(len(edges) - 1) for number in range(7)}
    figure = histograms([Distribution("σ", "px", 1.0, edges, counts)])
    assert "other sets" in texts(figure) and "set 3" in texts(figure) and "set 4" not in texts(figure)
    top = figure.axes[0].patches[-1].get_data().values
    assert top == pytest.approx(np.full(len(edges) - 1, 100 / (len(edges) - 1)))


def test_a_data_set_with_a_dollar_in_its_name_is_drawn():
    counts = {"a_$x": np.ones(32), "$b_$": np.ones(32)}
    assert png_bytes(histograms([Distribution("σ", "px", 1.0, bins(4.0), counts)], 4.4))


def test_a_map_is_black_in_focus_and_bright_at_the_largest_blur():
    dark, bright = coloured(np.array([0.0, 1.0], np.float32)).astype(int).sum(axis=1)
    assert dark < 20 and bright > 600
    luminance = coloured(np.linspace(0, 1, 13, dtype=np.float32)) @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(luminance) > 5).all() and luminance[2] > 35  # 1 px of 6


def test_levels_are_read_back_from_their_colours():
    given = np.linspace(0, 1, 30 * 30, dtype=np.float32).reshape(30, 30)
    assert levels(coloured(given)) == pytest.approx(given[::3, ::3].ravel(), abs=1 / 255)
