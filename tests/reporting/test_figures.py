import io
import math

import numpy as np
import pytest
from PIL import Image

from sftdec.reporting.figures import contact_sheet, decibels, panel, reduced, split_tile
from sftdec.reporting.gallery import Gallery
from sftdec.reporting.style import png_bytes, save_figure
from tests.evaluation.scenes import halfway, make_scene, texts


def make_panel(**size):
    scene = make_scene(**size)
    return panel(scene, halfway(scene), scene.defocus)


@pytest.mark.parametrize("size", [(48, 64), (16, 16), (64, 24), (16, 200)])
def test_a_panel_is_1536_px_wide_whatever_the_picture(size):
    image = Image.open(io.BytesIO(png_bytes(make_panel(height=size[0], width=size[1]))))
    assert image.width == 1536
    assert 400 < image.height < 1000


def test_a_taller_picture_makes_a_taller_panel():
    tall, wide = make_panel(height=64, width=48), make_panel(height=48, width=64)
    assert tall.get_size_inches()[1] > wide.get_size_inches()[1]


def test_a_panel_names_its_parts_and_measures_them():
    written = " ".join(texts(make_panel()))
    for part in ("sample/a_0", "blurred", "deblurred", "sharp", "true defocus", "estimated defocus", "σ, px"):
        assert part in written
    assert "MAE 0.0000 (0.00 px)" in written
    assert "SSIM" in written and "dB" in written


def test_maps_are_drawn_in_pixels_up_to_the_data_sets_sigma_max():
    figure = make_panel()
    maps = [image for axes in figure.axes for image in axes.images if image.get_array().ndim == 2]
    assert [image.get_clim() for image in maps] == [(0.0, 4.0), (0.0, 4.0)]
    assert maps[0].get_array().max() == pytest.approx(4.0)


def test_both_windows_are_outlined_on_the_three_pictures():
    assert [len(axes.patches) // 2 for axes in make_panel().axes[:5]] == [2, 2, 2, 0, 0]


def test_no_text_of_a_panel_lies_outside_it_or_on_its_neighbour():
    figure = make_panel()
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    labels = [axes.xaxis.label.get_window_extent(renderer) for axes in figure.axes if axes.get_xlabel()]
    assert all(box.x0 >= 0 and box.x1 <= 1536 and box.y0 >= 0 for box in labels)
    assert not any(a.overlaps(b) for index, a in enumerate(labels) for b in labels[:index])


def test_an_exact_restoration_is_written_as_infinity():
    scene = make_scene()
    assert "∞ dB" in " ".join(texts(panel(scene, scene.sharp, scene.defocus)))
    assert decibels(math.inf) == "∞ dB"


def test_a_panel_refuses_pictures_of_another_size():
    scene = make_scene()
    with pytest.raises(ValueError, match="shape"):
        panel(scene, halfway(make_scene(height=40)), scene.defocus)


def test_a_saved_figure_has_the_same_bytes_each_time_and_names_no_software(tmp_path):
    for name in ("a.png", "b.png"):
        save_figure(make_panel(), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert "Software" not in Image.open(tmp_path / "a.png").info


def test_figures_leave_pyplot_and_its_settings_alone():
    import matplotlib
    from matplotlib import pyplot

    before = dict(matplotlib.rcParams)
    png_bytes(make_panel())
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == []


def test_a_tile_is_blurred_at_the_left_and_deblurred_at_the_right():
    scene = make_scene(width=64)
    tile = split_tile(scene, np.zeros_like(scene.sharp))
    assert np.array_equal(tile.image[:, :32], scene.blurred[:, :32])
    assert not tile.image[:, 32:].any()
    assert tile.gain < 0


def test_a_wide_picture_is_reduced_in_proportion_and_a_narrow_one_kept():
    picture = make_scene(height=30, width=120).sharp
    assert reduced(picture, 40).shape == (10, 40, 3)
    assert np.array_equal(reduced(picture, 200), picture)


@pytest.mark.parametrize(("count", "columns"), [(1, 4), (2, 2), (7, 4)])
def test_a_contact_sheet_shows_every_name_and_gain(count, columns):
    scenes = [make_scene(f"s/{index}", seed=index) for index in range(count)]
    figure = contact_sheet([split_tile(scene, halfway(scene)) for scene in scenes], columns)
    written = texts(figure)
    assert all(scene.name in written for scene in scenes)
    assert sum(text.startswith("+") and text.endswith("dB") for text in written) == count
    assert len(figure.axes) == count


def test_a_long_name_is_cut_and_an_infinite_gain_left_out():
    scene = make_scene("a_data_set/" + "very_" * 12 + "long_name")
    written = texts(contact_sheet([split_tile(scene, scene.sharp)]))
    assert any(text.startswith("…") and text.endswith("long_name") for text in written)
    assert not any("inf" in text for text in written)


def test_a_contact_sheet_needs_pictures():
    with pytest.raises(ValueError, match="at least one scene"):
        contact_sheet([])


def test_a_gallery_keeps_some_of_each_data_set_and_puts_all_on_the_sheet(tmp_path):
    gallery = Gallery(tmp_path, per_dataset=1)
    for name, dataset in (("a/0", "a"), ("a/1", "a"), ("b/0", "b")):
        scene = make_scene(name, dataset=dataset)
        gallery(scene, halfway(scene), scene.defocus)
    sheet = gallery.write_contact_sheet()
    assert [pair.scene for pair in gallery.comparisons] == ["a/0", "b/0"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a__0.png", "b__0.png", sheet.name]
