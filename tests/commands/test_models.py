"""``sftdec history`` and ``sftdec promote``."""

import json
from pathlib import Path

import pytest

from sftdec.cli import main
from sftdec.commands.models import _standing
from sftdec.registry import Judge, register, versions
from sftdec.tracking import TrackingSettings
from tests.registry.conftest import git, recorded
from tests.registry.small import brightening, make_scenes, measured

PARAMS = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def project(root: Path, settings: TrackingSettings, bright: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a project with two versions, none of which serves."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.chdir(root)
    (root / "params.yaml").write_bytes(PARAMS.read_bytes())
    git(root, "commit", "--quiet", "--all", "--message", "the shipped parameters")
    judge = Judge(make_scenes(root / "build/scenes"), "test", "cpu", root, settings)
    for name in ("good", "better"):
        register(bright[name], None, measured(bright[name], judge), root, settings=settings)
    return root


def test_history_is_a_line_a_move_and_all_of_it_as_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["history"]) == 0
    nothing, _, *asked = capsys.readouterr().out.splitlines()  # then what came of each version, with the gate's reason
    assert nothing == "nothing has served yet" and [line.split()[1:3] for line in asked] == [
        ["registered", "1"],
        ["registered", "2"],
    ]
    for number, reason in ((2, "sharper"), (1, "halos")):
        assert main(["promote", "--version", str(number), "--reason", reason]) == 0
        assert capsys.readouterr().out == f"models:/sft-dec/{number} serves\n"
    assert main(["history"]) == 0
    serving, head, first, second = capsys.readouterr().out.splitlines()
    assert serving == "version 1 serves"
    assert head.split() == ["time", "event", "version", "previous", "by", "run", "reason"]
    assert first.split()[1:4] == ["promoted", "2", "–"] and first.endswith("sharper")
    assert second.split()[1:4] == ["promoted", "1", "2"] and second.endswith("halos")
    assert main(["history", "--json", "--all"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(each["event"], each["version"]) for each in told] == [
        ("registered", 1),
        ("registered", 2),
        ("promoted", 2),
        ("promoted", 1),
    ]
    assert told[3]["previous"] == 2 and told[2]["previous"] is None and told[3]["time"].endswith("+00:00")


def test_history_begins_with_who_serves_and_why_the_newest_does_not() -> None:
    first = {"event": "promoted", "version": 1, "reason": "sharper"}
    second = {"event": "refused", "version": 2, "reason": "less than nothing"}
    outside = {"event": "moved outside", "version": None, "reason": "unknown"}
    assert _standing([first], [first], [first]) == "version 1 serves"
    told = "version 1 serves; version 2, the newest, was refused: less than nothing"
    assert _standing([first, second], [first], [first]) == told
    assert _standing([first, second], [first], [first, second]) == told.partition(":")[0]  # the table below has it
    assert _standing([second], [], []) == "nothing has served yet; " + told.partition("; ")[2]
    assert _standing([first, second | {"event": "registered"}], [first], [first]) == "version 1 serves"
    assert _standing([first, outside], [first, outside], [first, outside]) == "nothing serves"


def test_register_builtin_makes_it_a_version_that_the_gate_judges_where_there_are_photos(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["register", "builtin", "--scenes", str(project / "none")]) == 0
    told = capsys.readouterr().out
    assert told.startswith("models:/sft-dec/3: registered; ") and "sftdec promote --version 3" in told
    assert main(["promote", "--version", "3", "--reason", "to begin with"]) == 0  # no clean commit has to stand for it
    assert main(["register", "builtin"]) == 0
    assert "models:/sft-dec/3: not promoted: models:/sft-dec/3 already serves" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["register", "build/models/s3.safetensors"])
    assert "expected" in (said := capsys.readouterr().err) or "invalid choice" in said


def test_promote_says_in_a_sentence_why_it_does_not(
    project: Path, settings: TrackingSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["promote", "--version", "9", "--reason", "why"]) == 2
    assert "models:/sft-dec/9: no such version, there are [1, 2]" in capsys.readouterr().err
    assert main(["promote", "--version", "1", "--reason", " "]) == 2
    assert "--reason: found nothing" in capsys.readouterr().err
    (project / "params.yaml").write_bytes(PARAMS.read_bytes() + b"\n")
    weights = brightening(tmp_path / "uncommitted.safetensors", 0.07)
    recorded(weights, project, settings)
    register(weights, None, {}, project, settings=settings)
    command = ["promote", "--version", "3", "--reason", "tonight's demonstration"]
    assert main(command) == 2
    assert "can't be rebuilt" in capsys.readouterr().err
    assert main([*command, "--allow-dirty"]) == 0


def test_promote_allows_what_the_parameters_allow(project: Path, settings: TrackingSettings, tmp_path: Path) -> None:
    (project / "params.yaml").write_text(PARAMS.read_text().replace("allow_dirty: false", "allow_dirty: true"))
    of_nobody = brightening(tmp_path / "found.safetensors", 0.07)  # no run made them
    register(of_nobody, None, {}, project, settings=settings)
    assert main(["promote", "--version", "3", "--reason", "it may"]) == 0


def test_rebase_measures_the_champion_on_the_photos_there_are(
    project: Path, settings: TrackingSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["promote", "--rebase", "--reason", "new photos"]) == 2
    assert "there is no champion" in capsys.readouterr().err
    main(["promote", "--version", "1", "--reason", "first"])
    make_scenes(project / "build/scenes", seed=1)
    assert main(["promote", "--rebase", "--reason", "new photos"]) == 0
    assert "dvc repro -f register" in capsys.readouterr().out
    judge = Judge(project / "build/scenes", "test", "cpu", project, settings)
    (champion, _) = versions(project, settings)
    assert champion.tags["hash.scenes"] == judge.scenes_hash
