"""onnxruntime and OpenVINO as what computes parts of a picture, from a network as ONNX."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sftdec.inference.export import ExportError, OnnxModel, load_onnx, onnx_model
from sftdec.inference.receptive_field import measure_reach
from sftdec.inference.runtime_choice import choose_precision, is_onnx
from sftdec.inference.runtimes import Floats, RuntimeFailedError, bytes_per_pixel
from sftdec.networks import build_network, load_weights
from sftdec.runtime import Precision, needs_extra

Compute = Callable[[Mapping[str, Floats]], Floats]  # a graph's inputs by name → its only output
# Times what PyTorch takes, since each pass keeps its memory for the next tile; measured with small on 512² px: 1.5 for
# onnxruntime, 1.8 for OpenVINO in fp32 and 2.1 in bf16, weights and compiled code included.
HELD = 2.0


class GraphRuntime:
    """A network's three passes as graphs, each computed by another package than PyTorch; see ``runtimes.Runtime``."""

    def __init__(
        self, name: str, model: OnnxModel, compile_graph: Callable[[bytes], Compute], precision: Precision
    ) -> None:
        self.name, self.precision = name, precision
        self.reach = measure_reach(build_network(model.config))  # how it is built, whatever its weights
        self.sigma_max = model.config.sigma_max
        self.map_bytes = 0.0
        self.bytes_per_pixel = HELD * bytes_per_pixel(model.config, precision)
        from onnx.utils import Extractor

        cutter = Extractor(model.proto)

        def compiled(inputs: list[str], output: str) -> Compute:
            return compile_graph(bytes(cutter.extract_model(inputs, [output]).SerializeToString()))

        guided = ["guide"] if model.config.modulation != "baseline" else []
        mean = ["condition_mean"] if self.reach.pools else []
        self._guided = bool(guided)
        self._map, self._deblur = compiled(["image"], "guide"), compiled(["image", *guided, *mean], "deblurred")
        self._condition = compiled(["guide"], "condition") if mean else None

    def estimate_map(self, blurred: Floats) -> Floats:
        """Part of the picture → its map."""
        return self._run(self._map, {"image": blurred})

    def sum_condition(self, guide: Floats, rows: slice, columns: slice) -> NDArray[np.float64]:
        """Part of the map → the condition's sums over the rows and columns that count."""
        assert self._condition is not None
        condition = self._run(self._condition, {"guide": guide})[0, :, rows, columns]  # D×h×w
        return np.asarray(condition.sum((1, 2), dtype=np.float64))

    def local_means(self, guide: Floats) -> Floats:
        """Never asked for: ``load_runtime`` refuses local pooling."""
        raise ExportError("local pooling: an ONNX graph pools over the whole picture; take the runtime torch")

    def deblur(self, blurred: Floats, guide: Floats, mean: Floats | None) -> Floats:
        """Part of the picture and of the map, and the mean → the deblurred part."""
        inputs = {"image": blurred}
        if self._guided:
            inputs["guide"] = guide
        if mean is not None:
            inputs["condition_mean"] = mean
        return self._run(self._deblur, inputs)

    def _run(self, compute: Compute, inputs: Mapping[str, Floats]) -> Floats:
        try:
            return compute(inputs)
        except Exception as error:  # each package has its own
            raise RuntimeFailedError(f"runtime {self.name}: failed ({error}); take another runtime") from error


def load_runtime(name: str, path: Path, device: str, precision: str, local_pooling: int | None) -> GraphRuntime:
    """A runtime for a weights file, or an ``.onnx`` file of ``export_onnx``.

    ``name``: ``onnxruntime`` or ``openvino``. It takes as many threads as PyTorch would (``torch.get_num_threads``).

    Raises:
        ValueError: no such model; a device other than the CPU; a precision that the runtime or the CPU doesn't have;
            local pooling; or the extra ``export`` is missing.
    """
    if device not in ("auto", "cpu"):
        raise ExportError(f"device: found {device!r}, expected auto or cpu with runtime {name}; take the runtime torch")
    if local_pooling is not None:
        raise ExportError(
            f"local pooling: found a window of {local_pooling} px, expected none with runtime {name}, whose graph "
            "pools over the whole picture; take the runtime torch"
        )
    compile_graph, chosen = _with_onnxruntime(precision) if name == "onnxruntime" else _with_openvino(precision)
    model = load_onnx(path) if is_onnx(path) else onnx_model(load_weights(path))
    return GraphRuntime(name, model, compile_graph, chosen)


def _with_onnxruntime(precision: str) -> tuple[Callable[[bytes], Compute], Precision]:
    with needs_extra("runtime onnxruntime"):
        import onnxruntime
    if precision not in ("auto", "fp32"):
        raise ExportError(
            f"precision: found {precision!r}, expected auto or fp32 with runtime onnxruntime; openvino and torch "
            "have bf16"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_pattern = False  # it plans memory for the first tile's sides and allots it beside the arena's

    def compile_graph(content: bytes) -> Compute:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

        def compute(inputs: Mapping[str, Floats]) -> Floats:
            found: Floats = session.run(None, {name: np.ascontiguousarray(part) for name, part in inputs.items()})[0]
            return found

        return compute

    return compile_graph, "fp32"


def _with_openvino(precision: str) -> tuple[Callable[[bytes], Compute], Precision]:
    with needs_extra("runtime openvino"):
        import openvino
    core = openvino.Core()
    chosen = choose_precision(precision, "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[chosen],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }

    def compile_graph(content: bytes) -> Compute:
        compiled = core.compile_model(core.read_model(content), "CPU", settings)
        request = compiled.create_infer_request()

        def compute(inputs: Mapping[str, Floats]) -> Floats:
            request.infer({name: np.ascontiguousarray(part) for name, part in inputs.items()})
            return np.array(request.get_output_tensor().data, np.float32)  # a copy: the request writes over its own

        return compute

    return compile_graph, chosen
