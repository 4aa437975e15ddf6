"""From the spool to the MLflow store: in order, in batches, and never twice."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from sftdec.tracking.answers import GONE, LATER, Refused, RunDeleted, StoreAway
from sftdec.tracking.refused import AGAIN, name_of, set_aside, set_aside_before
from sftdec.tracking.rows import find_run
from sftdec.tracking.runs import mlflow_name
from sftdec.tracking.settings import TrackingSettings, read_settings, short_patience
from sftdec.tracking.spool import FOLDER, Event, Spool, pending_spools
from sftdec.tracking.store import BATCH, BATCHED, Store, experiment_of, is_alone

LOG = logging.getLogger(__name__)
FINISHED, PAGE = "attributes.status = 'FINISHED'", 1000


class Sender:
    """Sends the spools of the project at ``root`` to one store."""

    def __init__(self, settings: TrackingSettings, root: Path) -> None:
        self.settings = settings
        self.root = root
        self.store = Store(settings)
        self._resumed: dict[Path, Event] = {}  # the newest opening event of each spool that was gone on with

    def send(self, spool: Spool) -> None:
        """Send what the spool holds and the store lacks; after a ``StoreAway`` it can be called again."""
        header = self._resumed.get(spool.folder) or spool.header
        if header is None:
            return
        with self._none_refused():
            try:
                self.store.experiment(experiment_of(header))
                self._replay(spool, header)
            except Refused as refusal:
                if refusal.code != GONE:
                    raise
                spool.start_over()  # another database has taken the place of the one that knew this run
                self.store.forget_rows()
                raise StoreAway(f"{self.settings.shown} lost the run of {spool.uid}: {refusal}") from refusal

    def send_pending(self) -> int:
        """Send every spool that nobody holds, oldest first; the number that was sent to its end.

        A run whose process died before it closed is set to FAILED. What the store refused for the moment is tried
        again. Raises ``StoreAway``.
        """
        finished = 0
        self.send_refused(everything=False)
        for folder in pending_spools(self.root):
            spool = Spool.acquire(folder)
            if spool is None:
                continue
            closed = False
            try:
                self.send(spool)
                last = spool.last
                if last is not None and last["kind"] != "close":
                    error = "the process ended without closing its run (killed, or the machine stopped)"
                    spool.append({"kind": "close", "time": last["time"], "status": "FAILED", "error": error})
                    self.send(spool)
                closed = True
                finished += 1
            except RunDeleted as deleted:  # its records wait, those of other runs don't
                LOG.warning("%s", deleted)
            finally:
                spool.release(delete=closed)
        return finished

    def send_refused(self, everything: bool = True) -> list[str]:
        """Send again what was set aside, or that of it which was refused for the moment; what still is, in words.

        Raises ``StoreAway``.
        """
        still = []
        for folder in set_aside_before(self.root, everything):
            spool = Spool.acquire(folder)
            if spool is None:
                continue
            refusal = None
            try:
                refusal = self._again(spool)
            finally:
                spool.release(delete=refusal == "")
            if refusal:
                still.append(refusal)
        return still

    def known(self, experiment: str) -> set[str]:
        """The uids of an experiment's finished runs. Raises ``StoreAway``."""
        with self._none_refused():
            where, found, token = [self.store.experiment(experiment)], set[str](), None
            while True:
                search = partial(self.store.client.search_runs, max_results=PAGE, page_token=token)
                page = self.store.ask(search, where, FINISHED)
                found |= {run.data.tags["sftdec.uid"] for run in page if "sftdec.uid" in run.data.tags}
                if not (token := page.token):
                    return found

    @contextmanager
    def _none_refused(self) -> Iterator[None]:
        """Where nothing that could be set aside is sent, a refusal is as good as no answer."""
        with short_patience():
            try:
                yield
            except Refused as refusal:
                raise StoreAway(f"{self.settings.shown}: {refusal}") from refusal

    def _replay(self, spool: Spool, header: Event) -> None:
        run = spool.run or self._open_run(spool, header)
        if run is None:
            return
        waiting: list[tuple[Event, int]] = []
        for event, end in spool.read(spool.sent):
            if event["kind"] == "open":  # of another execution, maybe, whose row the run lies below from here on
                self._resumed[spool.folder] = header = header | {"tags": event["tags"]}
            batched = event["kind"] in BATCHED and not event.get("row")
            if batched:
                waiting.append((event, end))
            if not batched or len(waiting) >= BATCH:
                self._send_batch(spool, run, header, waiting)
                waiting = []
            if not batched:
                self._try(spool, run, header, event, end)
                spool.sent = end
        self._send_batch(spool, run, header, waiting)

    def _open_run(self, spool: Spool, header: Event) -> str | None:
        """The unfinished run with this uid, in which a resumed stage goes on, or else a new one.

        None for what is recorded once (``is_alone``) and was.
        """
        ask, client, experiment = self.store.ask, self.store.client, self.store.experiment(experiment_of(header))
        found = ask(find_run, client, experiment, {"sftdec.uid": spool.uid})
        if found is not None and found.info.status != "FINISHED":
            run_id = str(found.info.run_id)
        elif found is not None and is_alone(header):
            return None
        else:
            tags = header["tags"] | {"sftdec.uid": spool.uid}
            if not is_alone(header):
                tags |= {"mlflow.parentRunId": self.store.row(header)}
            created = ask(client.create_run, experiment, int(header["time"]), tags, header["stage"])
            run_id = str(created.info.run_id)
        spool.run = run_id
        return run_id

    def _send_batch(self, spool: Spool, run: str, header: Event, waiting: list[tuple[Event, int]]) -> None:
        """Send metrics, parameters and tags together; one by one where the store refuses them together."""
        if not waiting:
            return
        try:
            self.store.log(run, [event for event, _ in waiting])
        except Refused as refusal:
            if refusal.code == GONE:
                raise
            self._check_run(spool, run)
            for event, end in waiting:
                self._try(spool, run, header, event, end)
        spool.sent = waiting[-1][1]

    def _try(self, spool: Spool, run: str, header: Event, event: Event, end: int) -> None:
        """Send one event; one that the store refuses is set aside with the reason, and named on the run."""
        try:
            self.store.deliver(spool, run, header, event)
        except Refused as refusal:
            if refusal.code == GONE:
                raise
            self._check_run(spool, run)
            kept = set_aside(self.root, spool, header, event, end, refusal)
            told = "the next stage tries it again" if refusal.code == LATER else f"once that is mended, {AGAIN}"
            what = f"{name_of(event)} of {spool.uid} ({refusal})"
            LOG.warning("the tracking store refused %s; it is kept in %s: %s", what, kept, told)
            with suppress(Refused):
                self.store.ask(self.store.client.set_tag, run, _tag_of(event), str(refusal)[:500])

    def _again(self, spool: Spool) -> str:
        """Send again a record that was refused; empty, or in words that it still is."""
        header, run = spool.header, spool.run
        assert header is not None
        record = [event for event, _ in spool.read(0)][1:]
        if not record:  # it was killed before it was kept: its own spool has it still
            return ""
        (event,) = record
        try:
            with short_patience():
                self.store.experiment(experiment_of(header))
                self.store.deliver(spool, str(run), header, event)
                with suppress(Refused):  # there is no such tag
                    self.store.ask(self.store.client.delete_tag, str(run), _tag_of(event))
        except Refused as refusal:
            return f"{name_of(event)} of {spool.uid} ({refusal}) stays in {spool.folder}"
        return ""

    def _check_run(self, spool: Spool, run: str) -> None:
        """Raises ``RunDeleted`` where that is why the store takes nothing for a run."""
        if self.store.ask(self.store.client.get_run, run).info.lifecycle_stage != "active":
            raise RunDeleted(
                f"{self.settings.shown}: run {run} ({spool.uid}) was deleted while its stage went on; its records wait "
                f"in {spool.folder}: `mlflow runs restore --run-id {run}` has them sent, deleting the folder drops them"
            )


def send_pending(root: Path, settings: TrackingSettings | None = None) -> int:
    """Send what earlier runs of the project at ``root`` could not; the number of runs that are now complete.

    Runs that are still being written are left to their own process. A store that is away is no error: nothing
    is lost, and the next call tries again.
    """
    settings = settings or read_settings(root)
    if not settings.enabled or not (pending_spools(root) or set_aside_before(root, everything=False)):
        return 0
    try:
        return Sender(settings, root).send_pending()
    except StoreAway as away:
        LOG.warning("runs wait in %s until the tracking store is back: %s", root / FOLDER, away)
        return 0


def _tag_of(event: Event) -> str:
    """The tag that tells of a refusal."""
    return mlflow_name(f"refused.{name_of(event)}")
