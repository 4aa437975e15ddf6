"""SFT-Dec written out as plainly as can be, to measure the engine against: it loads the same weights.

Each transform has convolutions of its own for γ and for β, each reads the condition by itself, γ⊙F + β is two
operations, and the condition network runs again for every block. The switches of ``Steps`` take these back one by one.

N: batch; C: features; D: condition features; h, w: feature map.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pixel_shuffle, pixel_unshuffle

from sftdec.networks import DecomposedMaps, FullMaps, Restoration, SFTDec


@dataclass(frozen=True)
class Steps:
    """What of the engine is on: the condition network once for all blocks, the transforms' convolutions that read the
    condition as one, γ⊙F + β as one operation.
    """

    trunk_once: bool = False
    fused: bool = False
    addcmul: bool = False


def _split(layer: nn.Conv2d, parts: int) -> nn.ModuleList:
    """A convolution for each of ``parts`` equal shares of a wide one's outputs, with the same weights."""
    layers = nn.ModuleList()
    for weight, bias in zip(layer.weight.chunk(parts), layer.bias.chunk(parts), strict=True):
        own = nn.Conv2d(layer.in_channels, len(weight), layer.kernel_size, padding=layer.padding)
        with torch.no_grad():
            own.weight.copy_(weight)
            own.bias.copy_(bias)
        layers.append(own)
    return layers


class PlainMaps(nn.Module):
    """γ or β of all transforms; ``maps``: whose weights it takes."""

    def __init__(self, maps: FullMaps | DecomposedMaps, fused: bool) -> None:
        super().__init__()
        self.decomposed = isinstance(maps, DecomposedMaps)
        self.bounded = self.decomposed and maps.bounded
        self.slope = 0.0 if self.decomposed else maps.slope
        wide, self.last = (maps.squeeze, maps.excite) if self.decomposed else (maps.first, maps.second)
        count = len(self.last)
        self.first = wide if fused else _split(wide, count)
        self.spatial = None if not self.decomposed else maps.spatial if fused else _split(maps.spatial, count)

    def all(self, condition: Tensor) -> list[Tensor]:
        """N×D×h×w → every map, where the convolutions are fused."""
        seen = condition.mean((2, 3), keepdim=True) if self.decomposed else condition
        hidden = self.first(seen).chunk(len(self.last), dim=1)
        spatial = self.spatial(condition).chunk(len(self.last), dim=1) if self.decomposed else hidden
        return [self._made(*parts) for parts in zip(self.last, hidden, spatial, strict=True)]

    def one(self, place: int, condition: Tensor) -> Tensor:
        """N×D×h×w → the map N×C×h×w of one transform."""
        seen = condition.mean((2, 3), keepdim=True) if self.decomposed else condition
        spatial = self.spatial[place](condition) if self.decomposed else condition
        return self._made(self.last[place], self.first[place](seen), spatial)

    def _made(self, last: nn.Conv2d, hidden: Tensor, spatial: Tensor) -> Tensor:
        made = last(leaky_relu(hidden, self.slope))
        if not self.decomposed:
            return made
        return made.sigmoid() * spatial.sigmoid() if self.bounded else made * spatial


class PlainSFTDec(nn.Module):
    """A network that computes what ``network`` computes, from a copy of its weights."""

    def __init__(self, network: SFTDec, steps: Steps = Steps()) -> None:
        super().__init__()
        self.steps, self.config = steps, network.config
        self.defocus_map_estimation, self.condition = network.defocus_map_estimation, network.condition
        self.deblurring = network.deblurring
        modulation = network.deblurring.modulation
        self.gamma, self.beta = (PlainMaps(maps, steps.fused) for maps in (modulation.gamma, modulation.beta))
        self.offset = modulation.offset
        self.deblurring.modulation = None  # its weights are in the maps now

    def forward(self, blurred: Tensor, defocus: Tensor | None = None) -> Restoration:
        """As ``SFTDec``, for pictures whose sides are multiples of the stem."""
        estimate = self.defocus_map_estimation(blurred)
        guide = estimate if defocus is None else defocus
        features = self.deblurring.first(pixel_unshuffle(blurred, self.config.stem))  # N×C×h×w
        transforms = self._transforms(guide)
        for block in self.deblurring.blocks:
            inner = block.first(self._applied(next(transforms), features)).relu()
            features = features + block.second(self._applied(next(transforms), inner))
        made = pixel_shuffle(self.deblurring.last(features), self.config.stem)
        return Restoration(blurred + made if self.config.global_residual else made, estimate)

    def _transforms(self, guide: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        condition = self.condition(guide) if self.steps.trunk_once else None
        if self.steps.fused:
            yield from zip(self.gamma.all(condition), self.beta.all(condition), strict=True)
            return
        for place in range(2 * self.config.blocks):
            if not self.steps.trunk_once and place % 2 == 0:
                condition = self.condition(guide)
            yield self.gamma.one(place, condition), self.beta.one(place, condition)

    def _applied(self, transform: tuple[Tensor, Tensor], features: Tensor) -> Tensor:
        gamma, beta = transform
        gamma = gamma + self.offset if self.offset else gamma
        return torch.addcmul(beta, gamma, features) if self.steps.addcmul else gamma * features + beta
