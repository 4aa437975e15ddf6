from .fields import Section
from .gate import GateParams
from .network import MODULATIONS, SIZES, ConfigError, NetworkConfig
from .schema import (
    CheckParams,
    FetchParams,
    Params,
    ParamsError,
    SourceParams,
    load_params,
    load_typed,
    parse_params,
)
from .train import AugmentationParams, CommonParams, LossNorm, LossParams, StageParams
from .turned import SUPPORT, half_extent, largest_extent

__all__ = [
    "MODULATIONS",
    "SIZES",
    "SUPPORT",
    "AugmentationParams",
    "CheckParams",
    "CommonParams",
    "ConfigError",
    "FetchParams",
    "GateParams",
    "LossNorm",
    "LossParams",
    "NetworkConfig",
    "Params",
    "ParamsError",
    "Section",
    "SourceParams",
    "StageParams",
    "half_extent",
    "largest_extent",
    "load_params",
    "load_typed",
    "parse_params",
]
