"""What a photo gave is kept, and goes by all that decides it and by nothing else."""

import shutil
import time
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from sftdec.datasets import fetching
from sftdec.datasets.fetching import fetch
from sftdec.datasets.importers import IMPORTERS
from sftdec.datasets.kept import Kept, code_checksum, key_of, users_folder
from sftdec.params import CheckParams
from sftdec.runtime import Imports
from tests.datasets.importers.pictures import photo, soften, write
from tests.datasets.test_fetch import NAMES, params, triplets


def swapped(folder, name=NAMES[3]):
    """Make one a pair that is refused by its pixels."""
    blurred, sharp = (folder / part / f"{name}.png" for part in ("blurred", "sharp"))
    levels = photo(48, 56, 3)
    write(blurred, levels)
    write(sharp, soften(levels, 1.5))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A data set, what a fetch that keeps nothing makes of it, and what one that does keeps."""
    root = tmp_path_factory.mktemp("whole")
    triplets(root / "data" / "mine")
    swapped(root / "data" / "mine")
    fetch(params("mine"), root / "data", root / "scenes")
    fetch(params("mine"), root / "data", root / "first", kept=Kept(root / "kept"))
    return root


@pytest.fixture
def again(whole, tmp_path):
    """A copy of it to change."""
    return Path(shutil.copytree(whole, tmp_path / "again"))


def files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def worked(root, monkeypatch, changed=None, data="data", dataset="mine", kept="kept"):
    """The names of the scenes that a fetch reads, and what it makes."""
    read: list[str] = []
    write_checked = fetching.write_checked

    def noted(scene, *rest):
        read.append(scene.name)
        return write_checked(scene, *rest)

    monkeypatch.setattr(fetching, "write_checked", noted)
    fetch(changed or params(dataset), root / data, root / "out", kept=Kept(root / kept))
    return read, files(root / "out")


def test_keeping_changes_no_byte_and_a_second_fetch_reads_nothing(whole, again, monkeypatch):
    assert files(whole / "first") == files(whole / "scenes")
    read, made = worked(again, monkeypatch)
    assert not read and made == files(whole / "scenes")


def test_one_new_photo_costs_one_photo(again, monkeypatch):
    triplets(again / "data" / "mine", [*NAMES, "new"])
    swapped(again / "data" / "mine")
    assert worked(again, monkeypatch)[0] == ["mine/new"]


def test_a_killed_fetch_goes_on_where_it_was(again, monkeypatch):
    shutil.rmtree(again / "kept")

    left = iter(range(9))

    def killed(scene, *rest):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return brought(scene, *rest)

    brought = fetching.write_checked
    monkeypatch.setattr(fetching, "write_checked", killed)
    with pytest.raises(KeyboardInterrupt):
        fetch(params("mine"), again / "data", again / "out", kept=Kept(again / "kept"))
    monkeypatch.setattr(fetching, "write_checked", brought)
    read, made = worked(again, monkeypatch)
    assert len(read) == len(NAMES) - 9 and made == files(again / "scenes")


def test_names_splits_and_data_sets_do_not_decide_but_sources_and_parameters_do(again, monkeypatch):
    mine, other = again / "data" / "mine", again / "data" / "other"
    mine.rename(other)
    for part in ("blurred", "sharp", "defocus"):
        (other / part / f"{NAMES[0]}.png").rename(other / part / "renamed.png")
    read, made = worked(again, monkeypatch, dataset="other")
    assert not read and Path("blurred/other/renamed.png") in made
    fetch(params("other"), again / "data", again / "fresh")
    assert made == files(again / "fresh")
    write(other / "blurred" / "renamed.png", soften(photo(48, 56, 0), 1.2))
    assert worked(again, monkeypatch, dataset="other")[0] == ["other/renamed"]
    limited = params("other", check=CheckParams(max_shift=2.0))
    assert len(worked(again, monkeypatch, limited)[0]) == len(NAMES)


@pytest.mark.parametrize("damage", ["blurred.png", "told.json", "cut short", "gone"])
def test_what_is_damaged_is_made_anew(again, monkeypatch, damage):
    place = next(path for path in (again / "kept").glob("??/*") if (path / "blurred.png").exists())
    if damage == "gone":
        (place / "sharp.png").unlink()
    elif damage == "cut short":
        (place / "told.json").write_bytes((place / "told.json").read_bytes()[:-20])
    else:
        levels = bytearray((place / damage).read_bytes())
        levels[-9] ^= 1
        (place / damage).unlink()
        (place / damage).write_bytes(levels)
    read, made = worked(again, monkeypatch)
    assert len(read) == 1 and made == files(again / "scenes")
    assert not worked(again, monkeypatch)[0]


def test_what_a_disk_shares_is_kept_once(again):
    place = next(path for path in (again / "kept").glob("??/*") if (path / "blurred.png").exists())
    fetch(params("mine"), again / "data", again / "out", kept=Kept(again / "kept"))
    inodes = {path.stat().st_ino for path in (again / "out").rglob("*.png")}
    assert (place / "blurred.png").stat().st_ino in inodes


def test_a_place_that_cannot_be_written_stops_nothing(again, monkeypatch):
    (again / "file").write_text("in the way")
    read, made = worked(again, monkeypatch, kept="file")
    assert len(read) == len(NAMES) and made == files(again / "scenes")


def test_least_used_photos_go_first_and_those_in_use_stay(again):
    kept = Kept(again / "kept")
    entries = kept.entries()
    sizes = [size for _, size, _ in entries]
    assert kept.trim(sum(sizes) - 1) == 1 and not entries[0][2].exists()
    assert kept.trim(0, since=time.time() - 3600) == 0
    assert kept.trim(0) == len(entries) - 1 and not kept.entries()


def _keep(root):
    fetch(params("mine"), root / "data", root / f"out{time.monotonic_ns()}", kept=Kept(root / "kept"))


def test_several_processes_may_keep_the_same_photos_at_once(again):
    shutil.rmtree(again / "kept")
    workers = [get_context("fork").Process(target=_keep, args=(again,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    outs = [files(path) for path in again.glob("out*")]
    assert outs == [files(again / "scenes")] * 2
    assert len(Kept(again / "kept").entries()) == len(NAMES) and not list((again / "kept").glob("??/.*"))


def test_a_comment_in_an_importer_and_another_importers_code_decide_nothing(tmp_path, monkeypatch):
    shutil.copytree("src/sftdec", tmp_path / "sftdec")
    monkeypatch.setattr("sftdec.datasets.kept.Imports", lambda: Imports({"sftdec": tmp_path}))

    def checksum():
        code_checksum.cache_clear()
        return code_checksum(IMPORTERS["dpdd"].read.__module__, "sftdec.datasets.checked")

    def appended(file, text):
        path = tmp_path / "sftdec" / "datasets" / file
        path.write_text(path.read_text("utf-8") + text, "utf-8")
        return checksum()

    before = checksum()
    assert appended("importers/pair.py", "\n# a comment\n") == before
    assert appended("importers/ded.py", "\nFULL = 1\n") == before
    assert appended("pair_defocus.py", "\n_CLIPPED = 1\n") != before
    code_checksum.cache_clear()


def test_recipes_go_by_their_photos_bytes(tmp_path):
    recipe = IMPORTERS["sample"].find(Path("data/sample")).entries[0]
    own = [replace(recipe, photos=(str(write(tmp_path / f"{name}.png", photo(64, 64, 1))),)) for name in ("a", "b")]
    keys = {key_of(each, "code", "6.0") for each in own}
    assert len(keys) == 1 and key_of(recipe, "code", "6.0") not in keys
    assert not keys & {key_of(own[0], "code", "7.0"), key_of(own[0], "other code", "6.0")}
    write(tmp_path / "a.png", photo(64, 64, 2))
    assert key_of(own[0], "code", "6.0") not in keys
    (tmp_path / "a.png").unlink()
    assert key_of(own[0], "code", "6.0") is None


def test_the_environment_says_where_photos_are_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("SFTDEC_PHOTOS", "")
    assert users_folder() is None
    monkeypatch.setenv("SFTDEC_PHOTOS", str(tmp_path))
    assert users_folder() == tmp_path
    monkeypatch.delenv("SFTDEC_PHOTOS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert users_folder() == tmp_path / "sftdec" / "photos"
