"""Patches: windows of scenes in memory-mapped Arrow shards, and their augmentation."""

from sftdec.compute import compute
from sftdec.patches.build import extract_store
from sftdec.patches.extract import Patch, extract_patches, windows
from sftdec.patches.store import PatchStore, write_store

__all__ = ["Patch", "PatchStore", "compute", "extract_patches", "extract_store", "windows", "write_store"]
