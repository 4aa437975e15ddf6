"""How far each part of a network sees, from its modules: what a tile needs around it to come out as in the whole."""

from dataclasses import dataclass

from torch import nn

from sftdec.networks import DecomposedMaps, FullMaps, Modulation, SFTDec


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
    """The reach of a network as it is set up now (``set_local_pooling``).

    Raises:
        TypeError: a module whose reach isn't known here.
    """
    deblurring = network.deblurring
    first, blocks, last = reach_of(deblurring.first), reach_of(deblurring.blocks), reach_of(deblurring.last)
    condition = 0 if network.condition is None else reach_of(network.condition)
    # the first transform stands before the first block's first convolution, and all of the blocks' see through it
    transforms = 0 if deblurring.modulation is None else blocks + last
    spatial = 0 if deblurring.modulation is None else _reach_of_modulation(deblurring.modulation)
    parts = deblurring.modulation.channel_parts() if deblurring.modulation else []
    return Reach(
        stem=network.config.stem,
        defocus=reach_of(network.defocus_map_estimation),
        condition=condition,
        blurred=first + blocks + last,
        guide=condition + spatial + transforms if deblurring.modulation else 0,
        transforms=transforms,
        pools=bool(parts),
        means=network.config.condition_features if parts else 0,
        window=parts[0].window if parts else None,
    )


def reach_of(module: nn.Module) -> int:
    """Of a chain: its convolutions one after the other, identities beside them; that is every part but modulation.

    Raises:
        TypeError: a convolution that changes height or width, or a module that isn't known.
    """
    if isinstance(module, nn.Conv2d):
        return _reach_of_convolution(module)
    inner = list(module.children())
    if not inner:
        raise TypeError(f"{type(module).__name__}: how far it sees isn't known; add it to {__name__}")
    if any(isinstance(each, Modulation) for each in inner):
        raise TypeError(f"{type(module).__name__}: not a chain; its modulation stands beside it")
    return sum(reach_of(each) for each in inner)


def _reach_of_convolution(layer: nn.Conv2d) -> int:
    reaches = {dilation * (kernel - 1) // 2 for kernel, dilation in zip(layer.kernel_size, layer.dilation, strict=True)}
    reach = max(reaches)
    centred = all(kernel % 2 for kernel in layer.kernel_size)
    if not centred or set(layer.stride) != {1} or layer.padding != (reach, reach) or len(reaches) != 1:
        raise TypeError(f"{layer}: expected a square convolution that keeps height and width")
    return reach


def _reach_of_modulation(modulation: Modulation) -> int:
    """γ and β stand side by side, and so do each one's transforms; a channel part sees only the mean."""
    reach = 0
    for maps in (modulation.gamma, modulation.beta):
        if isinstance(maps, FullMaps):
            reach = max(reach, reach_of(maps.first) + max(reach_of(each) for each in maps.second))
        elif isinstance(maps, DecomposedMaps):
            reach = max(reach, reach_of(maps.spatial))
            if any(reach_of(layer) for layer in (maps.squeeze, *maps.excite)):
                raise TypeError("DecomposedMaps: expected 1×1 convolutions of the mean")
        else:
            raise TypeError(f"{type(maps).__name__}: how far it sees isn't known; add it to {__name__}")
    return reach
