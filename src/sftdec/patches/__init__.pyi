from .augment import Batch, CropDataset, batches
from .build import extract_store
from .extract import STATISTICS, Patch, extract_patches, windows
from .files import lay_out
from .store import PatchStore, write_index, write_store

__all__ = [
    "STATISTICS",
    "Batch",
    "CropDataset",
    "Patch",
    "PatchStore",
    "batches",
    "extract_patches",
    "extract_store",
    "lay_out",
    "windows",
    "write_index",
    "write_store",
]
