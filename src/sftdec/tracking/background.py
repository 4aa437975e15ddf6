"""What runs beside a stage: samples of the machine go into its spool, and the spool to the store."""

import logging
import threading
import time

from sftdec.tracking.apart import DeliveryApart
from sftdec.tracking.delivery import Delivery
from sftdec.tracking.spool import Event, Spool
from sftdec.tracking.system import SystemSampler

LOG = logging.getLogger(__name__)
SAMPLE_EVERY = 5.0  # s


class Background:
    """Samples the machine and has the spool sent until ``finish``, which must be called to let the spool go."""

    def __init__(self, spool: Spool, delivery: Delivery | DeliveryApart, started_ms: int) -> None:
        self._spool = spool
        self._delivery = delivery
        self._started_ms = started_ms
        self._closing = threading.Event()
        self._sampling = threading.Thread(target=self._sample, name=f"samples-{spool.uid}", daemon=True)

    def start(self) -> None:
        """Begin to sample and to send."""
        self._delivery.start()
        self._sampling.start()

    def stop_recording(self) -> None:
        """End what writes into the spool by itself: no event may come after the closing one."""
        self._closing.set()
        self._sampling.join()
        self._delivery.await_checksums()

    def finish(self, deadline: float) -> bool:
        """Send the rest within ``deadline`` s, giving up sooner on a server that makes no progress.

        True if everything was sent; else it waits on disk, and a warning says where.
        """
        reason = self._delivery.finish(deadline)
        if reason:
            LOG.warning("%s; the run waits in %s and is sent by the next stage", reason, self._spool.folder)
        self._spool.release(delete=reason is None)
        return reason is None

    def _sample(self) -> None:
        sampler = SystemSampler()
        pause = 1.0
        while not self._closing.wait(pause):
            now = int(time.time() * 1000)
            step = max(0, round((now - self._started_ms) / 1000))
            event: Event = {"kind": "metrics", "time": now, "step": step, "values": sampler.sample()}
            self._spool.append(event)
            pause = SAMPLE_EVERY
