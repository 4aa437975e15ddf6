"""Other methods' networks, written anew from their papers, to compare with at equal size and equal training.

Each is called as an ``SFTDec`` is and returns ``deblurred`` and ``defocus``, which is None where it estimates no map;
``loss(restored, truth)`` is its own, ``RECIPES`` has its training. ``load_published`` runs the weights that its authors
released.
"""

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
