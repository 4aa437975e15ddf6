"""Patches: windows of scenes in packed tiles, and their augmentation."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
