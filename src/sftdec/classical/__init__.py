"""Classical methods, on CPU: defocus maps from edges, and deconvolution with a map that varies over the picture."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
