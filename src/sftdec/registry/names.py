"""Which model is meant: a weights file, a registered version, or the one that ships with the package."""

import logging
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sftdec.runtime import needs_extra

if TYPE_CHECKING:
    import torch

    from sftdec.networks import SFTDec
    from sftdec.peers import AnyNetwork
    from sftdec.registry import Version

LOG = logging.getLogger(__name__)
CHAMPION = "models:/sft-dec@champion"
DEFAULT_MODEL = "the registry's champion where it was judged better than builtin, else builtin"


@dataclass(frozen=True)
class Chosen:
    """A model: ``name`` is what was asked for, or else ``builtin`` or a version's address, and ``reason`` says why."""

    name: str
    weights: Path
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.reason})" if self.reason else self.name


def find_weights(model: str | Path | None = None) -> Path:
    """The weights file of what ``choose_model`` chooses, which also raises what this does."""
    return choose_model(model).weights


def choose_model(model: str | Path | None = None) -> Chosen:
    """What ``model`` stands for: a file, ``models:/…``, ``builtin``, or None: the default.

    That is the champion of the registry in the working directory or at ``MLFLOW_TRACKING_URI`` where it was judged
    better than ``builtin`` on the registry's own test photos, and ``builtin`` otherwise. MLflow is imported only where
    there is a registry. Whether a file holds weights is told when it is read.

    Raises:
        ValueError: a registry that doesn't answer, or no such version in it; the message says what there is.
    """
    from sftdec.builtin import NAME, builtin_weights

    reason = ""
    if model is None:
        version, reason = default_version(Path.cwd())
        model = NAME if version is None else version.uri
    if str(model) == NAME:
        return Chosen(NAME, builtin_weights(), reason)
    if not str(model).startswith("models:"):
        return Chosen(str(model), Path(model))
    with needs_extra(str(model)):
        from sftdec.registry import resolve_weights

        return Chosen(str(model), resolve_weights(str(model), Path.cwd()), reason)


def default_version(root: Path) -> "tuple[Version | None, str]":
    """The version of a project's registry that is taken where no model is named, and why; None: ``builtin`` is.

    A registry that can't be asked raises, since what serves there isn't known.
    """
    from sftdec.tracking import read_settings

    settings = read_settings(root)
    if not settings.exists:
        return None, ""
    if settings.database and find_spec("mlflow") is None:  # a checkout's registry, where only photos are deblurred
        LOG.warning(
            "%s may have a champion, but MLflow (extra pipeline) isn't installed: builtin is taken", settings.shown
        )
        return None, ""
    from sftdec.registry import beats_shipped, champion

    found = champion(root, settings)
    if found is None:
        return None, "nothing serves in the registry"
    better, reason = beats_shipped(found)
    return (found if better else None), reason


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
    """As ``load_model``, but the weights may be those of a network that SFT-Dec is compared with.

    Its authors' own are ``NAME=FILE``, such as ``ifan=IFAN.pytorch``.
    """
    from sftdec.peers import load_network, load_published
    from sftdec.runtime import choose_device

    chosen = choose_device(device)
    name, file = released(model)
    network = load_network(find_weights(model)) if file is None else load_published(name, file)
    return network.to(chosen), chosen


def released(model: str | Path | None) -> "tuple[str, Path | None]":
    """Network and file of ``NAME=FILE``; of any other model no file."""
    from sftdec.peers import PEERS

    name, equals, file = str(model or "").partition("=")
    return (name, Path(file)) if equals and name in PEERS else (name, None)
