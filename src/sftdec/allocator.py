"""How a process treats memory that was freed."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3), as malloc.h numbers them
_LARGEST = 32 << 20  # bytes, the most that every glibc takes; larger blocks go back to the system one by one


def keep_freed_memory() -> None:
    """Have this process use freed memory again instead of returning it and asking anew, page by page.

    A step of training, or a picture, frees and takes hundreds of MB, and each page that comes back is cleared by the
    system first. The peak stays what it is. Only glibc is told; elsewhere this does nothing.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return
    mallopt(_MMAP_THRESHOLD, _LARGEST)
    mallopt(_TRIM_THRESHOLD, 2**31 - 1)
