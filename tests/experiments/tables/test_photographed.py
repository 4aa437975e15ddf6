import numpy as np
import pandas as pd
import pytest
from PIL import Image

from experiments.comparison import photographed
from sftdec.experiments.tables.photographed import (
    COLUMNS,
    MEASURES,
    has_rows,
    named_rows,
    read_photographed,
    with_rows,
)
from sftdec.runtime.errors import DataError
from tests.experiments.tables.planted import judged_rows


def rows(model, gain, weights, pictures="pairs"):
    table = judged_rows(model, gain=gain, dataset="real")
    photos = dict(zip(table["scene"].str.removeprefix("real/"), table["photo"], strict=True))
    return named_rows(table.drop(columns="photo"), photos, model, "equal_time", weights, pictures)


def test_new_figures_replace_a_models_old_ones_and_no_others():
    table = with_rows(pd.DataFrame(columns=COLUMNS), rows("ifan", 0, "old"))
    table = with_rows(with_rows(table, rows("dpdnet", 1, "own")), rows("ifan", 2, "new"))
    assert len(table) == 12 and set(table["weights"]) == {"own", "new"}
    assert has_rows(table, "real", "ifan", "equal_time", "new", "pairs")
    assert not has_rows(table, "real", "ifan", "equal_time", "new", "other pairs")
    assert not has_rows(table, "real", "ifan", "equal_time", "old", "pairs")
    assert not has_rows(pd.DataFrame(columns=COLUMNS), "real", "ifan", "equal_time", "old", "pairs")
    table = with_rows(pd.concat([table, rows("mprnet", 0, "own").assign(dataset="other")]), rows("ifan", 3, "new", "b"))
    assert list(table[["dataset", "model", "pictures"]].drop_duplicates().itertuples(index=False, name=None)) == [
        ("other", "mprnet", "pairs"),
        ("real", "ifan", "b"),
    ]


def test_changed_added_and_replaced_pictures_are_measured_anew(tmp_path, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 255, (4, 16, 20, 3)).astype(np.uint8)
    calls = []

    def measured():
        monkeypatch.setattr("sys.argv", ["photographed", f"real={tmp_path}", "--methods", "zhuo_sim"])
        before = len(calls)
        photographed.main()
        return len(calls) - before, read_photographed(tmp_path / "found.csv")

    def evaluate(source, scenes):
        calls.append(source)
        return pd.DataFrame(
            [{"scene": each.name, "dataset": "real", **dict.fromkeys(MEASURES, 1.0)} for each in scenes]
        )

    monkeypatch.setattr(photographed, "OUT", tmp_path / "found.csv")
    monkeypatch.setattr(photographed, "measure_method", evaluate)
    digests = []
    for name, picture in (("a", 0), ("a", 1), ("a_1", 2)):
        for part in ("ground_truth/a", f"input/{name}"):
            (tmp_path / part).parent.mkdir(exist_ok=True)
            Image.fromarray(noise[picture]).save(tmp_path / f"{part}.png")
        count, table = measured()
        assert count == 1 and measured()[0] == 0
        digests += table["pictures"].unique().tolist()
    assert len(table) == 2 and len(set(digests)) == len(digests) == 3


def test_a_file_gives_back_what_was_written_and_a_broken_one_is_named(tmp_path):
    table = rows("zhuo_sim", 1, "").round(6)
    table.to_csv(tmp_path / "found.csv", index=False, float_format="%.6f")
    pd.testing.assert_frame_equal(read_photographed(tmp_path / "found.csv"), table, check_dtype=False)
    assert read_photographed(tmp_path / "missing.csv").empty
    table.drop(columns="weights").to_csv(tmp_path / "found.csv", index=False)
    with pytest.raises(DataError, match="lacks weights"):
        read_photographed(tmp_path / "found.csv")
