"""Where and how exactly a network computes: device, threads, precision."""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

Precision = Literal["bf16", "fp32"]


class DeviceError(ValueError):
    """A device that isn't there; the message says what is."""


def choose_device(name: str) -> torch.device:
    """``auto`` takes a CUDA GPU where there is one and the CPU otherwise; other names are PyTorch's.

    Raises:
        DeviceError: a CUDA device that this machine doesn't have, or a name PyTorch doesn't know.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"device {name!r} is unknown; expected auto, cpu or cuda[:n]") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"device {name!r}: this machine has {torch.cuda.device_count()} CUDA devices; take auto or cpu"
        )
    return device


def has_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is computed by the hardware: AVX-512 BF16 or AMX on a CPU, compute capability 8 on a GPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Mixed precision for ``bf16`` where the hardware has it; else float32 throughout."""
    if precision == "bf16" and has_bf16(device):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()


def compute_exactly(threads: int) -> None:
    """Fix what the result's bits depend on: the number of threads, and deterministic algorithms where there are some.

    On a CPU, equal inputs then give equal bytes on machines whose PyTorch takes the same kernels. On a GPU a few
    operations (the gradient of reflection padding among them) stay free to differ in the last bits.
    """
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # each is written whole
    torch.backends.cudnn.benchmark = False
