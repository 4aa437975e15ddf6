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

__all__ = [
    "MODULATIONS",
    "SIZES",
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
    "load_params",
    "load_typed",
    "parse_params",
]
