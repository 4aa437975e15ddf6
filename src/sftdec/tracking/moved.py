"""A database that was moved or copied together with its files: the addresses that it has of them follow."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

_ADDRESSES = (  # table and column
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)


def follow(database: Path) -> list[str]:
    """Have a database's addresses lead into the ``mlruns`` beside it; the experiments whose did not.

    MLflow writes whole paths down. Those of an experiment are changed only where it has its folder beside the
    database. A database that is locked, or of another MLflow, stays as it is: who opens it says so.
    """
    beside, moved = database.resolve().parent / "mlruns", []
    address = f"{database.resolve().as_uri()}?mode=rw"
    with suppress(sqlite3.Error), closing(sqlite3.connect(address, uri=True, timeout=1)) as opened:
        rows = opened.execute("SELECT name, artifact_location FROM experiments").fetchall()
        for name, old in rows:
            new = (beside / name).as_uri()
            if not (str(old).startswith("file:") and str(old).endswith(f"/mlruns/{Path(new).name}")) or old == new:
                continue
            if not (beside / name).is_dir():
                continue
            with opened:
                for table, column in _ADDRESSES:
                    change = f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                    whole = change + f"WHERE {column} = ? OR substr({column}, 1, ?) = ?"
                    opened.execute(whole, (new, len(old) + 1, old, len(old) + 1, f"{old}/"))
            moved.append(name)
    return moved
