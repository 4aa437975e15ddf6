"""Weights that the authors of the peers released, under their own names, into the networks here.

``RELEASES`` says of each network which release is meant. A file of PyTorch's is read with ``weights_only=True``, an
.npz without pickles; an .hdf5 needs the package h5py.
"""

import pickle
import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sftdec.peers.build import PEERS, AnyPeer, build_peer
from sftdec.peers.dme_net import PUBLISHED_SIGMA_MAX
from sftdec.peers.releases import RELEASES, Release
from sftdec.runtime import needs_extra

_WRAPPERS = ("state_dict", "params", "model", "model_weights")  # keys under which training code keeps the weights
_NAMED = 5  # at most so many tensors are named in an error


class PublishedWeightsError(ValueError):
    """Weights that can't be loaded; the message names the file, the tensors, what was expected and the mend."""


def load_published(
    name: str, source: Mapping[str, Any] | str | PathLike[str], sigma_max: float | None = None
) -> AnyPeer:
    """The network ``name`` (of ``PEERS``) with released weights, on the CPU, in evaluation mode.

    ``source``: the released file, or what it holds: tensors or arrays by their original names, with or without
    ``module.`` before them, as they are or under ``state_dict``, ``params`` or ``model``. The network then computes
    what the original does, to rounding. ``sigma_max``: px of sigma that the map's 1.0 stands for; DME-Net's is 7 px
    by its code, DID-ANet's unit was not published (6 px are assumed, as everywhere here).

    Raises:
        PublishedWeightsError: an unknown network, an unreadable file, unknown or missing tensors, or other shapes.
    """
    if name not in RELEASES:
        raise PublishedWeightsError(f"peer: found {name!r}, expected one of {', '.join(PEERS)}")
    release = RELEASES[name]
    where = name if isinstance(source, Mapping) else f"{source}"
    found = _flat(source if isinstance(source, Mapping) else _read(Path(source), release))
    names = release.named(list(found))  # the originals' → ours
    fitted = {own: release.fitted(own, found[original]) for original, own in names.items()}
    unit = sigma_max if sigma_max is not None else (PUBLISHED_SIGMA_MAX if name == "dme_net" else 6.0)
    with torch.device("meta"):
        network = build_peer(name, "published", sigma_max=unit, **release.changes(fitted))
    try:
        _check(names, fitted, network)
        _check_copies(names, found)
    except ValueError as error:
        raise PublishedWeightsError(
            f"{where}: {error}; expected {release.about}: use that file, or give the name of the network it is of"
        ) from None
    network.load_state_dict(fitted, assign=True)
    return network.requires_grad_().eval()


def _read(path: Path, release: Release) -> Mapping[str, Any]:
    """What a released file holds."""
    try:
        if path.suffix in (".h5", ".hdf5"):
            return _read_hdf5(path)
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise PublishedWeightsError(f"{path}: there is no such file; expected {release.about}") from None
    except pickle.UnpicklingError as error:
        what = re.search(r"GLOBAL (\S+)", str(error))  # the rest of PyTorch's message advises to open it all the same
        raise PublishedWeightsError(
            f"{path}: found {what[1] if what else 'no weights'} in it, expected tensors alone; it isn't opened, for "
            "that could run code: save its state dictionary alone where it comes from, or use another copy"
        ) from error
    except Exception as error:  # a file that isn't what its ending says, which each reader meets in its own way
        raise PublishedWeightsError(
            f"{path}: can't be read ({error}); expected {release.about}: download it again"
        ) from error
    if not isinstance(loaded, Mapping):
        raise PublishedWeightsError(f"{path}: holds a {type(loaded).__name__}, expected {release.about}")
    return loaded


def _read_hdf5(path: Path) -> dict[str, Any]:
    """A Keras file's arrays, by their whole names."""
    with needs_extra(f"{path}: HDF5"):
        import h5py
    found: dict[str, Any] = {}

    def keep(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    if not path.exists():
        raise FileNotFoundError(path)
    with h5py.File(path, "r") as file:
        file.get("model_weights", file).visititems(keep)
    return found


def _flat(source: Mapping[str, Any]) -> dict[str, Tensor]:
    """Tensors by their names, without what a training wraps around them."""
    for wrapper in _WRAPPERS:
        if isinstance(source.get(wrapper), Mapping):
            source = source[wrapper]
    tensors = {name: value for name, value in source.items() if isinstance(value, (Tensor, np.ndarray))}
    prefix = "module." if tensors and all(name.startswith("module.") for name in tensors) else ""
    return {
        name.removeprefix(prefix): (value if isinstance(value, Tensor) else torch.from_numpy(np.asarray(value))).float()
        for name, value in tensors.items()
    }


def _check(names: Mapping[str, str], fitted: Mapping[str, Tensor], network: AnyPeer) -> None:
    """Whether each tensor of the network is there and of its shape, and no other.

    Raises:
        ValueError: unknown or missing tensors, or another shape.
    """
    expected = network.state_dict()
    unknown = sorted(original for original, own in names.items() if own not in expected)
    missing = sorted(expected.keys() - fitted.keys())
    if unknown or missing:
        kinds = (("unknown tensors", unknown), ("no tensors for what is called here", missing))
        raise ValueError("; ".join(f"{what} {_few(which)}" for what, which in kinds if which))
    for original, own in names.items():
        if fitted[own].shape != expected[own].shape:
            shapes = f"of shape {tuple(fitted[own].shape)} once its axes are turned, not {tuple(expected[own].shape)}"
            raise ValueError(f"tensor {original} ({own} here) is {shapes}")


def _check_copies(names: Mapping[str, str], found: Mapping[str, Tensor]) -> None:
    """Whether tensors that go to one place are alike.

    Raises:
        ValueError: two that differ.
    """
    firsts: dict[str, str] = {}
    for original, own in names.items():
        first = firsts.setdefault(own, original)
        if not torch.equal(found[original], found[first]):
            raise ValueError(f"tensors {first} and {original} differ, though they are one parameter ({own} here)")


def _few(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{', '.join(names[:_NAMED])}{more}"
