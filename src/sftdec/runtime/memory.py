"""Memory: how a process treats what was freed, and how it is told that there is none left."""

import ctypes
import sys
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3), as malloc.h numbers them
_NO_MEMORY = (
    *("can't allocate memory", "bad_alloc", "could not create a primitive", "could not create a memory"),
    *("CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED", "CUDA error: out of memory"),
)
LARGEST_KEPT = 32 << 20  # bytes, the most that every glibc takes; larger blocks go back to the system one by one


def keep_freed_memory() -> None:
    """Have this process use freed memory again instead of returning it and asking anew, page by page.

    A step of training, or a picture, frees and takes hundreds of MB, and each page that comes back is cleared by the
    system first. The peak stays what it is. Only glibc is told; elsewhere this does nothing.
    """
    _tell_glibc("mallopt", _MMAP_THRESHOLD, LARGEST_KEPT)
    _tell_glibc("mallopt", _TRIM_THRESHOLD, 2**31 - 1)


def return_freed_memory() -> None:
    """Return what was kept until now, between two kinds of work whose blocks of memory are of other sizes."""
    _tell_glibc("malloc_trim", 0)


def _tell_glibc(function: str, *arguments: int) -> None:
    if not sys.platform.startswith("linux"):
        return
    with suppress(OSError, AttributeError):  # another C library
        getattr(ctypes.CDLL(None), function)(*arguments)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether PyTorch, on a GPU or a CPU, or Python itself found no memory.

    oneDNN has no word of its own for it: it can't create a primitive whose scratchpad or code finds no room. cuBLAS,
    cuDNN and the driver name it in errors that aren't PyTorch's.
    """
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _NO_MEMORY)
