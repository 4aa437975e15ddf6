"""Classical methods, on CPU: defocus maps from edges, and deconvolution with a map that varies over the picture."""

from sftdec.classical.hyper_laplacian import deconvolve_uniform
from sftdec.classical.varying import deconvolve

__all__ = ["deconvolve", "deconvolve_uniform"]
