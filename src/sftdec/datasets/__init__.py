"""Data sets as scenes: importers for what lies in ``data/`` and the folder of scenes that they become."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
