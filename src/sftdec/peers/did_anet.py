"""DID-ANet (Ma et al., "Defocus Image Deblurring Network With Defocus Map Estimation as Auxiliary Task", TIP 2022).

N: batch; H, W: picture; h, w: H, W divided by the stem; s: stem; C: features.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from sftdec.networks import MapGuided, ResidualBlock, Restoration, conv
from sftdec.params import NetworkConfig
from sftdec.peers.truth import Truth

_AS_RELEASED = {  # beside ``paper`` size: weights at kaiming's scale, and the map network sees the picture as it is
    "block_init": 1.0,
    "output_init": 1.0,
    "dme_block_init": 1.0,
    "dme_output_init": 1.0,
    "dme_centre": 0.0,
}
_WHOLE_BLOCKS, _RESIDUAL_WEIGHT = 4, 0.1  # of the released network: from the fifth block on residuals weigh a tenth
_LEAST_MEAN = 1e-3  # of a batch's maps: without any blur it is 0
_PLAIN, _WEIGHTED, _MAP = 1.0, 9.0, 2.0  # the released loss's weights


class WeightedBlock(ResidualBlock):
    """A residual block whose residual counts for a tenth."""

    def forward(self, features: Tensor) -> Tensor:
        """N×C×H×W → N×C×H×W."""
        return features + _RESIDUAL_WEIGHT * self.second(self.first(features).relu())  # type: ignore[no-any-return]


class DIDANet(MapGuided):
    """The defocus map is estimated, concatenated with the blurred picture, and both are deblurred by residual blocks.

    Built from the sizes of a ``NetworkConfig`` (features, blocks, stem, the map network's), so that it stands beside
    an ``SFTDec`` of that size; at ``paper`` size it is the published network: 334,721 parameters and 23 px of receptive
    field for the map, 4,878,467 and 71 px for deblurring. What says how a condition modulates features has no meaning
    here.

    ``released``: as the released code computes: the residuals of blocks 5 to 16 count for a tenth. Otherwise all blocks
    are alike and their second convolutions start at ``block_init`` times kaiming's scale, as an ``SFTDec``'s: the two
    networks then differ by nothing but their guidance under one training.

    Left out is the reblurring network behind it, which serves a loss alone; the released code lacks it as well.
    """

    has_channel_part = False  # nothing that evaluation could pool locally
    training_crop: int | None = None

    def __init__(self, config: NetworkConfig, released: bool = False) -> None:
        super().__init__(config)
        self.first = conv(4 * config.stem**2, config.features)
        kinds = [
            WeightedBlock if released and number >= _WHOLE_BLOCKS else ResidualBlock for number in range(config.blocks)
        ]
        self.blocks = nn.Sequential(*(kind(config.features, scale=config.block_init) for kind in kinds))
        self.merge = conv(config.features, config.features)
        self.last = conv(config.features, 3 * config.stem**2, scale=config.output_init)

    def deblur(self, blurred: Tensor, guide: Tensor) -> Tensor:
        """Picture and map, both padded to the stem → the deblurred picture."""
        guided = torch.cat([blurred, guide.to(blurred.dtype)], dim=1)  # N×4×H×W
        features = self.first(pixel_unshuffle(guided, self.config.stem))  # N×C×h×w
        made = pixel_shuffle(self.last(self.merge(self.blocks(features))), self.config.stem)
        return blurred + made if self.config.global_residual else made

    def loss(self, restored: Restoration, truth: Truth) -> Tensor:
        """The released code's: lengths of the pixels' colour differences, plain and weighted by the true map over its
        mean, and absolute differences of the maps, 1 : 9 : 2.
        """
        lengths = torch.linalg.vector_norm(restored.deblurred.float() - truth.sharp, dim=1, keepdim=True)
        weights = truth.defocus / truth.defocus.mean().clamp_min(_LEAST_MEAN)
        off = (restored.defocus.float() - truth.defocus).abs().mean()
        return _PLAIN * lengths.mean() + _WEIGHTED * (weights * lengths).mean() + _MAP * off  # type: ignore[no-any-return]

    def parameter_count(self) -> int:
        """All of them: no part serves a loss alone."""
        return sum(parameter.numel() for parameter in self.parameters())


def build_did_anet(config: NetworkConfig, seed: int = 0, released: bool = False) -> DIDANet:
    """A network with fresh weights that depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return DIDANet(config, released)


def released_config(sigma_max: float) -> NetworkConfig:
    """Of the published network as its code builds it; ``sigma_max``: px of sigma that its map's 1.0 stands for."""
    return NetworkConfig.of_size("paper", sigma_max=sigma_max, **_AS_RELEASED)
