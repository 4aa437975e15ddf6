from .blocks import ResidualBlock, conv
from .map_guided import SMALLEST, MapGuided, Restoration
from .pooling import pooled
from .sft import DecomposedMap, FullMap, SFTLayer
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
    "DecomposedMap",
    "FullMap",
    "MapGuided",
    "ResidualBlock",
    "Restoration",
    "SFTDec",
    "SFTLayer",
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
