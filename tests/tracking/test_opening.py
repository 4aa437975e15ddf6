"""Stores that can't be opened, and one that another process holds."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sftdec.registry import RegistryError, versions
from sftdec.registry.store import open_registry
from sftdec.tracking import TrackingError, TrackingSettings, open_client, read_settings
from sftdec.tracking.settings import server_answers, silence_mlflow
from tests.tracking.recorded import free_port


def test_a_database_of_another_mlflow_is_told_in_a_sentence_and_stays_as_it_was(
    root: Path, settings: TrackingSettings
) -> None:
    with sqlite3.connect(root / "mlflow.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '0123456789ab'")
    database.close()
    before = (root / "mlflow.db").read_bytes()
    with pytest.raises(
        RegistryError, match=r"can't open it: Detected out-of-date .*0123456789ab.*constraints"
    ) as caught:
        versions(root, settings)
    assert len(str(caught.value).splitlines()) == 1
    assert (root / "mlflow.db").read_bytes() == before


@pytest.mark.slow
def test_of_processes_that_open_a_store_that_isnt_there_one_makes_it(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from sftdec.tracking import open_client, read_settings\n"
        "client = open_client(read_settings(pathlib.Path(sys.argv[1]), {}))\n"
        "print(client.get_experiment_by_name('sft-dec'))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    opening = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    told = [process.communicate() for process in opening]
    assert [process.returncode for process in opening] == [0, 0, 0], told
    assert [out for out, _ in told] == ["None\n"] * 3


def test_what_is_no_database_or_no_longer_a_store_is_told_in_a_sentence(root: Path) -> None:
    (root / "junk.db").write_text("no database at all")
    for uri, said in ((f"sqlite:///{root / 'junk.db'}", "file is not a database"), ("./mlruns", "maintenance mode")):
        with pytest.raises(TrackingError, match=f"can't open it: .*{said}") as caught:
            open_client(read_settings(root, {"MLFLOW_TRACKING_URI": uri}))
        assert len(str(caught.value).splitlines()) == 1


def test_a_database_that_another_process_holds_is_told_with_its_mend(root: Path, settings: TrackingSettings) -> None:
    other = sqlite3.connect(root / "mlflow.db", isolation_level=None)
    said = r"database is locked; another process .*try again"
    with pytest.raises(RegistryError, match=said) as caught, open_registry(settings) as client:
        other.execute("BEGIN EXCLUSIVE")
        client.create_registered_model("sft-dec")
    other.close()
    assert "[SQL" not in str(caught.value)
    assert versions(root, settings) == []


def test_a_server_of_this_machine_is_asked_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    from requests.utils import get_environ_proxies  # what MLflow asks with

    for name, value in {"http_proxy": "http://127.0.0.1:9", "no_proxy": "example.org"}.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(name.upper(), value)
    address = f"http://127.0.0.1:{free_port()}"
    assert not server_answers(address) and server_answers("http://mlflow.example.net")
    silence_mlflow()
    assert get_environ_proxies(address) == {} == get_environ_proxies("http://example.org")
    assert get_environ_proxies("http://mlflow.example.net")["http"] == "http://127.0.0.1:9"
