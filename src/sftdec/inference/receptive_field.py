"""How far each part of a network sees, from its modules: what a tile needs around it to come out as in the whole."""

from dataclasses import dataclass

from torch import nn

from sftdec.networks import SFTDec, SFTLayer


@dataclass(frozen=True)
class Reach:
    """How many features around each one a pass needs, a feature being ``stem``×``stem`` px.

    Plain numbers, so that a network that was exported can carry them along.
    """

    stem: int
    defocus: int  # of the picture, for the map
    condition: int  # of the map, for the condition
    blurred: int  # of the picture, for the deblurred one
    guide: int  # of the map, for the deblurred picture, leaving aside what is pooled
    transforms: int  # of the means over windows, for the deblurred picture
    pools: bool  # whether a mean of the condition is needed
    means: int  # how many there are: the condition's features
    window: int | None  # side of the windows of local pooling; None: the mean is the whole picture's

    @property
    def deblurring(self) -> int:
        """Around a part that is deblurred: picture, map and means are given alike."""
        return max(self.blurred, self.guide, self.transforms)


def measure_reach(network: SFTDec) -> Reach:
    """The reach of a network as it is set up now (``set_local_pooling``)."""
    deblurring, pools = network.deblurring, network.has_channel_part
    first, blocks, last = reach_of(deblurring.first), reach_of(deblurring.blocks), reach_of(deblurring.last)
    last += 0 if deblurring.merge is None else reach_of(deblurring.merge)
    condition = layers = transforms = 0
    if network.condition is not None:
        condition = reach_of(network.condition)
        sft = [each for each in deblurring.modules() if isinstance(each, SFTLayer)]
        layers = max(reach_of(part) for each in sft for part in (each.gamma, each.beta))  # which stand side by side
        # the first layer stands before the first block's first convolution, and all of the blocks' see through it
        transforms = blocks + last
    return Reach(
        stem=network.config.stem,
        defocus=reach_of(network.defocus_map_estimation),
        condition=condition,
        blurred=first + blocks + last,
        guide=condition + layers + transforms,
        transforms=transforms,
        pools=pools,
        means=network.config.condition_features if pools else 0,
        window=network.feature_window,
    )


def reach_of(module: nn.Module) -> int:
    """Of a chain: its convolutions one after the other, identities beside them; an SFT layer sees a pixel's features.

    Raises:
        TypeError: a convolution that changes height or width, or a module that isn't known.
    """
    if isinstance(module, nn.Conv2d):
        return _reach_of_convolution(module)
    if isinstance(module, SFTLayer):
        return 0
    inner = list(module.children())
    if not inner:
        raise TypeError(f"{type(module).__name__}: how far it sees isn't known; add it to {__name__}")
    return sum(reach_of(each) for each in inner)


def _reach_of_convolution(layer: nn.Conv2d) -> int:
    reaches = {dilation * (kernel - 1) // 2 for kernel, dilation in zip(layer.kernel_size, layer.dilation, strict=True)}
    reach = max(reaches)
    centred = all(kernel % 2 for kernel in layer.kernel_size)
    if not centred or set(layer.stride) != {1} or layer.padding != (reach, reach) or len(reaches) != 1:
        raise TypeError(f"{layer}: expected a square convolution that keeps height and width")
    return reach
