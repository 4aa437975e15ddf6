"""What commands print: any file's name, and nothing that could stop the work."""

import codecs
import io
import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from sftdec.registry import Chosen

_NAMES = "sftdec-names"


def say(text: str, stream: TextIO | None) -> None:
    """Print a line, above progress bars; a stream that nobody reads any more is left alone.

    Names that its encoding has no place for are printed byte for byte as they lie in the file system, others escaped.
    """
    from tqdm import tqdm

    if stream is None or stream.closed:
        return
    take_any_text(stream)
    try:
        tqdm.write(text, file=stream)
        stream.flush()
    except OSError:  # a closed pipe, a full disk
        _discard(stream)


def take_any_text(*streams: TextIO | None) -> None:
    """Have streams print what their encoding has no place for: file names byte for byte, the rest escaped."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper) and not stream.closed and stream.errors == "strict":
            stream.reconfigure(errors=_NAMES)


def say_wait(what: str) -> None:
    """What takes the next seconds, to who waits before a terminal; longer work has a bar."""
    if sys.stderr is not None and sys.stderr.isatty():
        say(f"sftdec: {what} (some seconds)", sys.stderr)


def say_model(chosen: "Chosen") -> None:
    """Which model a command takes, and why where none was named; on standard error, beside what it is asked for."""
    say(f"sftdec: the model is {chosen}", sys.stderr)


def _discard(stream: TextIO) -> None:
    """Send what is still to come nowhere, what Python flushes at its end too, where it would change the exit code."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)
    except OSError:  # a stream that is no file
        pass


def _as_it_lies(error: UnicodeError) -> tuple[str | bytes, int]:
    """What Python made of bytes that are no text becomes these bytes again."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)


codecs.register_error(_NAMES, _as_it_lies)
