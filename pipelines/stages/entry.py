"""How every stage's script begins and ends."""

import sys
from collections.abc import Callable
from pathlib import Path

from sftdec.params import load_params


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage; what is wrong with its input is one sentence and exit code 1, not a traceback."""
    try:
        main()
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def check(params: Path) -> None:
    """Refuse a parameter file that can't be used before anything runs."""
    run_stage(lambda: print(f"{params}: {load_params(params).network.preset} network, parameters are valid"))
