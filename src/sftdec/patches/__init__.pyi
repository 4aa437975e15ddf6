from .augment import Batch, CropDataset, batches
from .build import extract_store
from .extract import Patch, extract_patches
from .on_device import DeviceCrops, cuts_on_device
from .store import PatchStore, write_store

__all__ = [
    "Batch",
    "CropDataset",
    "DeviceCrops",
    "Patch",
    "PatchStore",
    "batches",
    "cuts_on_device",
    "extract_patches",
    "extract_store",
    "write_store",
]
