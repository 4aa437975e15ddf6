from .edges import gradient_magnitude
from .hyper_laplacian import deconvolve_uniform
from .karaali_jung import karaali_jung_map
from .varying import deconvolve
from .zhuo_sim import zhuo_sim_map

__all__ = ["deconvolve", "deconvolve_uniform", "gradient_magnitude", "karaali_jung_map", "zhuo_sim_map"]
