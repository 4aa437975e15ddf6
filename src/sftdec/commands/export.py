"""``sftdec export``: a model as a file that other runtimes load."""

import argparse
from pathlib import Path
from typing import Any

from sftdec.commands.printing import say_model, say_wait
from sftdec.registry import DEFAULT_MODEL

FORMATS = ("onnx", "safetensors", "dtmodel")


def add_export(commands: Any) -> None:
    """Add the command to ``argparse``'s sub-parsers."""
    export = commands.add_parser(
        "export",
        help="write a model as a file for other programs",
        description="Write a model as ONNX: `image` N×3×H×W in 0..1 in, `deblurred` and `defocus` out, any height and "
        "width from 16 px up. The file is compared with PyTorch before it is written. As dtmodel: what darktable 5.6's "
        "neural restore installs, into its place for denoisers; the archive's README.md says where its limits are.",
    )
    export.add_argument(
        "model", nargs="?", metavar="MODEL", help=f"a weights file, models:/… or builtin (default: {DEFAULT_MODEL})"
    )
    export.add_argument("--format", choices=FORMATS, help=f"default: as FILE ends, or {FORMATS[0]}")
    export.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="default: sft-dec.onnx, .safetensors or .dtmodel, here"
    )
    export.add_argument("--force", action="store_true", help="overwrite FILE if it exists")
    export.set_defaults(run=_export)


def _export(arguments: argparse.Namespace) -> int:
    ending = arguments.output.suffix[1:].lower() if arguments.output else ""
    format = arguments.format or (ending if ending in FORMATS else FORMATS[0])
    target = arguments.output or Path(f"sft-dec.{format}")
    if ending in FORMATS and ending != format:
        raise ValueError(f"{target}: found another ending than {format} has, expected .{format}; change -o or --format")
    if target.is_dir():
        raise ValueError(f"{target}: found a folder, expected a file to write; name another with -o")
    if target.exists() and not arguments.force:
        raise ValueError(f"{target}: exists already, expected a new file; name another with -o, or overwrite: --force")
    say_wait("writing the model, and comparing what the file computes with it")
    from sftdec.inference import COMPARED, export_dtmodel, export_onnx, export_safetensors
    from sftdec.networks import load_weights
    from sftdec.registry import choose_model

    chosen = choose_model(arguments.model)
    weights = chosen.weights
    if weights.suffix.lower() == ".onnx":
        raise ValueError(f"{weights}: found an ONNX model, expected weights; name those it was exported from")
    if format == "safetensors":
        export_safetensors(weights, target)
        say_model(chosen)
        print(target)
        return 0
    network = load_weights(weights)
    difference = export_dtmodel(network, weights, target) if format == "dtmodel" else export_onnx(network, target)
    say_model(chosen)
    print(target)
    print(f"largest difference from PyTorch, over pictures of {len(COMPARED)} sizes: {difference:.1e}")
    return 0
