"""SFT-Dec (fig. 1): beside the defocus map estimation (``map_guided``) a condition and a deblurring network.

N: batch; H, W: picture; h, w: H, W divided by the stem; s: stem; C: features; D: condition features.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, pixel_shuffle, pixel_unshuffle
from torch.utils.checkpoint import checkpoint

from sftdec.networks.blocks import ResidualBlock, conv
from sftdec.networks.map_guided import MapGuided
from sftdec.networks.pooling import pooled
from sftdec.networks.sft import ConditionedResidualBlock
from sftdec.params import NetworkConfig


class ConditionNetwork(nn.Module):
    """Sec. 3.2: three convolutions on the defocus map."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.stem, self.slope = config.stem, config.slope
        width = config.condition_features
        self.first = conv(config.stem**2, width)
        self.second = conv(width, width)
        self.third = conv(width, width)

    def forward(self, defocus: Tensor) -> Tensor:
        """N×1×H×W → N×D×h×w."""
        features = leaky_relu(self.first(pixel_unshuffle(defocus, self.stem)), self.slope, inplace=True)
        return self.third(leaky_relu(self.second(features), self.slope, inplace=True))  # type: ignore[no-any-return]


class DeblurringNetwork(nn.Module):
    """Sec. 3.3: conditioned residual blocks, the baseline's plain ones, between convolutions; a global residual."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.stem, self.global_residual = config.stem, config.global_residual
        self.first = conv(3 * config.stem**2, config.features)
        self.blocks = nn.ModuleList(
            ResidualBlock(config.features, scale=config.block_init)
            if config.modulation == "baseline"
            else ConditionedResidualBlock(config)
            for _ in range(config.blocks)
        )
        self.merge = conv(config.features, config.features) if config.merge else None
        self.last = conv(config.features, 3 * config.stem**2, scale=config.output_init)

    def forward(self, blurred: Tensor, *conditions: Tensor | None, checkpointed: bool = False) -> Tensor:
        """Picture N×3×H×W and the blocks' conditions, N×D×h×w and its mean → N×3×H×W; the baseline has none.

        ``checkpointed``: of each block only what goes in is kept, and the block is computed again for the gradient.
        """
        features = self.first(pixel_unshuffle(blurred, self.stem))  # N×C×h×w
        for block in self.blocks:
            if checkpointed:
                features = checkpoint(block, features, *conditions, use_reentrant=False, preserve_rng_state=False)
            else:
                features = block(features, *conditions)
        made = pixel_shuffle(self.last(features if self.merge is None else self.merge(features)), self.stem)
        return blurred + made if self.global_residual else made


class SFTDec(MapGuided):
    """The paper's network (fig. 1): picture → defocus map → condition → deblurred picture; out come picture and map.

    ``training_crop``: side (px) of the crops it was trained on, where that is known; it is saved with the weights.
    ``pooling_window``: what ``set_local_pooling`` has set.
    ``checkpoint_activations``: in training, compute each block again for the gradient: less memory, more time.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.training_crop: int | None = None
        self.pooling_window: int | None = None
        self.checkpoint_activations = False
        self.condition = ConditionNetwork(config) if config.modulation != "baseline" else None
        self.deblurring = DeblurringNetwork(config)

    def deblur(self, blurred: Tensor, guide: Tensor, mean: Tensor | None = None) -> Tensor:
        """Picture and map, both padded to the stem → the deblurred picture of that size.

        ``mean``: the condition's, N×D×1×1 or N×D×h×w, where ``blurred`` is a part of a picture.
        """
        checkpointed = self.checkpoint_activations and self.training and torch.is_grad_enabled()
        if self.condition is None:
            return self.deblurring(blurred, checkpointed=checkpointed)  # type: ignore[no-any-return]
        condition = self.condition(guide)
        if mean is None and self.has_channel_part:
            mean = pooled(condition, self.feature_window)
        return self.deblurring(blurred, condition, mean, checkpointed=checkpointed)  # type: ignore[no-any-return]

    @property
    def has_channel_part(self) -> bool:
        """Whether γ or β has a channel part, so that ``set_local_pooling`` makes a difference."""
        return self.config.modulation in ("sft_dec", "sft_fdec")

    @property
    def feature_window(self) -> int | None:
        """``pooling_window`` in pixels of the condition, rounded up as a crop is."""
        return None if self.pooling_window is None else -(-self.pooling_window // self.config.stem)

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
