"""The folder that an archive is unpacked to: what may be asked of it, and what an archive is refused for."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import IO

from sftdec.runtime import DataError

CHUNK = 1 << 20  # bytes that are read at once
NAME_BYTES, PATH_BYTES = 255, 1024  # what common file systems hold
REPACK = "expected files and folders with names inside the archive's own folder: pack it anew without this one"


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


class WriteError(OSError):
    """The disk's fault, not the archive's."""


def shown(text: str) -> str:
    """A stranger's text, fit to be printed: quoted and cut."""
    return repr(text if len(text) <= 160 else f"{text[:120]}… ({len(text)} characters)")


class Target:
    """The folder that an archive is unpacked to, and what was asked of it so far."""

    def __init__(self, archive: Path, folder: Path, limits: Limits) -> None:
        self.archive, self.folder, self.limits = archive, folder.absolute(), limits
        self.packed = archive.stat().st_size
        self.allowed = limits.allowed(self.packed)
        self.declared = self.written = self.members = self.made = 0
        self.files: set[tuple[str, ...]] = set()
        self.member = "its list of members"  # the one at hand

    def refusal(self, reason: str, mend: str = REPACK) -> DataError:
        """The error for the member at hand."""
        return DataError(f"{self.archive}: refused for {shown(self.member)}: {reason}; {mend}")

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
            raise self.refusal("an absolute name", REPACK)
        if any(not part.strip(". ") for part in parts):  # `..`, and `.. `, which some systems take for it
            raise self.refusal("it leads out of the folder by ..", REPACK)
        if any(character < " " for character in name):
            raise self.refusal("control characters in its name", REPACK)
        sizes = [len(part.encode("utf-8", "surrogatepass")) for part in parts]
        if max(sizes, default=0) > NAME_BYTES or sum(sizes) + len(sizes) > PATH_BYTES:
            limit = f"expected at most {NAME_BYTES} bytes a part and {PATH_BYTES} in all: pack it anew"
            raise self.refusal(f"its name is too long, {sum(sizes)} bytes", limit)
        return parts

    @contextmanager
    def writing(self, name: str) -> Iterator[None]:
        """Tell what the archive is to blame for from a full or failing disk."""
        self.member = name or self.member
        try:
            yield
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise self.refusal("its name is another member's too", "expected each once: pack it anew") from error
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ):
                raise self.refusal(f"this disk can't hold its name ({error.strerror})", REPACK) from error
            full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            mend = ": make room and run again" if full else ""
            message = f"{self.archive} could not be unpacked to {self.folder} ({error.strerror or error}){mend}"
            raise WriteError(error.errno, message) from error

    def make_folder(self, name: str) -> None:
        """Make the folder of a member and those around it."""
        with self.writing(name):
            self.folder.joinpath(*self.parts(name)).mkdir(parents=True, exist_ok=True)

    def copy(self, source: IO[bytes], name: str) -> None:
        """Write a member, counted."""
        with TargetFile(self, name) as out:
            shutil.copyfileobj(source, out, CHUNK)

    def finish(self) -> None:
        """Raise if not all came that was declared."""
        if (self.made, self.written) != (len(self.files), self.declared) or not self.files:
            found = f"{self.made} files of {self.written:,} bytes"
            expected = f"{len(self.files)} of {self.declared:,}, at least one"
            raise DataError(f"{self.archive}: found {found}, expected {expected}; fetch it anew")


class TargetFile:
    """A member's file: new, never over another, counted while it is written. py7zr writes to it as well."""

    def __init__(self, target: Target, name: str) -> None:
        self.target, self.name = target, name
        path = target.folder.joinpath(*target.parts(name))
        with target.writing(name):
            path.parent.mkdir(parents=True, exist_ok=True)
            self.file = path.open("xb")
        target.made += 1

    def write(self, data: bytes) -> int:
        """Count and write; returns the number of bytes."""
        self.target.written += len(data)
        self.target.check_size(self.target.written)
        with self.target.writing(self.name):
            return self.file.write(data)

    def seekable(self) -> bool:
        """False: forward only."""
        return False

    def close(self) -> None:
        """Close the file."""
        with self.target.writing(self.name):
            self.file.close()

    def __enter__(self) -> "TargetFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
