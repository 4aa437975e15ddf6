"""The web page of ``sftdec demo``: photos of visitors on this machine, deblurred one after the other."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
