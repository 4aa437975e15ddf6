"""What a flow finds where it is started: a proxy, a database of Prefect's that another version wrote."""

import os
import sqlite3
import subprocess
import sys
import threading
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from prefect.settings import PREFECT_API_DATABASE_CONNECTION_URL, PREFECT_API_URL, temporary_settings

from pipelines.flows.database import MIGRATIONS, DatabaseError, check_database

ASK = "import sys, pipelines.flows, httpx; print(httpx.get(sys.argv[1]).status_code)"


@pytest.mark.parametrize("spared", ["", "example.org"])
def test_loopback_is_never_asked_through_a_proxy(spared: str) -> None:
    server = HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    proxied = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    environment = {**os.environ, **proxied, "NO_PROXY": spared, "no_proxy": spared}
    command = [sys.executable, "-c", ASK, f"http://127.0.0.1:{server.server_port}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    server.shutdown()
    assert done.stdout == "200\n", done.stderr


def test_who_waits_before_a_terminal_is_told_what_for() -> None:
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "pipelines.flows.retrain", "--help"]
    assert "--serve" in subprocess.run(command, stdout=subprocess.PIPE, stderr=theirs, text=True, check=True).stdout
    assert b"Loading Prefect (some seconds)" in os.read(ours, 4096)
    assert not subprocess.run(command, capture_output=True, check=True).stderr
    os.close(ours)
    os.close(theirs)


def check(file: Path, revision: str | None) -> None:
    """Of a database of this revision, or of no database at all."""
    if revision is not None:
        with sqlite3.connect(file) as opened:
            opened.execute("CREATE TABLE alembic_version (version_num TEXT)")
            opened.execute("INSERT INTO alembic_version VALUES (?)", [revision])
    url = f"sqlite+aiosqlite:///{file}"
    with temporary_settings({PREFECT_API_DATABASE_CONNECTION_URL: url}, restore_defaults=[PREFECT_API_URL]):
        check_database()


def test_a_database_that_this_prefect_knows_is_taken_and_another_is_a_sentence(tmp_path: Path) -> None:
    known = sorted(path.name for path in MIGRATIONS.glob("*.py"))[-1].split("_")[4]
    check(tmp_path / "none.db", None)
    check(tmp_path / "known.db", known)
    with pytest.raises(DatabaseError, match=r"its revision ffffffffffff is unknown to Prefect .*; take the"):
        check(tmp_path / "newer.db", "ffffffffffff")
    (tmp_path / "text.db").write_text("no database at all, but a text of some length\n" * 20)
    with pytest.raises(DatabaseError, match=r"text\.db: file is not a database"):
        check(tmp_path / "text.db", None)
