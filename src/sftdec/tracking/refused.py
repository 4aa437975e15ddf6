"""What a store refused: kept below ``.tracking/refused``, each record as a spool of its own, and sent again when asked.

One record that is refused, such as an artifact above a proxy's limit, holds nothing else up.
"""

import os
from pathlib import Path

from sftdec.tracking.answers import LATER, Refused
from sftdec.tracking.spool import FOLDER, Event, Spool, pending_spools

ASIDE = f"{FOLDER}/refused"
AGAIN = "`python -m sftdec.tracking` sends it again"


def set_aside(root: Path, spool: Spool, header: Event, event: Event, end: int, refusal: Refused) -> Path:
    """Keep a refused record (``end``: where it ends in its spool) with its file; the folder that it is kept in."""
    kept = Spool.acquire(root / ASIDE / f"{spool.folder.name}~{end}", create=True)
    if kept is None:  # it is just being sent again, so it was kept already
        return root / ASIDE / f"{spool.folder.name}~{end}"
    try:
        if kept.last is None or kept.last["kind"] == "open":
            kept.append(header | {"refused": str(refusal), "later": refusal.code == LATER})
            kept.append(event)
        if spool.run:
            kept.run = spool.run
        if "file" in event and (file := spool.folder / event["file"]).is_file():
            (kept.folder / event["file"]).parent.mkdir(parents=True, exist_ok=True)
            os.replace(file, kept.folder / event["file"])
    finally:
        kept.release()
    return kept.folder


def set_aside_before(root: Path, everything: bool) -> list[Path]:
    """The folders of what was refused, oldest run first, or of what is tried again by itself alone."""
    folders = ((folder, Spool.share(folder).header) for folder in pending_spools(root, ASIDE))
    return [folder for folder, header in folders if header and (everything or header["later"])]


def name_of(event: Event) -> str:
    """What a record is called in a sentence."""
    if event["kind"] == "artifact":
        return "/".join(filter(None, [event["folder"], Path(event["file"]).name]))
    if event["kind"] == "picture":
        return f"picture {event['key']}"
    return f"{event['kind']} {', '.join(sorted(event.get('values', {})))}".strip()[:200]
