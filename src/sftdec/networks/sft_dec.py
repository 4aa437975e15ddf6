"""SFT-Dec (fig. 1): beside the defocus map estimation (``map_guided``) a condition and a deblurring network.

N: batch; H, W: picture; h, w: H, W divided by the stem; s: stem; C: features; D: condition features.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pixel_shuffle, pixel_unshuffle
from torch.utils.checkpoint import checkpoint

from sftdec.networks.blocks import conv
from sftdec.networks.map_guided import MapGuided
from sftdec.networks.modulation import ConditionedResidualBlock, Modulation
from sftdec.params import NetworkConfig


class ConditionNetwork(nn.Module):
    """Sec. 3.2: three convolutions on the defocus map."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.stem, self.slope = config.stem, config.slope
        width = config.condition_features
        self.first, self.second, self.third = (
            conv(config.stem**2, width),
            conv(width, width),
            conv(width, width),
        )

    def forward(self, defocus: Tensor) -> Tensor:
        """N×1×H×W → N×D×h×w."""
        features = leaky_relu(self.first(pixel_unshuffle(defocus, self.stem)), self.slope)
        return self.third(leaky_relu(self.second(features), self.slope))  # type: ignore[no-any-return]


class DeblurringNetwork(nn.Module):
    """Sec. 3.3: conditioned residual blocks between two convolutions, and a global residual.

    ``checkpoint_activations``: in training, each block and its γ and β are computed again for the gradient instead of
    being kept.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.stem, self.global_residual = config.stem, config.global_residual
        self.first = conv(3 * config.stem**2, config.features)
        self.modulation = None if config.modulation == "baseline" else Modulation(config, 2 * config.blocks)
        self.blocks = nn.ModuleList(ConditionedResidualBlock(config) for _ in range(config.blocks))
        self.last = conv(config.features, 3 * config.stem**2, scale=config.output_init)
        self.checkpoint_activations = False

    def forward(self, blurred: Tensor, condition: Tensor | None, mean: Tensor | None = None) -> Tensor:
        """Picture N×3×H×W and condition N×D×h×w → N×3×H×W; the baseline has no condition.

        ``mean``: the channel parts', N×D×1×1 or N×D×h×w, where ``blurred`` is a part of a picture.
        """
        features = self.first(pixel_unshuffle(blurred, self.stem))  # N×C×h×w
        if self.checkpoint_activations and self.training and torch.is_grad_enabled():
            features = self._checkpointed(features, condition)
        else:
            transforms = self.modulation(condition, mean=mean) if self.modulation else None
            for block in self.blocks:
                features = block(features, transforms)
        made = pixel_shuffle(self.last(features), self.stem)
        return blurred + made if self.global_residual else made

    def _checkpointed(self, features: Tensor, condition: Tensor | None) -> Tensor:
        """All blocks, N×C×h×w → N×C×h×w; of each, only what goes in is kept."""

        def run(number: int, features: Tensor, condition: Tensor | None) -> Tensor:
            own = range(2 * number, 2 * number + 2)
            transforms = self.modulation(condition, own) if self.modulation else None
            return self.blocks[number](features, transforms)  # type: ignore[no-any-return]

        for number in range(len(self.blocks)):
            features = checkpoint(run, number, features, condition, use_reentrant=False, preserve_rng_state=False)
        return features


class SFTDec(MapGuided):
    """The paper's network: one blurred picture in, an all-in-focus picture and a defocus map out.

    ``training_crop``: side (px) of the crops it was trained on, where that is known; it is saved with the weights.
    ``pooling_window``: what ``set_local_pooling`` has set.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.training_crop: int | None = None
        self.pooling_window: int | None = None
        self.condition = ConditionNetwork(config) if config.modulation != "baseline" else None
        self.deblurring = DeblurringNetwork(config)

    def deblur(self, blurred: Tensor, guide: Tensor, mean: Tensor | None = None) -> Tensor:
        """Picture and map, both padded to the stem → the deblurred picture of that size; ``mean``: as the network's."""
        condition = None if self.condition is None else self.condition(guide)
        return self.deblurring(blurred, condition, mean)  # type: ignore[no-any-return]

    @property
    def checkpoint_activations(self) -> bool:
        """Whether training computes each block again for the gradient instead of keeping it: less memory, more time."""
        return self.deblurring.checkpoint_activations

    @checkpoint_activations.setter
    def checkpoint_activations(self, wanted: bool) -> None:
        self.deblurring.checkpoint_activations = wanted

    @property
    def has_channel_part(self) -> bool:
        """Whether γ or β has a channel part, so that ``set_local_pooling`` makes a difference."""
        return bool(self.deblurring.modulation and self.deblurring.modulation.channel_parts())

    def set_local_pooling(self, window: int | None) -> None:
        """Take the channel parts' means over ``window``×``window`` px around each pixel (TLC); None: over everything.

        For whole pictures, with the side of the crops that the network was trained on.

        Raises:
            ValueError: the network has no channel part, or a window smaller than a pixel of its features.
        """
        if window is not None and not self.has_channel_part:
            raise ValueError(
                f"local pooling: found modulation {self.config.modulation!r}, which has no channel part; "
                "expected sft_dec or sft_fdec"
            )
        if window is not None and window < self.config.stem:
            raise ValueError(f"local pooling: found a window of {window} px, expected {self.config.stem} or more")
        self.pooling_window = window
        if self.deblurring.modulation:
            for part in self.deblurring.modulation.channel_parts():
                part.window = None if window is None else -(-window // self.config.stem)

    @contextmanager
    def local_pooling(self, window: int | None) -> Iterator[None]:
        """``set_local_pooling`` for the time of a block; what was set before comes back after it."""
        before = self.pooling_window
        self.set_local_pooling(window)
        try:
            yield
        finally:
            self.set_local_pooling(before)


def build_network(config: NetworkConfig, seed: int = 0) -> SFTDec:
    """A network with fresh weights that depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SFTDec(config)
