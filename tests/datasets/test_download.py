"""Fetching from a real server that breaks off, changes its file, or isn't there."""

import gzip
import io
import resource
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sftdec.datasets.download import download
from sftdec.runtime.errors import DataError
from tests.datasets.unreliable import BODY, FAST, OTHER, Server, files, first_byte, sha


def test_a_file_is_fetched_whole_under_its_own_name_and_quietly(
    server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = download(server.url("a%20set.zip"), sha(BODY).upper(), tmp_path)
    assert found.read_bytes() == BODY
    assert files(tmp_path) == [found.name] == ["a_set.zip"]
    assert capfd.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_sees_a_bar_that_goes_on_from_what_was_there(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    server.cuts = [300_000]
    download(server.url(), sha(BODY), tmp_path, FAST)
    shown = terminal.getvalue().split("\r")
    assert all("set.zip" in line for line in shown if line.strip())
    assert any(" 0.00/700k" in line for line in shown) and any(" 300k/700k" in line for line in shown)
    assert "100%" in shown[-1] and "700k/700k" in shown[-1]


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
    assert files(tmp_path) == ["set.zip"]


def test_the_part_of_another_address_is_gone_on_with(server: Server, tmp_path: Path) -> None:
    server.cuts = [300_000]
    with pytest.raises(DataError, match="in 1 tries"):
        download(server.url(), sha(BODY), tmp_path, ())
    mirror = server.url().replace("files", "mirror")
    assert download(mirror, sha(BODY), tmp_path, FAST).read_bytes() == BODY
    assert first_byte(server.asked[1]) > 200_000


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


@pytest.mark.parametrize("length", [len(OTHER), 1000])
def test_a_file_that_changes_between_two_tries_is_fetched_anew_once(
    server: Server, tmp_path: Path, length: int
) -> None:
    server.cuts = [300_000]
    body = OTHER[:length]
    server.after_cut = lambda: setattr(server, "body", body)
    assert download(server.url(), sha(body), tmp_path, FAST).read_bytes() == body
    assert files(tmp_path) == ["set.zip"]
    assert [first_byte(request) > 0 for request in server.asked] == [False, True, False]


def test_a_wrong_checksum_after_a_break_asks_once_more_and_no_further(server: Server, tmp_path: Path) -> None:
    server.cuts = [300_000, None, 300_000]
    with pytest.raises(DataError, match="found SHA-256"):
        download(server.url(), sha(OTHER), tmp_path, FAST)
    assert [first_byte(request) > 0 for request in server.asked] == [False, True, False, True]
    assert files(tmp_path) == []


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
