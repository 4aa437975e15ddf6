"""One of each server for all tests of services; a test is skipped, with the reason, where a program is missing."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.pipelines.turned_down import git
from tests.services.browser import Page, browser, chromium
from tests.services.servers import Bucket, Postgres, Process, mlflow_server, postgres_program


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if postgres_program("initdb") is None:
        pytest.skip("PostgreSQL is missing: apt-get install postgresql")
    if find_spec("psycopg2") is None:
        pytest.skip("psycopg2 is missing: pip install -c constraints.txt -e '.[services]'")
    server = Postgres()
    yield server
    server.close()


@pytest.fixture(scope="session")
def s3() -> Iterator[Bucket]:
    for module in ("moto", "boto3", "dvc_s3"):
        if find_spec(module) is None:
            pytest.skip(f"{module} is missing: pip install -c constraints.txt -e '.[dev,services]'")
    server = Bucket()
    yield server
    server.close()


@pytest.fixture
def bucket(s3: Bucket) -> Iterator[Bucket]:
    """The bucket, well; whatever a test has told it, the next one doesn't hear of it."""
    s3.be_well()
    yield s3
    s3.be_well()


@pytest.fixture(scope="session")
def mlflow_process(
    postgres: Postgres, s3: Bucket, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Process, str]]:
    process, address = mlflow_server(tmp_path_factory.mktemp("mlflow"), postgres, s3)
    process.start()
    try:
        process.wait_for(f"{address}/health")
        yield process, address
    finally:
        process.stop()


@pytest.fixture
def tracking(mlflow_process: tuple[Process, str]) -> str:
    """The address of an MLflow server on PostgreSQL with its artefacts in the bucket."""
    return mlflow_process[1]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A committed project with parameters and data."""
    (tmp_path / "params.yaml").write_text("network: {preset: small}\n")
    (tmp_path / "data.dvc").write_text("outs: []\n")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "--message", "all there is")
    return tmp_path


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    if chromium() is None:
        pytest.skip("Chromium is missing: apt-get install chromium")
    with browser(tmp_path) as opened:
        yield opened
