import pytest

from tests.training.small import make_build


@pytest.fixture
def build(tmp_path):
    """A folder with scenes and patches."""
    return make_build(tmp_path)
