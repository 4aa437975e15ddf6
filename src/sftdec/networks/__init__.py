"""SFT-Dec as the paper draws it, in named sizes, and its weights on disk."""

from sftdec.networks.config import MODULATIONS, ConfigError, NetworkConfig
from sftdec.networks.map_guided import Restoration
from sftdec.networks.sft_dec import SFTDec, build_network
from sftdec.networks.weights import WeightsError, load_into, load_weights, read_config, save_weights

__all__ = [
    "MODULATIONS",
    "ConfigError",
    "NetworkConfig",
    "Restoration",
    "SFTDec",
    "WeightsError",
    "build_network",
    "load_into",
    "load_weights",
    "read_config",
    "save_weights",
]
