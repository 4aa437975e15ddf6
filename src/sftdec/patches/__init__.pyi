from .augment import Batch, CropDataset, batches
from .build import extract_store
from .extract import STATISTICS, Patch, extract_patches, windows
from .files import lay_out
from .on_device import DeviceCrops, cuts_on_device
from .store import PatchStore, write_index, write_store

__all__ = [
    "STATISTICS",
    "Batch",
    "CropDataset",
    "DeviceCrops",
    "Patch",
    "PatchStore",
    "batches",
    "cuts_on_device",
    "extract_patches",
    "extract_store",
    "lay_out",
    "windows",
    "write_index",
    "write_store",
]
