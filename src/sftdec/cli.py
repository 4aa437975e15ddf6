"""The command ``sftdec``."""

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
    take_any_text,
)
from sftdec.registry import DEFAULT_MODEL
from sftdec.runtime import needs_extra, wait_passively

_DESCRIPTION = (
    "Sharpen photos that are out of focus, by a model that comes with it or by your own; check data sets, measure "
    "models, and say which one serves. `sftdec COMMAND --help` has the options."
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sftdec", description=_DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"sftdec {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    model: dict[str, Any] = {
        "metavar": "MODEL",
        "help": f"a weights file, models:/… or builtin (default: {DEFAULT_MODEL})",
    }
    device: dict[str, Any] = {"default": "auto", "help": "auto, cpu or cuda[:n] (default: %(default)s)"}
    add_deblur(commands, model, device)
    add_demo(commands)
    add_export(commands)
    add_datasets(commands)
    add_evaluate(commands, model, device)
    add_models(commands)
    add_reproduce(commands)
    add_drift(commands, model, device)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. What is wrong with the input is one sentence, not a traceback."""
    wait_passively()
    take_any_text(sys.stdout, sys.stderr)
    parsed = _parser().parse_args(arguments)
    try:
        with needs_extra(parsed.command, preferred=parsed.command):
            return int(parsed.run(parsed))
    except (ValueError, OSError) as error:
        print(f"sftdec: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("sftdec: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
