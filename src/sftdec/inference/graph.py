"""A network as an ONNX graph, node by node, with the tensors named at which tiling cuts it in three.

Written out instead of traced: PyTorch's exporter needs 10 s for a ``small`` network and another package, leaves paths
of the exporting machine in the file, and names tensors by number. ``export.export_onnx`` compares each file with
PyTorch.

    image ──► guide ──► condition ──► condition_mean
      │         │                           │
      └─────────┴────────────┬──────────────┘
                             ▼
                         deblurred                  (defocus is guide without the padding)

N: batch; H, W: picture; H', W': those continued to multiples of the stem; h, w: H', W' divided by the stem;
D: condition features.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from sftdec.networks import DecomposedMap, FullMap, SFTDec, SFTLayer
from sftdec.version import __version__

OPSET = 18
KEY = "sftdec"  # of the configuration in the file's metadata, as in a weights file
_SIDES = "picture/sides"
_LAST_AXES = "last_axes"


def onnx_graph(network: SFTDec) -> onnx.ModelProto:
    """A network as a model with input ``image`` and outputs ``deblurred`` and ``defocus``; all sides are dynamic.

    ``image`` is N×3×H×W, sRGB in 0..1, H and W of 16 px or more; ``deblurred`` N×3×H×W, not clipped; ``defocus``
    N×1×H×W in units of sigma_max. The file's metadata say what the network is (``sftdec``), ``sigma_max`` (px of
    sigma) and ``training_crop`` (px, where it is known). Equal networks give equal bytes.
    """
    writer = _Writer()
    config = network.config
    padded = writer.padded("image", config.stem)
    _defocus_map(writer, network, padded)
    writer.cropped("guide", "defocus")
    condition = None if network.condition is None else _condition(writer, network)
    _deblurring(writer, network, padded, condition)
    return writer.model(network)


def photo_to_photo(proto: onnx.ModelProto, taken: str, given: str) -> onnx.ModelProto:
    """A network's graph, changed in place: without the map, what goes in called ``taken``, what comes out ``given``."""
    graph, names = proto.graph, {"image": taken, "deblurred": given}
    for unasked in [node for node in graph.node if "defocus" in node.output]:
        graph.node.remove(unasked)
    for unasked in [info for info in graph.output if info.name == "defocus"]:
        graph.output.remove(unasked)
    for node in graph.node:
        for tensors in (node.input, node.output):
            tensors[:] = [names.get(name, name) for name in tensors]
    for info in (*graph.input, *graph.output):
        info.name = names.get(info.name, info.name)
    return proto


def _defocus_map(writer: "_Writer", network: SFTDec, padded: str) -> None:
    """Sec. 3.1: the padded picture → ``guide``."""
    part, room, stem = network.defocus_map_estimation, "defocus_map_estimation", network.config.stem
    centred = writer.node("Sub", [padded, writer.constant(f"{room}/centre", np.float32(part.centre))])
    features = writer.unshuffled_conv(f"{room}/first", centred, part.first, stem)
    for number, block in enumerate(part.blocks):
        name = f"{room}/blocks.{number}"
        inner = writer.node("Relu", [writer.conv(f"{name}/first", features, block.first)])  # type: ignore[arg-type]
        features = writer.node("Add", [features, writer.conv(f"{name}/second", inner, block.second)])  # type: ignore[arg-type]
    features = writer.conv(f"{room}/merge", features, part.merge)
    if part.relu:
        features = writer.node("Relu", [features])
    writer.shuffled(writer.conv(f"{room}/last", features, part.last), stem, "guide")


def _condition(writer: "_Writer", network: SFTDec) -> str:
    """Sec. 3.2: ``guide`` → ``condition``, and where there is a channel part ``condition_mean``."""
    part = network.condition
    assert part is not None
    features = writer.unshuffled_conv("condition/first", "guide", part.first, part.stem)
    features = writer.node("LeakyRelu", [features], alpha=part.slope)
    features = writer.node("LeakyRelu", [writer.conv("condition/second", features, part.second)], alpha=part.slope)
    condition = writer.conv("condition/third", features, part.third, output="condition")
    if network.has_channel_part:
        writer.node("ReduceMean", [condition, _LAST_AXES], output="condition_mean", keepdims=1)
    return condition


def _deblurring(writer: "_Writer", network: SFTDec, padded: str, condition: str | None) -> None:
    """Sec. 3.3: the padded picture and ``condition`` → ``deblurred``."""
    part = network.deblurring
    features = writer.unshuffled_conv("deblurring/first", padded, part.first, part.stem)
    for number, block in enumerate(part.blocks):
        name, inner = f"deblurring/blocks.{number}", features
        due = None if condition is None else writer.after(condition, features)
        for step in ("first", "second"):
            if due is not None:
                inner = _sft(writer, f"{name}/{step}_sft", getattr(block, f"{step}_sft"), inner, due)
            inner = writer.conv(f"{name}/{step}", inner, getattr(block, step))
            inner = writer.node("Relu", [inner]) if step == "first" else inner
        features = writer.node("Add", [features, inner])
    if part.merge is not None:
        features = writer.conv("deblurring/merge", features, part.merge)
    made = writer.shuffled(writer.conv("deblurring/last", features, part.last), part.stem)
    whole = writer.node("Add", [padded, made]) if part.global_residual else made
    writer.cropped(whole, "deblurred")


def _sft(writer: "_Writer", name: str, layer: SFTLayer, features: str, condition: str) -> str:
    """SFT(F) = γ ⊙ F + β (eq. 2)."""
    gamma = _map(writer, f"{name}/gamma", layer.gamma, condition)
    if layer.one_plus:
        gamma = writer.node("Add", [gamma, writer.constant("one", np.float32(1))])
    beta = _map(writer, f"{name}/beta", layer.beta, condition)
    return writer.node("Add", [writer.node("Mul", [features, gamma]), beta])


def _map(writer: "_Writer", name: str, part: FullMap | DecomposedMap, condition: str) -> str:
    """γ or β: N×C×h×w of a ``FullMap``; of a ``DecomposedMap`` C×1×1 ⊗ 1×h×w (fig. 3 and 4)."""
    if isinstance(part, FullMap):
        hidden = writer.node("LeakyRelu", [writer.conv(f"{name}/first", condition, part.first)], alpha=part.slope)
        return writer.conv(f"{name}/second", hidden, part.second)
    squeezed = writer.node("Relu", [writer.conv(f"{name}/squeeze", "condition_mean", part.squeeze)])
    channel = writer.conv(f"{name}/excite", squeezed, part.excite)
    spatial = writer.conv(f"{name}/spatial", condition, part.spatial)
    if part.bounded:
        channel, spatial = writer.node("Sigmoid", [channel]), writer.node("Sigmoid", [spatial])
    return writer.node("Mul", [channel, spatial])


class _Writer:
    """Collects a graph's nodes and constants; what adds a node returns the name of its result."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {_LAST_AXES: np.array([2, 3])}

    def constant(self, name: str, value: Any) -> str:
        """A constant under a name; the same name again is the same constant."""
        self.constants.setdefault(name, np.asarray(value))
        return name

    def node(self, operator: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """A node with one result, called ``output`` or by its operator and number."""
        output = output or f"{operator}.{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [output], name=output, **attributes))
        return output

    def conv(
        self,
        name: str,
        features: str,
        layer: nn.Conv2d,
        weight: NDArray[Any] | None = None,
        output: str | None = None,
    ) -> str:
        """A convolution, called ``output`` or ``name``; ``weight``: other weights than the layer's."""
        assert layer.bias is not None and isinstance(layer.padding, tuple)
        weights = self.constant(f"{name}.weight", _array(layer.weight) if weight is None else weight)
        return self.node(
            "Conv",
            [features, weights, self.constant(f"{name}.bias", _array(layer.bias))],
            output or name,
            kernel_shape=layer.kernel_size,
            dilations=layer.dilation,
            pads=layer.padding * 2,
        )

    def unshuffled_conv(self, name: str, picture: str, layer: nn.Conv2d, stem: int) -> str:
        """``layer(pixel_unshuffle(picture, stem))``; ONNX orders the places before the channels, so the weights do."""
        if stem == 1:
            return self.conv(name, picture, layer)
        weight = _array(layer.weight)
        outputs, inputs, *kernel = weight.shape
        weight = weight.reshape(outputs, inputs // stem**2, stem**2, *kernel).swapaxes(1, 2).reshape(weight.shape)
        picture = self.node("SpaceToDepth", [picture], f"{name}/unshuffled", blocksize=stem)
        return self.conv(name, picture, layer, np.ascontiguousarray(weight))

    def shuffled(self, features: str, stem: int, output: str | None = None) -> str:
        """``pixel_shuffle(features, stem)``."""
        if stem == 1:
            return self.node("Identity", [features], output) if output else features
        return self.node("DepthToSpace", [features], output, blocksize=stem, mode="CRD")

    def after(self, tensor: str, earlier: str) -> str:
        """A tensor that exists only once ``earlier`` N×C×h×w does: 0 is added to it, made from a value of that.

        Otherwise runtimes make all blocks' γ and β first and hold them: at ``paper`` size 24 KB a pixel.
        """
        begin, end = self.constant("first/begin", np.array([0, 0, 0])), self.constant("first/end", np.array([1, 1, 1]))
        first = self.node("Slice", [earlier, begin, end, self.constant("first/axes", np.array([1, 2, 3]))])
        nought = self.constant("nought", np.float32(0))
        return self.node("Add", [tensor, self.node("Clip", [first, nought, nought])])

    def padded(self, picture: str, stem: int) -> str:
        """The picture continued by reflection to a multiple of the stem, by sides that are known when it runs."""
        self.node("Shape", [picture], _SIDES, start=2)
        if stem == 1:
            return picture
        size = self.constant("picture/stem", np.array([stem]))
        missing = self.node("Sub", [size, self.node("Mod", [_SIDES, size])])
        missing = self.node("Mod", [missing, size])
        begin = self.constant("picture/begin", np.array([0, 0, 0, 0]))
        between = self.constant("picture/between", np.array([0, 0]))
        pads = self.node("Concat", [begin, between, missing], "picture/pads", axis=0)
        return self.node("Pad", [picture, pads], "padded", mode="reflect")

    def cropped(self, picture: str, output: str) -> str:
        """A picture cut to the sides of the one that came in."""
        begin = self.constant("picture/origin", np.array([0, 0]))
        return self.node("Slice", [picture, begin, _SIDES, _LAST_AXES], output)

    def model(self, network: SFTDec) -> onnx.ModelProto:
        """The whole, with the types of what goes in, comes out and is cut at, and the metadata."""
        features = network.config.condition_features
        tensors: dict[str, list[str | int | None]] = {
            "image": ["batch", 3, "height", "width"],
            "deblurred": ["batch", 3, "height", "width"],
            "defocus": ["batch", 1, "height", "width"],
            "guide": ["batch", 1, None, None],
            "condition": ["batch", features, None, None],
            "condition_mean": ["batch", features, 1, 1],
        }
        made = {name for node in self.nodes for name in node.output}
        infos = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in tensors.items()}
        graph = helper.make_graph(
            self.nodes,
            "SFT-Dec",
            [infos["image"]],
            [infos["deblurred"], infos["defocus"]],
            [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
            value_info=[infos[name] for name in ("guide", "condition", "condition_mean") if name in made],
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            producer_name="sftdec",
            producer_version=__version__,
        )
        model.ir_version = helper.find_min_ir_version_for(model.opset_import)
        described = json.loads(network.config.to_json())
        metadata = {"sigma_max": repr(network.config.sigma_max)}
        if network.training_crop is not None:
            described["training_crop"] = network.training_crop
            metadata["training_crop"] = str(network.training_crop)
        helper.set_model_props(model, {KEY: json.dumps(described, sort_keys=True)} | metadata)
        return model


def _array(tensor: Tensor) -> NDArray[Any]:
    return np.ascontiguousarray(tensor.detach().cpu().numpy())
