"""From a picture to an all-in-focus picture and its defocus map: tiles, runtimes, export."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
