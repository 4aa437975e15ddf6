"""How a model is judged: metrics, protocols, one measuring path, and how sure a figure is."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
