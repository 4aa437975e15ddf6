import io
import itertools

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from sftdec.reporting.plots import gain_plot, map_calibration, time_against_quality, training_curves
from sftdec.reporting.style import png_bytes
from tests.evaluation.scenes import make_curve, make_per_image, texts


@pytest.mark.parametrize("width", [9.6, 4.4])
def test_stages_follow_one_another_on_one_axis(width):
    figure = training_curves({"s1": make_curve(30), "s2": make_curve(20)}, width)
    losses, quality, maps = figure.axes
    assert losses.get_xlim() == quality.get_xlim() == maps.get_xlim() == (0, 50)
    for axes, column in ((quality, "validation_psnr"), (maps, "validation_mae")):
        points = [line for line in axes.lines if line.get_marker() == "o"]
        assert [line.get_xdata().tolist() for line in points] == [[10, 20, 30], [40, 50]]
        assert points[0].get_ydata().tolist() == make_curve(30)[column].dropna().tolist()
    assert Image.open(io.BytesIO(png_bytes(figure))).width == round(width * 160)


def test_each_loss_that_was_measured_stands_once_in_the_legend():
    figure = training_curves({"s1": make_curve(), "s2": make_curve()})
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["total loss", "map, L1", "picture, L1"]
    assert {"s1", "s2"} <= set(texts(figure))


def test_a_training_without_validation_says_so():
    assert "not measured" in texts(training_curves({"s1": make_curve(validated=False)}))
    assert "not measured" not in texts(training_curves({"s1": make_curve()}))
    assert "not measured" in texts(training_curves({"s1": make_curve()[["step", "loss"]]}))


def test_curves_that_cannot_be_drawn_are_refused_by_name():
    with pytest.raises(ValueError, match="at least one stage"):
        training_curves({})
    with pytest.raises(ValueError, match="curve s2 has 0 rows"):
        training_curves({"s1": make_curve(), "s2": make_curve(0)})
    with pytest.raises(ValueError, match=r"curve s1 .* of step"):
        training_curves({"s1": make_curve()[["step"]]})


def test_gains_are_sorted_and_named_the_largest_on_top():
    figure = gain_plot(make_per_image([0.5, -0.25, 1.5]))
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [-0.25, 0.5, 1.5]
    assert [label.get_text() for label in axes.get_yticklabels()][-1] == "sample/picture_2"
    assert {"+1.50", "−0.25", "sample: +0.58 dB on average over 3 pictures"} <= set(texts(figure))


def test_gains_and_losses_have_two_colours_and_the_mean_a_line():
    (axes,) = gain_plot(make_per_image([0.5, -0.25, 1.5])).axes
    worse, better, best = (bar.get_facecolor() for bar in axes.patches)
    assert worse != better == best
    assert any(np.allclose(line.get_xdata(), 1.75 / 3) for line in axes.lines)


def test_each_data_set_has_its_plot_and_many_pictures_are_upright_bars():
    gains = np.linspace(-1, 2, 50)
    figure = gain_plot(pd.concat([make_per_image(gains, "many"), make_per_image([0.0], "one")]))
    many, one = figure.axes
    assert [bar.get_height() for bar in many.patches] == pytest.approx(sorted(gains, reverse=True))
    assert len(one.patches) == 1
    assert png_bytes(figure) == png_bytes(figure)


def test_a_table_without_rows_or_columns_is_refused():
    with pytest.raises(ValueError, match="0 rows"):
        gain_plot(make_per_image([]))
    with pytest.raises(ValueError, match="lacks psnr_blurred"):
        gain_plot(make_per_image([1.0]).drop(columns="psnr_blurred"))


def test_the_maps_chart_has_the_median_where_there_are_pixels():
    truth = np.repeat([0.5, 3.0], 100)
    figure = map_calibration(truth, np.concatenate([np.linspace(0.4, 0.6, 100), np.full(100, 1.5)]))
    (line,) = (line for line in figure.axes[0].lines if line.get_marker() == "o")
    assert line.get_ydata() == pytest.approx([0.5, 1.5]) and line.get_xdata() == pytest.approx([0.5, 3.0], abs=0.07)


@pytest.mark.parametrize("width", [9.6, 3.3])
def test_the_names_of_systems_stand_on_the_picture_and_apart(width):
    systems = pd.DataFrame({"title": ["SFT-Dec's map, deconvolution", "$a", "b"], "seconds": [1.0, 1.0, 30.0]})
    figure = time_against_quality(systems.assign(own=[True, False, False], gain=[1.0, 1.0, 0.99]), width)
    png_bytes(figure)
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 for box in boxes)
    assert all(one.y1 <= other.y0 for one, other in itertools.pairwise(boxes))


def test_a_mean_gain_has_its_interval_beside_it():
    assert len(gain_plot(make_per_image([0.5, 0.6, 0.7])).axes[0].collections) == 1
    assert not gain_plot(make_per_image([0.5])).axes[0].collections
