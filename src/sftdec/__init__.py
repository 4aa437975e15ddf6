"""SFT-Dec: single-image defocus deblurring guided by an estimated defocus map."""

import sys
from typing import TYPE_CHECKING, Any

from sftdec.version import __version__ as __version__

if TYPE_CHECKING:
    from sftdec.deblurrer import Deblurred, Deblurrer

__all__ = ["Deblurred", "Deblurrer"]


def __getattr__(name: str) -> Any:
    """What needs PyTorch is imported when it is asked for, so that ``import sftdec`` stays cheap.

    Where PyTorch isn't there yet, its threads will wait as the command's do.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sftdec.runtime import wait_passively

    if "torch" not in sys.modules:
        wait_passively()
    from sftdec import deblurrer

    return getattr(deblurrer, name)
