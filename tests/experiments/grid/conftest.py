"""The registry's fixtures, and a project to fill a grid in."""

from tests.experiments.grid.filling import counted, project  # noqa: F401
from tests.registry.conftest import bright, empty_store, root, settings, trained  # noqa: F401
