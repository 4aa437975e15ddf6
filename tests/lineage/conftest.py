"""A project to take the lineage of."""

from tests.tracking.conftest import empty_database, root  # noqa: F401
