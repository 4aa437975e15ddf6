"""Experiments: many trainings compared; tables 1 to 3, the readings, and the grid of models and data sets."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
