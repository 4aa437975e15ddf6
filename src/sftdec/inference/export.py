"""A network as a file that other runtimes load, and read back."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from sftdec.networks import SFTDec, read_config
from sftdec.params import ConfigError, NetworkConfig
from sftdec.runtime import atomic_path, needs_extra

if TYPE_CHECKING:
    import onnx

TOLERANCE = 1e-5  # of the largest value, 1 at least
# N, H, W: the smallest, odd ones, and such as no stem divides; two pictures at once
COMPARED = ((1, 16, 16), (1, 17, 19), (2, 31, 16), (1, 21, 34), (1, 45, 38))


class ExportError(ValueError):
    """A file that can't be made, or isn't one of ours; the message names it, what was found and expected, the mend."""


@dataclass(frozen=True)
class OnnxModel:
    """An exported network. ``training_crop``: side (px) of the crops it was trained on, where that is known."""

    config: NetworkConfig
    training_crop: int | None
    proto: "onnx.ModelProto"


def export_onnx(network: SFTDec, path: Path) -> float:
    """Write a network as ONNX (see ``graph.onnx_graph``) that was checked and compared with PyTorch, or nothing.

    Returns:
        The largest difference of a value from PyTorch's, over pictures of the sizes ``COMPARED``.

    Raises:
        ExportError: the network pools by windows, or the file's results differ.
        MissingExtraError: the extra ``export`` isn't installed.
    """
    model = onnx_model(network)
    content = model.proto.SerializeToString()
    difference = compared(network, content, path)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return difference


def export_safetensors(weights: Path, path: Path) -> None:
    """Copy a weights file that is one of ours, whole or not at all.

    Raises:
        WeightsError: it isn't.
        ExportError: the two are one file.
    """
    read_config(weights)
    if path.exists() and path.samefile(weights):
        raise ExportError(f"{path}: is the weights file itself; name another with -o")
    with atomic_path(path) as temporary:
        shutil.copyfile(weights, temporary)


def onnx_model(network: SFTDec) -> OnnxModel:
    """A network as an ONNX model in memory, checked.

    Raises:
        ExportError: the network pools by windows.
        MissingExtraError: the extra ``export`` isn't installed.
    """
    if network.pooling_window is not None:
        raise ExportError(
            f"local pooling: found a window of {network.pooling_window} px, expected none, since an ONNX graph pools "
            "over the whole picture; take the runtime torch"
        )
    with needs_extra("ONNX"):
        import onnx

        from sftdec.inference.graph import onnx_graph
    proto = onnx_graph(network)
    onnx.checker.check_model(proto, full_check=True)
    return OnnxModel(network.config, network.training_crop, proto)


def compared(
    network: SFTDec, content: bytes, path: Path, taken: str = "image", given: Sequence[str] = ("deblurred", "defocus")
) -> float:
    """The largest difference between onnxruntime's and PyTorch's values; beyond ``TOLERANCE`` ``path`` is not written.

    ``taken`` and ``given``: how the file calls the picture, and as many of what comes out, in that order.
    """
    with needs_extra("ONNX"):
        import onnxruntime
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    device = next(network.parameters()).device
    differences, values = [0.0], [1.0]
    for count, height, width in COMPARED:
        image = torch.rand(count, 3, height, width, generator=generator)
        with torch.inference_mode():
            expected = network(image.to(device))
        found = session.run(list(given), {taken: image.numpy()})
        for ours, theirs in zip(expected[: len(given)], found, strict=True):
            differences.append(float(np.max(np.abs(ours.cpu().numpy() - theirs))))
            values.append(float(np.max(np.abs(theirs))))
    difference, most = float(np.max(differences)), TOLERANCE * float(np.max(values))
    if not difference <= most:  # nor NaN
        raise ExportError(
            f"{path}: not written: onnxruntime's results differ from PyTorch's by {difference:.1e}, expected "
            f"{most:.0e} at most; report it, or take another version of onnxruntime"
        )
    return difference


def load_onnx(path: Path) -> OnnxModel:
    """Read a file that ``export_onnx`` wrote.

    Raises:
        ExportError: no such file, not an ONNX model, none of ours, or of another version.
        MissingExtraError: the extra ``export`` isn't installed.
    """
    with needs_extra(f"{path}: ONNX"):
        import onnx
        from google.protobuf.message import DecodeError
    mend = "export the network again with sftdec export"
    try:
        proto = onnx.load_model(str(path))
        onnx.checker.check_model(proto)
    except FileNotFoundError:
        raise ExportError(f"{path}: there is no such file, expected an ONNX model; {mend}") from None
    except (DecodeError, onnx.checker.ValidationError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else "it can't be read"
        raise ExportError(f"{path}: not an ONNX model, or cut short ({reason}); {mend}") from error
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    if "sftdec" not in metadata:
        raise ExportError(
            f"{path}: an ONNX model without an SFT-Dec configuration in its metadata, expected one that sftdec export "
            f"wrote; {mend}"
        )
    try:
        described = json.loads(metadata["sftdec"])
        crop = described.pop("training_crop", None)
        config = NetworkConfig.from_json(json.dumps(described))
    except (ValueError, TypeError, AttributeError, ConfigError) as error:
        raise ExportError(
            f"{path}: its configuration can't be read ({error}); it is of another version: {mend}"
        ) from error
    made = {name for node in proto.graph.node for name in node.output}
    if absent := {"guide", "deblurred", "defocus"} - made:
        raise ExportError(f"{path}: found no tensor {', '.join(sorted(absent))}, expected a whole network; {mend}")
    return OnnxModel(config, crop, proto)
