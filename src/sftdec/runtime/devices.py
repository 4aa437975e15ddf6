"""Where and how exactly a network computes: device, threads, precision."""

import os
import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

Exact = Literal["auto"] | bool
Precision = Literal["bf16", "fp32"]


class DeviceError(ValueError):
    """A device that isn't there; the message says what is."""


def choose_device(name: str) -> torch.device:
    """``auto`` takes a CUDA GPU where there is one and the CPU otherwise; other names are PyTorch's.

    Raises:
        DeviceError: a CUDA device that this machine doesn't have, or another name.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise DeviceError(f"device {name!r} is unknown; expected auto, cpu or cuda[:n]") from error
    if device.type not in ("cpu", "cuda"):
        raise DeviceError(f"device {name!r} can't be used; expected auto, cpu or cuda[:n]")
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


def training_dtype(device: torch.device, precision: Precision) -> torch.dtype:
    """In what a network's products are computed while it trains.

    Where ``bf16`` is asked of a GPU that hasn't got it, it is float16, whose loss has to be scaled; of a CPU, float32.
    """
    if precision == "fp32":
        return torch.float32
    if has_bf16(device):
        return torch.bfloat16
    if device.type == "cpu":
        return torch.float32
    warnings.warn(f"precision bf16: {device} has none (compute capability below 8.0); float16 is used", stacklevel=2)
    return torch.float16


def mixed(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Mixed precision of ``dtype``; of float32 none, nor the TF32 that a GPU would take for it from here on."""
    if dtype != torch.float32:
        return torch.autocast(device.type, dtype)
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return nullcontext()


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Mixed precision for ``bf16`` where the hardware has it; else float32 throughout."""
    return mixed(device, torch.bfloat16 if precision == "bf16" and has_bf16(device) else torch.float32)


def compute_exactly(threads: int, exact: Exact = "auto") -> None:
    """Fix what the result's bits depend on: the number of threads, and deterministic algorithms where there are some.

    On a CPU, equal inputs then give equal bytes on machines whose PyTorch takes the same kernels. On a GPU a few
    operations (the gradient of reflection padding among them) stay free to differ in the last bits: ``auto`` lets them,
    ``True`` raises where one is met. ``False`` takes what is quickest. To be called before a GPU computes anything.
    """
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(exact is not False, warn_only=exact == "auto")
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # each is written whole
    torch.backends.cudnn.benchmark = exact is False
    if exact is not False:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # which cuBLAS reads when it is first used
