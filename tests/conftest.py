"""What holds for every test."""

import os
import sys

import pytest
from hypothesis import settings

os.environ["SFTDEC_PHOTOS"] = ""  # stages that tests run keep nothing in the user's own folder
settings.register_profile("no clock", deadline=None)  # a busy machine may take its time over an example
settings.load_profile("no clock")


@pytest.fixture(autouse=True)
def _path_stays():
    """MLflow puts the code of each model that it loads in front of all other, and leaves it there."""
    path = [*sys.path]
    yield
    sys.path = path
