"""``python -m sftdec.tracking``: bring the project's store up to date, with what it refused, and say how it went."""

import sys
from pathlib import Path

from sftdec.tracking.answers import StoreAway
from sftdec.tracking.sender import Sender
from sftdec.tracking.settings import read_settings


def main() -> int:
    """Send what waits and what was refused, end the rows of flows that died; 1 where something is left."""
    root = Path.cwd()
    settings = read_settings(root)
    if not settings.enabled or not settings.exists:
        return 0
    sender = Sender(settings, root)
    try:
        sender.store.experiment()
        sent, still = sender.send_pending(), sender.send_refused()
    except StoreAway as away:
        print(f"{away}; what waits in .tracking waits on", file=sys.stderr)
        return 1
    if sent:
        print(f"{sent} runs that waited are complete in {settings.shown}")
    for each in still:
        print(f"still refused: {each}", file=sys.stderr)
    return 1 if still else 0


if __name__ == "__main__":
    sys.exit(main())
