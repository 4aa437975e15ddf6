"""SFT-Dec on a CPU with little between its convolutions: what follows one is done while its values are written.

oneDNN applies an activation to what a convolution makes, adds it to a feature map, or multiplies one by it. PyTorch has
this for ``torch.compile``, as operators that may be called without. And the layers' spatial parts, one channel each
where the hardware computes sixteen at once, are one convolution here.

C: features; D: condition features; P: spatial parts of all layers; H, W: picture; h, w: H, W divided by the stem.
"""

from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from sftdec.networks import DecomposedMap, FullMap, SFTDec, SFTLayer, pooled

_PARTS = {("first", "blocks", "last"), ("first", "blocks", "merge", "last")}
_BLOCKS = {("first", "second"), ("first_sft", "second_sft", "first", "second")}
_OPERATORS = ("_convolution_pointwise", "_convolution_pointwise_")


def can_fuse(network: SFTDec) -> bool:
    """Whether PyTorch has these operators, and the network lies on a CPU and is built as is known here."""
    deblurring = network.deblurring
    return (
        next(network.parameters()).device.type == "cpu"
        and torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        and all(hasattr(torch.ops.mkldnn, name) for name in _OPERATORS)
        and tuple(name for name, _ in deblurring.named_children()) in _PARTS
        and {tuple(name for name, _ in block.named_children()) for block in deblurring.blocks} <= _BLOCKS
    )


class Convolution(NamedTuple):
    """From I to O features, whose h and w it keeps; weights and what it makes are channels-last."""

    weight: Tensor
    bias: Tensor
    dilation: tuple[int, ...] = (1, 1)

    @classmethod
    def of(cls, layer: nn.Conv2d, dtype: torch.dtype) -> Self:
        """A layer's, in ``dtype``."""
        assert layer.bias is not None
        return cls.made(layer.weight.detach(), layer.bias.detach(), dtype, layer.dilation)

    @classmethod
    def made(cls, weight: Tensor, bias: Tensor, dtype: torch.dtype, dilation: tuple[int, ...] = (1, 1)) -> Self:
        """Of weights O×I×k×k and O biases."""
        return cls(weight.to(dtype, memory_format=torch.channels_last), bias.to(dtype), dilation)

    def __call__(self, features: Tensor, activation: str = "none", slope: float | None = None) -> Tensor:
        """1×I×h×w → 1×O×h×w, with the activation ``relu`` or ``leaky_relu``, which has a slope, or without."""
        settings = ([], None) if slope is None else ([slope], "")
        made: Tensor = torch.ops.mkldnn._convolution_pointwise(features, *self._how(), activation, *settings)
        return made

    def times(self, features: Tensor, factor: Tensor) -> Tensor:
        """What it makes of 1×I×h×w, times ``factor`` 1×O×h×w."""
        how = (*self._how(), "mul", None, None, [], None)
        made: Tensor = torch.ops.mkldnn._convolution_pointwise.binary(features, factor, *how)
        return made

    def add_to(self, total: Tensor, features: Tensor) -> Tensor:
        """``total`` 1×O×h×w, plus what it makes of 1×I×h×w, in place."""
        how = (*self._how(), "add", 1.0, None, [], None)
        made: Tensor = torch.ops.mkldnn._convolution_pointwise_.binary(total, features, *how)
        return made

    def _how(self) -> tuple[object, ...]:
        padding = [dilation * (side // 2) for dilation, side in zip(self.dilation, self.weight.shape[2:], strict=True)]
        return self.weight, self.bias, padding, [1, 1], self.dilation, 1


class _Sources(NamedTuple):
    """What γ and β are made of: the condition 1×D×h×w, all spatial parts 1×P×h×w, and its mean 1×D×1×1."""

    condition: Tensor
    spatial: Tensor | None
    mean: Tensor | None


class FusedNetwork:
    """A network's parts, computing one picture; feature maps are of ``dtype``, float32 or bfloat16.

    Its weights may be copies: what becomes of the network's own later need not be seen.
    """

    def __init__(self, network: SFTDec, dtype: torch.dtype) -> None:
        self.network, self.dtype = network, dtype
        layers, parts = [], []
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                layers.append(module)
            elif isinstance(module, DecomposedMap):
                parts.append(module)
        self.convolutions = {layer: Convolution.of(layer, dtype) for layer in layers}
        self.places = {part: place for place, part in enumerate(parts)}
        self.spatial = _beside([self.convolutions[part.spatial] for part in parts]) if parts else None
        self.bounded = any(part.bounded for part in parts)

    def defocus_map_estimation(self, blurred: Tensor) -> Tensor:
        """Sec. 3.1: 1×3×H×W, float32 in 0..1 → the map 1×1×H×W."""
        part, conv = self.network.defocus_map_estimation, self.convolutions
        features = conv[part.first](self._unshuffled(blurred - part.centre))
        block: Any
        for block in part.blocks:
            features = conv[block.second].add_to(features, conv[block.first](features, "relu"))
        features = conv[part.merge](features)
        return pixel_shuffle(conv[part.last](features.relu_() if part.relu else features), part.stem)

    def condition(self, guide: Tensor) -> Tensor:
        """Sec. 3.2: 1×1×H×W → 1×D×h×w."""
        part, conv = self.network.condition, self.convolutions
        assert part is not None
        features = conv[part.first](self._unshuffled(guide), "leaky_relu", part.slope)
        return conv[part.third](conv[part.second](features, "leaky_relu", part.slope))

    def deblur(self, blurred: Tensor, guide: Tensor, mean: Tensor | None) -> Tensor:
        """Sec. 3.3: picture and map, float32, and the condition's mean 1×D×1×1 → 1×3×H×W."""
        part, conv = self.network.deblurring, self.convolutions
        sources = None if self.network.condition is None else self._sources(self.condition(guide), mean)
        features = conv[part.first](self._unshuffled(blurred))  # 1×C×h×w
        block: Any
        for block in part.blocks:
            inner = features if sources is None else self._sft(block.first_sft, features, sources)
            inner = conv[block.first](inner, "relu")
            inner = inner if sources is None else self._sft(block.second_sft, inner, sources)
            features = conv[block.second].add_to(features, inner)
        made = pixel_shuffle(conv[part.last](features if part.merge is None else conv[part.merge](features)), part.stem)
        return blurred + made if part.global_residual else made

    def _unshuffled(self, picture: Tensor) -> Tensor:
        stem = self.network.config.stem
        return pixel_unshuffle(picture, stem).to(self.dtype, memory_format=torch.channels_last)

    def _sources(self, condition: Tensor, mean: Tensor | None) -> _Sources:
        if self.spatial is None:
            return _Sources(condition, None, None)
        spatial = self.spatial(condition)
        return _Sources(
            condition, spatial.sigmoid_() if self.bounded else spatial, pooled(condition) if mean is None else mean
        )

    def _sft(self, layer: SFTLayer, features: Tensor, sources: _Sources) -> Tensor:
        """Eq. 2: γ ⊙ F + β."""
        of, gamma = self._map(layer.gamma, sources)
        gamma = gamma._replace(bias=gamma.bias + 1) if layer.one_plus else gamma
        features = gamma.times(of, features)
        of, beta = self._map(layer.beta, sources)
        return beta.add_to(features, of)

    def _map(self, part: FullMap | DecomposedMap, sources: _Sources) -> tuple[Tensor, Convolution]:
        """γ or β as a convolution to C features, and what it is of: a channel part is a column of its weights."""
        if isinstance(part, FullMap):
            hidden = self.convolutions[part.first](sources.condition, "leaky_relu", part.slope)
            return hidden, self.convolutions[part.second]
        assert sources.spatial is not None
        assert sources.mean is not None
        channel = part.excite(part.squeeze(sources.mean).relu())  # 1×C×1×1
        channel = channel.sigmoid() if part.bounded else channel
        weight = channel.new_zeros(channel.shape[1], len(self.places), 1, 1)
        weight[:, self.places[part]] = channel[0]
        return sources.spatial, Convolution.made(weight, channel.new_zeros(len(weight)), self.dtype)


def _beside(parts: list[Convolution]) -> Convolution:
    """Several of one input as one."""
    return Convolution(
        torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts]), parts[0].dilation
    )
