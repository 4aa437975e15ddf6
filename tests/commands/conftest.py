"""The registry's fixtures: the commands are tried on a real one."""

from tests.registry.conftest import bright, empty_store, root, settings, trained  # noqa: F401
