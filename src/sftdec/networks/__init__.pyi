from .blocks import ResidualBlock, conv
from .map_guided import SMALLEST, MapGuided, Restoration
from .modulation import DecomposedMaps, FullMaps, Modulation
from .pooling import pooled
from .sft_dec import SFTDec, build_network
from .weights import (
    METADATA_KEY,
    WeightsError,
    check_shapes,
    load_into,
    load_weights,
    read_config,
    read_metadata,
    save_weights,
)

__all__ = [
    "METADATA_KEY",
    "SMALLEST",
    "DecomposedMaps",
    "FullMaps",
    "MapGuided",
    "Modulation",
    "ResidualBlock",
    "Restoration",
    "SFTDec",
    "WeightsError",
    "build_network",
    "check_shapes",
    "conv",
    "load_into",
    "load_weights",
    "pooled",
    "read_config",
    "read_metadata",
    "save_weights",
]
