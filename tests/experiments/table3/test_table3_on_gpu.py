"""Table 3 on a borrowed GPU, rehearsed on the CPU: what is missing is trained, and comes home whole."""

import itertools
import json
import shutil
import sys
from dataclasses import replace

import pytest
import yaml

from experiments.table3 import on_gpu
from sftdec.experiments import Cell, load_experiment
from sftdec.experiments.definition import read_cells
from tests.training.small import make_build, values

CELLS = [Cell("sft_dec", "s1", 0), Cell("sft_dec", "s2", 0), Cell("baseline", "s1", 1)]


@pytest.fixture
def machine(tmp_path):
    """Two folds' data, and both parameter files."""
    made, build = make_build(tmp_path / "made", "test"), tmp_path / "build"
    for fold, part in ((fold, part) for fold in "01" for part in ("scenes", "patches")):
        shutil.copytree(made / part, build / "folds" / fold / part)
    stages = ("s1", "s2", "s3", "end_to_end")
    settings = {
        "folds": [0, 1],
        "photos": {"builtin": False},
        "steps": dict.fromkeys(stages, 2),
        "variants": {"baseline": {"network.modulation": "baseline"}, "sft_dec": {}},
        "changes": {f"train.{stage}.warm_up": 1 for stage in stages},
    }
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(settings))
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values()))
    return build


def call(monkeypatch, build, *words):
    files = ("--params", str(build.parent / "params.yaml"), "--experiment", str(build.parent / "experiment.yaml"))
    monkeypatch.setattr(sys, "argv", ["on_gpu", *words, "--build", str(build), *files, "--device", "cpu"])
    on_gpu.main()


def test_cells_are_trained_once_and_brought_home(machine, monkeypatch, tmp_path, capsys):
    out, home = tmp_path / "out", tmp_path / "home"
    monkeypatch.setattr(on_gpu, "cells", lambda experiment: iter(CELLS))
    with pytest.raises(SystemExit, match="wouldn't be done in time; the next call goes on here"):
        call(monkeypatch, machine, "fill", "--out", str(out), "--minutes", "-1")
    call(monkeypatch, machine, "fill", "--out", str(out))
    assert capsys.readouterr().out.count(" dB, ") == len(CELLS)
    shutil.rmtree(machine / "cells" / "sft_dec")  # another machine, to which the pieces went
    call(monkeypatch, machine, "fill", "--out", str(out))
    assert " dB, " not in capsys.readouterr().out
    call(monkeypatch, home, "bring", "--pieces", str(out))
    assert f"{len(CELLS)} cells brought" in capsys.readouterr().out
    table = read_cells(load_experiment(tmp_path / "experiment.yaml"), home)
    assert len(table) == len(CELLS) and set(table["machine"]) == {"CPU"}


def test_every_cell_is_trained_after_the_one_that_it_goes_on_from(machine, tmp_path):
    found = list(on_gpu.cells(load_experiment(tmp_path / "experiment.yaml")))
    assert len(found) == len(set(found)) == 2 * 2 * 3 + 2
    for before, cell in itertools.pairwise(found):
        if cell.stage in ("s2", "s3"):
            assert before == replace(cell, stage=f"s{int(cell.stage[1]) - 1}")


def test_cells_of_other_pictures_stay_away(machine, monkeypatch, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / on_gpu.NOTE).write_text(json.dumps({"0": "other", "1": "pictures"}))
    with pytest.raises(SystemExit, match="judged on other pictures"):
        call(monkeypatch, machine, "bring", "--pieces", str(tmp_path / "out"))


def test_a_file_that_is_no_piece_is_named(machine, monkeypatch, tmp_path):
    monkeypatch.setattr(on_gpu, "PIECE", 10)
    with pytest.raises(SystemExit, match="bytes, expected 10 at most"):
        call(monkeypatch, machine, "fill", "--out", str(tmp_path / "out"))
