"""The page's addresses with a real model behind them, but no browser."""

import io
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from starlette.testclient import TestClient

from sftdec.deblurrer import Deblurrer
from sftdec.demo.app import Desk, file_name, make_app
from sftdec.demo.choices import Choice, Choices
from sftdec.demo.server import address_of, open_socket
from sftdec.demo.visits import Visit
from sftdec.demo.work import checking, deblurring, defocus_colours
from tests.tiny import tiny_weights

MEGAPIXELS = 0.01


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_weights(tmp_path_factory.mktemp("weights") / "tiny.safetensors")


@pytest.fixture
def client(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    choices = Choices(tmp_path, Choice(str(tiny), tiny.name), Deblurrer.load)
    desk = Desk(choices, deblurring(choices, MEGAPIXELS), checking(MEGAPIXELS), MEGAPIXELS, defocus_colours())
    with TestClient(make_app(desk), base_url="http://127.0.0.1") as opened:
        yield opened


def png(seed: int) -> tuple[bytes, np.ndarray]:
    levels = np.random.default_rng(seed).integers(0, 256, (32, 40, 3), dtype=np.uint8)
    written = io.BytesIO()
    Image.fromarray(levels).save(written, format="PNG")
    return written.getvalue(), levels


def give(client: TestClient, content: bytes, name: str = "photo.png", **parameters: str) -> str:
    answer = client.post("/photos", content=content, headers={"X-File-Name": name}, params=parameters)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def finished(client: TestClient, token: str) -> dict[str, object]:
    deadline = time.monotonic() + 120
    while (told := client.get(f"/photos/{token}").json())["state"] not in ("done", "failed"):
        assert time.monotonic() < deadline, told
        time.sleep(0.02)
    return dict(told)


def test_two_visitors_get_each_their_own_photo_with_pythons_pixels(client: TestClient, tiny: Path) -> None:
    photos = [png(seed) for seed in (1, 2)]
    tokens = [give(client, content) for content, _ in photos]
    for token, (_, levels) in zip(tokens, photos, strict=True):
        assert finished(client, token)["state"] == "done"
        got = np.asarray(Image.open(io.BytesIO(client.get(f"/photos/{token}/photo").content)))
        assert np.array_equal(got, Deblurrer.load(tiny)(levels).image)
    client.delete(f"/photos/{tokens[0]}")
    assert client.get(f"/photos/{tokens[0]}/photo").status_code == 404
    assert client.get(f"/photos/{tokens[1]}/photo").status_code == 200
    assert client.get(f"/photos/{'x' * 32}").status_code == 404


def test_refusals_are_sentences_that_name_the_photo_but_no_folder_and_leave_no_file(
    client: TestClient, tmp_path: Path
) -> None:
    large = io.BytesIO()
    Image.new("RGB", (200, 100)).save(large, format="PNG")
    cut = png(0)[0][:-300]
    for content, words in (
        (b"hello", "found 5 bytes that are no picture"),
        (b"", "found an empty file"),
        (large.getvalue(), "found 200×100 px"),
        (cut, "corrupt or cut short"),
    ):
        answer = client.post("/photos", content=content, headers={"X-File-Name": "mine.png"})
        assert answer.status_code == 422
        assert answer.json()["message"].startswith("mine.png: ") and words in answer.json()["message"]
        assert str(tmp_path) not in answer.text
    answer = client.post("/photos", content=bytes(20_000_000), headers={"X-File-Name": "mine.png"})
    assert answer.status_code == 413 and "mine.png is too large" in answer.json()["message"]
    assert not list(tmp_path.glob("sftdec-demo-*/*"))


def test_a_photo_that_the_page_could_not_show_is_refused_before_the_work(tmp_path: Path) -> None:
    visit = Visit("token", tmp_path, "long.png", Choice("builtin", "builtin"))
    visit.source.parent.mkdir()
    Image.new("RGB", (16, 65501)).save(visit.source)
    with pytest.raises(
        ValueError, match=r"found 16×65501 px, expected sides of at most 65500 px, .* take sftdec deblur"
    ):
        checking(2.0)(visit)


def test_a_photo_that_finds_no_memory_is_answered_by_a_sentence_and_leaves_no_file(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("sftdec.photos.photo_file.levels_of", full)
    answer = client.post("/photos", content=png(0)[0], headers={"X-File-Name": "mine.png"})
    assert answer.status_code == 503
    assert answer.json()["message"].startswith("mine.png: no memory was left to read it; ")
    assert not list(tmp_path.glob("sftdec-demo-*/*"))


def test_strength_place_and_a_mask_behind_the_photo_give_pythons_pixels(client: TestClient, tiny: Path) -> None:
    content, levels = png(3)
    grey = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (32, 1))
    written = io.BytesIO()
    Image.fromarray(grey).save(written, format="PNG")
    mask = written.getvalue()
    headers = {"X-File-Name": "a.png", "X-Mask-Bytes": str(len(mask))}
    wished = {"strength": "0.5", "only": "blurred"}
    token = client.post("/photos", content=content + mask, headers=headers, params=wished).json()["token"]
    assert finished(client, token)["state"] == "done"
    got = np.asarray(Image.open(io.BytesIO(client.get(f"/photos/{token}/photo").content)))
    assert np.array_equal(got, Deblurrer.load(tiny)(levels, strength=0.5, only="blurred", mask=grey).image)
    token = give(client, content, strength="0")
    assert finished(client, token)["state"] == "done"
    got = np.asarray(Image.open(io.BytesIO(client.get(f"/photos/{token}/photo").content)))
    assert np.array_equal(got, levels)


@pytest.mark.parametrize(
    ("parameters", "mask", "length", "status", "words"),
    [
        ({"strength": "9"}, b"", None, 422, "strength: found 9, expected 0 to 1.5"),
        ({"strength": "nan"}, b"", None, 422, "strength: found nan"),
        ({"strength": "much"}, b"", None, 400, "strength: found much, expected a number"),
        ({"only": "subject"}, b"", None, 422, "only: found 'subject', expected background, foreground, blurred"),
        ({}, b"no picture", None, 422, "the mask: found 10 bytes that are no picture"),
        ({}, png(1)[0], None, 422, "the mask: found a mask in colours"),
        ({}, b"", "-1", 400, "the header x-mask-bytes is -1, expected a mask's bytes"),
        ({}, b"", "99999999", 400, "the header x-mask-bytes is 99999999"),
    ],
)
def test_wishes_that_make_no_sense_are_answered_by_a_sentence_and_leave_no_file(
    client: TestClient,
    tmp_path: Path,
    parameters: dict[str, str],
    mask: bytes,
    length: str | None,
    status: int,
    words: str,
) -> None:
    headers = {"X-File-Name": "a.png", "X-Mask-Bytes": str(len(mask)) if length is None else length}
    answer = client.post("/photos", content=png(0)[0] + mask, headers=headers, params=parameters)
    assert answer.status_code == status and words in answer.json()["message"]
    assert not list(tmp_path.glob("sftdec-demo-*/*"))


def test_no_other_sites_page_can_send_a_photo_or_be_mistaken_for_this_one(client: TestClient) -> None:
    content, _ = png(0)
    assert client.post("/photos", content=content).status_code == 400
    assert client.get("/", headers={"Host": "elsewhere.example"}).status_code == 400
    assert "access-control-allow-origin" not in client.get("/").headers
    assert "default-src 'none'" in client.get("/").headers["content-security-policy"]


def test_no_other_file_of_this_machine_can_be_had(client: TestClient, tiny: Path, tmp_path: Path) -> None:
    content, _ = png(0)
    elsewhere = tmp_path / "other.safetensors"
    elsewhere.write_bytes(tiny.read_bytes())
    for model in (str(elsewhere), "models:/sft-dec/1", "models:/../x"):
        answer = client.post("/photos", content=content, headers={"X-File-Name": "a.png"}, params={"model": model})
        assert answer.status_code == 400 and "there is no such model" in answer.json()["message"]
    token = give(client, content)
    finished(client, token)
    for address in (
        f"/photos/{token}/given",
        f"/photos/{token}/..%2f..%2fx",
        "/page/..%2fapp.py",
        "/page/page.html.jinja",
    ):
        assert client.get(address).status_code == 404


def test_the_page_and_all_it_loads_come_from_here(client: TestClient) -> None:
    texts = [client.get(address).text for address in ("/", "/page/demo.css", "/page/demo.js")]
    assert not [text for text in texts if "https://" in text or "http://" in text or "//cdn" in text]
    assert client.get("/models").json() == {"models": [], "message": ""}


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("K%C3%A4se.jpg", "Käse.jpg"),
        ("..%2F..%2Fetc%2Fpasswd", "passwd"),
        ("C:\\photos\\one.TIF", "one.TIF"),
        ("..", "photo"),
        ("", "photo"),
        (".hidden.png", "hidden.png"),
        ("a%00%0Ab.png", "ab.png"),
        ("%F0%9F%93%B7" * 100 + ".jpeg", "📷" * 40 + ".jpeg"),
    ],
)
def test_a_name_that_was_sent_becomes_one_for_a_file(sent: str, name: str) -> None:
    assert file_name(sent) == name


def test_with_a_word_only_who_brings_it_is_let_in(tiny: Path, tmp_path: Path) -> None:
    choices = Choices(tmp_path, Choice(str(tiny), tiny.name), Deblurrer.load)
    desk = Desk(choices, deblurring(choices, MEGAPIXELS), checking(MEGAPIXELS), MEGAPIXELS, defocus_colours())
    with TestClient(make_app(desk, "sesame"), base_url="http://192.168.0.7:7860") as opened:
        for address in ("/", "/page/demo.js", "/models", "/?word=", "/?word=sesam\u00e9"):
            answer = opened.get(address)
            assert answer.status_code == 403 and "its word" in answer.json()["message"]
        assert opened.post("/photos", content=b"", headers={"X-File-Name": "a.png"}).status_code == 403
        answer = opened.get("/?word=sesame")
        assert answer.status_code == 200 and "word" not in str(answer.url)  # nor in what the page links to
        assert opened.get("/page/bee.jpg").content[:2] == b"\xff\xd8"
        finished(opened, give(opened, png(1)[0]))


def test_the_address_that_is_printed_is_one_that_others_reach() -> None:
    with open_socket(0) as opened:
        assert address_of(opened) == f"http://127.0.0.1:{opened.getsockname()[1]}"
        with pytest.raises(OSError, match=r"can't be had .*give another: --port"):
            open_socket(opened.getsockname()[1])
    with open_socket(0, "0.0.0.0") as opened:
        assert "0.0.0.0" not in address_of(opened) or not psutil.net_if_addrs().keys() - {"lo"}
    with pytest.raises(OSError, match="--host"):
        open_socket(0, "203.0.113.9")
    for port in (-1, 99_999):
        with pytest.raises(ValueError, match=f"port: found {port}, expected 0 to 65535"):
            open_socket(port)
