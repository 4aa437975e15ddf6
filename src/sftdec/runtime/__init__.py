"""What everything stands on: files written whole, YAML, memory, devices, processes and clusters, extras."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
