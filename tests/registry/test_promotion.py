"""The register stage's service: planted challengers through a real registry, and what is refused before the figures."""

import json
import shutil
from pathlib import Path

import pytest

from sftdec.datasets import read_index, write_index
from sftdec.lineage import lineage
from sftdec.registry import (
    ArtifactError,
    Judge,
    Refusal,
    RegistryError,
    UnservableError,
    champion,
    history,
    incomparable,
    promote,
    rebase,
    register,
    resolve_weights,
    versions,
)
from sftdec.registry.moves import figures_read
from sftdec.registry.package import create_version
from sftdec.registry.store import SCENES_TAG
from sftdec.runtime.checksums import checksum
from sftdec.tracking import track_stage
from sftdec.tracking.settings import fluent_store, open_client
from tests.registry.conftest import git, recorded
from tests.registry.results import rules
from tests.registry.small import brightening, judged, make_scenes, measured, tamper


def serves(judge: Judge) -> int | None:
    found = champion(judge.root, judge.settings)
    return found.number if found else None


def test_a_champion_that_is_trained_again_is_measured_on_photos_that_are_new(
    judge: Judge, bright: dict[str, Path], tmp_path: Path
) -> None:
    assert judged(bright["good"], judge, rules()).promoted
    later = Judge(make_scenes(tmp_path / "later", seed=5), "test", "cpu", judge.root, judge.settings)
    refused = judged(bright["good"], later, rules())
    assert not refused.promoted and "anew" not in refused.reason
    assert champion(judge.root, judge.settings).tags[SCENES_TAG] == judge.scenes_hash  # type: ignore[union-attr]
    outcome = judged(bright["good"], later, rules(on_new_data="rebase"))
    assert not outcome.promoted and outcome.version == outcome.previous == 1 and "measured anew" in outcome.reason
    tags = champion(judge.root, judge.settings).tags  # type: ignore[union-attr]
    assert tags[SCENES_TAG] == tags["builtin.scenes"] == later.scenes_hash
    assert list(history(judge.root, judge.settings)["event"]) == ["promoted", "rebased"]


def test_better_ones_take_over_and_worse_and_equal_ones_do_not(judge: Judge, bright: dict[str, Path]) -> None:
    outcomes = [judged(bright[name], judge, rules()) for name in ("good", "better", "worse", "better")]
    assert [(o.version, o.promoted, o.previous) for o in outcomes] == [
        (1, True, None),
        (2, True, 1),
        (3, False, 2),
        (2, False, 2),
    ]
    assert "against the blurred input" in outcomes[0].reason and outcomes[3].reason.startswith(
        "models:/sft-dec/2 already serves, with these"
    )
    assert "not above" in outcomes[2].reason and "SSIM" in outcomes[2].reason and serves(judge) == 2
    tags = [version.tags for version in versions(judge.root, judge.settings)]
    assert [each["gate.decision"] for each in tags] == ["promoted", "promoted", "refused"]
    assert tags[2]["gate.reason"] == outcomes[2].reason
    kept = figures_read(tags[1]["gate.figures"])
    assert kept == pytest.approx(outcomes[1].figures, rel=1e-5)
    told = history(judge.root, judge.settings, everything=True)
    assert list(told["event"]) == ["registered", "promoted", "registered", "promoted", "registered", "refused"]
    assert list(told["version"]) == [1, 1, 2, 2, 3, 3]
    assert list(history(judge.root, judge.settings)["by"]) == ["gate", "gate"]


def test_the_decision_is_left_for_whoever_started_the_stage(judge: Judge, bright: dict[str, Path]) -> None:
    outcome = judged(bright["good"], judge, rules())
    report = judge.root / ".tracking" / "gate.json"
    assert json.loads(report.read_text()) == {
        "version": 1,
        "promoted": True,
        "reason": outcome.reason,
        "figures": dict(outcome.figures),
        "previous": None,
        "time": outcome.time,
    }
    assert outcome.figures["gain_low"] > 0 and outcome.time.endswith("+00:00")


def test_without_promotion_the_gate_says_what_it_would_do_and_the_champion_stays(
    judge: Judge, bright: dict[str, Path]
) -> None:
    judged(bright["good"], judge, rules())
    outcome = judged(bright["better"], judge, rules().model_copy(update={"promote": False}))
    assert not outcome.promoted and "gate.promote is false: `sftdec promote --version 2`" in outcome.reason
    assert outcome.figures["gain_low"] > 0 and serves(judge) == 1


def test_one_that_ruins_a_data_set_is_refused(root: Path, bright: dict[str, Path], judge: Judge) -> None:
    mixed = Judge(make_scenes(root / "mixed", dark=["here"]), "test", "cpu", root, judge.settings)
    assert judged(bright["worst"], mixed, rules(-10, max_loss=10)).promoted
    outcome = judged(bright["better"], mixed, rules(-10, max_loss=0.1))
    assert not outcome.promoted and "data set there -" in outcome.reason and serves(mixed) == 1
    assert outcome.figures["gain.here"] > 1


def test_a_corrupt_network_is_refused_and_the_report_says_so(judge: Judge, bright: dict[str, Path]) -> None:
    judged(bright["good"], judge, rules())
    with pytest.raises(UnservableError, match="answers an ordinary picture with NaN"):
        judged(bright["corrupt"], judge, rules(), {"here": {"psnr": 99.0}})
    told = json.loads((judge.root / ".tracking" / "gate.json").read_text())
    assert told["version"] == 2 and not told["promoted"] and "NaN" in told["reason"]
    assert versions(judge.root, judge.settings)[1].tags["gate.decision"] == "refused" and serves(judge) == 1


def test_a_network_that_gives_nan_on_the_photos_alone_is_refused(judge: Judge, bright: dict[str, Path]) -> None:
    client = open_client(judge.settings)
    with fluent_store(judge.settings):
        tags = {"verified": "true", "weights_sha256": checksum(bright["corrupt"])}
        version = create_version(client, judge.settings, bright["corrupt"], None, tags)
    with pytest.raises(Refusal, match=r"models:/sft-dec/1 can't be measured: here/0: .*NaN"):
        judge.evaluate(version)


def test_a_tampered_challenger_is_never_judged_and_its_weights_become_a_version_anew(
    judge: Judge, bright: dict[str, Path]
) -> None:
    judged(bright["good"], judge, rules())
    version = register(bright["better"], None, {}, judge.root, settings=judge.settings)
    tamper(resolve_weights(version.uri, judge.root, judge.settings))
    with pytest.raises(Refusal, match="is not what was registered as models:/sft-dec/2"):
        judge.evaluate(version)
    with pytest.raises(ArtifactError, match="is not what was registered as models:/sft-dec/2"):
        promote(2, "it looks good", judge.root, judge.settings)
    assert serves(judge) == 1
    assert judged(bright["better"], judge, rules()).version == 3 and serves(judge) == 3
    assert "SHA-256" in versions(judge.root, judge.settings)[1].tags["broken"]


def test_a_tampered_champion_is_not_loaded_nor_judged_by_and_the_one_before_is_named(
    judge: Judge, bright: dict[str, Path]
) -> None:
    for name in ("good", "better"):
        judged(bright[name], judge, rules())
    tamper(resolve_weights("models:/sft-dec@champion", judge.root, judge.settings))
    way_back = "version 1 served before it: `sftdec promote --version 1 --reason …` lets it serve"
    with pytest.raises(ArtifactError, match=way_back):
        resolve_weights("models:/sft-dec@champion", judge.root, judge.settings)
    fresh = Judge(judge.scenes, "test", "cpu", judge.root, judge.settings)
    outcome = judged(bright["best"], fresh, rules())
    assert not outcome.promoted and "is not what was registered as models:/sft-dec/2" in outcome.reason
    assert promote(1, "2 was tampered with", judge.root, judge.settings).number == 1
    assert resolve_weights("models:/sft-dec@champion", judge.root, judge.settings).is_file()


def test_a_champion_whose_file_is_gone_is_no_champion_to_beat(judge: Judge, bright: dict[str, Path]) -> None:
    judged(bright["good"], judge, rules())
    shutil.rmtree(resolve_weights("models:/sft-dec/1", judge.root, judge.settings).parent)
    outcome = judged(bright["better"], Judge(judge.scenes, "test", "cpu", judge.root, judge.settings), rules())
    assert not outcome.promoted and "models:/sft-dec/1: its files are not in" in outcome.reason and serves(judge) == 1


def test_other_photos_are_refused_until_the_champion_is_measured_on_them(judge: Judge, bright: dict[str, Path]) -> None:
    judged(bright["good"], judge, rules())
    later = Judge(make_scenes(judge.root / "later", seed=1), "test", "cpu", judge.root, judge.settings)
    outcome = judged(bright["better"], later, rules())
    assert not outcome.promoted and "another data version" in outcome.reason
    assert "sftdec promote --rebase" in outcome.reason and serves(judge) == 1

    before = versions(judge.root, judge.settings)[0].tags
    after = rebase(later, "the photos of May").tags
    assert after[SCENES_TAG] == later.scenes_hash != before[SCENES_TAG]
    assert after["metric.here.psnr"] != before["metric.here.psnr"] and after["git.commit"] == before["git.commit"]
    told = history(judge.root, judge.settings).iloc[-1]
    assert (told["event"], told["version"], told["previous"]) == ("rebased", 1, 1)
    assert told["reason"] == "the photos of May" and told["by"].startswith("person")
    assert told["figures"]["here.psnr.before"] == float(before["metric.here.psnr"])
    assert judged(bright["better"], later, rules()).promoted


def test_a_team_whose_photos_change_every_night_has_the_champion_measured_anew(
    judge: Judge, bright: dict[str, Path]
) -> None:
    judged(bright["good"], judge, rules())
    later = Judge(make_scenes(judge.root / "later", seed=1), "test", "cpu", judge.root, judge.settings)
    assert not judged(bright["worse"], later, rules(on_new_data="rebase")).promoted
    assert list(history(judge.root, judge.settings)["event"]) == ["promoted", "rebased"]
    assert judged(bright["better"], later, rules()).promoted


def test_the_checksum_of_the_photos_is_of_those_that_are_judged(judge: Judge) -> None:
    same = Judge(make_scenes(judge.root / "same"), "test", "cpu", judge.root, judge.settings)
    fewer = Judge(make_scenes(judge.root / "fewer", count=5), "test", "cpu", judge.root, judge.settings)
    assert same.scenes_hash == judge.scenes_hash != fewer.scenes_hash


@pytest.mark.parametrize("of", ["challenger", "champion"])
def test_figures_that_can_not_be_had_again_are_refused(judge: Judge, bright: dict[str, Path], of: str) -> None:
    judged(bright["good"], judge, rules())
    metrics = measured(bright["better"], judge)
    if of == "champion":
        open_client(judge.settings).set_model_version_tag("sft-dec", "1", "metric.there.psnr", "20.0")
    else:
        metrics["there"]["psnr"] += 0.02
    outcome = judged(bright["better"], judge, rules(), metrics)
    number = 1 if of == "champion" else 2
    assert not outcome.promoted
    assert f"models:/sft-dec/{number} doesn't reproduce its registered figure: metric.there.psnr is" in outcome.reason
    if of == "challenger":
        assert judged(bright["better"], judge, rules(tolerance=0.03), metrics).promoted


@pytest.fixture
def dirty(judge: Judge, tmp_path: Path) -> Path:
    """Weights that a run made while a parameter was changed and not committed."""
    (judge.root / "params.yaml").write_text("network: {size: large}\n")
    weights = brightening(tmp_path / "dirty.safetensors", 0.04)
    recorded(weights, judge.root, judge.settings)
    return weights


def test_what_no_clean_commit_stands_for_serves_only_where_it_may(judge: Judge, dirty: Path) -> None:
    git(judge.root, "checkout", "--quiet", ".")  # as clean as can be where it is registered
    outcome = judged(dirty, judge, rules())
    assert not outcome.promoted and "can't be rebuilt (uncommitted changes of params.yaml" in outcome.reason
    assert "uncommitted" in versions(judge.root, judge.settings)[0].tags["unreproducible"]
    with pytest.raises(RegistryError, match="can't be rebuilt"):
        promote(1, "now", judge.root, judge.settings)
    assert serves(judge) is None
    assert judged(dirty, judge, rules(allow_dirty=True)).promoted


def test_changes_that_are_committed_as_they_were_trained_can_be_rebuilt(judge: Judge, dirty: Path) -> None:
    assert not judged(dirty, judge, rules()).promoted
    git(judge.root, "commit", "--quiet", "--all", "--message", "large")
    assert judged(dirty, judge, rules()).promoted
    (version,) = versions(judge.root, judge.settings)
    assert not {"unreproducible", "git.doubt"} & {*version.tags} and version.tags["git.dirty"] == "false"


def test_weights_that_no_run_is_known_to_have_made_serve_only_where_they_may(judge: Judge, tmp_path: Path) -> None:
    outcome = judged(brightening(tmp_path / "found.safetensors", 0.04), judge, rules())
    assert not outcome.promoted and "no run in MLflow says that it made these weights" in outcome.reason


def test_a_version_has_the_lineage_of_its_weights_and_not_of_the_checkout(
    judge: Judge, bright: dict[str, Path]
) -> None:
    trained = lineage(judge.root)
    (judge.root / "params.yaml").write_text("network: {size: large}\n")
    git(judge.root, "commit", "--quiet", "--all", "--message", "for tomorrow")
    judged(bright["good"], judge, rules())
    (version,) = versions(judge.root, judge.settings)
    assert (version.tags["git.commit"], version.tags["hash.params"]) == (trained.commit, trained.params)


def test_a_version_of_an_older_release_is_held_to_the_same(judge: Judge, bright: dict[str, Path]) -> None:
    version = register(bright["good"], None, {}, judge.root, settings=judge.settings)
    open_client(judge.settings).delete_model_version_tag("sft-dec", "1", "git.commit")
    with pytest.raises(RegistryError, match=r"without a Git commit"):
        promote(version.number, "now", judge.root, judge.settings)


def test_a_move_by_the_gate_names_the_run_it_was_made_in(judge: Judge, bright: dict[str, Path]) -> None:
    from sftdec.registry import register_and_judge

    with track_stage("register", judge.root, settings=judge.settings) as tracker:
        run_id = tracker.run_id()
        metrics = measured(bright["good"], judge)
        register_and_judge(bright["good"], run_id, metrics, judge, rules(), judge.root / "gate.json")
    assert run_id is not None and list(history(judge.root, judge.settings)["run"]) == [run_id]
    assert versions(judge.root, judge.settings)[0].tags["gate.run"] == run_id


def test_what_is_chosen_on_validation_photos_is_not_judged_by_them(judge: Judge, bright: dict[str, Path]) -> None:
    metrics = measured(bright["good"], judge)
    judge.split = "validation"
    index = read_index(judge.scenes)
    index["split"] = "validation"
    write_index(judge.scenes, index.to_dict("records"))
    outcome = judged(bright["good"], judge, rules(), metrics)
    assert not outcome.promoted and "set evaluate.split: test" in outcome.reason


def test_figures_of_other_pictures_code_or_split_are_not_set_side_by_side(judge: Judge) -> None:
    basis = judge.basis
    assert incomparable(basis, basis) == ""
    assert incomparable(basis, basis | {"hash.measuring": "0" * 64}) == "other code or another protocol"
    assert incomparable(basis, basis | {"measured.split": "validation"}) == "another split"
    assert "other pictures" in incomparable({}, {})  # of before these tags: not known
