"""Unpacking zip and tar archives that strangers made.

An archive is refused whole, by its name and the member's, and nothing of it stays on disk. Refused are: names that
are absolute, hold ``..`` or are too long; links, also those that stay inside (pack the file itself); devices and
pipes; encrypted members; a name that comes twice; more than ``Limits`` allows.

Memory stays small whatever an archive holds: of the methods that zip knows, only those are taken whose decoder can be
stopped after a given number of bytes.
"""

import bz2
import errno
import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import IO, Any, BinaryIO

from sftdec.runtime import DataError

CHUNK = 1 << 20  # bytes that are read at once, and that a tar's header with long names may have
NAME_BYTES, PATH_BYTES = 255, 1024  # what common file systems hold
REPACK = "expected files and folders with names inside the archive's own folder: pack it anew without this one"
EXPECTED = "expected a zip or a tar (plain, gzip, bzip2 or xz)"
READ_WHOLE = {  # types of a tar's headers whose content tarfile takes into memory
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
}
COMPRESSED: dict[bytes, Callable[[Any], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to, whole; sizes in bytes.

    ``ratio``: unpacked bytes over the archive's own, from ``small`` on; photos come to about 1, float maps to less
    than 20, a deflated bomb to 1032.
    """

    unpacked: int = 500 << 30
    ratio: float = 100.0
    small: int = 64 << 20
    members: int = 500_000

    def allowed(self, packed: int) -> int:
        """Bytes that an archive of ``packed`` bytes may unpack to."""
        return min(self.unpacked, max(self.small, int(self.ratio * packed)))


USUAL = Limits()


class _DiskError(OSError):
    """The disk's fault, not the archive's."""


def unpack(archive: Path, folder: Path, limits: Limits = USUAL) -> None:
    """Unpack a zip or a tar (plain or compressed by gzip, bzip2 or xz) into ``folder``, new or empty.

    The kind is told by the content, not by the ending. When anything fails, ``folder`` is removed.

    Raises:
        DataError: no such archive, a refused or a corrupt one; ``folder`` holds something already.
        OSError: the disk is full or fails.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder}: there is something already, expected a new or empty folder: remove it first")
    read = _reader(archive)
    target = _Target(archive, folder, limits)
    try:
        with target.writing():
            folder.mkdir(parents=True, exist_ok=True)
        with archive.open("rb") as file:
            read(file, target)
        if not target.files:
            raise DataError(f"{archive}: found no file in it, expected one at least; fetch it anew")
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, DataError | _DiskError) or not isinstance(error, Exception):
            raise
        # zipfile and tarfile raise nearly anything for bytes that were never an archive
        found = f"{type(error).__name__}: {_shown(str(error))}"
        raise DataError(f"{archive}: the archive is corrupt or cut short ({found}); fetch it anew") from error


def _shown(text: str) -> str:
    """A stranger's text, fit to be printed: quoted and cut."""
    return repr(text if len(text) <= 160 else f"{text[:120]}… ({len(text)} characters)")


def _reader(archive: Path) -> Callable[[BinaryIO, "_Target"], None]:
    """What reads an archive, by its first bytes."""
    try:
        with archive.open("rb") as file:
            head = file.read(tarfile.BLOCKSIZE)
    except (FileNotFoundError, IsADirectoryError):
        raise DataError(f"{archive}: there is no such archive; fetch it anew") from None
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _unzip
    if head.startswith(b"7z\xbc\xaf\x27\x1c"):
        raise DataError(f"{archive}: found a 7z archive, {EXPECTED}: unpack it yourself, or pack it anew as a zip")
    for magic, opened in COMPRESSED.items():
        if head.startswith(magic):
            return lambda file, target: _untar(opened(file), target)
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        found = f"{archive.stat().st_size:,} bytes that begin with {head[:16]!r}"
        raise DataError(f"{archive}: not an archive ({found}), {EXPECTED}; fetch it anew") from None
    return _untar


def _unzip(file: BinaryIO, target: "_Target") -> None:
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
                    target.copy(source, name, info.file_size)


class _Header(tarfile.TarInfo):
    """A tar's header that is no bomb itself; a damaged one isn't taken for the archive's end."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        try:
            header = super().frombuf(buf, encoding, errors)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(f"a damaged header: {error}") from error
        if header.type in READ_WHOLE and not 0 <= header.size <= CHUNK:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes, expected at most {CHUNK:,}")
        return header


class _Counted:
    """The unpacked bytes of a tar, headers and all, refused where there are too many."""

    def __init__(self, source: IO[bytes], target: "_Target") -> None:
        self.source, self.target, self.size = source, target, 0

    def read(self, size: int) -> bytes:
        data = self.source.read(size)
        self.size += len(data)
        self.target.check_size(self.size)
        return data


def _untar(source: IO[bytes], target: "_Target") -> None:
    stream: Any = _Counted(source, target)
    with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header, encoding="utf-8") as archive:
        for member in archive:
            target.admit(member.name, 0 if member.isdir() else member.size, member.isdir())
            if not (member.isdir() or member.isreg()):
                raise target.refusal("a link or a device")
            content = archive.extractfile(member)
            if content is None:
                target.make_folder(member.name)
            else:
                target.copy(content, member.name, member.size)
    while stream.read(CHUNK):  # the compressed stream's checksum stands at its end
        pass


class _Target:
    """The folder that an archive is unpacked to, and what was asked of it so far."""

    def __init__(self, archive: Path, folder: Path, limits: Limits) -> None:
        self.archive, self.folder, self.limits = archive, folder.absolute(), limits
        self.packed = archive.stat().st_size
        self.allowed = limits.allowed(self.packed)
        self.declared = self.members = 0
        self.files: set[tuple[str, ...]] = set()
        self.member = "its list of members"  # the one at hand

    def refusal(self, reason: str, mend: str = REPACK) -> DataError:
        """The error for the member at hand."""
        return DataError(f"{self.archive}: refused for {_shown(self.member)}: {reason}; {mend}")

    def check_size(self, size: int) -> None:
        """Raise if ``size`` bytes, all up to this member, are more than the archive may hold."""
        if size > self.allowed:
            most = self.limits
            limit = f"{most.ratio:g} times the archive's own from {most.small:,} on, {most.unpacked:,} in all"
            found = f"it brings the archive of {self.packed:,} bytes to {size:,} unpacked"
            mend = "it looks like a bomb; if you trust it, unpack it by hand"
            raise self.refusal(found, f"expected at most {self.allowed:,} ({limit}): {mend}")

    def admit(self, name: str, size: int, is_folder: bool) -> None:
        """Check a member as its header declares it, before anything of it is read."""
        self.member = name
        self.members += 1
        if self.members > self.limits.members:
            reason = f"it is number {self.members}, expected at most {self.limits.members} members"
            raise self.refusal(reason, "if you trust the archive, unpack it by hand")
        parts = self.parts(name)
        if size < 0 or (is_folder and size > 0) or not (parts or is_folder):
            kind = "folder" if is_folder else "file"
            raise self.refusal(f"a {kind} of {size} bytes, {len(parts)} parts in its name", "the archive is corrupt")
        if not is_folder:
            if parts in self.files:
                raise self.refusal("a file of this name came before it", "expected each once: pack it anew")
            self.files.add(parts)
        self.declared += size
        self.check_size(self.declared)

    def parts(self, name: str) -> tuple[str, ...]:
        """The folders and the file of a member's name, fit to be joined on any system; a backslash parts them too."""
        path = name.replace("\\", "/")
        parts = tuple(part for part in path.split("/") if part not in ("", "."))
        if path.startswith("/") or any(PureWindowsPath(part).drive for part in parts):
            raise self.refusal("an absolute name")
        if any(not part.strip(". ") for part in parts):  # `..`, and `.. `, which some systems take for it
            raise self.refusal("it leads out of the folder by ..")
        if any(character < " " for character in name):
            raise self.refusal("control characters in its name")
        sizes = [len(part.encode("utf-8", "surrogatepass")) for part in parts]
        if max(sizes, default=0) > NAME_BYTES or sum(sizes) + len(sizes) > PATH_BYTES:
            limit = f"expected at most {NAME_BYTES} bytes a part and {PATH_BYTES} in all: pack it anew"
            raise self.refusal(f"its name is too long, {sum(sizes)} bytes", limit)
        return parts

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Tell what the archive is to blame for from a full or failing disk."""
        try:
            yield
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise self.refusal("its name is another member's too", "expected each once: pack it anew") from error
        except OSError as error:
            if error.errno is None:  # a decoder's
                raise
            if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
                raise self.refusal(f"this disk can't hold its name ({error.strerror})") from error
            mend = ": make room and run again" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else ""
            message = f"{self.archive} could not be unpacked to {self.folder} ({error.strerror or error}){mend}"
            raise _DiskError(error.errno, message) from error

    def make_folder(self, name: str) -> None:
        """Make the folder of a member and those around it."""
        self.member = name
        with self.writing():
            self.folder.joinpath(*self.parts(name)).mkdir(parents=True, exist_ok=True)

    def copy(self, source: IO[bytes], name: str, size: int) -> None:
        """Write a member of ``size`` bytes, never over another."""
        self.member = name
        path = self.folder.joinpath(*self.parts(name))
        with self.writing():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                shutil.copyfileobj(source, file, CHUNK)
                found = file.tell()
        if found != size:  # neither zipfile nor tarfile gives more than a member declares
            raise self.refusal(f"found {found:,} bytes, expected {size:,}", "the archive is corrupt: fetch it anew")
