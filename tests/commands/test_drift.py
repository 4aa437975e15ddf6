"""The command ``drift`` and the records that ``deblur`` keeps if it is told to."""

import json

import pytest

from sftdec.cli import main
from tests.drift.photos import folder_of_photos, training_index
from tests.tiny import tiny_weights


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A folder to work in with a training index and weights."""
    training_index(tmp_path / "build")
    monkeypatch.chdir(tmp_path)
    return ["--model", str(tiny_weights(tmp_path / "weights.safetensors")), "--window", "32"]


def test_drift_tells_by_its_exit_code_and_writes_table_and_picture(tmp_path, trained, capsys):
    same, lighter = folder_of_photos(tmp_path / "a", range(90, 130)), folder_of_photos(tmp_path / "b", range(40), 60)
    assert main(["drift", str(same), *trained]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("no alarm: 40 photos look like the 60")
    assert main(["drift", str(lighter), "-o", "out", *trained]) == 1
    said = capsys.readouterr().out
    assert "ALARM: " in said and "brightness drifted: mean" in said
    assert (tmp_path / "out" / "drift.png").stat().st_size > 10_000
    assert (tmp_path / "out" / "drift.csv").read_text().count("\n") == 5
    few = folder_of_photos(tmp_path / "c", range(3))
    assert main(["drift", str(few), *trained]) == 2
    assert capsys.readouterr().out.startswith("can't tell: 3 photos, fewer than the 30 that a check needs")
    assert main(["drift", str(tmp_path / "none"), *trained]) == 2
    assert main(["drift", str(same), "--level", "7", *trained]) == 2


def test_deblur_records_statistics_only_if_it_is_told_to(tmp_path, trained, capsys, monkeypatch):
    photos = folder_of_photos(tmp_path / "photos", range(2))
    deblur = ["deblur", str(photos), "-o", str(tmp_path / "out"), "--model", trained[1]]
    assert main(deblur) == 0
    before = set(tmp_path.rglob("*"))
    assert main([*deblur, "--force", "--log-statistics", str(tmp_path / "seen.jsonl")]) == 0
    assert set(tmp_path.rglob("*")) - before == set()  # 40 px are too small for a window of 128
    assert "no statistics of this photo" in capsys.readouterr().err


def test_what_deblur_has_recorded_can_be_checked_in_place_of_the_photos(tmp_path, monkeypatch, capsys):
    from PIL import Image

    from tests.drift.photos import photo

    (tmp_path / "photos").mkdir()
    for seed in range(2):
        Image.fromarray(photo(seed, side=140)).save(tmp_path / "photos" / f"secret{seed}.png")
    monkeypatch.setenv("SFTDEC_STATISTICS", str(tmp_path / "seen.jsonl"))
    model = ["--model", str(tiny_weights(tmp_path / "weights.safetensors"))]
    assert main(["deblur", str(tmp_path / "photos"), "-o", str(tmp_path / "out"), *model]) == 0
    text = (tmp_path / "seen.jsonl").read_text()
    assert len(text.splitlines()) == 2 and "secret" not in text
    assert json.loads(text.splitlines()[0])["window"] == 128
