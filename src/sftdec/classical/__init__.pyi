from .edges import gradient_magnitude
from .karaali_jung import karaali_jung_map
from .varying import deconvolve
from .zhuo_sim import zhuo_sim_map

__all__ = ["deconvolve", "gradient_magnitude", "karaali_jung_map", "zhuo_sim_map"]
