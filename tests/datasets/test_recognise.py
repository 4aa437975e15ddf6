"""Which data set a folder is, and the check of all of it."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.fuzz_check import fuzz, pack, write_sets
from sftdec.datasets.checks import CheckLimits
from sftdec.datasets.importers import IMPORTERS
from sftdec.datasets.importers.layouts import LAYOUTS
from sftdec.datasets.photos import recipe_photo
from sftdec.datasets.recognise import check_folder, recognise
from sftdec.runtime.errors import DataError
from tests.datasets.importers.pictures import photo, soften, truncate, write


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """A small data set in each layout, by its importer's name."""
    folders = write_sets(tmp_path_factory.mktemp("sets"))
    return {"folder" if path.name == "own" else path.name: path for path in folders}


@pytest.fixture
def own(sets, tmp_path):
    return Path(shutil.copytree(sets["folder"], tmp_path / "own"))


def test_every_importer_is_in_the_list_under_its_own_name():
    assert {importer.ABOUT.name for importer in IMPORTERS.values()} == set(IMPORTERS)
    modules = {path.stem for path in Path("src/sftdec/datasets/importers").glob("*.py")}
    assert modules - {"__init__", "pair", "pairing", "layouts"} | {"sample", *LAYOUTS} == set(IMPORTERS)


@pytest.mark.parametrize("name", IMPORTERS)
def test_each_layout_is_recognised_and_nothing_is_wrong_with_it(sets, name):
    assert recognise(sets[name])[0].ABOUT.name == name
    report = check_folder(sets[name])
    assert report.exit_code == 0, report.text()
    shown = "own" if name == "folder" else name
    assert report.text().startswith(f"data set   {shown}:") and "nothing wrong with" in report.text().splitlines()[-1]


def test_a_split_of_ones_own_pairs_that_has_no_photo_is_told(own, sets):
    assert "no photo for validation and test: make folders train/, val/ and test/" in check_folder(own).text()
    for part in ("blurred", "sharp"):
        write(own / "test" / part / "x.png", photo(48, 64, 1))
    assert "no photo for validation: make" in check_folder(own).text()
    assert "no photo for" not in check_folder(sets["realdof"]).text()


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
def test_an_archive_is_checked_as_its_folder_and_leaves_nothing_behind(own, tmp_path, monkeypatch, ending):
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    truncate(own / "sharp" / "a.png", 0.7)
    archive = pack(own, tmp_path / f"mine{ending}")
    report = check_folder(archive)
    assert report.exit_code == 1 and [problem.check for problem in report.problems] == ["unreadable"]
    assert f"{archive}/own/sharp/a.png" in report.text() and str(tmp_path / "tmp") not in report.text()
    assert not list((tmp_path / "tmp").iterdir())


def test_a_folder_that_is_nothing_known_is_told_what_was_looked_for(tmp_path):
    write(tmp_path / "holiday" / "a.png", photo(20, 20, 0))
    report = check_folder(tmp_path)
    assert report.exit_code == 2 and report.text().endswith("not recognised")
    assert all(f"  {name} " in report.text() for name in IMPORTERS) and ", ," not in report.text()


def test_a_layout_without_a_scene_that_can_be_used_is_a_problem(own):
    for path in own.rglob("*.*"):
        path.write_bytes(b"")
    report = check_folder(own)
    assert report.exit_code == 1 and "an empty file" in report.text() and report.text().endswith("can't be used")


def test_a_file_that_belongs_to_no_scene_is_told_and_is_no_problem(own):
    (own / "sharp" / "Thumbs.db").write_bytes(b"made by a file manager")
    report = check_folder(own)
    assert report.exit_code == 0 and "Thumbs.db: no picture that is read" in report.text()
    assert report.text().endswith("nothing wrong with the pictures of 2 scenes")


def test_what_is_left_out_is_told_with_its_reason(own):
    (own / "sharp" / "a.png").unlink()
    report = check_folder(own)
    assert report.exit_code == 1 and "a.jpg: " in report.text() and "no partner" in report.text()
    assert report.text().endswith("0 of 1 scenes have problems, 2 files left out")


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_each_scene_that_fails_is_named_with_its_file_and_reason(tmp_path, processes):
    folder = tmp_path / "mine"
    for number in range(4):
        sharp = photo(160, 160, number)
        pair = {"blurred": soften(sharp, 1.5), "sharp": sharp}
        if number == 1:
            pair = {"blurred": pair["sharp"], "sharp": pair["blurred"]}
        if number == 2:
            pair["blurred"] = np.roll(pair["blurred"], 3, axis=1)
        for part, levels in pair.items():
            write(folder / part / f"{number}.png", levels)
    truncate(folder / "sharp" / "3.png", 0.7)
    report = check_folder(folder, processes=processes)
    assert [(problem.scene, problem.check) for problem in report.problems] == [
        ("mine/1", "sharper"),
        ("mine/2", "aligned"),
        ("mine/3", "unreadable"),
    ]
    assert re.search(r"mine/2: blurred/2.png: the photos are shifted by (2\.\d|3)", report.text())
    assert report.text().endswith("3 of 4 scenes have problems, 0 files left out") and report.exit_code == 1
    wider = check_folder(folder, limits=CheckLimits(max_shift=8), processes=processes)
    assert [problem.scene for problem in wider.problems] == ["mine/1", "mine/3"]


def test_a_map_that_reaches_beyond_its_full_level_is_a_problem_of_the_map(own):
    full = np.full((48, 64), 65535, np.uint16)
    write(own / "defocus" / "a.png", full)
    (problem,) = check_folder(own).problems
    assert (problem.scene, problem.check) == ("own/a", "map") and "raise sigma_max" in problem.reason
    colour = np.zeros((48, 64, 3), np.uint8)
    write(own / "defocus" / "a.png", colour)
    (problem,) = check_folder(own).problems
    assert problem.check == "map" and "grey" in problem.reason


def test_one_photo_in_two_splits_is_found(tmp_path):
    sharp = recipe_photo("coffee")[:200, :300]
    for place in ("train_c", "test_c"):
        for part, levels in {"source": soften(sharp, 2), "target": sharp}.items():
            write(tmp_path / "dpdd" / place / part / f"1P0A{len(place)}{'1' if part == 'source' else '2'}.png", levels)
    (problem,) = check_folder(tmp_path / "dpdd").problems
    assert problem.check == "duplicate" and problem.scene.startswith("dpdd/train_")


def test_a_picture_alone_is_read_to_its_end(tmp_path):
    path = write(tmp_path / "a.png", photo(40, 60, 0))
    assert check_folder(path).exit_code == 0 and "60×40 px, 8 bit" in check_folder(path).text()
    truncate(path, 0.7)
    report = check_folder(path)
    assert report.exit_code == 1 and "a.png: the picture is corrupt or cut short" in report.text()


def test_a_path_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(DataError, match="gone: there is no such file or folder"):
        check_folder(tmp_path / "gone")


def test_a_file_that_is_neither_archive_nor_picture_is_refused_by_name(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing of the kind")
    report = check_folder(tmp_path / "notes.txt")
    assert report.exit_code == 1 and "notes.txt: not an archive" in report.text()


def test_damaged_and_hostile_files_are_refused_by_name_and_leave_nothing_outside(tmp_path):
    counts = fuzz(tmp_path, 60, seed=3)
    assert sum(counts.kinds.values()) == 61 and min(counts.kinds.values()) > 3
    assert not any(counts.faults.values()), counts.text()
