"""The registry's fixtures: the commands are tried on a real one."""

from pathlib import Path

import pytest

from sftdec.networks import save_weights
from tests.registry.conftest import bright, empty_store, root, settings, trained  # noqa: F401
from tests.tiny import stirred_network


@pytest.fixture
def weights(tmp_path: Path) -> str:
    save_weights(stirred_network(), tmp_path / "weights.safetensors")
    return str(tmp_path / "weights.safetensors")
