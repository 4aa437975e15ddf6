from .blending import STRONGEST, Blend, Only
from .darktable import export_dtmodel
from .deblur import deblur_array
from .engine import Deblurred, Engine, EngineSettings
from .export import COMPARED, export_onnx, export_safetensors
from .photo_results import Wishes, deblur_photo_file
from .runtimes import TorchRuntime
from .tile_size import GIB, choose_tile, predict_bytes
from .tiling import tile_boxes

__all__ = [
    "COMPARED",
    "GIB",
    "STRONGEST",
    "Blend",
    "Deblurred",
    "Engine",
    "EngineSettings",
    "Only",
    "TorchRuntime",
    "Wishes",
    "choose_tile",
    "deblur_array",
    "deblur_photo_file",
    "export_dtmodel",
    "export_onnx",
    "export_safetensors",
    "predict_bytes",
    "tile_boxes",
]
