"""The page of the open readings from planted tables."""

from pathlib import Path

import pytest

from sftdec.experiments.definition import load_experiment
from sftdec.experiments.tables.differences import Place
from sftdec.experiments.tables.readings import readings_document, readings_notes, readings_rows
from sftdec.reporting.document import markdown
from tests.experiments.tables.test_differences import planted

EXPERIMENT = load_experiment(Path(__file__).parents[3] / "experiments/readings/params.yaml")
LABELS = {"better": "a better reading", "worse": "a worse reading", "same": "a reading like the default"}


def trained(variant, stage="s3"):
    return Place(variant, stage)


def report(effects, labels=LABELS):
    table = planted({trained(variant): effect for variant, effect in effects.items()}, fold_effect=0.02)
    rows = readings_rows(table, labels)
    return markdown(readings_document(rows, readings_notes(EXPERIMENT, table))), rows


def test_each_reading_supports_what_its_interval_says():
    page, rows = report({"default": 0.0, "better": 0.5, "worse": -0.5, "same": 0.0})
    assert "each measure by itself.\n\nThe default: PSNR (dB) 24." in page
    assert "- a better reading: the figures support the other reading." in page
    assert "- a worse reading: the figures support the default." in page
    assert "- a reading like the default: which is better can't be told at this scale" in page
    of_psnr = rows[rows["measure"] == "psnr"].set_index("first")
    assert list(of_psnr["verdict"]) == ["holds", "doesn't hold", "can't be told"]
    assert of_psnr.loc["a worse reading", "ours"] == pytest.approx(-0.5, abs=0.1)


def test_of_a_maps_error_less_is_better():
    table = planted({trained("default"): 0.0, trained("better"): 0.0})
    table.loc[table["variant"] == "better", "mae"] = 0.05 + 0.001 * table["fold"] + 0.0001 * table["psnr"]
    rows = readings_rows(table, {"better": "maps"})
    assert rows.set_index("measure").loc["mae", "verdict"] == "holds"


def test_a_reading_that_was_not_trained_is_shown_so():
    page, rows = report({"default": 0.0, "better": 0.5})
    assert "| a worse reading | not trained | — |" in page
    assert rows.loc[rows["first"] == "a worse reading", "verdict"].eq("can't be told").all()


def test_without_the_default_there_is_nothing_to_compare_with():
    with pytest.raises(ValueError, match="no rows of default after s3"):
        report({"better": 0.5})
