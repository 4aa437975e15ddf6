"""Fetching from a real server that breaks off, changes its file, or isn't there."""

import gzip
import hashlib
import io
import resource
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from sftdec.datasets.download import DOWNLOADS, download, missing_dataset, obtain
from sftdec.datasets.errors import DataError
from sftdec.datasets.listing import About

BODY = np.random.default_rng(0).bytes(700_000)
OTHER = np.random.default_rng(1).bytes(700_000)
FAST = (0.0, 0.0, 0.0)


def sha(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


class Server(ThreadingHTTPServer):
    """Gives ``body``; ``cuts``: bytes of the body after which each request's connection breaks, None for none."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.body, self.cuts, self.statuses = BODY, list[int | None](), list[int]()
        self.validators = {"ETag": '"one"'}
        self.more_headers: dict[str, str] = {}
        self.ranges = self.heeds_if_range = True
        self.status, self.wrong_range = 200, False
        self.asked: list[dict[str, str]] = []
        self.after_cut: Callable[[], object] = lambda: None

    def url(self, name: str = "set.zip") -> str:
        return f"http://127.0.0.1:{self.server_port}/files/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        server, body = self.server, self.server.body
        server.asked.append(dict(self.headers))
        if server.statuses:
            self.send_error(server.statuses.pop(0))
            return
        start, status = 0, server.status
        wanted, condition = self.headers.get("Range"), self.headers.get("If-Range")
        same = condition is None or not server.heeds_if_range or condition in server.validators.values()
        if wanted and server.ranges and same:
            start, status = int(wanted.removeprefix("bytes=").removesuffix("-")), 206
            if start >= len(body):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(body)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
        self.send_response(status)
        headers = {"Content-Length": str(len(body) - start)} | server.validators | server.more_headers
        if status == 206:
            first = start // 2 if server.wrong_range else start
            headers["Content-Range"] = f"bytes {first}-{len(body) - 1}/{len(body)}"
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        cut = server.cuts.pop(0) if server.cuts else None
        self.wfile.write(body[start : None if cut is None else start + cut])
        if cut is not None:
            self.wfile.flush()
            server.after_cut()
            self.close_connection = True


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield served
        served.shutdown()
        thread.join()


def files(folder: Path) -> list[str]:
    """Names of what lies below a folder, but for locks and folders."""
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock")


def first_byte(request: dict[str, str]) -> int:
    return int(request.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))


def test_a_file_is_fetched_whole_under_its_own_name_and_quietly(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = download(server.url("a%20set.zip"), sha(BODY).upper(), tmp_path)
    assert found.read_bytes() == BODY
    assert files(tmp_path) == [found.name] == ["a_set.zip"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["", "%2e%2e", "..%2f..%2fevil", "?id=../evil", ".part", "n" * 300])
def test_whatever_the_address_ends_in_the_file_stays_in_its_folder(server: Server, tmp_path: Path, name: str) -> None:
    found = download(server.url(name), sha(BODY), tmp_path / "in")
    assert found.parent.parent == tmp_path / "in" and not found.name.startswith(".")
    assert files(tmp_path) == [found.name]


def test_a_file_that_is_there_and_right_is_not_asked_for(server: Server, tmp_path: Path) -> None:
    first = download(server.url(), sha(BODY), tmp_path)
    assert download(server.url(), sha(BODY), tmp_path) == first
    assert len(server.asked) == 1


def test_a_file_that_is_there_and_wrong_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    found = download(server.url(), sha(BODY), tmp_path)
    found.write_bytes(b"spoilt")
    assert download(server.url(), sha(BODY), tmp_path).read_bytes() == BODY


def test_a_broken_connection_is_gone_on_with_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.cuts = [300_000, 200_000]
    assert download(server.url(), sha(BODY), tmp_path, FAST).read_bytes() == BODY
    starts = [first_byte(request) for request in server.asked]
    assert starts[0] == 0 and 200_000 < starts[1] <= 300_000 and starts[1] + 100_000 < starts[2] <= 500_000
    assert server.asked[1]["If-Range"] == '"one"'
    assert files(tmp_path) == ["set.zip"]


def test_a_weak_etag_is_no_condition_for_a_range_but_a_date_is(server: Server, tmp_path: Path) -> None:
    date = "Mon, 01 Jan 2024 00:00:00 GMT"
    server.cuts, server.validators = [300_000], {"ETag": 'W/"weak"', "Last-Modified": date}
    assert download(server.url(), sha(BODY), tmp_path, FAST).read_bytes() == BODY
    assert server.asked[1]["If-Range"] == date


def test_the_part_of_another_address_is_gone_on_with_unconditionally(server: Server, tmp_path: Path) -> None:
    server.cuts = [300_000]
    with pytest.raises(DataError, match="in 1 tries"):
        download(server.url(), sha(BODY), tmp_path, ())
    mirror = server.url().replace("files", "mirror")
    assert download(mirror, sha(BODY), tmp_path, FAST).read_bytes() == BODY
    assert first_byte(server.asked[1]) > 200_000 and "If-Range" not in server.asked[1]


def test_a_connection_that_breaks_often_but_gets_on_is_not_given_up(server: Server, tmp_path: Path) -> None:
    server.body, server.cuts = BODY * 8, [1_500_000] * 3
    assert download(server.url(), sha(server.body), tmp_path, (0.0,)).read_bytes() == server.body


def test_a_range_that_was_not_asked_for_is_not_appended(server: Server, tmp_path: Path) -> None:
    server.cuts, server.wrong_range = [300_000], True
    with pytest.raises(DataError, match="another range"):
        download(server.url(), sha(BODY), tmp_path, (0.0,))
    assert files(tmp_path) == []


def test_a_server_without_ranges_starts_over(server: Server, tmp_path: Path) -> None:
    server.cuts, server.ranges = [300_000], False
    assert download(server.url(), sha(BODY), tmp_path, FAST).read_bytes() == BODY
    assert len(server.asked) == 2


@pytest.mark.parametrize("case", ["etag", "date", "if-range unheeded", "nothing to tell by", "shorter"])
def test_a_file_that_changes_between_two_tries_comes_whole_and_new(server: Server, tmp_path: Path, case: str) -> None:
    server.cuts = [300_000]
    dates = {"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
    new: dict[str, tuple[dict[str, str], dict[str, str]]] = {
        "date": ({"ETag": 'W/"weak"'} | dates, {"Last-Modified": "Tue, 02 Jan 2024 00:00:00 GMT"}),
        "nothing to tell by": ({}, {}),
        "shorter": ({}, {}),
    }
    server.validators, after = new.get(case, ({"ETag": '"one"'}, {"ETag": '"two"'}))
    server.heeds_if_range = case != "if-range unheeded"
    body = OTHER[:1000] if case == "shorter" else OTHER

    def change() -> None:
        server.body, server.validators = body, after

    server.after_cut = change
    assert download(server.url(), sha(body), tmp_path, FAST).read_bytes() == body
    assert files(tmp_path) == ["set.zip"]


def test_what_came_is_kept_for_the_next_call(server: Server, tmp_path: Path) -> None:
    server.cuts = [300_000, 100_000]
    with pytest.raises(DataError, match=r"2 tries in a row.*broke off.*bytes are kept in .*set\.zip\.part") as caught:
        download(server.url(), sha(BODY), tmp_path, (0.0,))
    assert server.url() in str(caught.value)
    assert download(server.url(), sha(BODY), tmp_path, ()).read_bytes() == BODY
    assert first_byte(server.asked[-1]) > 300_000


@pytest.mark.slow
def test_what_came_is_kept_when_the_process_is_killed(server: Server, tmp_path: Path) -> None:
    server.cuts, killed, sent = [300_000], threading.Event(), threading.Event()

    def wait() -> None:
        sent.set()
        killed.wait(60)

    server.after_cut = wait
    code = "import sys; from pathlib import Path; from sftdec.datasets.download import download; "
    call = "download(sys.argv[1], sys.argv[2], Path(sys.argv[3]))"
    command = [sys.executable, "-c", code + call, server.url(), sha(BODY), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        part = tmp_path / sha(BODY)[:16] / "set.zip.part"
        assert sent.wait(60)
        while not part.exists() or part.stat().st_size < 200_000:
            assert child.poll() is None
        child.send_signal(signal.SIGKILL)
        assert child.communicate()[0] == b""  # quiet where there is no terminal
    killed.set()
    assert download(server.url(), sha(BODY), tmp_path, FAST).read_bytes() == BODY
    assert first_byte(server.asked[-1]) >= 200_000


def test_a_file_that_came_whole_before_the_kill_is_not_sent_again(server: Server, tmp_path: Path) -> None:
    part = tmp_path / sha(BODY)[:16] / "set.zip.part"
    part.parent.mkdir()
    part.write_bytes(BODY)
    assert download(server.url(), sha(BODY), tmp_path, FAST).read_bytes() == BODY
    assert [first_byte(request) for request in server.asked] == [len(BODY)]


def test_a_wrong_checksum_names_address_found_and_expected_and_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        download(server.url(), sha(OTHER), tmp_path)
    assert all(part in str(caught.value) for part in (server.url(), sha(BODY), sha(OTHER)))
    assert files(tmp_path) == []
    assert len(server.asked) == 1


def test_a_web_page_in_place_of_the_file_is_told(server: Server, tmp_path: Path) -> None:
    server.body, server.more_headers = b"<html>Are you a robot?</html>", {"Content-Type": "text/html"}
    with pytest.raises(DataError, match="the server sent a web page"):
        download(server.url(), sha(BODY), tmp_path)


def test_a_missing_file_is_an_error_at_once(server: Server, tmp_path: Path) -> None:
    server.statuses = [404]
    with pytest.raises(DataError, match=r"/files/set\.zip: the server answers HTTP 404 Not Found"):
        download(server.url(), sha(BODY), tmp_path, FAST)
    assert len(server.asked) == 1


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path) -> None:
    server.statuses = [503, 429]
    assert download(server.url(), sha(BODY), tmp_path, FAST).read_bytes() == BODY


def test_a_server_that_is_away_is_an_error_that_names_it(server: Server, tmp_path: Path) -> None:
    with Server() as away:
        url = away.url()
    with pytest.raises(DataError, match=r"4 tries in a row \(no answer.*check the network") as caught:
        download(url, sha(BODY), tmp_path, FAST)
    assert url in str(caught.value)


@pytest.mark.parametrize("url", ["file:///etc/hosts", "ftp://host/a.zip", "doi:10.1/a.zip", "/a.zip", "http:///a.zip"])
def test_only_http_addresses_are_taken(tmp_path: Path, url: str) -> None:
    with pytest.raises(DataError, match="expected an http or https address"):
        download(url, sha(BODY), tmp_path)


def test_an_answer_that_leads_to_a_local_file_is_refused(server: Server, tmp_path: Path) -> None:
    server.more_headers = {"Location": "file:///etc/hosts"}
    server.body, server.status = b"", 302
    with pytest.raises(DataError, match="not an address that can be fetched"):
        download(server.url(), sha(BODY), tmp_path, FAST)


def test_a_checksum_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="sha256 'abc', expected 64 hexadecimal digits"):
        download("http://host/a.zip", "abc", tmp_path)


def test_the_bytes_are_those_of_the_file_even_if_the_server_calls_them_encoded(server: Server, tmp_path: Path) -> None:
    server.body, server.more_headers = gzip.compress(BODY), {"Content-Encoding": "gzip"}
    assert download(server.url("set.tar.gz"), sha(server.body), tmp_path).read_bytes() == server.body
    assert server.asked[0]["Accept-Encoding"] == "identity"


def test_a_full_disk_leaves_the_old_file_whole_and_keeps_what_came(server: Server, tmp_path: Path) -> None:
    found = download(server.url(), sha(BODY), tmp_path)
    found.write_bytes(b"old")
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"set\.zip\.part could not be written .*make room and run again"):
            download(server.url(), sha(BODY), tmp_path, FAST)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert found.read_bytes() == b"old"
    assert download(server.url(), sha(BODY), tmp_path).read_bytes() == BODY
    assert first_byte(server.asked[-1]) > 300_000


def test_two_that_want_the_same_file_fetch_it_once(server: Server, tmp_path: Path) -> None:
    server.cuts, server.after_cut = [300_000], lambda: time.sleep(0.3)  # the other comes while the first waits
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: download(server.url(), sha(BODY), tmp_path, FAST), range(2)))
    assert found[0] == found[1] and found[0].read_bytes() == BODY
    assert [first_byte(request) > 0 for request in server.asked] == [False, True]


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
