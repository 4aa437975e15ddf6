"""The registry's fixtures: the grid is filled in a project with a real store."""

from tests.registry.conftest import bright, empty_store, root, settings  # noqa: F401
