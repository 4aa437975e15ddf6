"""Unpacking zip, tar and 7z archives that strangers made.

An archive is refused whole, by its name and the member's, and nothing of it stays on disk. Refused are: names that
are absolute, hold ``..`` or are too long; links, also those that stay inside (pack the file itself); devices and
pipes; encrypted members; a name that comes twice; more than ``Limits`` allows, declared or in truth.

Memory stays small whatever an archive holds: of the methods that zip and 7z know, only those are taken whose decoder
can be stopped after a given number of bytes.
"""

import bz2
import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO

from sftdec.datasets.sevenzip import read_7z
from sftdec.datasets.unpack_target import CHUNK, USUAL, Limits, Target, WriteError, shown
from sftdec.runtime import DataError

__all__ = ["USUAL", "Limits", "unpack"]


def unpack(archive: Path, folder: Path, limits: Limits = USUAL) -> None:
    """Unpack a zip, a tar (plain or compressed by gzip, bzip2 or xz) or a 7z into ``folder``, new or empty.

    The kind is told by the content, not by the ending. When anything fails, ``folder`` is removed.

    Raises:
        DataError: no such archive, a refused or a corrupt one; ``folder`` holds something already.
        OSError: the disk is full or fails.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder}: there is something already, expected a new or empty folder: remove it first")
    read = _reader(archive)
    target = Target(archive, folder, limits)
    try:
        with target.writing(""):
            folder.mkdir(parents=True, exist_ok=True)
        with archive.open("rb") as file:
            read(file, target)
        target.finish()
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, DataError | WriteError) or not isinstance(error, Exception):
            raise
        # zipfile, tarfile and py7zr raise nearly anything for bytes that were never an archive
        found = f"{type(error).__name__}: {shown(str(error))}"
        raise DataError(f"{archive}: the archive is corrupt or cut short ({found}); fetch it anew") from error


def _unzip(file: BinaryIO, target: Target) -> None:
    with zipfile.ZipFile(file) as archive:
        members = [(info, info.orig_filename.replace("\\", "/")) for info in archive.infolist()]
        for info, name in members:
            target.admit(name, info.file_size, name.endswith("/"))
            if info.flag_bits & 0x41:
                raise target.refusal("it is encrypted", "pack it anew without a password")
            if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise target.refusal("a link or a device")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise target.refusal(f"compressed by method {info.compress_type}", "expected deflate (8): pack it anew")
        for info, name in members:
            if name.endswith("/"):
                target.make_folder(name)
            else:
                with archive.open(info) as source:
                    target.copy(source, name)


class _Stream:
    """The unpacked bytes of a tar, forward only, counted; a forged length in a header reserves no memory."""

    def __init__(self, source: IO[bytes], target: Target) -> None:
        self.source, self.target = source, target
        self.position, self.last = 0, b""

    def tell(self) -> int:
        return self.position

    def seek(self, position: int) -> int:
        if position < self.position:
            raise tarfile.ReadError("a member that begins before the end of the one before")
        while self.position < position and self.read(min(CHUNK, position - self.position)):
            pass
        return self.position

    def read(self, size: int) -> bytes:
        if not 0 <= size <= CHUNK:
            raise tarfile.ReadError(f"a header of {size:,} bytes, expected at most {CHUNK:,}")
        self.last = self.source.read(size)
        self.position += len(self.last)
        self.target.check_size(self.position)
        return self.last


def _untar(file: BinaryIO, target: Target, opened: Callable[[BinaryIO], Any]) -> None:
    stream: Any = _Stream(opened(file), target)
    with tarfile.open(fileobj=stream, mode="r:", encoding="utf-8") as archive:  # r: takes no second compression
        for member in archive:
            target.admit(member.name, 0 if member.isdir() else member.size, member.isdir())
            try:
                tarfile.data_filter(member, str(target.folder))
            except tarfile.FilterError as error:
                raise target.refusal(str(error)) from error
            if not (member.isdir() or member.isreg()):
                link = member.issym() or member.islnk()
                raise target.refusal(f"a link to {shown(member.linkname)}" if link else "neither file nor folder")
            source = archive.extractfile(member)
            if source is None:
                target.make_folder(member.name)
            else:
                target.copy(source, member.name)
    if stream.last.strip(b"\0"):  # tarfile takes a damaged header for the end
        raise tarfile.ReadError(f"a damaged header before byte {stream.position:,}")
    while stream.read(CHUNK):  # the compressed stream's checksum stands at its end
        pass


def _reader(archive: Path) -> Callable[[BinaryIO, Target], None]:
    """What reads an archive, by its first bytes."""
    try:
        with archive.open("rb") as file:
            head = file.read(tarfile.BLOCKSIZE)
    except (FileNotFoundError, IsADirectoryError):
        raise DataError(f"{archive}: there is no such archive; fetch it anew") from None
    known: dict[bytes, Callable[[BinaryIO, Target], None]] = {
        b"PK\x03\x04": _unzip,
        b"PK\x05\x06": _unzip,
        b"7z\xbc\xaf\x27\x1c": read_7z,
        b"\x1f\x8b": partial(_untar, opened=lambda file: gzip.GzipFile(fileobj=file)),
        b"BZh": partial(_untar, opened=bz2.BZ2File),
        b"\xfd7zXZ\x00": partial(_untar, opened=lzma.LZMAFile),
    }
    for magic, read in known.items():
        if head.startswith(magic):
            return read
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        found = f"{archive.stat().st_size:,} bytes that begin with {head[:16]!r}"
        expected = "expected zip, 7z or tar (plain, gzip, bzip2 or xz)"
        raise DataError(f"{archive}: not an archive ({found}), {expected}; fetch it anew") from None
    return partial(_untar, opened=lambda file: file)
