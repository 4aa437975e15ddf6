"""Data sets become checked scenes; what fails is left out by name, or stops."""

import hashlib
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest

from sftdec.datasets import read_index
from sftdec.datasets.fetching import fetch
from sftdec.datasets.scene import REFUSED
from sftdec.params import CheckParams, FetchParams, SourceParams
from sftdec.runtime.errors import DataError
from sftdec.runtime.parallel import compute
from tests.datasets.importers.pictures import photo, soften, truncate, write

NAMES = [f"p{number:02d}" for number in range(24)]  # by their names: some of every split


def triplets(root, names=NAMES, sigma=1.5):
    for number, name in enumerate(names):
        sharp = photo(48, 56, number)
        write(root / "sharp" / f"{name}.png", sharp)
        write(root / "blurred" / f"{name}.png", soften(sharp, sigma))
        write(root / "defocus" / f"{name}.png", np.full((48, 56), round(65535 * sigma / 6), np.uint16))
    return root


def params(*datasets, **changes):
    return FetchParams(datasets=list(datasets), sigma_max=6.0, **changes)


def test_a_folder_of_triplets_becomes_scenes_with_their_measures(tmp_path):
    triplets(tmp_path / "data" / "mine")
    index, refused = fetch(params("mine"), tmp_path / "data", tmp_path / "scenes")
    assert index["scene"].tolist() == [f"mine/{name}" for name in NAMES] and refused.empty
    assert index["sigma_mean"].to_numpy() == pytest.approx([1.5] * 24, abs=1e-3)
    assert (index["sharpening"] > 1).all() and index["photo_hash"].is_unique
    assert read_index(tmp_path / "scenes").equals(index)


def test_the_same_bytes_come_out_of_one_process_and_of_two(tmp_path):
    triplets(tmp_path / "data" / "mine")
    found = []
    for processes in (1, 2):
        out = tmp_path / f"scenes{processes}"
        with compute(processes=processes) as run:
            fetch(params("mine"), tmp_path / "data", out, run)
        found.append({path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()})
    assert found[0] == found[1] and len(found[0]) == 3 * 24 + 2


def test_a_link_to_a_folder_is_refused_since_dvc_would_see_no_change_there(tmp_path):
    disk = triplets(tmp_path / "disk" / "mine")
    data = tmp_path / "data"
    data.mkdir()
    (data / "mine").symlink_to(disk)
    (data / "parts").mkdir()
    (data / "parts" / "sharp").symlink_to(disk / "sharp")
    for name, link, target in (("mine", "mine", disk), ("parts", "parts/sharp", disk / "sharp")):
        with pytest.raises(DataError, match=rf"data/{link}: a link to the folder {target}, which DVC doesn't follow"):
            fetch(params(name), data, tmp_path / "scenes")


def spoil(data):
    """Three scenes that can't be used, each for another reason; returns their checks by scene."""
    truncate(data / "sharp" / "p03.png")
    sharp, blurred = data / "sharp" / "p05.png", data / "blurred" / "p05.png"
    blurred.write_bytes(sharp.read_bytes())
    write(sharp, soften(photo(48, 56, 5), 1.5))  # swapped
    (data / "defocus" / "p07.png").unlink()
    return {"p03": "unreadable", "mine/p05": "sharper", "p07.png": "pair"}


def test_scenes_that_fail_are_left_out_each_with_its_reason(tmp_path):
    expected = spoil(triplets(tmp_path / "data" / "mine"))
    index, refused = fetch(params("mine"), tmp_path / "data", tmp_path / "scenes")
    assert len(index) == 21 and not index["scene"].isin(["mine/p03", "mine/p05", "mine/p07"]).any()
    assert expected.items() <= dict(zip(refused["scene"], refused["check"], strict=True)).items()
    assert refused.equals(pd.read_parquet(tmp_path / "scenes" / REFUSED)) and set(refused["dataset"]) == {"mine"}
    assert not list((tmp_path / "scenes").rglob("*p05*"))


def test_strict_stops_at_scenes_that_fail_and_names_them(tmp_path):
    data = triplets(tmp_path / "data" / "mine")
    spoil(data)
    for part in ("sharp", "blurred"):
        (data / part / "p07.png").unlink()
    with pytest.raises(DataError, match=r"(?s)fetch\.strict.*\nmine/p03 \(unreadable\).*\nmine/p05 \(sharper\)"):
        fetch(params("mine", strict=True), tmp_path / "data", tmp_path / "scenes")
    assert not (tmp_path / "scenes" / "index.parquet").exists()


def test_strict_stops_at_what_names_and_headers_tell_before_any_picture_is_read(tmp_path):
    spoil(triplets(tmp_path / "data" / "mine"))
    with pytest.raises(DataError, match=r"fetch\.strict.*\nmine/p07\.png \(pair\)"):
        fetch(params("mine", strict=True), tmp_path / "data", tmp_path / "scenes")
    assert not (tmp_path / "scenes").exists()


def test_a_file_that_belongs_to_no_scene_is_listed_and_stops_nothing(tmp_path):
    (triplets(tmp_path / "data" / "mine") / "sharp" / "Thumbs.db").write_bytes(b"made by a file manager")
    index, refused = fetch(params("mine", strict=True), tmp_path / "data", tmp_path / "scenes")
    assert len(index) == 24 and refused[["scene", "check"]].values.tolist() == [["Thumbs.db", "extra"]]


def test_photos_whose_sizes_differ_are_counted_as_such(tmp_path):
    data = triplets(tmp_path / "data" / "mine")
    write(data / "sharp" / "p04.png", photo(40, 56, 4))
    write(data / "defocus" / "p06.png", np.zeros((40, 56), np.uint16))
    (data / "blurred" / "p08.png").write_bytes(b"")
    _, refused = fetch(params("mine"), tmp_path / "data", tmp_path / "scenes")
    assert dict(zip(refused["scene"], refused["check"], strict=True)) == {
        "p04.png": "size",
        "p06.png": "size",
        "p08.png": "unreadable",
    }


def test_limits_are_parameters(tmp_path):
    triplets(tmp_path / "data" / "mine")
    with pytest.raises(DataError, match=r"no photo is for train.*sharper"):
        fetch(params("mine", check=CheckParams(min_sharpening=60.0)), tmp_path / "data", tmp_path / "scenes")


def test_a_photo_of_the_test_split_is_not_trained_on_under_another_name(tmp_path):
    data = triplets(tmp_path / "data" / "mine")
    index, _ = fetch(params("mine"), tmp_path / "data", tmp_path / "scenes")
    tested, trained = (index.loc[index["split"] == split, "photo"].iloc[0] for split in ("test", "train"))
    for part in ("sharp", "blurred", "defocus"):
        (data / part / f"{trained}.png").write_bytes((data / part / f"{tested}.png").read_bytes())
    index, refused = fetch(params("mine"), tmp_path / "data", tmp_path / "again")
    assert refused[["scene", "check"]].values.tolist() == [[f"mine/{trained}", "duplicate"]]
    assert f"mine/{trained}" not in index["scene"].tolist() and not list((tmp_path / "again").rglob(f"{trained}.png"))


def test_too_few_photos_for_three_splits_are_told_with_what_to_do_before_any_is_read(tmp_path):
    data = triplets(tmp_path / "data" / "mine", ["a", "b", "c"])
    for path in data.rglob("*.png"):
        truncate(path, 0.6)  # who read it would say so
    with pytest.raises(DataError, match=r"no photo is for .* in mine \(found .*or choose yourself.*pairs\.csv"):
        fetch(params("mine"), tmp_path / "data", tmp_path / "scenes")
    assert not (tmp_path / "scenes").exists()


def test_a_set_whose_authors_fix_the_splits_gets_another_advice(tmp_path):
    for number in range(2):
        write(tmp_path / "data" / "dpdd" / "test_c" / "source" / f"1P0A{4 * number}.png", photo(48, 56, number))
        write(tmp_path / "data" / "dpdd" / "test_c" / "target" / f"1P0A{4 * number + 1}.png", photo(48, 56, number))
    with pytest.raises(DataError, match=r"no photo is for train and validation in dpdd .*their authors fix the splits"):
        fetch(params("dpdd"), tmp_path / "data", tmp_path / "scenes")


def test_a_few_photos_in_splits_of_ones_own_are_enough(tmp_path):
    for number, split in enumerate(("train", "val", "test")):
        triplets(tmp_path / "data" / "mine" / split, [str(number)])
        levels = photo(48, 56, 10 + number)
        write(tmp_path / "data" / "mine" / split / "sharp" / f"{number}.png", levels)
        write(tmp_path / "data" / "mine" / split / "blurred" / f"{number}.png", soften(levels, 1.5))
    index, refused = fetch(params("mine"), tmp_path / "data", tmp_path / "scenes")
    assert index["sigma_mean"].to_numpy() == pytest.approx([1.5] * 3, abs=1e-3)  # of the maps beside them
    assert dict(zip(index["scene"], index["split"], strict=True)) == {
        "mine/test_2": "test",
        "mine/train_0": "train",
        "mine/val_1": "validation",
    }, refused


def test_what_made_a_pair_agree_is_printed(tmp_path, capsys):
    data = triplets(tmp_path / "data" / "mine")
    sharp = photo(120, 120, 50)
    write(data / "sharp" / "p03.png", sharp)
    write(data / "blurred" / "p03.png", np.uint8(np.rint(0.9 * soften(sharp, 1.5))))
    write(data / "defocus" / "p03.png", np.full((120, 120), 16384, np.uint16))
    fetch(params("mine"), tmp_path / "data", tmp_path / "scenes")
    assert "mine/p03: light of red, green and blue × 0.7" in capsys.readouterr().out


def test_a_data_set_that_is_not_there_names_what_is(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(DataError, match=r"fetch\.datasets.*mine"):
        fetch(params("holiday"), tmp_path, tmp_path / "out")


def test_a_known_data_set_that_is_not_there_names_its_page_and_its_place(tmp_path):
    with pytest.raises(DataError, match=r"(?s)dpdd.*https?://.*fetch\.sources\.dpdd"):
        fetch(params("dpdd"), tmp_path, tmp_path / "out")


def test_a_folder_without_any_known_layout_says_how_to_lay_it_out(tmp_path):
    write(tmp_path / "mine" / "some" / "thing.png", photo(32, 32, 0))
    with pytest.raises(DataError, match=r"mine.*blurred/.*sftdec datasets"):
        fetch(params("mine"), tmp_path, tmp_path / "out")


@pytest.fixture
def server(tmp_path):
    """A folder served over HTTP on loopback: the folder and its address."""
    (tmp_path / "served").mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield tmp_path / "served", f"http://127.0.0.1:{serving.server_address[1]}"
        serving.shutdown()


def test_a_data_set_with_a_source_is_downloaded_unpacked_and_read(tmp_path, server):
    folder, address = server
    original = triplets(tmp_path / "elsewhere")
    with zipfile.ZipFile(folder / "mine.zip", "w") as archive:
        for path in original.rglob("*.png"):
            archive.write(path, f"mine/{path.relative_to(original)}")
    digest = hashlib.sha256((folder / "mine.zip").read_bytes()).hexdigest()
    source = SourceParams(url=f"{address}/mine.zip", sha256=digest)
    index, _ = fetch(params("mine", sources={"mine": source}), tmp_path / "data", tmp_path / "scenes")
    assert index["scene"].tolist() == [f"mine/{name}" for name in NAMES]
