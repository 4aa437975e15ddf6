"""One at a time moves the champion, on a database of one's own and behind a server."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest.mock import Mock

import pytest
from mlflow.exceptions import MlflowException

from sftdec.registry import Judge, RegistryError, history, moves, promote, turn
from sftdec.registry.promotion import rebase
from sftdec.registry.turn import TURN, own_turn
from sftdec.tracking import TrackingSettings, open_client
from tests.registry.races import REFUSED, compare

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("behind_a_server", [False, True])
def test_who_comes_second_waits_for_the_first(
    two: Path, settings: TrackingSettings, behind_a_server: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "SETTLING", 0.2)
    told: list[str] = []

    def take(name: str) -> None:
        client = open_client(settings)
        with turn._by_tag(client) if behind_a_server else own_turn(client, settings):
            told.append(f"{name} begins")
            time.sleep(0.3)
            told.append(f"{name} ends")

    both = [threading.Thread(target=take, args=(name,)) for name in ("one", "other")]
    for each in both:
        each.start()
    for each in both:
        each.join()
    first = told[0].split()[0]
    second = "other" if first == "one" else "one"
    assert told == [f"{first} begins", f"{first} ends", f"{second} begins", f"{second} ends"]
    assert TURN not in open_client(settings).get_registered_model("sft-dec").tags


def test_of_two_first_names_at_once_the_one_that_the_registry_refuses_waits(
    two: Path, settings: TrackingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "SETTLING", 0.1)
    client = open_client(settings)
    plain, overtaken = client.set_registered_model_tag, []

    def be_overtaken(name: str, key: str, value: str) -> None:
        if overtaken:
            return plain(name, key, value)
        plain(name, key, "who was quicker")
        overtaken.append(threading.Timer(0.3, client.delete_registered_model_tag, (name, key)))
        overtaken[0].start()
        raise MlflowException("UNIQUE constraint failed: registered_model_tags.key")

    monkeypatch.setattr(client, "set_registered_model_tag", be_overtaken)
    with turn._by_tag(client):
        assert not overtaken[0].is_alive()
    monkeypatch.setattr(client, "set_registered_model_tag", Mock(side_effect=MlflowException("the disk is full")))
    with pytest.raises(MlflowException, match="the disk is full"), turn._by_tag(client):
        pass


def test_a_name_whose_owner_died_is_passed_over_after_a_while(
    two: Path, settings: TrackingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "SETTLING", 0.1)
    monkeypatch.setattr(turn, "LEASE", 0.3)
    client = open_client(settings)
    client.set_registered_model_tag("sft-dec", TURN, "a machine without power")
    started = time.monotonic()
    with turn._by_tag(client):
        assert time.monotonic() - started > turn.LEASE
        client.set_registered_model_tag("sft-dec", TURN, "one who took this one for dead")
    assert client.get_registered_model("sft-dec").tags[TURN] == "one who took this one for dead"


def test_who_reads_while_the_champion_is_moved_sees_no_move_that_nobody_made(
    two: Path, settings: TrackingSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, waiting = moves.read_moves, [2]

    def read_and_be_overtaken(client: object) -> list[moves.Move]:
        found = plain(client)  # type: ignore[arg-type]
        while waiting:
            promote(waiting.pop(), "meanwhile", two, settings)
        return found

    monkeypatch.setattr(moves, "read_moves", read_and_be_overtaken)
    assert list(history(two, settings)["reason"]) == ["the first", "meanwhile"]


def test_a_champion_that_lost_its_place_while_it_was_measured_anew_is_not_written_down(
    two: Path, settings: TrackingSettings, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = judge.evaluate

    def evaluate_and_be_overtaken(version: object) -> object:
        promote(2, "meanwhile", two, settings)
        return plain(version)  # type: ignore[arg-type]

    monkeypatch.setattr(judge, "evaluate", evaluate_and_be_overtaken)
    with pytest.raises(RegistryError, match="sft-dec/1 was measured anew, but version 2 serves by now; run this again"):
        rebase(judge, "new photos")
    assert list(history(two, settings)["event"]) == ["promoted", "promoted"]


@pytest.mark.services
@pytest.mark.slow
def test_two_promotes_a_register_and_a_kill_at_once_lose_no_move_and_invent_none(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "TMPDIR": str(tmp_path)}
    command = [sys.executable, "benchmarks/survival.py", "races", "--rounds", "12", "--seed", "1"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "12 rounds" in done.stdout, done.stdout + done.stderr
    assert "was killed" in done.stdout


def test_the_races_checker_sees_what_is_lost_and_what_is_invented() -> None:
    def seen(*versions: int, witness: tuple[int, ...], event: str = "promoted") -> dict[str, object]:
        told = [(1, None), *zip(versions, (1, *versions), strict=False)]
        rows = [{"event": event, "version": to, "previous": was, "reason": f"to {to}"} for to, was in told]
        return {"moves": rows, "witness": list(witness), "champions": 1}

    killed = -signal.SIGKILL
    assert compare(seen(2, 3, witness=(2, 3)), {"to 2": (2, 0), "to 3": (3, killed), "to 4": (4, killed)}) == []
    assert "the history says [2], what served is [2, 3]" in compare(seen(2, witness=(2, 3)), {})
    assert "to 2, which went well, stands there 0 times" in compare(seen(3, witness=(3,)), {"to 2": (2, 0)})
    assert "to 2, which was refused, stands there 1 times" in compare(seen(2, witness=(2,)), {"to 2": (2, REFUSED)})
    assert any("an invented move" in fault for fault in compare(seen(2, witness=(2,), event="moved outside"), {}))
