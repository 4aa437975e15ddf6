"""What a run came from: the checksums of all that it and the runs before it read and wrote."""

from sftdec.tracking.settings import TrackingSettings, open_client

_DEEPEST = 100  # runs; a pipeline has seven


def recorded_outs(run_id: str, settings: TrackingSettings) -> dict[str, str]:
    """SHA-256 by path (as ``lineage.checksum``) of what a stage's run and those upstream of it read and wrote.

    A run that was deleted ends the way back. Raises ``TrackingError`` where the store is away.
    """
    client = open_client(settings)
    from mlflow.exceptions import MlflowException

    found: dict[str, str] = {}
    waiting, seen = [run_id], set[str]()
    while waiting and len(seen) < _DEEPEST:
        if (run := waiting.pop(0)) in seen:
            continue
        seen.add(run)
        try:
            tags = client.get_run(run).data.tags
        except MlflowException:
            continue
        for key, value in tags.items():
            kind, _, name = key.partition(".")
            if kind in ("in", "out"):
                found.setdefault(name, value)
            elif kind == "upstream":
                waiting.append(value)
    return found
