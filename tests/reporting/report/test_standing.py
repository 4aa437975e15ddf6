import pandas as pd
import pytest

from sftdec.reporting.report.standing import read_standings


@pytest.fixture
def path(tmp_path):
    rows = [
        ("sample", "equal_time", "floor", "blurred input", 27.0, -1.5, -0.5),
        ("sample", "equal_time", "sft_dec", "SFT-Dec", 28.0, None, None),
        ("sample", "equal_time", "ifan", "IFAN", 26.5, -2.0, -1.0),
        ("sample", "equal_time", "mimo_unet", "MIMO-UNet", 27.9, -0.4, 0.2),
        ("sample", "equal_time", "nafnet32", "NAFNet", 28.5, 0.2, 0.8),
        ("sample", "equal_time", "oracle+deconvolution", "true map", 29.0, 0.5, 1.5),
        ("sample", "equal_time", "mprnet", "MPRNet", None, None, None),
        ("sample", "equal_steps", "ifan", "IFAN", 40.0, 11.0, 13.0),
        ("alone", "equal_time", "sft_dec", "SFT-Dec", 28.0, None, None),
    ]
    columns = ["dataset", "budget", "method", "title", "psnr", "psnr_low", "psnr_high"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "table2.csv", index=False)
    return tmp_path / "table2.csv"


def test_systems_stand_by_gain_and_one_that_is_told_the_truth_does_not_count(path):
    (standing,) = read_standings(path)
    assert [(line["title"], line["gain"]) for line in standing.systems] == [
        ("true map", 2.0), ("NAFNet", 1.5), ("SFT-Dec", 1.0), ("MIMO-UNet", pytest.approx(0.9)), ("IFAN", -0.5)
    ]  # fmt: skip
    assert standing.dataset == "sample"
    assert (standing.behind, standing.beside, standing.ahead) == (["IFAN"], ["MIMO-UNet"], ["NAFNet"])


def test_where_the_file_has_p_values_what_is_told_apart_is_corrected_for_their_number(path):
    table = pd.read_csv(path)
    table["psnr_chance"] = table["title"].map({"IFAN": 0.001, "blurred input": 0.3, "NAFNet": 0.02, "true map": 0.03})
    table["psnr_chance"] = table["psnr_chance"].fillna(0.4).where(table["psnr_low"].notna())
    table.to_csv(path, index=False)
    (standing,) = read_standings(path)  # Holm: 0.001 × 5, then 0.02 × 4 is above 0.05
    assert (standing.behind, standing.beside, standing.ahead) == (["IFAN"], ["NAFNet", "MIMO-UNet"], [])


def test_the_data_set_of_most_photos_comes_first(path):
    table = pd.read_csv(path).assign(photos=3)
    pd.concat([table, table.assign(dataset="unseen", photos=93)]).to_csv(path, index=False)
    assert [standing.dataset for standing in read_standings(path)] == ["unseen", "sample"]


def test_without_sft_dec_nobody_is_said_to_be_better_or_worse(path):
    table = pd.read_csv(path)
    table[table["method"] != "sft_dec"].to_csv(path, index=False)
    (standing,) = read_standings(path)
    assert (standing.behind, standing.beside, standing.ahead) == ([], [], [])


def test_bars_start_at_no_gain(path):
    best, *_, worst = read_standings(path)[0].systems
    assert (best["left"], best["width"]) == (20.0, 80.0)
    assert (worst["left"], worst["width"]) == (0.0, 20.0)


def test_a_table_of_other_columns_or_none_says_nothing(path, tmp_path):
    assert read_standings(tmp_path / "table9.csv") == []
    pd.read_csv(path).drop(columns="title").to_csv(path, index=False)
    assert read_standings(path) == []
