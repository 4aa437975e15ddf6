"""What each released file calls its tensors, and how they become this package's.

``renames`` are pairs of a pattern and what replaces it, applied one after another to the whole name.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

Tensors = dict[str, Tensor]
Rename = tuple[str, str | Callable[[re.Match[str]], str]]


def _unchanged(own: str, tensor: Tensor) -> Tensor:
    return tensor


@dataclass(frozen=True)
class Release:
    """One released file.

    ``about``: which it is. ``ignored``: names of what serves the authors' training alone. ``in_order``: names count
    the layers, and are to be taken in that order. ``fitted`` turns a tensor's axes, by its name here; ``changes``: of
    what the network is built from, by what was found.
    """

    about: str
    renames: tuple[Rename, ...]
    ignored: str | None = None
    in_order: bool = False
    fitted: Callable[[str, Tensor], Tensor] = _unchanged
    changes: Callable[[Tensors], dict[str, Any]] = lambda found: {}

    def named(self, names: list[str]) -> dict[str, str]:
        """The name here of each tensor that is wanted; one unknown to the release keeps what became of it."""
        wanted = [name for name in names if self.ignored is None or not re.match(self.ignored, name)]
        return {name: self._renamed(place) for name, place in _places(wanted, self.in_order).items()}

    def _renamed(self, name: str) -> str:
        for pattern, replacement in self.renames:
            name = re.sub(pattern, replacement, name)
        return name


def _places(names: list[str], in_order: bool) -> dict[str, str]:
    """Each name, or "place kind": Keras counts layers on through a session (conv2d_7), so only their order tells."""
    if not in_order:
        return {name: name for name in names}
    found = {name: re.search(r"(?:^|/)conv2d(?:_(\d+))?/(kernel|bias):0$", name) for name in names}
    numbers = sorted({int(match[1] or 0) for match in found.values() if match})
    return {name: f"{numbers.index(int(match[1] or 0))} {match[2]}" if match else name for name, match in found.items()}


def _from_tensorflow(own: str, tensor: Tensor) -> Tensor:
    """Height × width × inputs × outputs → outputs × inputs × height × width."""
    return tensor.permute(3, 2, 0, 1).contiguous() if tensor.ndim == 4 else tensor


def _from_bgr(own: str, tensor: Tensor) -> Tensor:
    """As ``_from_tensorflow``; the original's pictures are BGR, inputs and outputs, ours RGB."""
    tensor = _from_tensorflow(own, tensor)
    if own == "down.0.0.weight":
        return tensor.flip(1)
    return tensor.flip(0) if own.startswith("output.") else tensor


def _minus(offset: int, template: str) -> Callable[[re.Match[str]], str]:
    """What puts the first group's number, less ``offset``, in the template's place {}, and the others behind it."""
    return lambda match: template.format(int(match[1]) - offset, *match.groups()[1:])


def _from(start: int, template: str) -> Callable[[re.Match[str]], str]:
    """As ``_minus``, for levels that are counted down from ``start``."""
    return lambda match: template.format(start - int(match[1]), *match.groups()[1:])


_DPDNET_PLACES = (
    *(f"down.{level}.{k}" for level in range(5) for k in range(2)),
    *(f"up.{level}.{k}" for level in range(4) for k in range(3)),
    "colours",
    "output",
)


def _dpdnet_name(match: re.Match[str]) -> str:
    place = int(match[1])
    kind = {"kernel": "weight", "bias": "bias"}[match[2]]
    return f"{_DPDNET_PLACES[place]}.{kind}" if place < len(_DPDNET_PLACES) else match[0]


_DID_ANET: tuple[Rename, ...] = (
    (r"^convRes(\d+)([ab])\.0\.", _minus(1, "{1}:blocks.{0}.first.")),
    (r"^convRes(\d+)([ab])\.2\.", _minus(1, "{1}:blocks.{0}.second.")),
    (r"^conv01([ab])\.", r"\1:first."),
    (r"^conv02([ab])\.", r"\1:merge."),
    (r"^conv03([ab])\.", r"\1:last."),
    (r"^a:", "defocus_map_estimation."),
    (r"^b:", ""),
)
_NAFNET: tuple[Rename, ...] = (
    (r"\.norm([12])\.", r".norm_\1."),
    (r"\.conv1\.", ".expand."),
    (r"\.conv2\.", ".depthwise."),
    (r"\.sca\.1\.", ".attention."),
    (r"\.conv3\.", ".project."),
    (r"\.conv4\.", ".widen."),
    (r"\.conv5\.", ".narrow."),
    (r"^middle_blks\.", "middle."),
    (r"^(ups\.\d+)\.0\.", r"\1."),
)
_MIMO_UNET: tuple[Rename, ...] = (
    (r"\.main\.0\.(weight|bias)$", r".\1"),  # what each of its convolutions is wrapped in
    (r"\.layers\.(\d+)\.main\.0\.", r".\1.first."),
    (r"\.layers\.(\d+)\.main\.1\.", r".\1.second."),
    (r"^Encoder\.", "encoders."),
    (r"^Decoder\.", "decoders."),
    (r"^feat_extract\.0\.", "first."),
    (r"^feat_extract\.([12])\.", _minus(1, "downs.{0}.")),
    (r"^feat_extract\.([34])\.", _minus(3, "ups.{0}.")),
    (r"^feat_extract\.5\.", "outputs.2."),
    (r"^Convs\.", "merges."),
    (r"^ConvsOut\.", "outputs."),
    (r"^AFFs\.(\d)\.conv\.", r"fusions.\1."),
    (r"^FAM([12])\.merge\.", _from(2, "attentions.{0}.")),
    (r"^SCM([12])\.main\.", _from(2, "shallow.{0}.steps.")),
    (r"^SCM([12])\.conv\.", _from(2, "shallow.{0}.merge.")),
)
_MPRNET: tuple[Rename, ...] = (
    (r"\.body\.0\.weight$", ".first.weight"),
    (r"^.*\.body\.1\.weight$", "activation.weight"),  # one parameter, saved under the name of each block
    (r"\.body\.2\.weight$", ".second.weight"),
    (r"\.CA\.conv_du\.0\.", ".squeeze."),
    (r"\.CA\.conv_du\.2\.", ".excite."),
    (r"^shallow_feat([123])\.", _minus(1, "shallow.{0}.")),
    (r"^stage3_orsnet\.orb([123])\.body\.", _minus(1, "original.blocks.{0}.")),
    (r"^stage3_orsnet\.conv_(enc|dec)([123])\.", lambda m: f"original.from_{m[1]}oder.{int(m[2]) - 1}."),
    (r"^stage3_orsnet\.up_(enc|dec)1\.up\.1\.", r"original.\1oder_ups.0.0.mix."),
    (r"^stage3_orsnet\.up_(enc|dec)2\.([01])\.up\.1\.", r"original.\1oder_ups.1.\2.mix."),
    (r"^stage([12])_(en|de)coder\.", _minus(1, "{1}coders.{0}.")),
    (r"\.(?:en|de)coder_level([123])\.", _minus(1, ".blocks.{0}.")),
    (r"\.down([12])[23]\.down\.1\.", _minus(1, ".downs.{0}.mix.")),
    (r"\.up[23]([12])\.up\.1\.", _minus(1, ".ups.{0}.mix.")),
    (r"\.skip_attn([12])\.", _minus(1, ".skips.{0}.")),
    (r"\.csff_(enc|dec)([123])\.", lambda m: f".from_{m[1]}oder.{int(m[2]) - 1}."),
    (r"^sam([12])[23]\.conv1\.", _minus(1, "attentions.{0}.features.")),
    (r"^sam([12])[23]\.conv2\.", _minus(1, "attentions.{0}.picture.")),
    (r"^sam([12])[23]\.conv3\.", _minus(1, "attentions.{0}.mask.")),
    (r"^concat([12])[23]\.", _minus(1, "joins.{0}.")),
)
_IFAN: tuple[Rename, ...] = (
    (r"^Network\.", ""),
    (r"^reblurNet\.RBF\.", "reblurring."),
    (r"^DME\.", "disparity."),
    (r"^F\.", "filter_predictor."),
    (r"^conv4_4\.", "joined."),
    (r"\.stem\.(\d)\.0\.", r".blocks.\1.0."),
    (r"\.stem\.(\d)\.2\.", r".blocks.\1.1."),
    (r"^(disparity|filter_predictor|joined|reblurring)\.0\.0\.", r"\1.first."),
    (r"^(disparity|filter_predictor|joined|reblurring)\.1\.", r"\1.residuals.0."),
    (r"^(disparity|filter_predictor|joined|reblurring)\.2\.", r"\1.residuals.1."),
    (r"^(disparity|filter_predictor|reblurring)\.3\.", r"\1.last."),
    (r"^joined\.3\.0\.", "joined.last."),
    (r"^conv_DME\.0\.", "disparity_features."),
    (r"^conv_res\.([02])\.0\.", r"restored.\1."),
    (r"^conv_res\.1\.", "restored.1."),
    (r"^upconv([123])_u\.0\.", _from(3, "ups.{0}.")),
    (r"^upconv([123])_1\.", _from(3, "refined.{0}.0.")),
    (r"^upconv([123])_2\.", _from(3, "refined.{0}.1.")),
    (r"^out_res\.0\.", "output."),
    (r"^conv([1-4])_([123])\.0\.", lambda m: f"features.levels.{int(m[1]) - 1}.{int(m[2]) - 1}."),
    (r"^kconv([1-4])_([123])\.0\.", lambda m: f"blur.levels.{int(m[1]) - 1}.{int(m[2]) - 1}."),
)
_DME_NET: tuple[Rename, ...] = (
    (r"/(?:kernel|W_conv2d):0$", ".weight"),
    (r"/(?:bias|b_conv2d):0$", ".bias"),
    (r"/b([^/]+)/beta:0$", r"/c\1.norm.bias"),
    (r"/b([^/]+)/moving_(mean|variance):0$", r"/c\1.norm.\2"),
    (r"^main_net/defocus_net/encoder/conv([1-5])_([1-4])", lambda m: f"encoder.{int(m[1]) - 1}.{int(m[2]) - 1}"),
    (r"^main_net/defocus_net/decoder/", "at "),
    (r"^at uf/c3", "last.2"),
    (r"^(at .*)\.(weight|bias)$(?<!norm\.bias)", r"\1.conv.\2"),
    (r"^at u([0-4])_aux/c([12])", lambda m: f"sides.{4 - int(m[1])}.{int(m[2]) - 1}"),
    (r"^at u([123])/c([123])", lambda m: f"decoder.{3 - int(m[1])}.{int(m[2]) - 1}"),
    (r"^at u0/c_init", "decoder.3.0"),
    (r"^at u0/c_res(\d)", r"refinements.\1.0"),
    (r"^at u0/c(\d)_([12])", r"refinements.\1.\2"),
    (r"^at uf/c([12])", _minus(1, "last.{0}")),
)

RELEASES: dict[str, Release] = {
    "did_anet": Release("model_best.pth.tar of github.com/xytmhy/DID-ANet-Defocus-Deblurring", _DID_ANET),
    "dpdnet": Release(
        "the single-image .hdf5 (three channels in) that issue 3 of "
        "github.com/Abdullah-Abuolaim/defocus-deblurring-dual-pixel links to",
        ((r"^(\d+) (kernel|bias)$", _dpdnet_name),),
        in_order=True,
        fitted=_from_bgr,
    ),
    "ifan": Release(
        "IFAN.pytorch of github.com/codeslake/IFAN (17 filters)",
        _IFAN,
        changes=lambda found: {"isotropic": True, "reblurs": any(name.startswith("reblurring.") for name in found)},
    ),
    "mprnet": Release("model_deblurring.pth of github.com/swz30/MPRNet", _MPRNET),
    "mimo_unet": Release("MIMO-UNet.pkl of github.com/chosj95/MIMO-UNet", _MIMO_UNET),
    "mimo_unet_plus": Release("MIMO-UNetPlus.pkl of github.com/chosj95/MIMO-UNet", _MIMO_UNET),
    "nafnet32": Release("NAFNet-GoPro-width32.pth of github.com/megvii-research/NAFNet", _NAFNET),
    "nafnet64": Release("NAFNet-GoPro-width64.pth of github.com/megvii-research/NAFNet", _NAFNET),
    "dme_net": Release(
        "DMENet_BDCS.npz of github.com/codeslake/DMENet (TensorLayer 1.11)",
        _DME_NET,
        ignored=r"discriminator/|main_net/binary_net/|main_net/defocus_net/encoder/(conv6_1|c_logits_\d)/",
        fitted=_from_tensorflow,
        changes=lambda found: {"circles": True},
    ),
}
