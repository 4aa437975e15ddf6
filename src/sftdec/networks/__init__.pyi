from .blocks import ResidualBlock, conv
from .map_guided import SMALLEST, MapGuided, Restoration
from .pooling import pooled
from .sft import DecomposedMap, FullMap, SFTLayer
from .sft_dec import SFTDec, build_network
from .weights import (
    WeightsError,
    load_into,
    load_tensors,
    load_weights,
    read_config,
    read_metadata,
    save_weights,
    write_tensors,
)

__all__ = [
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
    "conv",
    "load_into",
    "load_tensors",
    "load_weights",
    "pooled",
    "read_config",
    "read_metadata",
    "save_weights",
    "write_tensors",
]
