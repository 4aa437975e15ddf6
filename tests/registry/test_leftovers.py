"""What many registrations leave behind: versions, and nothing else."""

import os
import tempfile
from pathlib import Path

import pytest

from sftdec.registry import Judge, download, versions
from tests.registry.results import rules
from tests.registry.small import brightening, judged


@pytest.mark.slow
def test_registrations_leave_no_file_in_the_temporary_folder_and_a_database_that_grows_by_the_version(
    judge: Judge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setenv("TMPDIR", str(temporary))
    sizes = []
    for number in range(3):
        weights = brightening(tmp_path / "weights.safetensors", 0.02 + 0.01 * number)
        assert judged(weights, judge, rules(allow_dirty=True)).promoted
        assert [path.name for path in temporary.iterdir()] == []
        sizes.append((judge.root / "mlflow.db").stat().st_size)
    assert len(versions(judge.root, judge.settings)) == 3
    assert sizes[-1] - sizes[0] < 2 * 32_000


def test_copies_of_a_remote_stores_weights_do_not_pile_up(tmp_path: Path) -> None:
    for number in range(9):
        (tmp_path / f"sft-dec-{number}.safetensors").write_bytes(b"")
        os.utime(tmp_path / f"sft-dec-{number}.safetensors", (number, number))
    (tmp_path / ".being-fetched").mkdir()
    (tmp_path / ".left").mkdir()
    os.utime(tmp_path / ".left", (0, 0))
    download._prune(tmp_path)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == [".being-fetched", *(f"sft-dec-{number}.safetensors" for number in (6, 7, 8))]


def test_a_store_in_trouble_is_told_from_a_file_that_is_gone() -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST

    assert download._is_missing(MlflowException("No such artifact", RESOURCE_DOES_NOT_EXIST))
    assert download._is_missing(MlflowException("An error occurred (404) when calling the HeadObject operation"))
    assert not download._is_missing(MlflowException("An error occurred (500) when calling the GetObject operation"))
    assert not download._is_missing(OSError(28, "No space left on device"))
