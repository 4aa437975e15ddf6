"""Moves of the champion: written down before they are made, whole after a crash, and lasting."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sftdec.registry import RegistryError, history, moves, promote, set_champion, versions
from sftdec.registry.moves import (
    FORMER,
    LONGEST_REASON,
    PREFIX,
    Move,
    decided,
    figures_read,
    happened,
    settle,
    write_move,
)
from sftdec.tracking import TrackingSettings
from sftdec.tracking.settings import open_client

ROOT = Path(__file__).parents[2]
POSTGRES_LIMIT = 5000  # characters of a registered model's tag in MLflow's tables


@pytest.mark.services
@pytest.mark.slow
def test_a_kill_between_any_two_steps_leaves_one_champion_and_a_history_that_is_true(two: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    command = [sys.executable, "-m", "tests.registry.killed", str(two)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    cases = json.loads(done.stdout)
    assert [case["code"] for case in cases] == [-signal.SIGKILL] * (len(cases) - 1) + [0] and len(cases) > 5
    served = [case["after"]["champions"] for case in cases]
    assert served == sorted(served) and {number for (number,) in served} == {1, 2}
    for number, case in enumerate(cases, start=1):
        after, later = case["after"], case["later"]
        moved = after["champions"] == [2]
        assert after["versions"] == ([1, 2] if moved else [1])
        assert later["champions"] == [1] and later["versions"] == [1, 2, 1]
        second = f"killed before call {number}" if moved else "made again"
        assert later["reasons"] == ["the first", second, "and back"] and later["decision"] == "and back"


def test_the_figures_of_many_data_sets_are_cut_to_what_a_tag_holds() -> None:
    figures = {f"gain.set {number}": number / 8 for number in range(1000)}
    told = decided("refused", 1, "worse", "gate", figures=figures).tags["figures"]
    kept = figures_read(told)
    assert 4900 < len(told) <= POSTGRES_LIMIT and kept == {name: figures[name] for name in kept}
    assert figures_read("") == {} and "figures" not in decided("refused", 1, "worse", "gate").tags


def test_a_move_that_was_begun_is_completed_by_the_next_one(two: Path, settings: TrackingSettings) -> None:
    client = open_client(settings)
    key, value = next((k, v) for k, v in client.get_registered_model("sft-dec").tags.items() if k.startswith(PREFIX))
    for tag in ("gate.decision", "gate.reason"):
        client.delete_model_version_tag("sft-dec", "1", tag)
    client.set_registered_model_tag("sft-dec", key, json.dumps(json.loads(value) | {"begun": True}))
    promote(2, "the next", two, settings)
    tags = client.get_registered_model("sft-dec").tags
    assert json.loads(tags[key])["begun"] is False
    assert versions(two, settings)[0].tags["gate.reason"] == "the first"


def test_a_move_that_was_begun_and_not_made_is_struck_out(two: Path, settings: TrackingSettings) -> None:
    client = open_client(settings)
    write_move(client, Move("2026-01-01T00:00:00", 2, 1, "the gate", "never made", begun=True))
    promote(2, "the next", two, settings)
    assert list(history(two, settings)["reason"]) == ["the first", "the next"]
    assert "never made" not in str(client.get_registered_model("sft-dec").tags)


def test_a_move_that_was_begun_to_a_version_that_was_deleted_since_is_completed(
    two: Path, settings: TrackingSettings
) -> None:
    client = open_client(settings)
    write_move(client, gone := Move("2100-01-01T00:00:00", 3, 1, "the gate", "deleted since", begun=True))
    write_move(client, Move("2100-01-02T00:00:00", 1, 3, "by hand", "and back"))
    settle(client)
    assert json.loads(client.get_registered_model("sft-dec").tags[gone.key])["begun"] is False
    assert list(history(two, settings)["version"]) == [1, 3, 1]


def test_by_hand_any_sound_version_serves_again_and_it_is_recorded(two: Path, settings: TrackingSettings) -> None:
    promote(2, "sharper eyes", two, settings)
    promote(1, "artefacts on glass", two, settings)
    past = history(two, settings)
    assert list(past["version"]) == [1, 2, 1] and list(past["previous"])[1:] == [1, 2]
    assert list(past["reason"])[1:] == ["sharper eyes", "artefacts on glass"]
    assert all(who.startswith("person") for who in past["by"]) and past["time"].is_monotonic_increasing
    with pytest.raises(RegistryError, match="sft-dec/1 already serves"):
        promote(1, "again", two, settings)
    with pytest.raises(RegistryError, match=r"no such version, there are \[1, 2\]"):
        promote(7, "lucky number", two, settings)
    open_client(settings).delete_model_version_tag("sft-dec", "2", "verified")
    with pytest.raises(RegistryError, match="was not verified"):
        promote(2, "why not", two, settings)
    assert len(history(two, settings)) == 3


def test_a_champion_that_changed_meanwhile_is_not_overruled(two: Path, settings: TrackingSettings) -> None:
    with pytest.raises(RegistryError, match="judged against version None, but version 1 serves by now"):
        set_champion(versions(two, settings)[1], "better than none", {}, two, settings, expected=None)
    assert "champion" in versions(two, settings)[0].aliases


def test_the_history_has_no_end_and_every_entry_fits_a_tag_of_postgresql(two: Path, settings: TrackingSettings) -> None:
    client = open_client(settings)
    former = [{"time": "2025-01-01T02:00:00+00:00", "version": 1, "previous": None, "reason": "long ago"}]
    client.set_registered_model_tag("sft-dec", FORMER, json.dumps(former))
    figures = {f"gain.data_set_{number}": 0.123456 for number in range(20)}
    set_champion(versions(two, settings)[1], "ß" * 10_000, figures, two, settings)
    past = history(two, settings)
    assert past["reason"][0] == "long ago" and past["by"][0] == "unknown"
    assert past["reason"].iloc[-1] == "ß" * LONGEST_REASON and past["figures"].iloc[-1] == figures
    promote(1, "and back", two, settings)
    set_champion(
        versions(two, settings)[1],
        "ß" * 10_000,
        {f"gain.of_data_set_{number}": 0.5 for number in range(200)},
        two,
        settings,
    )
    assert history(two, settings)["figures"].iloc[-1] == {}
    assert max(map(len, client.get_registered_model("sft-dec").tags.values())) <= POSTGRES_LIMIT


def test_a_move_that_was_made_elsewhere_is_told_as_one_that_nobody_wrote_down(
    two: Path, settings: TrackingSettings
) -> None:
    open_client(settings).set_registered_model_alias("sft-dec", "champion", "2")
    told = history(two, settings)
    assert list(told["event"]) == ["promoted", "moved outside"] and list(told["version"]) == [1, 2]
    promote(1, "back again", two, settings)
    told = history(two, settings)
    assert list(told["version"]) == [1, 2, 1] and told["event"].iloc[1] == "moved outside"


@pytest.mark.parametrize("clock", ["2001-01-01T00:00:00.000+00:00", "stands still"])
def test_the_history_is_in_the_order_of_what_happened_whatever_the_clock_says(
    two: Path, settings: TrackingSettings, clock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = history(two, settings)["time"][0]
    monkeypatch.setattr(moves, "now", lambda: first if clock == "stands still" else clock)
    wanted = [2, 1, 2, 1]
    for number in wanted:
        promote(number, "why not", two, settings)
    told = history(two, settings)
    assert list(told["event"]) == ["promoted"] * 5 and list(told["version"]) == [1, *wanted]
    assert list(told["previous"][1:]) == [1, *wanted[:-1]]
    everything = history(two, settings, everything=True)
    assert list(everything["version"][everything["event"] == "promoted"]) == [1, *wanted]
    for number in (1, 2):  # whatever the time, nothing serves before it was registered
        of_it = everything[everything["version"] == number]
        assert of_it["event"].iloc[0] == "registered"


def test_moves_that_someone_had_follow_each_other_in_a_circle_are_told_once_each() -> None:
    one, other = (Move(f"2026-01-01T00:00:0{number}+00:00", number, None, "gate", "") for number in (1, 2))
    circle = [replace(one, follows=other.key), replace(other, follows=one.key)]
    last = Move("2025-01-01T00:00:00+00:00", 3, 2, "gate", "", follows=other.key)
    assert [move.version for move in moves._in_turn([last, *circle])] == [3, 1, 2]


def test_many_moves_are_put_in_order_without_comparing_each_with_each() -> None:
    made = [Move("2026-01-01T00:00:00+00:00", 0, None, "gate", "")]
    for number in range(1, 3000):
        made.append(Move(f"2026-01-01T00:00:00+00:{number:04}", number, None, "gate", "", follows=made[-1].key))
    before = time.process_time()
    assert moves._in_turn(made[::-1]) == made
    assert time.process_time() - before < 2  # s; a hundredth of that, where it was eight


def test_which_moves_happened_is_told_by_what_came_after() -> None:
    def move(version: int, previous: int | None, begun: bool = False) -> Move:
        return Move(f"2026-01-01T00:00:0{version}+00:00", version, previous, "gate", "", begun=begun)

    first = move(1, None)
    begun = move(2, 1, begun=True)
    assert [m.version for m in happened([first, begun], 1)] == [1]
    assert [m.version for m in happened([first, begun], 2)] == [1, 2]
    assert [m.version for m in happened([first, begun, move(3, 1)], 3)] == [1, 3]
    assert [m.version for m in happened([first, begun, move(3, 2)], 3)] == [1, 2, 3]
    assert not any(m.begun for m in happened([first, begun], 2))
    assert [(m.event, m.version) for m in happened([first], None)] == [("promoted", 1), ("moved outside", None)]
