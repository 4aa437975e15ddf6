from .checks import CheckLimits
from .fetching import fetch
from .importers import IMPORTERS
from .kept import Kept, users_folder
from .listing import Entry
from .pairs import find_pairs, read_pairs
from .recipes import OWN_PHOTOS, Recipe, read_recipes
from .recognise import FolderReport, check_folder
from .sample import RECIPES
from .scene import (
    INDEX,
    REFUSED,
    Scene,
    Split,
    load_scene,
    load_scenes,
    read_index,
    select_scenes,
    write_index,
    write_scene,
)

__all__ = [
    "IMPORTERS",
    "INDEX",
    "OWN_PHOTOS",
    "RECIPES",
    "REFUSED",
    "CheckLimits",
    "Entry",
    "FolderReport",
    "Kept",
    "Recipe",
    "Scene",
    "Split",
    "check_folder",
    "fetch",
    "find_pairs",
    "load_scene",
    "load_scenes",
    "read_index",
    "read_pairs",
    "read_recipes",
    "select_scenes",
    "users_folder",
    "write_index",
    "write_scene",
]
