"""SFT-Dec: single-image defocus deblurring guided by an estimated defocus map."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sftdec.deblurrer import Deblurred, Deblurrer

__all__ = ["Deblurred", "Deblurrer"]


def __getattr__(name: str) -> Any:
    """What needs PyTorch is imported when it is asked for, so that ``import sftdec`` stays cheap."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sftdec import deblurrer

    return getattr(deblurrer, name)
