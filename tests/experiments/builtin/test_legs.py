"""How the model that ships is put into the package."""

import hashlib

import pytest

from experiments.builtin.publish import HERE, card, legs_to
from sftdec.builtin import builtin_weights
from sftdec.networks import load_weights
from sftdec.runtime import DataError


def test_the_legs_of_the_weights_that_ship_and_of_those_that_go_on_are_written_down():
    shipped, further = legs_to(builtin_weights()), legs_to(HERE / "legs/camera.safetensors")
    assert len(shipped) < len(further) and further[: len(shipped)] == shipped
    text = card(load_weights(builtin_weights()), [], shipped)
    assert shipped[-1]["sha256"] in text and further[-1]["sha256"] not in text
    assert hashlib.sha256(builtin_weights().read_bytes()).hexdigest() in text


def test_weights_that_nobody_knows_the_origin_of_are_not_published(tmp_path):
    (tmp_path / "unknown.safetensors").write_bytes(b"no leg gave these")
    with pytest.raises(DataError, match=r"legs\.csv: found no leg that gave [0-9a-f]{16}"):
        legs_to(tmp_path / "unknown.safetensors")
    (tmp_path / "large.safetensors").write_bytes(bytes(4_000_001))
    with pytest.raises(DataError, match="expected at most 4000000"):
        legs_to(tmp_path / "large.safetensors")
