"""How every stage's script begins and ends."""

import sys
from collections.abc import Callable


def run_stage(main: Callable[[], None]) -> None:
    """Run a stage; what is wrong with its input is one sentence and exit code 1, not a traceback."""
    try:
        main()
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
