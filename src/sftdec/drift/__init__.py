"""Drift: whether the photos that come in still look like those the network was trained on."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
