"""A version's weights where registry and files lie on this machine: found without MLflow, whose import takes 2.6 s."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from sftdec.runtime import checksum
from sftdec.tracking.settings import TrackingSettings

_ADDRESS = re.compile(r"models:/([^/@]+)(?:@([^/@]+)|/(\d+))")
_BY_ALIAS = "SELECT version FROM registered_model_aliases WHERE name = ? AND alias = ?"
_VERSION = "SELECT storage_location FROM model_versions WHERE name = ? AND version = ?"
_DIGEST = "SELECT value FROM model_version_tags WHERE name = ? AND version = ? AND key = 'weights_sha256'"


def find_local_weights(model: str, settings: TrackingSettings) -> Path | None:
    """The weights file behind ``models:/sft-dec@champion`` or ``models:/sft-dec/3``, if it is what was registered.

    None wherever anything is otherwise than expected: MLflow then finds the file, or what is wrong. So nothing hangs on
    MLflow's tables but the time that it takes.
    """
    address = _ADDRESS.fullmatch(model)
    if address is None or settings.database is None or not settings.database.is_file():
        return None
    name, alias, number = address.groups()
    try:
        with closing(sqlite3.connect(f"{settings.database.resolve().as_uri()}?mode=ro", uri=True)) as database:
            version = int(number) if alias is None else _only(database, _BY_ALIAS, name, alias)
            place = urlsplit(str(_only(database, _VERSION, name, version)))
            expected = _only(database, _DIGEST, name, version)
        if place.scheme not in ("", "file"):
            return None
        (file,) = (Path(url2pathname(place.path)) / "artifacts").glob("*.safetensors")
        return file if checksum(file) == expected else None
    except (sqlite3.Error, LookupError, ValueError, OSError):
        return None


def _only(database: sqlite3.Connection, query: str, name: str, of: object) -> object:
    """The one value that there is; of two workspaces with one name MLflow knows which is meant."""
    rows = database.execute(query, (name, of)).fetchall()
    if len(rows) != 1:
        raise LookupError(name)
    return rows[0][0]
