"""``sftdec reproduce MODEL``: a registered version, trained again from its commit and data, byte for byte."""

import argparse
import signal
import sys
from pathlib import Path
from typing import Any

from sftdec.commands.printing import say_wait


def add_reproduce(commands: Any) -> None:
    """Add the command to ``argparse``'s sub-parsers."""
    reproduce = commands.add_parser(
        "reproduce",
        help="train a registered version again, and compare",
        description="Train a registered version again, from its recorded commit and data in a scratch worktree, and "
        "compare the weights byte for byte. Exit code: 0 identical, 1 different, 2 it can't be done.",
    )
    reproduce.add_argument("model", metavar="MODEL", help="models:/sft-dec@champion or models:/sft-dec/3")
    reproduce.add_argument("--keep", action="store_true", help="leave the scratch worktree (below .retrain/)")
    reproduce.set_defaults(run=_reproduce)


def _reproduce(arguments: argparse.Namespace) -> int:
    say_wait("opening the registry")
    from sftdec.registry import reproduce

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # with what it has started and made
    verdict = reproduce(
        arguments.model, Path.cwd(), arguments.keep, lambda line: print(line, file=sys.stderr, flush=True)
    )
    print(verdict.sentence)
    return 0 if verdict.identical else 1
