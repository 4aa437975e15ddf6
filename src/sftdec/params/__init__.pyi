from .gate import GateParams
from .network import MODULATIONS, SIZES, ConfigError, NetworkConfig
from .schema import (
    CheckParams,
    ComputeParams,
    EvaluateParams,
    FetchParams,
    Params,
    ParamsError,
    PatchesParams,
    SourceParams,
    load_params,
    parse_params,
)
from .train import AugmentationParams, CommonParams, LossParams, StageParams, TrainParams

__all__ = [
    "MODULATIONS",
    "SIZES",
    "AugmentationParams",
    "CheckParams",
    "CommonParams",
    "ComputeParams",
    "ConfigError",
    "EvaluateParams",
    "FetchParams",
    "GateParams",
    "LossParams",
    "NetworkConfig",
    "Params",
    "ParamsError",
    "PatchesParams",
    "SourceParams",
    "StageParams",
    "TrainParams",
    "load_params",
    "parse_params",
]
