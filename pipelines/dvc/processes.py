"""Processes that end with whoever starts them, and all that they start as well."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

LEASH = Path(__file__).with_name("leash.py")
GRACE_SECONDS = 10.0


@contextmanager
def own_session(
    command: Sequence[str], root: Path, environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[str]"]:
    """A process in a session of its own that does not outlive an exception, a cancellation or this process's end."""
    with _leashed(command, root, environment) as process:
        try:
            yield process
            process.wait()
        except BaseException:  # a cancellation is no Exception
            _end_group(process)
            raise


@contextmanager
def background(command: Sequence[str], root: Path, environment: Mapping[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """A process in a session of its own that is ended, with all that it started, as the block ends."""
    with _leashed(command, root, environment) as process:
        try:
            yield process
        finally:
            _end_group(process)


@contextmanager
def _leashed(command: Sequence[str], root: Path, environment: Mapping[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """The process, whose group ends when this one is gone; its output is the caller's to read."""
    told, held = os.pipe()
    try:
        process = subprocess.Popen(
            [sys.executable, str(LEASH), str(told), *command],
            pass_fds=(told,),
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
    except BaseException:
        os.close(held)
        raise
    finally:
        os.close(told)
    try:
        yield process
    finally:
        os.close(held)
        if process.stdout:
            process.stdout.close()


def _end_group(process: "subprocess.Popen[str]") -> None:
    """Ends a session's leader and all of its group: SIGTERM, then SIGKILL for what is left."""
    try:
        _signal_group(process.pid, signal.SIGTERM)
        _await_group(process.pid, GRACE_SECONDS)
    finally:  # a second Ctrl+C ends the waiting, not the killing
        _signal_group(process.pid, signal.SIGKILL)
        _await_group(process.pid, GRACE_SECONDS)
        process.wait()  # last: until here the dead leader keeps the group's number from being given away


def _await_group(group: int, seconds: float) -> None:
    """Returns as soon as no process of the group runs any more, or after seconds."""
    deadline = time.monotonic() + seconds
    while _group_lives(group) and time.monotonic() < deadline:
        time.sleep(0.1)


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def _group_lives(group: int) -> bool:
    """Whether a process of the group still runs; one that only waits to be collected doesn't."""
    for process in psutil.process_iter(["status"]):
        try:
            if os.getpgid(process.pid) == group and process.info["status"] != psutil.STATUS_ZOMBIE:
                return True
        except ProcessLookupError:
            continue
    return False
