"""YAML 1.2, read and written."""

import math

import pytest

from sftdec.runtime import dump_yaml, parse_yaml, read_yaml


@pytest.mark.parametrize("text, value", [("1e-3", 0.001), ("on", "on"), ("no", "no"), ("010", 10), ("0o10", 8)])
def test_values_are_those_that_dvc_reads(tmp_path, text, value):
    from dvc.utils.serialize import parse_yaml as dvcs

    assert parse_yaml(text, "here") == value == dvcs(text, "here")
    (tmp_path / "file.yaml").write_text(text)
    assert read_yaml(tmp_path / "file.yaml") == value


@pytest.mark.parametrize("text", ["a: [1", "a: 1\na: 2", b"\xff"])
def test_what_is_no_yaml_is_told_with_its_place(text):
    with pytest.raises(ValueError, match=r"params\.yaml: not YAML"):
        parse_yaml(text, "params.yaml")


def test_what_is_written_is_read_again_in_its_order():
    values = {"z": 1e-5, "a": {"on": "on", "é": ["1e-4", True, None, math.inf]}, "empty": []}
    text = dump_yaml(values)
    assert parse_yaml(text, "text") == values and list(parse_yaml(text, "text")) == list(values)
    assert text.startswith("z: 1e-05\na:\n")
