"""The model registry: verified versions, the gate between them, and the weights they stand for."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
