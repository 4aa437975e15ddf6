"""Patches: windows of scenes in memory-mapped Arrow shards, and their augmentation."""

from sftdec.patches.extract import Patch, extract_patches, windows
from sftdec.patches.store import PatchStore, write_store

__all__ = ["Patch", "PatchStore", "extract_patches", "windows", "write_store"]
