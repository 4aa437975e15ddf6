"""Archives that the tests make, harmless ones and others."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sftdec.datasets.unpack import Limits, unpack
from sftdec.runtime.errors import DataError

GOOD = {"set/blurred/a.png": b"one" * 500, "set/sharp/a.png": b"two" * 900, "set/empty": b"", "set/Größe ü.txt": b"3"}
Members = dict[str, bytes]


def zipped(members: Members, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type = name, method  # as it is: no separator mended
            archive.writestr(info, content)
    return buffer.getvalue()


def tarred(members: Members, *more: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for info in more:
            archive.addfile(info)
    return buffer.getvalue()


PACKERS: dict[str, Callable[[Members], bytes]] = {
    "zip": zipped,
    "zip-stored": lambda members: zipped(members, zipfile.ZIP_STORED),
    "tar": tarred,
    "tar.gz": lambda members: gzip.compress(tarred(members)),
    "tar.bz2": lambda members: bz2.compress(tarred(members)),
    "tar.xz": lambda members: lzma.compress(tarred(members)),
}
every_kind = pytest.mark.parametrize("kind", PACKERS)
each_format = pytest.mark.parametrize("kind", ["zip", "tar"])


def assert_refused(tmp_path: Path, packed: bytes, *expected: str, limits: Limits | None = None) -> str:
    """The message of an archive's refusal, which holds ``expected``; nothing of it may be on disk."""
    place = tmp_path / "place"
    place.mkdir(exist_ok=True)
    archive = place / "archive.bin"
    archive.write_bytes(packed)
    with pytest.raises(DataError) as caught:
        unpack(archive, place / "out", limits or Limits())
    assert sorted(path.name for path in place.iterdir()) == ["archive.bin"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["place"]
    message = str(caught.value)
    assert all(part in message for part in (str(archive), *expected)), message
    return message
