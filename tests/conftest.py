"""The order of the tests."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole pipelines first: they take longest, and another process runs the other files meanwhile."""
    items.sort(key=lambda item: "pipelines" not in item.path.parts)
