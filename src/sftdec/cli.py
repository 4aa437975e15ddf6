"""The command ``sftdec``: photos in, all-in-focus photos out; a model's figures; and data sets, known and checked."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from sftdec import __version__
from sftdec.commands import (
    add_datasets,
    add_deblur,
    add_demo,
    add_drift,
    add_evaluate,
    add_export,
    add_models,
    add_reproduce,
)
from sftdec.registry import DEFAULT_MODEL
from sftdec.runtime import needs_extra, wait_passively


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sftdec", description=__doc__)
    parser.add_argument("--version", action="version", version=f"sftdec {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    model: dict[str, Any] = {
        "metavar": "MODEL",
        "help": f"a weights file, models:/… or builtin (default: {DEFAULT_MODEL})",
    }
    device: dict[str, Any] = {"default": "auto", "help": "auto, cpu or cuda[:n] (default: %(default)s)"}
    add_deblur(commands, model, device)
    add_evaluate(commands, model, device)
    add_export(commands)
    add_datasets(commands)
    add_models(commands)
    add_demo(commands)
    add_reproduce(commands)
    add_drift(commands, model, device)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. What is wrong with the input is one sentence, not a traceback."""
    wait_passively()
    parsed = _parser().parse_args(arguments)
    try:
        with needs_extra(parsed.command, preferred=parsed.command):
            return int(parsed.run(parsed))
    except (ValueError, OSError) as error:
        print(f"sftdec: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
