"""From photos to their figures, the training's and incoming ones, and to the picture."""

import json
import os

import numpy as np
import pandas as pd
import pytest

from sftdec.drift import STATISTICS, Gauge, append_record, check_drift, compare_with_training, find_index
from sftdec.drift.picture import drift_figure
from sftdec.drift.records import read_records
from sftdec.drift.reference import training_reference
from sftdec.drift.source import incoming_statistics
from sftdec.drift.statistics import DriftError, photo_statistics
from sftdec.reporting.style import WORSE
from tests.drift.photos import folder_of_photos, photo, training_index
from tests.tiny import tiny_network


def test_each_figure_follows_what_it_is_named_after():
    flat = np.full((64, 64, 3), 90, np.uint8)
    noisy = (flat + np.random.default_rng(0).normal(0, 4, (64, 64, 1))).astype(np.uint8)
    found = photo_statistics(tiny_network(), noisy, 64)
    assert found["brightness"] == pytest.approx(90, abs=1)
    assert found["noise"] == pytest.approx(4, rel=0.1)
    assert found["sharpness"] == pytest.approx(2 * 4 * np.sqrt(4 / np.pi), rel=0.1)  # E|a - b| of two normal values
    assert 0 <= found["sigma"] <= tiny_network().config.sigma_max
    assert (
        photo_statistics(tiny_network(), flat, 64)["noise"]
        == photo_statistics(tiny_network(), flat, 64)["sharpness"]
        == 0
    )


def test_a_photo_gives_its_figures_from_one_window_and_always_the_same():
    large = photo(1, side=200)
    assert photo_statistics(tiny_network(), large, 32) == photo_statistics(tiny_network(), large.copy(), 32)
    with pytest.raises(DriftError, match="40×40 px, expected 64 px or more"):
        photo_statistics(tiny_network(), photo(1), 64)
    with pytest.raises(DriftError, match="window: found 8 px"):
        Gauge("", 8)


def test_photos_of_another_size_give_figures_of_the_same_distribution():
    gauge = tiny_network()
    small, large = (pd.DataFrame([photo_statistics(gauge, photo(n, s), 32) for n in range(60)]) for s in (32, 150))
    assert not check_drift(small, large).alarm


def test_the_reference_is_of_the_scenes_that_were_trained_on_and_measured_once_a_network(tmp_path):
    index, gauge = training_index(tmp_path), Gauge.of(tiny_network(), 32)
    found = training_reference(index, tiny_network(), gauge)
    assert len(found) == 60 and list(found.columns) == list(STATISTICS)
    trained = {tuple(photo_statistics(tiny_network(), photo(seed), 32).values()) for seed in range(60)}
    assert set(found.itertuples(index=False, name=None)) == trained
    (tmp_path / "scenes" / "blurred").rename(tmp_path / "gone")
    pd.testing.assert_frame_equal(training_reference(index, tiny_network(), gauge), found)
    with pytest.raises(DriftError, match="there is no such picture"):
        training_reference(index, tiny_network(1), Gauge.of(tiny_network(1), 32))


def test_scenes_of_one_photo_count_once_in_the_reference(tmp_path):
    index = training_index(tmp_path, 40)
    scenes = pd.read_parquet(tmp_path / "scenes" / "index.parquet")
    scenes["photo"] = [str(row // 2) for row in range(len(scenes))]
    scenes.to_parquet(tmp_path / "scenes" / "index.parquet")
    assert len(training_reference(index, tiny_network(), Gauge.of(tiny_network(), 32))) == 20


def test_the_index_that_was_written_last_is_taken_wherever_the_training_was(tmp_path):
    here, there = tmp_path / "build/patches/index.parquet", tmp_path / ".retrain/worktree/build/patches/index.parquet"
    assert find_index(tmp_path) == here
    for age, path in ((2, here), (1, there)):
        path.parent.mkdir(parents=True)
        path.touch()
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
        assert find_index(tmp_path) == path
    os.utime(here)
    assert find_index(tmp_path) == here


def test_an_index_that_is_missing_or_another_is_named(tmp_path):
    with pytest.raises(DriftError, match=r"index\.parquet: there is no such index"):
        training_reference(tmp_path / "patches" / "index.parquet", tiny_network(), Gauge.of(tiny_network(), 32))
    index = training_index(tmp_path, 3)
    with pytest.raises(DriftError, match="found no column scene"):
        pd.DataFrame({"sigma": [1.0]}).to_parquet(index)
        training_reference(index, tiny_network(), Gauge.of(tiny_network(), 32))


def test_unreadable_small_and_repeated_photos_are_left_out_with_the_reason(tmp_path):
    folder = folder_of_photos(tmp_path / "in", range(3))
    (folder / "again.png").write_bytes((folder / "1.png").read_bytes())
    (folder / "broken.png").write_bytes(b"nothing")
    table, left_out = incoming_statistics(folder, tiny_network(), Gauge.of(tiny_network(), 32))
    assert len(table) == 3
    assert (
        len(left_out) == 2
        and "broken.png: found 7 bytes that are no picture" in left_out[0]
        and "1 photos are there" in left_out[1]
    )


def test_a_record_holds_four_figures_and_what_they_were_measured_with(tmp_path):
    gauge, file = Gauge.of(tiny_network(), 32), tmp_path / "log" / "seen.jsonl"
    figures = [photo_statistics(tiny_network(), photo(seed), 32) for seed in range(3)]
    for each in figures:
        append_record(file, each, gauge)
    assert set(json.loads(file.read_text().splitlines()[0])) == {*STATISTICS, "window", "weights"}
    table, left_out = read_records(file, gauge)
    assert table.to_dict("records") == figures and left_out == []


def test_records_of_another_network_and_broken_lines_are_left_out(tmp_path):
    gauge, file = Gauge.of(tiny_network(), 32), tmp_path / "seen.jsonl"
    figures = photo_statistics(tiny_network(), photo(0), 32)
    append_record(file, figures, gauge)
    append_record(file, figures, Gauge.of(tiny_network(1), 32))
    with file.open("a") as opened:
        opened.write('{"sigma": 1.0}\n[]\n{"sigma": 1, "sharpness": NaN, "brightness": 1, "noise": 1, "window": 32, ')
        opened.write(f'"weights": "{gauge.weights}"}}\n{{"sig')
    table, left_out = read_records(file, gauge)
    assert len(table) == 1
    assert "1 photos were measured with another network" in left_out[0] and "4 lines are no records" in left_out[1]
    with pytest.raises(DriftError, match="there is no such file"):
        read_records(tmp_path / "none.jsonl", gauge)


def test_brighter_photos_alarm_and_are_red_in_the_picture(tmp_path):
    index = training_index(tmp_path / "build")
    alike = compare_with_training(folder_of_photos(tmp_path / "a", range(100, 150)), index, tiny_network(), window=32)
    lighter = compare_with_training(
        folder_of_photos(tmp_path / "b", range(100, 150), lighter=40), index, tiny_network(), window=32
    )
    assert not alike.report.alarm, alike.report.reason
    assert lighter.report.alarm and "brightness drifted" in lighter.report.reason
    red = tuple(int(WORSE[start : start + 2], 16) for start in (1, 3, 5))
    assert [red in colours(found) for found in (alike, lighter)] == [False, True]


def test_a_picture_of_too_few_photos_says_so():
    table = pd.DataFrame([photo_statistics(tiny_network(), photo(seed), 32) for seed in range(40)])
    figure = drift_figure(table, table[:3], check_drift(table, table[:3]))
    assert sum("too few photos" in text.get_text() for axes in figure.axes for text in axes.texts) == len(STATISTICS)


def colours(comparison) -> set[tuple[int, ...]]:
    figure = comparison.figure()
    figure.canvas.draw()
    pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3].reshape(-1, 3)
    return set(map(tuple, np.unique(pixels, axis=0).tolist()))
