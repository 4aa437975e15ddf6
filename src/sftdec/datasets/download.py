"""Fetching a data set's archive over HTTP: gone on with after a broken connection, checked, unpacked.

What is under way lies in ``data/.downloads``; ``data/<name>`` appears whole or not at all.
"""

import errno
import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import requests
from filelock import FileLock
from tqdm import tqdm
from urllib3.exceptions import HTTPError

from sftdec.datasets.listing import About
from sftdec.datasets.unpack import USUAL, Limits, unpack
from sftdec.runtime import DataError, checksum

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


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _fetch(url: str, part: Path, pauses: Sequence[float]) -> bool:
    """Bring ``url`` into ``part``, going on with what it holds; returns whether that is of several connections."""
    failures = 0
    while True:
        before = _size(part)
        try:
            return _attempt(url, part)
        except _BrokenError as error:
            failures = 0 if _size(part) >= before + PROGRESS else failures
            if failures == len(pauses):
                raise DataError(
                    f"{url}: could not be fetched in {failures + 1} tries in a row ({error}); {_size(part):,} bytes "
                    f"are kept in {part}: check the network and run again to go on from there"
                ) from error
            time.sleep(pauses[failures])
            failures += 1


def _attempt(url: str, part: Path) -> bool:
    """One connection, by Range (RFC 9110, 14) from where the last one stopped; a server may send the whole instead."""
    have = _size(part)
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        response = requests.get(url, headers=headers, stream=True, timeout=TIMEOUT)
    except (requests.ConnectionError, requests.Timeout) as error:
        raise _BrokenError(f"no answer: {error}") from error
    except (requests.RequestException, UnicodeError) as error:
        raise DataError(f"{url}: not an address that can be fetched ({error}); mend it") from error
    with response:
        status = response.status_code
        if status == 416 and have:  # nothing is left to send; the checksum tells if it is this file
            return True
        if status in TRY_AGAIN:
            raise _BrokenError(f"HTTP {status} {response.reason}")
        if status not in (200, 206):
            mend = "check the address, or fetch it by hand"
            raise DataError(f"{url}: the server answers HTTP {status} {response.reason}, expected 200; {mend}")
        if status == 206 and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            part.unlink(missing_ok=True)
            raise _BrokenError("the server sends another range than it was asked for")
        _receive(response, part, have if status == 206 else 0)
        return have > 0 and status == 206


def _receive(response: requests.Response, part: Path, start: int) -> None:
    length = response.headers.get("Content-Length", "")
    total = start + int(length) if length.isascii() and length.isdigit() else None
    bar = tqdm(total=total, initial=start, desc=part.stem, unit="B", unit_scale=True, disable=None)
    try:
        with bar, part.open("ab" if start else "wb") as out:
            for chunk in response.raw.stream(CHUNK, decode_content=False):
                out.write(chunk)
                bar.update(len(chunk))
    except HTTPError as error:  # a body that is shorter than announced too
        raise _BrokenError(f"broke off after {_size(part):,} bytes: {error}") from error
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        mend = "make room and run again: it goes on from there" if full else "the file before, if any, is untouched"
        message = f"{part} could not be written ({error.strerror or error}); {mend}"
        raise OSError(error.errno, message) from error


def download(url: str, sha256: str, folder: Path, pauses: Sequence[float] = PAUSES) -> Path:
    """The file of ``url`` below ``folder``, checked; nothing is asked of the network if it is there and right.

    What a broken connection or a killed process left is gone on with, ``pauses`` seconds apart; if the whole is wrong
    then (parts of two files), it is fetched anew. Two processes that want the same file wait for each other.

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
    target, part = place / name, place / f"{name}.part"
    with FileLock(folder / f".{sha256[:16]}.lock"):
        if target.is_file() and checksum(target) == sha256:
            return target
        resumed = _fetch(url, part, pauses)
        if resumed and checksum(part) != sha256:
            part.unlink()
            _fetch(url, part, pauses)
        if (found := checksum(part)) != sha256:
            with part.open("rb") as file:
                page = " (the server sent a web page)" if b"<html" in file.read(CHUNK).lower() else ""
            part.unlink()
            raise DataError(
                f"{url}: found SHA-256 {found}{page}, expected {sha256}: take the checksum that its authors give, or "
                "fetch it by hand"
            )
        part.replace(target)
    return target


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
        from sftdec.datasets.recognise import recognise  # whose importers lead here

        top = [path for path in fresh.iterdir() if path.name not in NOT_PART_OF_DATA]
        wrapped = len(top) == 1 and top[0].is_dir() and not recognise(fresh)  # test/ alone is no wrapping
        source = top[0] if wrapped else fresh
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
