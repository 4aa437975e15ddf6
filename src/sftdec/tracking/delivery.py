"""Sending a stage's spool while the stage computes: never in its way."""

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from sftdec.runtime import checksum, hush
from sftdec.tracking.answers import StoreAway, StoreShut
from sftdec.tracking.sender import Sender
from sftdec.tracking.spool import Spool

LOG = logging.getLogger(__name__)
SEND_EVERY = 2.0  # s
LONGEST_PAUSE = 60.0  # s between attempts while the store is away
PATIENCE = 6.0  # s without progress after which a closing stage leaves the rest to the next one


class Delivery(threading.Thread):
    """Hashes what a stage reads, then sends its spool every few seconds until ``finish`` has sent the rest."""

    def __init__(self, spool: Spool, sender: Sender, reads: Mapping[str, Path]) -> None:
        super().__init__(name=f"tracking-{spool.uid}", daemon=True)
        self._spool = spool
        self._sender = sender
        self._reads = reads
        self._closing = threading.Event()
        self._hashed = threading.Event()
        self._abandoned = threading.Event()
        self._older_sent = False
        self._away: str | None = None
        self._shut = False

    def run(self) -> None:
        """The loop; ends when everything is sent after ``finish``, or the store is away by then."""
        try:
            self._hash_reads()
        finally:
            self._hashed.set()
        pause = SEND_EVERY
        while not self._abandoned.is_set():
            closing = self._closing.is_set()
            self._attempt()
            if closing and (self._away is None or self._shut or self._sender.settings.is_remote):
                break  # a database that another process has locked is worth another attempt, a server is not
            if closing:
                time.sleep(SEND_EVERY / 4)
            else:
                pause = min(2 * pause, LONGEST_PAUSE) if self._away else SEND_EVERY
                self._closing.wait(pause)

    def await_checksums(self) -> None:
        """Wait until the inputs are hashed: no event may come after the closing one."""
        self._hashed.wait()

    def finish(self, deadline: float) -> str | None:
        """Send the rest within ``deadline`` s, giving up sooner on a server that makes no progress.

        None if everything was sent, else why not.
        """
        closed_at = time.monotonic()
        self._closing.set()
        while self.is_alive() and time.monotonic() < closed_at + deadline:
            self.join(0.05)
            idle = time.monotonic() - max(closed_at, self._sender.store.progress)
            if self._sender.settings.is_remote and self._sender.store.connected and idle > PATIENCE:
                break
        if self.is_alive():
            self._abandoned.set()
            return self._away or f"{self._sender.settings.shown} is too slow, or answers nothing"
        return self._away

    def _attempt(self) -> None:
        try:
            if not self._older_sent:
                self._sender.send_pending()
                self._older_sent = True
            self._sender.send(self._spool)
            self._away = None
        except StoreAway as away:
            self._away, self._shut = str(away), isinstance(away, StoreShut)
        except Exception as error:  # whatever it is, it must not reach the training
            LOG.debug("sending failed", exc_info=True)
            self._away = f"the tracking data could not be sent ({hush(error)!r})"

    def _hash_reads(self) -> None:
        digests = {}
        for name, path in self._reads.items():
            try:
                digests[f"in.{name}"] = checksum(path)
            except OSError as error:
                LOG.warning("%s: not part of the run's lineage (%s)", name, error)
        if digests:
            self._spool.append({"kind": "reads", "time": int(time.time() * 1000), "values": digests})
