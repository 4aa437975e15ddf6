"""Which packages can compute a model, the fastest first; measured by ``benchmarks/inference.py``, see docs/using.md."""

from importlib.util import find_spec
from pathlib import Path

from sftdec.runtime import Precision, choose_device

RUNTIMES = ("auto", "torch", "onnxruntime", "openvino")
FASTEST = ("torch", "openvino", "onnxruntime")


def choose_runtimes(name: str, path: Path, device: str, precision: str, local_pooling: int | None) -> tuple[str, ...]:
    """The one that is named, or for ``auto`` those that are installed and have all that is asked for.

    Raises:
        ValueError: no such runtime, or PyTorch for an ONNX model.
    """
    if name not in RUNTIMES:
        raise ValueError(f"runtime: found {name!r}, expected one of {', '.join(RUNTIMES)}")
    if is_onnx(path) and name == "torch":
        raise ValueError(
            f"{path}: found an ONNX model, expected weights with the runtime torch; take the runtime onnxruntime or "
            "openvino, or the weights it was exported from"
        )
    if name != "auto":
        return (name,)
    if is_onnx(path):
        names = [each for each in FASTEST if each != "torch"]
    elif choose_device(device).type != "cpu" or local_pooling is not None:
        names = ["torch"]
    else:
        names = [*FASTEST[: FASTEST.index("torch")], "torch"]  # which fails for want of memory alone
        names = [each for each in names if (each, precision) != ("onnxruntime", "bf16")]
    return tuple(each for each in names if find_spec(each)) or ("onnxruntime",)  # and that says what is missing


def is_onnx(path: Path) -> bool:
    """Whether a file's name says that it is an ONNX model."""
    return path.suffix.lower() == ".onnx"


def choose_precision(precision: str, computes_bf16: bool) -> Precision:
    """``auto`` is bf16 where what is to compute has it, else fp32.

    Raises:
        ValueError: a precision that there isn't, or bf16 where there is none.
    """
    if precision not in ("auto", "bf16", "fp32"):
        raise ValueError(f"precision: found {precision!r}, expected auto, bf16 or fp32")
    if precision == "bf16" and not computes_bf16:
        raise ValueError("precision: found bf16, which this hardware doesn't compute; expected auto or fp32")
    return "bf16" if precision != "fp32" and computes_bf16 else "fp32"
