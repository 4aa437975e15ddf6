"""Which packages can compute a model, the fastest first; measured by ``benchmarks/inference.py``, see docs/using.md."""

from importlib.util import find_spec
from pathlib import Path

from sftdec.runtime import choose_device

RUNTIMES = ("auto", "torch", "onnxruntime", "openvino")
FASTEST = ("torch", "openvino", "onnxruntime")


def choose_runtimes(name: str, path: Path, device: str, precision: str, local_pooling: int | None) -> tuple[str, ...]:
    """The one that is named, or for ``auto`` those that are installed and have all that is asked for.

    Raises:
        ValueError: no such runtime, or PyTorch for an ONNX model.
    """
    if name not in RUNTIMES:
        raise ValueError(f"runtime: found {name!r}, expected one of {', '.join(RUNTIMES)}")
    is_onnx = path.suffix.lower() == ".onnx"
    if is_onnx and name == "torch":
        raise ValueError(
            f"{path}: found an ONNX model, expected weights with the runtime torch; take the runtime onnxruntime or "
            "openvino, or the weights it was exported from"
        )
    if name != "auto":
        return (name,)
    if is_onnx:
        names = [each for each in FASTEST if each != "torch"]
    elif choose_device(device).type != "cpu" or local_pooling is not None:
        names = ["torch"]
    else:
        names = [*FASTEST[: FASTEST.index("torch")], "torch"]  # which fails for want of memory alone
        names = [each for each in names if (each, precision) != ("onnxruntime", "bf16")]
    return tuple(each for each in names if find_spec(each)) or ("onnxruntime",)  # and that says what is missing
