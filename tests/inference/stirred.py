"""Networks as far from the identity as trained ones: all weights at kaiming's scale, biases, and outputs around 1."""

import numpy as np
import torch

from sftdec.inference.runtimes import TorchRuntime
from sftdec.networks import build_network
from sftdec.params.network import NetworkConfig

NARROW = {"features": 8, "blocks": 1, "dme_features": 8, "condition_features": 8, "sft_features": 8, "reduction": 2}
FULL_SCALE = {"map_init": 0.5, "block_init": 0.5, "output_init": 1.0, "dme_block_init": 0.5, "dme_output_init": 1.0}


def stirred_network(size="small", window=None, **changes):
    """A narrow network whose map spans about 0..1 and whose additions to the picture have a deviation of 0.3."""
    if size == "paper":
        changes = {"dme_blocks": 2, "dme_dilations": (1, 2)} | changes
    net = build_network(NetworkConfig.of_size(size, **(NARROW | FULL_SCALE | changes))).eval()
    generator = torch.Generator().manual_seed(1)
    noise = torch.rand(1, 3, 64, 64, generator=generator)
    with torch.inference_mode():
        for name, parameter in net.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(std=0.1, generator=generator)
        last = net.defocus_map_estimation.last
        last.weight /= 4 * net(noise).defocus.std()
        last.bias += 0.5 - net(noise).defocus.mean()
        net.deblurring.last.weight *= 0.3 / (net(noise).deblurred - noise).std()
    net.set_local_pooling(window)
    return net


def picture(height, width, seed=0):
    """Noise, float32 in 0..1, darker to the right so that no two parts have one mean."""
    values = np.random.default_rng(seed).random((height, width, 3), np.float32)
    return values * np.linspace(1, 0.2, width, dtype=np.float32)[None, :, None]


def whole(net, image):
    """Deblurred picture H×W×3 and map H×W of the network itself, in one piece and not clipped."""
    with torch.inference_mode():
        restored = net(torch.from_numpy(image).permute(2, 0, 1)[None])
    return restored.deblurred[0].permute(1, 2, 0).numpy(), restored.defocus[0, 0].numpy()


def runtime(net, precision="fp32"):
    return TorchRuntime(net, torch.device("cpu"), precision)
