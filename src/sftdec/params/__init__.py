"""Parameters: params.yaml as typed objects, and what a network is built from."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
