"""`python leash.py FD COMMAND…`: runs a command, and ends its process group as soon as the starter is gone.

A starter that is killed with `kill -9` can end nobody, but the pipe of which it held the other end closes. Without
this a stage would work on without its flow, and stand in the way of the next one. Only the standard library is used.
"""

import os
import signal
import subprocess
import sys
import threading


def main() -> None:
    """Run the command; ends as it does."""
    process = subprocess.Popen(sys.argv[2:])
    threading.Thread(target=_end_with_starter, args=(int(sys.argv[1]),), daemon=True).start()
    code = process.wait()
    if code < 0:  # by a signal: then by the same
        os.kill(os.getpid(), -code)
    sys.exit(code)


def _end_with_starter(pipe: int) -> None:
    while os.read(pipe, 1):  # nothing is ever written: this waits for the end
        pass
    os.killpg(0, signal.SIGKILL)  # this process too; stages survive it by what they keep on disk


if __name__ == "__main__":
    main()
