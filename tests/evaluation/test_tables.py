import pytest

from sftdec.evaluation.evaluate import summarise
from sftdec.evaluation.tables import metrics_table
from tests.evaluation.scenes import make_per_image


def test_the_better_number_of_each_pair_is_bold():
    header, ruler, row = metrics_table(summarise(make_per_image([0.5]))).splitlines()
    assert header.count("|") == ruler.count("|") == row.count("|")
    assert "| 25.00 | **25.50** | +0.50 | 0.7000 | **0.8000** | 100% | **0.1000** | 0.0200 | 0.2000 |" in row


def test_a_loss_is_shown_as_one():
    row = metrics_table(summarise(make_per_image([-0.5]))).splitlines()[2]
    assert "| **25.00** | 24.50 | -0.50 |" in row


def test_numbers_that_print_alike_are_both_plain():
    row = metrics_table(summarise(make_per_image([0.001]))).splitlines()[2]
    assert "| 25.00 | 25.00 |" in row


def test_a_bar_in_a_name_does_not_break_the_table():
    assert "a\\|b" in metrics_table(summarise(make_per_image([1.0], dataset="a|b")))


def test_no_metrics_are_an_error():
    with pytest.raises(ValueError, match="at least one data set"):
        metrics_table({})
