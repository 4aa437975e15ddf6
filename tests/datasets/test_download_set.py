"""Data sets that are fetched and unpacked."""

import io
import zipfile
from pathlib import Path

import pytest

from sftdec.datasets.download import DOWNLOADS, missing_dataset, obtain
from sftdec.datasets.listing import About
from sftdec.runtime.errors import DataError
from tests.datasets.unreliable import BODY, Server, files, sha


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, name)
    return buffer.getvalue()


def test_a_data_set_is_fetched_and_unpacked_once_without_its_top_folder(server: Server, tmp_path: Path) -> None:
    server.body = zipped("set/blurred/a", "set/sharp/a", "__MACOSX/a")
    folder = obtain("mine", server.url(), sha(server.body), tmp_path)
    assert folder == tmp_path / "mine"
    assert files(folder) == [".archive.sha256", "a", "a"]
    assert (folder / "blurred/a").read_text() == "set/blurred/a" and (folder / "sharp/a").is_file()
    assert obtain("mine", server.url(), sha(server.body).upper(), tmp_path) == folder
    assert len(server.asked) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [DOWNLOADS, "mine"]
    assert files(tmp_path / DOWNLOADS) == []


def test_several_things_at_the_top_of_an_archive_stay_there(server: Server, tmp_path: Path) -> None:
    server.body = zipped("blurred/a", "sharp/a")
    folder = obtain("mine", server.url(), sha(server.body), tmp_path)
    assert files(folder) == [".archive.sha256", "a", "a"] and (folder / "sharp/a").exists()


def test_a_set_of_another_archive_is_replaced_whole(server: Server, tmp_path: Path) -> None:
    server.body = zipped("blurred/old", "sharp/old")
    obtain("mine", server.url(), sha(server.body), tmp_path)
    server.body = zipped("blurred/new", "sharp/new")
    assert files(obtain("mine", server.url(), sha(server.body), tmp_path)) == [".archive.sha256", "new", "new"]


@pytest.mark.parametrize("body", [zipped("../../evil"), zipped("a")[:-30]])
def test_a_refused_archive_leaves_the_set_before_it_whole(server: Server, tmp_path: Path, body: bytes) -> None:
    data = tmp_path / "in" / "data"
    server.body = zipped("a", "b")
    obtain("mine", server.url(), sha(server.body), data)
    server.body = body
    with pytest.raises(DataError, match=r"set\.zip"):
        obtain("mine", server.url(), sha(body), data)
    assert files(data / "mine") == [".archive.sha256", "a", "b"]
    assert files(data / DOWNLOADS) == ["set.zip"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_half_a_folder_of_a_killed_unpacking_is_no_data_set_and_is_cleared(server: Server, tmp_path: Path) -> None:
    server.body = zipped("a", "b")
    half = tmp_path / DOWNLOADS / "mine.unpacking"
    half.mkdir(parents=True)
    (half / "c").write_bytes(b"half")
    assert files(obtain("mine", server.url(), sha(server.body), tmp_path)) == [".archive.sha256", "a", "b"]
    assert not half.exists()


def test_a_folder_that_was_not_unpacked_here_is_not_touched(server: Server, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "photo.png").write_bytes(b"mine")
    with pytest.raises(DataError, match=r"mine: there is something that did not come from http.*remove it"):
        obtain("mine", server.url(), sha(BODY), tmp_path)
    assert files(tmp_path) == ["photo.png"] and server.asked == []


@pytest.mark.parametrize("name", ["../mine", "a/b", "..", ""])
def test_a_data_set_has_the_name_of_a_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="expected a folder's name"):
        obtain(name, "http://host/a.zip", sha(BODY), tmp_path)


def test_a_missing_data_set_names_its_page_its_place_and_the_keys_of_a_mirror(tmp_path: Path) -> None:
    about = About("ded", "Defocus pairs", "sharp/a.jpg\nimage/a.jpg", "research only", "https://page.example/ded", None)
    text = str(missing_dataset(about, tmp_path / "ded"))
    expected = ["https://page.example/ded", str(tmp_path / "ded"), about.layout, "fetch.sources.ded.url"]
    assert all(part in text for part in [*expected, "fetch.sources.ded.sha256", "research only"])


def test_a_split_alone_at_the_top_of_an_archive_is_no_top_folder(server: Server, tmp_path: Path) -> None:
    server.body = zipped("test/blurred/a.png", "test/sharp/a.png")
    folder = obtain("mine", server.url(), sha(server.body), tmp_path)
    assert (folder / "test/blurred/a.png").is_file()
