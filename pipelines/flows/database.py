"""The database of the server that Prefect starts for a flow, looked at before: a server that can't read it is restarted
for two minutes, and says nothing.
"""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import prefect
from prefect.settings import PREFECT_API_URL, get_current_settings

MIGRATIONS = Path(prefect.__file__).parent / "server/database/_migrations/versions/sqlite"


class DatabaseError(ValueError):
    """Prefect's own database is another version's, or none."""


def check_database() -> None:
    """Nothing where a server is configured, or where the database isn't SQLite's or isn't there yet.

    Raises:
        DatabaseError: this Prefect can't open it; with the mend.
    """
    url = get_current_settings().server.database.connection_url
    address = url.get_secret_value() if url is not None else ""
    file = Path(address.partition(":///")[2].partition("?")[0])
    if PREFECT_API_URL.value() or not address.startswith("sqlite") or not file.is_file():
        return
    mend = "take the Prefect that wrote it, move it away, or set PREFECT_HOME to another folder"
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=1)) as opened:
            found = [row[0] for row in opened.execute("SELECT version_num FROM alembic_version")]
    except sqlite3.OperationalError as error:
        if "no such table" in str(error) or "locked" in str(error):
            return  # empty as yet, or somebody's at work: Prefect waits for them
        raise DatabaseError(f"{file}: {error}; {mend}") from error
    except sqlite3.DatabaseError as error:
        raise DatabaseError(f"{file}: {error}; {mend}") from error
    known = {part for path in MIGRATIONS.glob("*.py") for part in re.findall(r"[0-9a-f]{12}", path.name)}
    if unknown := sorted({*found} - known):
        raise DatabaseError(
            f"{file}: its revision {', '.join(unknown)} is unknown to Prefect {prefect.__version__}; {mend}"
        )
