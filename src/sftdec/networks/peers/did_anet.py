"""DID-ANet (Ma et al., "Defocus Image Deblurring Network With Defocus Map Estimation as Auxiliary Task", TIP 2022).

N: batch; H, W: picture; h, w: H, W divided by the stem; s: stem; C: features.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from sftdec.networks.blocks import ResidualBlock, conv
from sftdec.networks.config import NetworkConfig
from sftdec.networks.map_guided import MapGuided


class DIDANet(MapGuided):
    """The defocus map is estimated, concatenated with the blurred picture, and both are deblurred by residual blocks.

    Built from the sizes of a ``NetworkConfig`` (features, blocks, stem, the map network's), so that it stands beside
    an ``SFTDec`` of that size; at ``paper`` size it is the published network: 334,721 parameters and 23 px of receptive
    field for the map, 4,878,467 and 71 px for deblurring. What says how a condition modulates features has no meaning
    here.

    Left out, because the comparison is of two networks under one training (sec. 3.4's), and because neither changes
    what the trained network computes: its own training in two stages, which freezes the map network while it trains
    the deblurring half, and the reblurring network behind it, which serves a loss alone. Its released code weighs the
    residuals of blocks 5 to 16 by 0.1; here all blocks' second convolutions start at ``block_init`` times kaiming's
    scale instead, as an ``SFTDec``'s.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        self.first = conv(4 * config.stem**2, config.features)
        self.blocks = nn.Sequential(
            *(ResidualBlock(config.features, scale=config.block_init) for _ in range(config.blocks))
        )
        self.merge = conv(config.features, config.features)
        self.last = conv(config.features, 3 * config.stem**2, scale=config.output_init)

    def deblur(self, blurred: Tensor, guide: Tensor) -> Tensor:
        """Picture and map, both padded to the stem → the deblurred picture."""
        guided = torch.cat([blurred, guide.to(blurred.dtype)], dim=1)  # N×4×H×W
        features = self.first(pixel_unshuffle(guided, self.config.stem))  # N×C×h×w
        made = pixel_shuffle(self.last(self.merge(self.blocks(features))), self.config.stem)
        return blurred + made if self.config.global_residual else made


def build_did_anet(config: NetworkConfig, seed: int = 0) -> DIDANet:
    """A network with fresh weights that depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return DIDANet(config)
