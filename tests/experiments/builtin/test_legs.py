"""How the model that ships is put into the package."""

import hashlib

import pytest

from experiments.builtin.publish import card, legs_to
from sftdec.builtin import builtin_weights
from sftdec.networks import load_weights
from sftdec.runtime import DataError


def test_the_legs_of_the_weights_that_ship_are_written_down():
    legs = legs_to(builtin_weights())
    text = card(load_weights(builtin_weights()), [], legs)
    assert len(legs) > 1 and all(leg["sha256"] in text for leg in legs)
    assert hashlib.sha256(builtin_weights().read_bytes()).hexdigest() in text


def test_weights_that_nobody_knows_the_origin_of_are_not_published(tmp_path):
    (tmp_path / "unknown.safetensors").write_bytes(b"no leg gave these")
    with pytest.raises(DataError, match=r"legs\.csv: found no leg that gave [0-9a-f]{16}"):
        legs_to(tmp_path / "unknown.safetensors")
    (tmp_path / "large.safetensors").write_bytes(bytes(4_000_001))
    with pytest.raises(DataError, match="expected at most 4000000"):
        legs_to(tmp_path / "large.safetensors")
