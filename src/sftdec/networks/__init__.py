"""SFT-Dec as the paper draws it, in named sizes, and its weights on disk."""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
