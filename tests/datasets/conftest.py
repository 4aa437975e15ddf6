"""A server that a test's addresses lead to."""

import threading
from collections.abc import Iterator

import pytest

from tests.datasets.unreliable import Server


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield served
        served.shutdown()
        thread.join()
