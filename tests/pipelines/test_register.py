"""The register stage, in its own process's place."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from pipelines.stages.register import main
from sftdec.registry import Judge, champion
from sftdec.tracking import TrackingSettings, open_client
from tests.registry.conftest import bright, empty_store, git, root, settings, trained  # noqa: F401
from tests.registry.small import make_scenes, measured

PARAMS = Path(__file__).parents[2] / "params.yaml"


def test_the_stage_registers_judges_and_leaves_an_out_without_a_time(
    root: Path,  # noqa: F811
    settings: TrackingSettings,  # noqa: F811
    bright: dict[str, Path],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(root)
    shutil.copy(PARAMS, root / "params.yaml")
    git(root, "commit", "--quiet", "--all", "--message", "the shipped parameters")
    judge = Judge(make_scenes(root / "build/scenes"), "test", "cpu", root, settings)
    (root / "build/models").mkdir()
    weights = Path(shutil.copy(bright["good"], root / "build/models/s3.safetensors"))
    (root / "reports").mkdir()
    (root / "reports/metrics.json").write_text(json.dumps(measured(weights, judge)))
    (root / "reports/per_image.parquet").write_bytes(b"only its checksum is taken")
    for verdict in ("promoted: mean PSNR", "not promoted: models:/sft-dec/1 already serves"):
        main()
        assert f"models:/sft-dec/1: {verdict}" in capsys.readouterr().out
        out = json.loads((root / "build/registered.json").read_text())
        assert out == {"weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}
    decision = json.loads((root / ".tracking/gate.json").read_text())
    assert (decision["version"], decision["promoted"], decision["previous"]) == (1, False, 1)
    serving = champion(root, settings)
    assert serving is not None and serving.run_id == serving.tags["made.run"] != serving.tags["gate.run"]
    client = open_client(settings)
    row = client.get_run(client.get_run(serving.tags["gate.run"]).data.tags["mlflow.parentRunId"])
    assert row.data.tags["mlflow.note.content"].startswith("models:/sft-dec/1: not promoted: models:/sft-dec/1 already")
    assert row.data.metrics["here.psnr"] == pytest.approx(measured(weights, judge)["here"]["psnr"])


def test_an_experiment_of_dvcs_registers_nothing_unless_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_EXP_BASELINE_REV", "1234567")
    Path("build").mkdir()
    main()
    assert json.loads(Path("build/registered.json").read_text()) == {"weights_sha256": None}
    assert "registers nothing: SFTDEC_REGISTER=on asks for it" in capsys.readouterr().out
    monkeypatch.setenv("SFTDEC_REGISTER", "on")
    with pytest.raises(ValueError, match=r"params\.yaml"):  # goes on, and there is nothing here
        main()
