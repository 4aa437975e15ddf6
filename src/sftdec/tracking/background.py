"""The thread beside the training: samples the machine, sends the spool, and never makes the training wait."""

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from sftdec.tracking.lineage import checksum
from sftdec.tracking.sender import Sender, StoreAway
from sftdec.tracking.spool import Event, Spool
from sftdec.tracking.system import SystemSampler

LOG = logging.getLogger(__name__)
SEND_EVERY = 2.0  # s
SAMPLE_EVERY = 5.0  # s
LONGEST_PAUSE = 60.0  # s between attempts while the store is away
PATIENCE = 6.0  # s without progress after which a closing stage leaves the rest to the next one


class Background(threading.Thread):
    """Owns the sending of one spool. ``finish`` must be called, or the process end, to let the spool go."""

    def __init__(self, spool: Spool, sender: Sender, reads: Mapping[str, Path], started_ms: int) -> None:
        super().__init__(name=f"tracking-{spool.uid}", daemon=True)
        self._spool = spool
        self._sender = sender
        self._reads = reads
        self._started_ms = started_ms
        self._closing = threading.Event()
        self._hashed = threading.Event()
        self._abandoned = threading.Event()
        self._older_sent = False
        self.away: str | None = None

    def run(self) -> None:
        """The loop; ends when everything is sent after ``finish``, or the store is away by then."""
        try:
            self._hash_reads()
        finally:
            self._hashed.set()
        sampler = SystemSampler()
        sample_at, attempt_at, pause = time.monotonic() + 1.0, time.monotonic(), SEND_EVERY
        while not self._abandoned.is_set():
            closing = self._closing.is_set()
            if not closing and time.monotonic() >= sample_at:
                self._record_sample(sampler)
                sample_at = time.monotonic() + SAMPLE_EVERY
            if closing or time.monotonic() >= attempt_at:
                self._attempt()
                pause = min(2 * pause, LONGEST_PAUSE) if self.away else SEND_EVERY
                attempt_at = time.monotonic() + pause
            if closing and (self.away is None or self._sender.settings.is_remote):
                break  # a database that another process has locked is worth another attempt, a server is not
            if closing:
                time.sleep(SEND_EVERY / 4)
            else:
                self._closing.wait(max(0.0, min(attempt_at, sample_at) - time.monotonic()))
        self._spool.release(delete=self.away is None and not self._abandoned.is_set())

    def _attempt(self) -> None:
        try:
            if not self._older_sent:
                self._sender.send_pending()
                self._older_sent = True
            self._sender.send(self._spool)
            self.away = None
        except StoreAway as away:
            self.away = str(away)
        except Exception as error:  # whatever it is, it must not reach the training
            LOG.debug("sending failed", exc_info=True)
            self.away = f"the tracking data could not be sent ({error!r})"

    def await_checksums(self) -> None:
        """Wait until the inputs are hashed: no event may come after the closing one."""
        self._hashed.wait()

    def finish(self, deadline: float) -> bool:
        """Send the rest within ``deadline`` s, giving up sooner on a server that makes no progress.

        True if everything was sent; else it waits on disk, and a warning says where.
        """
        end = time.monotonic() + deadline
        closed_at = time.monotonic()
        self._closing.set()
        while self.is_alive() and time.monotonic() < end:
            self.join(0.05)
            idle = time.monotonic() - max(closed_at, self._sender.progress)
            if self._sender.settings.is_remote and self._sender.connected and idle > PATIENCE:
                break
        if self.is_alive() or self.away:
            self._abandoned.set()
            reason = self.away or "the tracking store is too slow"
            LOG.warning("%s; the run waits in %s and is sent by the next stage", reason, self._spool.folder)
            return False
        return True

    def _hash_reads(self) -> None:
        digests = {}
        for name, path in self._reads.items():
            try:
                digests[f"in.{name}"] = checksum(path)
            except OSError as error:
                LOG.warning("%s: not part of the run's lineage (%s)", name, error)
        if digests:
            self._spool.append({"kind": "reads", "time": _now(), "values": digests})

    def _record_sample(self, sampler: SystemSampler) -> None:
        now = _now()
        step = max(0, round((now - self._started_ms) / 1000))
        event: Event = {"kind": "metrics", "time": now, "step": step, "values": sampler.sample()}
        self._spool.append(event)


def _now() -> int:
    return int(time.time() * 1000)
