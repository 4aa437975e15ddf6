"""What the peers share: any picture in, a restoration out, and a loss of their own.

N: batch; H, W: picture.
"""

from typing import ClassVar, NamedTuple

from torch import Tensor, nn
from torch.nn.functional import pad

from sftdec.networks import SMALLEST
from sftdec.peers.truth import Truth


class Restored(NamedTuple):
    """What a peer makes of a picture.

    ``deblurred``: N×3×H×W (sRGB, nominally 0..1, not clipped). ``defocus``: N×1×H×W (sigma / sigma_max), None where
    the network estimates no map. ``stages``: what its own loss looks at beside them, of the padded picture.
    """

    deblurred: Tensor
    defocus: Tensor | None = None
    stages: tuple[Tensor, ...] = ()


class PeerConfig(NamedTuple):
    """Which network it is; ``sigma_max``: px of sigma that its map's 1.0 stands for, where it estimates one."""

    name: str
    size: str
    sigma_max: float


class Peer(nn.Module):
    """A network of another paper, called as a ``MapGuided`` is, so that training and evaluation can take it.

    A subclass has ``restore``, ``loss`` and ``multiple``, the px that height and width are padded to, and says by
    ``estimates_map`` whether there is a ``defocus``. ``training_only``: its parts that serve the loss alone;
    ``parameter_count`` leaves them out, as the papers do.
    """

    multiple: int = 1
    training_only: ClassVar[tuple[str, ...]] = ()
    estimates_map = False
    has_channel_part = False  # nothing that evaluation could pool locally
    training_crop: int | None = None

    def __init__(self, config: PeerConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, blurred: Tensor, defocus: Tensor | None = None, detach_map: bool = False) -> Restored:
        """Restore N×3×H×W (0..1, H and W >= 16 px). ``defocus`` and ``detach_map`` mean nothing here: no map guides.

        Raises:
            ValueError: a picture that is too small or of the wrong shape.
        """
        if blurred.ndim != 4 or blurred.shape[1] != 3 or min(blurred.shape[2:]) < SMALLEST:
            raise ValueError(
                f"found a picture of shape {tuple(blurred.shape)}, expected N×3×H×W with H, W >= {SMALLEST}"
            )
        height, width = blurred.shape[2:]
        made = self.restore(padded(blurred, self.multiple))
        defocus = None if made.defocus is None else made.defocus[..., :height, :width]
        return Restored(made.deblurred[..., :height, :width], defocus, made.stages)

    def restore(self, blurred: Tensor) -> Restored:
        """As ``forward``, of a picture whose sides are multiples of ``multiple``."""
        raise NotImplementedError

    def loss(self, restored: Restored, truth: Truth) -> Tensor:
        """The loss that the network was published with, a scalar."""
        raise NotImplementedError

    def parameter_count(self) -> int:
        """Parameters that restoring takes: those of ``training_only`` parts are left out."""
        left_out = tuple(f"{part}." for part in self.training_only)
        return sum(value.numel() for name, value in self.named_parameters() if not name.startswith(left_out))


def padded(picture: Tensor, multiple: int) -> Tensor:
    """Height and width continued to a multiple: by reflection, or by the last pixel where the picture is too small."""
    below, right = (-picture.shape[2] % multiple, -picture.shape[3] % multiple)
    if not (below or right):
        return picture
    fits = below < picture.shape[2] and right < picture.shape[3]
    return pad(picture, (0, right, 0, below), mode="reflect" if fits else "replicate")


def parts(group: nn.Module) -> list[nn.Module]:
    """The modules right below a list of them, to be named one by one."""
    return list(group.children())
