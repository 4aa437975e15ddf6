"""Data sets as scenes: importers for what lies in ``data/`` and the folder of scenes that they become."""

from sftdec.datasets.errors import DataError
from sftdec.datasets.scene import (
    Scene,
    load_scene,
    load_scenes,
    read_index,
    select_scenes,
    write_index,
    write_scene,
)

__all__ = [
    "DataError",
    "Scene",
    "load_scene",
    "load_scenes",
    "read_index",
    "select_scenes",
    "write_index",
    "write_scene",
]
