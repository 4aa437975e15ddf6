"""What a network is built from. Everything the paper leaves open is a field with its reason beside it."""

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

Modulation = Literal["baseline", "sft", "sft_dec", "sft_fdec"]
MODULATIONS: tuple[str, ...] = get_args(Modulation)
Gamma = Literal["scale", "one_plus"]
GammaActivation = Literal["sigmoid", "linear"]


class ConfigError(ValueError):
    """A network can't be built like this; the message names the key, what was found and what is allowed."""


@dataclass(frozen=True)
class NetworkConfig:
    """The network of fig. 1, by its numbers. ``NetworkConfig.of_size`` gives the named sizes.

    Raises:
        ConfigError: a value that makes no network.
    """

    size: str = "paper"
    modulation: Modulation = "sft_dec"
    sigma_max: float = 6.0  # px of sigma that a map's 1.0 stands for
    stem: int = 1  # pixel-unshuffle before the first convolutions; 2 quarters the work (not in the paper)
    features: int = 128  # the paper gives none; DID-ANet's deblurring half has 128
    blocks: int = 16  # likewise
    dme_features: int = 64  # "the same network with DID-ANet"
    dme_blocks: int = 4
    dme_dilations: tuple[int, ...] = (1, 1, 1, 1)  # a block each; above 1 widens the view at no cost
    condition_features: int = 64  # "three convolutional layers", widths not given
    sft_features: int = 64  # between the two 1×1 convolutions; SFTGAN has 32 for 64 features
    merge: bool = True  # a convolution between the last block and the last one, as in DID-ANet's deblurring half
    gamma: Gamma = "scale"  # eq. 2's γ⊙F + β, with γ around 1 at first; "one_plus": (1 + γ)⊙F + β, with γ around 0
    gamma_activation: GammaActivation = "linear"  # of the decomposed parts; "sigmoid", SE's and CBAM's, starts at 1/4
    reduction: int = 16  # squeeze-excite's, in the channel part
    spatial_kernel: int = (
        3  # of the spatial part's convolution, not given: CBAM has 7, the condition has seen its share
    )
    slope: float = 0.1  # of the LeakyReLUs in the condition network and in SFT, not given: SFTGAN's
    global_residual: bool = True  # the network adds to the blurred picture, as DID-ANet's; false: it makes the picture
    # Weights start at so many times kaiming's scale (DID-ANet has 1 throughout). Not given, and what training hangs on:
    map_init: float = 0.1  # unbounded γ and β: at 1 a chain of 2·blocks products explodes
    block_init: float = 0.1  # a conditioned block's second convolution: blocks start near the identity
    output_init: float = 0.0  # the last convolution: an untrained network returns the blurred picture
    dme_block_init: float = 0.0  # a map block's second convolution: blocks start as the identity
    dme_output_init: float = 0.1  # the map's last convolution: at 1 the first steps go into unlearning it
    dme_centre: float = 0.5  # taken from the picture before the map network: inputs around 0 suit kaiming's scale
    dme_relu: bool = False  # before the map's last convolution: with it most trainings died at the best constant map

    def __post_init__(self) -> None:
        for key in (
            "features",
            "blocks",
            "dme_features",
            "dme_blocks",
            "condition_features",
            "sft_features",
            "reduction",
            "spatial_kernel",
        ):
            self._require(key, getattr(self, key) >= 1, "1 or more")
        self._require("spatial_kernel", self.spatial_kernel % 2 == 1, "an odd number")
        self._require("slope", 0 <= self.slope < 1, "0 or more and below 1")
        for key in ("map_init", "block_init", "output_init", "dme_block_init", "dme_output_init"):
            self._require(key, getattr(self, key) >= 0, "0 or more")
        self._require("dme_centre", 0 <= self.dme_centre <= 1, "0 to 1, a level of the picture")
        self._require("stem", self.stem in (1, 2, 4), "1, 2 or 4")
        self._require("sigma_max", self.sigma_max > 0, "above 0 px")
        self._require("modulation", self.modulation in MODULATIONS, f"one of {', '.join(MODULATIONS)}")
        self._require("gamma", self.gamma in get_args(Gamma), f"one of {', '.join(get_args(Gamma))}")
        activations = get_args(GammaActivation)
        self._require("gamma_activation", self.gamma_activation in activations, f"one of {', '.join(activations)}")
        fits = len(self.dme_dilations) == self.dme_blocks and min(self.dme_dilations) >= 1
        self._require("dme_dilations", fits, f"{self.dme_blocks} numbers of 1 or more (dme_blocks={self.dme_blocks})")

    def _require(self, key: str, holds: bool, allowed: str) -> None:
        if not holds:
            raise ConfigError(f"network.{key}: found {getattr(self, key)!r}, expected {allowed}")

    @classmethod
    def of_size(cls, size: str, **overrides: Any) -> "NetworkConfig":
        """The configuration of a named size, with some fields set otherwise.

        Raises:
            ConfigError: an unknown size or field.
        """
        if size not in SIZES:
            raise ConfigError(f"network.size: found {size!r}, expected one of {', '.join(SIZES)}")
        known = {field.name for field in fields(cls)}
        for key in overrides:
            if key not in known:
                raise ConfigError(f"network.{key}: there is no such key, expected one of {', '.join(sorted(known))}")
        values = {"size": size, **SIZES[size], **overrides}
        if "dme_dilations" in values:
            values["dme_dilations"] = tuple(values["dme_dilations"])
        return cls(**values)

    def to_json(self) -> str:
        """All fields as JSON with sorted keys; of those that came later only what wasn't always so."""
        said = asdict(self)
        for key, before in _CAME_LATER.items():
            if said[key] == before:
                del said[key]
        return json.dumps(said, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "NetworkConfig":
        """The inverse of ``to_json``.

        Raises:
            ConfigError: not JSON, or not exactly these fields.
        """
        try:
            values = _CAME_LATER | json.loads(text)
            if different := values.keys() ^ {field.name for field in fields(cls)}:
                raise ValueError(f"{', '.join(sorted(different))} is missing or unknown")
            values["dme_dilations"] = tuple(values["dme_dilations"])
            return cls(**values)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ConfigError(f"not a network's configuration: {error}") from error


_CAME_LATER = {"merge": False}  # what a text of before these fields stands for: old weights stay good, and the same

SIZES: dict[str, dict[str, Any]] = {
    "paper": {},
    # Seconds a photo on a CPU: half resolution, and parts that start as the identity so that few steps suffice. On
    # validation photos after a short training, "sigmoid" loses 0.15 dB, and "scale" 0.86 when it still started around 0
    # (reports/readings.md).
    "small": {
        "stem": 2,
        "features": 32,
        "blocks": 5,
        "dme_features": 32,
        "dme_blocks": 4,
        "dme_dilations": (1, 2, 4, 2),
        "condition_features": 32,
        "sft_features": 32,
        "merge": False,  # 4 % of the work, and with the last one it amounts to one linear convolution of 5×5
        "gamma": "one_plus",
        "reduction": 4,
    },
}
