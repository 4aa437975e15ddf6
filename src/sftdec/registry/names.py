"""Which model is meant: a weights file, a registered version, or the one that ships with the package."""

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sftdec.runtime import needs_extra

if TYPE_CHECKING:
    import torch

    from sftdec.networks import SFTDec
    from sftdec.peers import AnyNetwork

LOG = logging.getLogger(__name__)
CHAMPION = "models:/sft-dec@champion"
DEFAULT_MODEL = f"{CHAMPION} where there is a registry with one, else builtin"


def find_weights(model: str | Path | None = None) -> Path:
    """The weights file that ``model`` stands for.

    ``model``: a file, ``models:/…``, ``builtin``, or None: the champion of the registry in the working directory or
    at ``MLFLOW_TRACKING_URI``, and ``builtin`` where there is no registry or no champion. MLflow is imported only
    where there is a registry. Whether a file holds weights is told when it is read.

    Raises:
        ValueError: a registry that doesn't answer, or no such version in it; the message says what there is.
    """
    from sftdec.builtin import NAME, builtin_weights

    if model is None:
        model = CHAMPION if _has_champion(Path.cwd()) else NAME
    if str(model) == NAME:
        return builtin_weights()
    if not str(model).startswith("models:"):
        return Path(model)
    with needs_extra(str(model)):
        from sftdec.registry import resolve_weights

        return resolve_weights(str(model), Path.cwd())


def _has_champion(root: Path) -> bool:
    """Whether a version serves; a registry that can't be asked raises, since what serves there isn't known."""
    from sftdec.tracking import read_settings

    settings = read_settings(root)
    if not settings.exists:
        return False
    if settings.database and find_spec("mlflow") is None:  # a checkout's registry, where only photos are deblurred
        LOG.warning(
            "%s may have a champion, but MLflow (extra pipeline) isn't installed: builtin is taken", settings.uri
        )
        return False
    from sftdec.registry import champion

    return champion(root, settings) is not None


def load_model(model: str | Path | None, device: str = "auto") -> "tuple[SFTDec, torch.device]":
    """The network that ``model`` stands for (``find_weights``), on its device.

    Raises:
        ValueError: no such model or device, or weights of another network; the message says what there is.
    """
    from sftdec.networks import load_weights
    from sftdec.runtime import choose_device

    chosen = choose_device(device)
    return load_weights(find_weights(model)).to(chosen), chosen


def load_any_model(model: str | Path | None, device: str = "auto") -> "tuple[AnyNetwork, torch.device]":
    """As ``load_model``, but the weights may be those of a network that SFT-Dec is compared with."""
    from sftdec.peers import load_network
    from sftdec.runtime import choose_device

    chosen = choose_device(device)
    return load_network(find_weights(model)).to(chosen), chosen
