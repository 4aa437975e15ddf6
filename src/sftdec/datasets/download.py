"""Fetching a data set's archive over HTTP: gone on with after a broken connection, checked, unpacked.

What is under way lies in ``data/.downloads``; ``data/<name>`` appears whole or not at all.
"""

import errno
import json
import os
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pooch  # type: ignore[import-untyped]
import requests
from filelock import FileLock
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from sftdec.datasets.listing import About
from sftdec.datasets.unpack import USUAL, Limits, unpack
from sftdec.runtime import DataError

DOWNLOADS = ".downloads"  # in data/
MARKER = ".archive.sha256"  # in data/<name>: the archive that it was unpacked from
TIMEOUT = 30.0  # s without a byte
PAUSES = (1.0, 2.0, 4.0, 8.0)  # s before each further try
CHUNK = 1 << 16  # bytes; what a broken connection can lose
PROGRESS = 1 << 20  # bytes; a try that brought so many counts as none that failed
TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
NOT_PART_OF_DATA = frozenset({"__MACOSX", ".DS_Store"})  # what one system's packer puts beside the data


class _BrokenError(Exception):
    """A connection that may do better at the next try."""


class ResumingDownloader:
    """A downloader for pooch that goes on where a broken connection, or a killed process, stopped.

    The bytes so far lie in ``part``, what the server said of them (ETag or date) beside it. They are asked for
    by Range and If-Range (RFC 9110, 13.1.5 and 14); a server that has another file by now, or ignores the range,
    sends the whole and it starts over.
    """

    def __init__(self, part: Path, pauses: Sequence[float] = PAUSES) -> None:
        self.part, self.pauses = part, pauses
        self.notes = part.with_name(f"{part.name}.json")
        self.resumed = False  # whether the file is of several connections
        self.content_type = ""

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Bring ``url`` to ``output_file``; pooch checks it and moves it into place.

        Raises:
            DataError: the server refuses, or the connection breaks again and again; what came is kept.
            OSError: the disk is full.
        """
        failures = 0
        while True:
            before = self._size()
            try:
                self._attempt(url)
                break
            except _BrokenError as error:
                failures = 0 if self._size() >= before + PROGRESS else failures
                if failures == len(self.pauses):
                    raise DataError(
                        f"{url}: could not be fetched in {failures + 1} tries in a row ({error}); {self._size():,} "
                        f"bytes are kept in {self.part}: check the network and run again to go on from there"
                    ) from error
                time.sleep(self.pauses[failures])
                failures += 1
        os.replace(self.part, output_file)
        self._forget()

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.notes.unlink(missing_ok=True)

    def _validator(self, url: str) -> str | None:
        """What tells the server whether it still has the file that ``part`` began with."""
        try:
            noted = json.loads(self.notes.read_text(encoding="utf-8"))
            return str(noted[1]) if noted[0] == url and noted[1] else None
        except (OSError, ValueError, LookupError, TypeError):
            return None

    def _attempt(self, url: str) -> None:
        have = self._size()
        headers = {"Accept-Encoding": "identity"}  # a range of the file itself
        if have:
            validator = self._validator(url)
            headers |= {"Range": f"bytes={have}-"} | ({"If-Range": validator} if validator else {})
        try:
            response = requests.get(url, headers=headers, stream=True, timeout=TIMEOUT)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise _BrokenError(f"no answer: {error}") from error
        except (requests.RequestException, UnicodeError) as error:
            raise DataError(f"{url}: not an address that can be fetched ({error}); mend it") from error
        with response:
            self._answer(url, response, have)

    def _answer(self, url: str, response: requests.Response, have: int) -> None:
        status = response.status_code
        self.content_type = response.headers.get("Content-Type", "")
        self.resumed = have > 0 and status in (206, 416)
        if status == 416 and have:  # nothing is left to send; the checksum tells if it is this file
            return
        if status in TRY_AGAIN:
            raise _BrokenError(f"HTTP {status} {response.reason}")
        if status not in (200, 206):
            mend = "check the address, or fetch it by hand"
            raise DataError(f"{url}: the server answers HTTP {status} {response.reason}, expected 200; {mend}")
        start = have if status == 206 else 0
        if status == 206 and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            self._forget()
            raise _BrokenError("the server sends another range than it was asked for")
        etag, length = response.headers.get("ETag", ""), response.headers.get("Content-Length", "")
        validator = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")
        self._receive(response, start, int(length) if length.isascii() and length.isdigit() else None, [url, validator])

    def _receive(self, response: requests.Response, start: int, length: int | None, notes: list[str | None]) -> None:
        total = None if length is None else start + length
        bar = tqdm(total=total, initial=start, desc=self.part.stem, unit="B", unit_scale=True, disable=None)
        try:
            self.notes.write_text(json.dumps(notes), encoding="utf-8")
            with bar, self.part.open("ab" if start else "wb") as out:
                for chunk in response.raw.stream(CHUNK, decode_content=False):
                    out.write(chunk)
                    bar.update(len(chunk))
        except HTTPError as error:
            raise _BrokenError(f"broke off after {self._size():,} bytes: {error}") from error
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            mend = "make room and run again: it goes on from there" if full else "the file before, if any, is untouched"
            message = f"{self.part} could not be written ({error.strerror or error}); {mend}"
            raise OSError(error.errno, message) from error
        if total is not None and self._size() != total:
            raise _BrokenError(f"broke off after {self._size():,} of {total:,} bytes")


def download(url: str, sha256: str, folder: Path, pauses: Sequence[float] = PAUSES) -> Path:
    """The file of ``url`` below ``folder``, checked; nothing is asked of the network if it is there and right.

    What a broken connection left is gone on with, also by another process, ``pauses`` seconds apart. Two processes
    that want the same file wait for each other.

    Raises:
        DataError: no http or https address, no SHA-256, a server that refuses or is away, a wrong checksum.
        OSError: the disk is full; a file that was there stays as it was.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise DataError(f"{url!r}: found scheme {parts.scheme!r}, expected an http or https address: mend it")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise DataError(
            f"{url}: found sha256 {sha256!r}, expected 64 hexadecimal digits: take it from `sha256sum FILE`"
        )
    sha256 = sha256.lower()
    name = re.sub(r"[^\w.-]", "_", unquote(parts.path.rsplit("/", 1)[-1]))[-80:].lstrip(".") or "archive"
    place = folder / sha256[:16]  # two addresses may end alike
    place.mkdir(parents=True, exist_ok=True)
    pooch.get_logger().setLevel("WARNING")  # the bar says it
    downloader = ResumingDownloader(place / f"{name}.part", pauses)
    with FileLock(folder / f".{sha256[:16]}.lock"):
        while True:
            try:
                found = pooch.retrieve(url, f"sha256:{sha256}", fname=name, path=place, downloader=downloader)
                return Path(found)
            except DataError:
                raise
            except ValueError as error:  # pooch's word for a wrong checksum; it has removed the file
                if downloader.resumed:  # a server without ETag and date may have given parts of two files
                    downloader.resumed = False
                    continue
                page = " (the server sent a web page)" if "html" in downloader.content_type else ""
                raise DataError(
                    f"{url}: {error}{page} Take the checksum that its authors give, or fetch it by hand"
                ) from error


def obtain(name: str, url: str, sha256: str, data: Path, limits: Limits = USUAL) -> Path:
    """The data set ``data/<name>``, fetched and unpacked if it isn't from this very archive already.

    A single folder at the archive's top is left out: what it holds comes into ``data/<name>``, which appears whole or
    not at all; one of another archive is replaced. The archive is removed when it is unpacked.

    Raises:
        DataError: as ``download`` and ``unpack``, or ``data/<name>`` holds something that was not unpacked here.
        OSError: the disk is full.
    """
    folder, sha256 = data / name, sha256.lower()
    if name in ("", "..") or Path(name).name != name:
        raise DataError(f"fetch.sources.{name}: expected a folder's name, without separators: rename it")
    downloads = data / DOWNLOADS
    downloads.mkdir(parents=True, exist_ok=True)
    with FileLock(downloads / f".{name}.lock"):
        marker = folder / MARKER
        if marker.is_file() and marker.read_bytes().strip() == sha256.encode():
            return folder
        if folder.exists() and not marker.is_file() and (not folder.is_dir() or any(folder.iterdir())):
            mend = f"remove it, or take fetch.sources.{name} out of the parameters to use it as it is"
            raise DataError(f"{folder}: there is something that did not come from {url}; {mend}")
        fresh, old = downloads / f"{name}.unpacking", downloads / f"{name}.old"
        archive = download(url, sha256, downloads)
        for left in (fresh, old):
            shutil.rmtree(left, ignore_errors=True)
        unpack(archive, fresh, limits)
        top = [path for path in fresh.iterdir() if path.name not in NOT_PART_OF_DATA]
        source = top[0] if len(top) == 1 and top[0].is_dir() else fresh
        (source / MARKER).write_text(f"{sha256}\n", encoding="utf-8")
        if folder.exists():
            folder.rename(old)
        source.rename(folder)
        for left in (fresh, old):
            shutil.rmtree(left, ignore_errors=True)
        shutil.rmtree(archive.parent, ignore_errors=True)
    return folder


def missing_dataset(about: About, folder: Path) -> DataError:
    """The error for a data set that isn't there: where its authors publish it, where it goes, how to name a mirror."""
    key = f"fetch.sources.{about.name}"
    return DataError(
        f"{folder}: there is no data set {about.name} ({about.title}). Its authors publish it on {about.page} "
        f"(licence: {about.licence}): fetch it there by hand and unpack it, so that {folder} holds\n{about.layout}\n"
        f"Or name an archive of it (zip or tar) in the parameters: its http or https address as {key}.url, its "
        f"checksum as {key}.sha256"
    )
