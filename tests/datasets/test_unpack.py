"""Archives that mean harm, and archives that don't."""

import errno
import gzip
import io
import random
import resource
import signal
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from sftdec.datasets.unpack import unpack
from sftdec.runtime.errors import DataError
from tests.datasets.archives import GOOD, PACKERS, assert_refused, each_format, every_kind, tarred, zipped


@every_kind
def test_a_harmless_archive_comes_out_whole_whatever_its_ending(tmp_path: Path, kind: str) -> None:
    archive = tmp_path / "download"
    archive.write_bytes(PACKERS[kind](GOOD))
    unpack(archive, tmp_path / "out")
    found = {path.relative_to(tmp_path / "out").as_posix(): path for path in (tmp_path / "out").rglob("*")}
    assert {name: path.read_bytes() for name, path in found.items() if path.is_file()} == GOOD
    assert not any(path.stat().st_mode & 0o111 for path in found.values() if path.is_file())


def test_empty_folders_and_long_names_come_out(tmp_path: Path) -> None:
    (tmp_path / "in" / "set" / "none").mkdir(parents=True)
    name = "é" * 120 + ".png"
    (tmp_path / "in" / "set" / name).write_bytes(b"1")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(tmp_path / "in", ".")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in ("set/", "set/none/", f"set/{name}"):
            archive.write(tmp_path / "in" / path, path)
    for ending in ("tar", "zip"):
        out = tmp_path / f"out-{ending}"
        unpack(tmp_path / f"a.{ending}", out)
        assert (out / "set" / "none").is_dir() and (out / "set" / name).read_bytes() == b"1"


@each_format
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil", "leads out of the folder by .."),
        ("set/../../evil", "leads out of the folder by .."),
        ("set\\..\\..\\evil", "leads out of the folder by .."),
        (".. /evil", "leads out of the folder by .."),
        ("/etc/evil", "an absolute name"),
        ("C:\\evil", "an absolute name"),
        ("set/C:evil", "an absolute name"),
        ("\\\\server\\share\\evil", "an absolute name"),
        ("new\nline", "control characters"),
        ("n" * 256, "its name is too long, 256 bytes"),
        ("ü" * 200, "its name is too long, 400 bytes"),
        ("/".join(["n" * 100] * 11), "its name is too long, 1100 bytes"),
    ],
)
def test_a_bad_name_is_refused_by_name(tmp_path: Path, kind: str, name: str, reason: str) -> None:
    shown = repr(name.replace("\\", "/") if kind == "zip" else name)
    assert_refused(tmp_path, PACKERS[kind](GOOD | {name: b"evil"}), reason, shown[:100])


def test_a_name_cut_by_a_zero_byte_is_refused(tmp_path: Path) -> None:
    assert_refused(
        tmp_path, zipped({"good.png?.exe": b"1"}).replace(b"png?", b"png\0"), "control characters", "good.png"
    )


@each_format
def test_a_file_that_comes_twice_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    packed = PACKERS[kind](GOOD | {"set//blurred/./a.png": b"other"})
    assert_refused(tmp_path, packed, "a file of this name came before it", "blurred", "a.png")


@each_format
def test_a_file_in_the_place_of_a_folder_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    assert_refused(tmp_path, PACKERS[kind]({"a": b"1", "a/b": b"2"}), "its name is another member's too", "'a/b'")
    assert_refused(tmp_path, PACKERS[kind]({"a/b": b"2", "a": b"1"}), "its name is another member's too", "'a'")


@pytest.mark.parametrize("target", ["/etc/passwd", "../../evil", "a.png"])
@pytest.mark.parametrize("kind", ["zip", "symbolic", "hard"])
def test_a_link_is_refused_by_name_wherever_it_leads(tmp_path: Path, kind: str, target: str) -> None:
    if kind == "zip":
        info = zipfile.ZipInfo("set/link")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        buffer = io.BytesIO(zipped(GOOD))
        with zipfile.ZipFile(buffer, "a") as archive:
            archive.writestr(info, target)
        assert_refused(tmp_path, buffer.getvalue(), "'set/link'", "a link or a device")
    else:
        link = tarfile.TarInfo("set/link")
        link.type, link.linkname = (tarfile.SYMTYPE if kind == "symbolic" else tarfile.LNKTYPE), target
        assert_refused(tmp_path, tarred(GOOD, link), "'set/link'", "a link or a device")


@pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, b"Z"])
def test_a_device_or_a_pipe_is_refused_by_name(tmp_path: Path, kind: bytes) -> None:
    special = tarfile.TarInfo("set/special")
    special.type = kind
    assert_refused(tmp_path, tarred(GOOD, special), "'set/special'", "a link or a device")


def test_an_encrypted_archive_is_refused_by_name(tmp_path: Path) -> None:
    flagged = bytearray(zipped({"secret.png": b"1"}))
    flagged[6] |= 1
    flagged[flagged.index(b"PK\x01\x02") + 8] |= 1
    assert_refused(tmp_path, bytes(flagged), "'secret.png'", "it is encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_of_another_method_than_deflate_is_refused_by_name(tmp_path: Path, method: int) -> None:
    assert_refused(
        tmp_path, zipped({"a.png": b"1"}, method), "'a.png'", f"compressed by method {method}", "expected deflate"
    )


def test_a_7z_is_refused_by_name_with_the_mend(tmp_path: Path) -> None:
    packed = b"7z\xbc\xaf\x27\x1c" + bytes(range(200))
    assert_refused(tmp_path, packed, "found a 7z archive, expected a zip or a tar", "or pack it anew as a zip")


@every_kind
def test_an_archive_that_is_cut_short_is_told_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    packed = PACKERS[kind]({"a.png": random.Random(0).randbytes(9000), "b.png": random.Random(1).randbytes(9000)})
    for share in (0.3, 0.6, 0.9 if kind != "tar" else 0.8):
        assert_refused(tmp_path, packed[: int(len(packed) * share)])


def test_a_damaged_header_amid_a_tar_is_not_taken_for_its_end(tmp_path: Path) -> None:
    packed = bytearray(tarred({"a": b"1", "b": b"2", "c": b"3"}))
    packed[1024 + 148] ^= 1  # the checksum of the second header
    assert_refused(tmp_path, bytes(packed), "a damaged header")


@pytest.mark.parametrize("content", [b"", b"<html></html>", bytes(2000), gzip.compress(b"no tar"), zipped({})])
def test_what_is_no_archive_or_holds_no_file_is_told(tmp_path: Path, content: bytes) -> None:
    assert_refused(tmp_path, content)


def test_a_missing_archive_and_a_folder_that_is_in_use_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.zip: there is no such archive"):
        unpack(tmp_path / "none.zip", tmp_path / "out")
    (tmp_path / "a.zip").write_bytes(zipped(GOOD))
    with pytest.raises(DataError, match="there is something already"):
        unpack(tmp_path / "a.zip", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_full_disk_is_the_disks_fault_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"a": b"1", "b": bytes(200_000)}))
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"a\.zip could not be unpacked to .*make room and run again") as caught:
            unpack(tmp_path / "a.zip", tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert caught.value.errno == errno.EFBIG and not isinstance(caught.value, DataError)
    assert not (tmp_path / "out").exists()
