"""A checkout that is moved with its store."""

import shutil
from pathlib import Path

from sftdec.tracking import read_settings, track_stage
from sftdec.tracking.moved import follow
from sftdec.tracking.settings import open_client
from tests.tracking.recorded import only, stage_runs


def test_a_store_that_was_moved_with_its_checkout_finds_its_files(root: Path, tmp_path: Path) -> None:
    (root / "note.txt").write_text("found")
    with track_stage("fetch", root, settings=read_settings(root, {})) as tracker:
        tracker.artifact(root / "note.txt")
    other = tmp_path / "neues Zuhause"
    other.mkdir()
    for name in ("mlflow.db", "mlruns"):
        shutil.move(root / name, other / name)
    settings = read_settings(other, {})
    client = open_client(settings)
    run = only(stage_runs(settings))
    (file,) = client.list_artifacts(run.info.run_id)
    assert Path(client.download_artifacts(run.info.run_id, file.path)).read_text() == "found"
    assert client.get_experiment(run.info.experiment_id).artifact_location == settings.artifact_location
    assert follow(other / "mlflow.db") == []


def test_what_is_no_store_of_ours_stays_as_it_is(root: Path, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database")
    assert follow(tmp_path / "text.db") == [] and (tmp_path / "text.db").read_text() == "no database"
    before = (root / "mlflow.db").read_bytes()
    assert follow(root / "mlflow.db") == [] and (root / "mlflow.db").read_bytes() == before
    assert follow(tmp_path / "none.db") == [] and not (tmp_path / "none.db").exists()
