"""Photo files, and what stands beside their pixels: orientation, profiles, metadata."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
