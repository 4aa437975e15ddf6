"""Weights that explain themselves: safetensors with the network's configuration in the file's metadata.

What reads a file raises ``WeightsError`` where it is missing, cut short, not one of ours or doesn't fit.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from sftdec.networks.sft_dec import SFTDec, build_network
from sftdec.params import ConfigError, NetworkConfig
from sftdec.runtime import atomic_path

_KEY = "sftdec"  # the only one: safetensors writes several in an order that changes from run to run
_CROP = "training_crop"  # beside the configuration, px; absent where it isn't known


class WeightsError(ValueError):
    """A weights file that can't be used; the message names the file, what was found, what was expected and the mend."""


def save_weights(network: SFTDec, path: Path) -> None:
    """Write a network and its ``training_crop`` whole or not at all; equal networks give equal bytes."""
    described = json.loads(network.config.to_json())
    if network.training_crop is not None:
        described[_CROP] = network.training_crop
    write_tensors(network, described, path)


def write_tensors(network: nn.Module, described: dict[str, Any], path: Path) -> None:
    """Write any network's tensors, and what the file is to say of itself, whole or not at all.

    Raises ``OSError`` where it can't be written, as every file does: safetensors' own error is of another kind.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(network.state_dict().items())}
    with atomic_path(path) as temporary:
        try:
            save_file(tensors, temporary, metadata={_KEY: json.dumps(described, sort_keys=True)})
        except SafetensorError as error:
            raise OSError(f"{path}: the weights can't be written ({error}); make room or name another place") from error


def read_config(path: Path) -> NetworkConfig:
    """The configuration that a weights file carries."""
    return _described(path)[0]


def read_metadata(path: Path) -> dict[str, Any]:
    """What a weights file of ours says of itself."""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except FileNotFoundError:
        raise WeightsError(f"{path}: there is no such weights file; train one with dvc repro or name another") from None
    except (SafetensorError, OSError) as error:
        if path.is_dir():
            raise WeightsError(f"{path}: found a folder, expected a weights file; name one in it") from None
        raise WeightsError(f"{path}: not a safetensors file, or cut short ({error}); restore or retrain it") from error
    if _KEY not in metadata:
        raise WeightsError(
            f"{path}: safetensors without an SFT-Dec configuration in its metadata; expected a file of ours"
        )
    try:
        return dict(json.loads(metadata[_KEY]))
    except (ValueError, TypeError) as error:
        raise WeightsError(f"{path}: its configuration can't be read ({error}); it is of another version") from error


def _described(path: Path) -> tuple[NetworkConfig, int | None]:
    """A weights file's configuration and training crop."""
    described = read_metadata(path)
    if "peer" in described:
        raise WeightsError(
            f"{path}: weights of {described['peer']}, expected SFT-Dec's; sftdec evaluate takes those of other networks"
        )
    try:
        crop = described.pop(_CROP, None)
        if not (crop is None or (type(crop) is int and crop >= 1)):
            raise ConfigError(f"{_CROP}: found {crop!r}, expected px, 1 or more")
        return NetworkConfig.from_json(json.dumps(described)), crop
    except (ValueError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path}: its configuration can't be read ({error}); it is of another version") from error


def load_weights(path: Path) -> SFTDec:
    """The network of a weights file with its ``training_crop``, on the CPU, in evaluation mode."""
    config, crop = _described(path)
    network = build_network(config)
    load_into(network, path)
    network.training_crop = crop
    return network.eval()


def load_into(network: SFTDec, path: Path) -> None:
    """Load weights into a network that exists; those of another architecture are refused by the differences."""
    found = read_config(path)
    if found != network.config:
        mine, theirs = vars(network.config), vars(found)
        other = ", ".join(f"{key}={theirs[key]!r} (expected {mine[key]!r})" for key in mine if mine[key] != theirs[key])
        raise WeightsError(
            f"{path}: weights of another network: {other}; retrain, or set network.* alike in params.yaml"
        )
    load_tensors(network, path, network.config.blocks)


def load_tensors(network: nn.Module, path: Path, blocks: int = 0) -> None:
    """Load a file's tensors into any network; ``blocks``: an SFT-Dec's, whose parts once had other names."""
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    tensors, expected = _in_blocks(tensors, blocks) if blocks else tensors, network.state_dict()
    for name in sorted(expected.keys() | tensors.keys()):
        shapes = [tuple(group[name].shape) if name in group else "nothing" for group in (tensors, expected)]
        if shapes[0] != shapes[1]:
            raise WeightsError(
                f"{path}: tensor {name} is {shapes[0]}, expected {shapes[1]}; "
                "the file is damaged or of another version: retrain"
            )
    network.load_state_dict(tensors)


def _in_blocks(tensors: Mapping[str, Tensor], blocks: int) -> dict[str, Tensor]:
    """A file's tensors by their names of today.

    Until November 2026 the SFT layers of all blocks lay side by side, numbered, and what reads the condition was one
    wide convolution for all of them.
    """
    found: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        old = re.fullmatch(r"deblurring\.modulation\.(gamma|beta)\.(\w+)\.(?:(\d+)\.)?(weight|bias)", name)
        if old is None:
            found[name] = tensor
            continue
        part, layer, number, kind = old.groups()
        shares = enumerate(tensor.chunk(2 * blocks)) if number is None else [(int(number), tensor)]
        for place, share in shares:
            sft = "second_sft" if place % 2 else "first_sft"
            found[f"deblurring.blocks.{place // 2}.{sft}.{part}.{layer}.{kind}"] = share
    return found
