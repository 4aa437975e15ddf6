"""One at a time moves the champion; who else wants to waits.

Of a database that processes open themselves a lock beside it sees to that. Behind a server, or in another database, the
registry itself has to: whoever finds nobody's name in a tag writes theirs there, waits for longer than anybody may
still be about to do the same, and goes on if theirs is what stands there (M. Fischer's algorithm).
"""

import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from sftdec.registry.store import MODEL
from sftdec.runtime import held_file
from sftdec.tracking import FOLDER, TrackingSettings

if TYPE_CHECKING:
    from mlflow import MlflowClient

TURN = "champion.turn"  # tag of the registered model
SETTLING = 2.0  # s; longer than a call takes between the server's answer to the one and its doing of the next
LEASE = 60.0  # s that one name may stand there, before who wrote it is taken for dead; a move takes few


def own_turn(client: "MlflowClient", settings: TrackingSettings) -> AbstractContextManager[None]:
    """Nobody else moves the champion of this registry until the block ends."""
    if settings.database is None:
        return _by_tag(client)
    folder = settings.database.resolve().parent / FOLDER
    folder.mkdir(exist_ok=True)
    return held_file(folder / f"{settings.database.name}.lock")


@contextmanager
def _by_tag(client: "MlflowClient") -> Iterator[None]:
    mine = f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(4)}"
    seen, since = "", 0.0
    while True:
        there = _holder(client)
        if there is None or (there == seen and time.monotonic() - since > LEASE):
            _write(client, mine)
            time.sleep(SETTLING)
            if _holder(client) == mine:
                break
        elif there != seen:
            seen, since = there, time.monotonic()
        time.sleep(SETTLING / 4)
    try:
        yield
    finally:
        if _holder(client) == mine:
            client.delete_registered_model_tag(MODEL, TURN)


def _write(client: "MlflowClient", name: str) -> None:
    """`name` into the tag. Of two who write the first name at once MLflow refuses one, whose turn it then isn't."""
    from mlflow.exceptions import MlflowException

    try:
        client.set_registered_model_tag(MODEL, TURN, name)
    except MlflowException:
        if _holder(client) is None:
            raise


def _holder(client: "MlflowClient") -> str | None:
    found = client.search_registered_models(f"name = '{MODEL}'")
    return found[0].tags.get(TURN) if found else None
