"""Archives that mean harm, and archives that don't."""

import bz2
import errno
import gzip
import io
import lzma
import os
import random
import resource
import signal
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import py7zr
import pytest

from sftdec.datasets.errors import DataError
from sftdec.datasets.unpack import Limits, unpack
from sftdec.datasets.unpack_target import Target, TargetFile

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


def sevened(
    members: Members,
    filters: list[dict[str, int]] | None = None,
    encoded: bool = True,
    attributes: int | None = None,
    **more: object,
) -> bytes:
    buffer = io.BytesIO()
    with py7zr.SevenZipFile(buffer, "w", filters=filters, **more) as archive:  # type: ignore[arg-type]
        archive.set_encoded_header_mode(encoded)
        for name, content in members.items():
            archive._writestr(content, name)  # writestr would refuse the bad names
            if attributes is not None:
                archive.header.files_info.files[-1]["attributes"] = attributes
    return buffer.getvalue()


PACKERS: dict[str, Callable[[Members], bytes]] = {
    "zip": zipped,
    "zip-stored": lambda members: zipped(members, zipfile.ZIP_STORED),
    "tar": tarred,
    "tar.gz": lambda members: gzip.compress(tarred(members)),
    "tar.bz2": lambda members: bz2.compress(tarred(members)),
    "tar.xz": lambda members: lzma.compress(tarred(members)),
    "7z": lambda members: sevened(members, [{"id": py7zr.FILTER_LZMA2, "preset": 1}]),
    "7z-filtered": sevened,  # as py7zr packs unless told otherwise: LZMA2 after BCJ
    "7z-lzma": lambda members: sevened(members, [{"id": py7zr.FILTER_LZMA}]),
    "7z-bzip2": lambda members: sevened(members, [{"id": py7zr.FILTER_BZIP2}]),
    "7z-copy": lambda members: sevened(members, [{"id": py7zr.FILTER_COPY}]),
}
every_kind = pytest.mark.parametrize("kind", PACKERS)
each_format = pytest.mark.parametrize("kind", ["zip", "tar", "7z"])


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
    with py7zr.SevenZipFile(tmp_path / "a.7z", "w") as seven:
        seven.writeall(tmp_path / "in" / "set", "set")
    for ending in ("tar", "zip", "7z"):
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
    shown = repr(name.replace("\\", "/") if kind in ("7z", "zip") else name)
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
@pytest.mark.parametrize("kind", ["zip", "symbolic", "hard", "7z"])
def test_a_link_is_refused_by_name_wherever_it_leads(tmp_path: Path, kind: str, target: str) -> None:
    if kind == "zip":
        info = zipfile.ZipInfo("set/link")
        info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        buffer = io.BytesIO(zipped(GOOD))
        with zipfile.ZipFile(buffer, "a") as archive:
            archive.writestr(info, target)
        assert_refused(tmp_path, buffer.getvalue(), "'set/link'", "a link or a device")
    elif kind == "7z":
        attributes = 0x8000 | (stat.S_IFLNK | 0o777) << 16
        assert_refused(
            tmp_path, sevened({"set/link": target.encode()}, attributes=attributes), "'set/link'", "a link or a dev"
        )
    else:
        link = tarfile.TarInfo("set/link")
        link.type, link.linkname = (tarfile.SYMTYPE if kind == "symbolic" else tarfile.LNKTYPE), target
        reasons = {
            "/etc/passwd": "absolute path",
            "../../evil": "outside the destination",
            "a.png": "a link to 'a.png'",
        }
        assert_refused(tmp_path, tarred(GOOD, link), "set/link", reasons[target])


@pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, b"Z"])
def test_a_device_or_a_pipe_is_refused_by_name(tmp_path: Path, kind: bytes) -> None:
    special = tarfile.TarInfo("set/special")
    special.type = kind
    assert_refused(tmp_path, tarred(GOOD, special), "set/special")


@pytest.mark.parametrize("attributes", [0x8000 | stat.S_IFIFO << 16, 0x8000 | stat.S_IFSOCK << 16, 0x400, 0x410])
def test_a_pipe_a_socket_or_a_junction_in_a_7z_is_refused_by_name(tmp_path: Path, attributes: int) -> None:
    assert_refused(tmp_path, sevened({"set/special": b"1"}, attributes=attributes), "'set/special'")


def test_an_encrypted_archive_is_refused_by_name(tmp_path: Path) -> None:
    flagged = bytearray(zipped({"secret.png": b"1"}))
    flagged[6] |= 1
    flagged[flagged.index(b"PK\x01\x02") + 8] |= 1
    assert_refused(tmp_path, bytes(flagged), "'secret.png'", "it is encrypted")
    assert_refused(tmp_path, sevened({"secret.png": b"1"}, password="word"), "'secret.png'", "it is encrypted")
    assert_refused(tmp_path, sevened({"secret.png": b"1"}, password="word", header_encryption=True), "it is encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_of_another_method_than_deflate_is_refused_by_name(tmp_path: Path, method: int) -> None:
    assert_refused(
        tmp_path, zipped({"a.png": b"1"}, method), "'a.png'", f"compressed by method {method}", "expected deflate"
    )


@pytest.mark.parametrize("method", [py7zr.FILTER_DEFLATE, py7zr.FILTER_ZSTD, py7zr.FILTER_PPMD])
def test_a_7z_whose_decoder_cannot_be_stopped_is_refused_by_name(tmp_path: Path, method: int) -> None:
    filters = [{"id": method, "level": 3, "order": 6, "mem": 24}]
    assert_refused(tmp_path, sevened({"a.png": b"1" * 999}, filters, encoded=False), "'a.png'", "expected LZMA, LZMA2")


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.bz2", "tar.xz", "7z"])
@pytest.mark.parametrize("members", [1, 3])
def test_a_bomb_is_refused_by_the_member_that_goes_too_far(tmp_path: Path, kind: str, members: int) -> None:
    packed = PACKERS[kind]({f"zeros{number}": bytes((3 << 20) // members) for number in range(members)})
    assert len(packed) < 20_000
    limits = Limits(small=2_500_000)
    expected = (
        f"'zeros{members - 1}'",
        "it looks like a bomb",
        f"{len(packed):,} bytes",
        "at most 2,500,000 (100 times",
    )
    assert_refused(tmp_path, packed, *expected, limits=limits)


@pytest.mark.slow
def test_a_bomb_of_100_gb_from_1_mb_costs_neither_disk_nor_memory(tmp_path: Path) -> None:
    """One block of zeros that 5,000 members of a zip share, each declaring 20 MiB; and a tar that declares 100 GiB."""
    deflated = zlib.compressobj(9, zlib.DEFLATED, -15)
    size = 20 << 20
    data = deflated.compress(bytes(size)) + deflated.flush()
    common = (20, 0, 8, 0, 33, zlib.crc32(bytes(size)), len(data), size)
    local = struct.pack("<4s5H3I2H", b"PK\3\4", *common, 4, 0) + b"0000" + data
    entry = struct.pack("<4sH5H3I5H2I", b"PK\1\2", 20, *common, 4, 0, 0, 0, 0, 0, 0)
    central = b"".join(entry + f"{number:04d}".encode() for number in range(5000))
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 5000, 5000, len(central), len(local), 0)
    info = tarfile.TarInfo("huge")
    info.size = 100 << 30
    archives = {"a.zip": local + central + end, "a.tar.gz": gzip.compress(info.tobuf() + bytes(1 << 20))}
    for name, packed in archives.items():
        assert len(packed) < 1 << 20
        (tmp_path / name).write_bytes(packed)
    code = (
        "import resource, sys; from pathlib import Path; from sftdec.datasets.unpack import unpack\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for archive in sys.argv[1:]:\n"
        "    try: unpack(Path(archive), Path('out'))\n"
        "    except ValueError as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    call = [sys.executable, "-c", code, *archives]
    *messages, grown = subprocess.run(
        call, check=True, capture_output=True, text=True, cwd=tmp_path
    ).stdout.splitlines()
    assert [("it looks like a bomb" in text, name in text) for text, name in zip(messages, archives, strict=True)] == [
        (True, True)
    ] * 2
    assert int(grown) < 30_000  # KiB
    assert sorted(os.listdir(tmp_path)) == sorted(archives)


def test_a_size_that_lies_is_found_out_while_unpacking(tmp_path: Path) -> None:
    packed = zipped({"zeros": bytes(3 << 20)}).replace(struct.pack("<I", 3 << 20), struct.pack("<I", 1000))
    assert_refused(tmp_path, packed, "corrupt")
    larger = zipped({"zeros": bytes(3000)}).replace(struct.pack("<I", 3000), struct.pack("<I", 5000))
    assert_refused(tmp_path, larger, "found 1 files of 3,000 bytes, expected 1 of 5,000")


def test_a_file_that_outgrows_the_limit_is_stopped_whatever_it_declared(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"packed")
    target = Target(tmp_path / "a.zip", tmp_path / "out", Limits(small=1000))
    target.admit("a.png", 10, is_folder=False)
    with (
        TargetFile(target, "a.png") as out,
        pytest.raises(DataError, match=r"a\.zip: refused for 'a\.png'.*to 1,200 unpacked"),
    ):
        for _ in range(9):
            out.write(bytes(400))
    assert (tmp_path / "out" / "a.png").stat().st_size == 800


def test_zeros_without_end_behind_a_tar_are_a_bomb_too(tmp_path: Path) -> None:
    packed = gzip.compress(tarred(GOOD) + bytes(3 << 20))
    assert_refused(tmp_path, packed, "it looks like a bomb", limits=Limits(small=2_500_000))


def test_the_checksum_behind_a_tar_is_looked_at(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(tarred(GOOD)))
    packed[-8] ^= 1
    assert_refused(tmp_path, bytes(packed), "corrupt", "CRC")


@pytest.mark.parametrize("kind", ["zip", "tar", "7z"])
def test_a_file_without_a_name_and_a_folder_with_content_are_refused(tmp_path: Path, kind: str) -> None:
    assert_refused(tmp_path, PACKERS[kind](GOOD | {".": b"1"}), "a file of 1 bytes, 0 parts in its name")
    if kind == "zip":
        assert_refused(tmp_path, zipped({"set/": b"content"}), "'set/'", "a folder of 7 bytes")
    if kind == "7z":
        assert_refused(tmp_path, sevened({"set": b"content"}, attributes=0x10), "'set'", "a folder of 7 bytes")


def test_a_size_below_zero_is_refused_before_it_leads_back(tmp_path: Path) -> None:
    info = tarfile.TarInfo("set/a.png")
    info.size = -1024
    assert_refused(tmp_path, info.tobuf(tarfile.GNU_FORMAT) + bytes(1024), "'set/a.png'", "a file of -1024 bytes")


def test_a_sparse_file_counts_with_its_holes(tmp_path: Path) -> None:
    headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "holes"}
    info = tarfile.TarInfo("holes")
    info.pax_headers = headers | {"GNU.sparse.size": str(100 << 30), "GNU.sparse.map": "0,0"}
    packed = info.tobuf(tarfile.PAX_FORMAT) + bytes(1024)
    assert_refused(tmp_path, packed, "'holes'", "it looks like a bomb", f"{100 << 30:,}")


def test_a_long_name_of_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 30
    assert_refused(tmp_path, gzip.compress(info.tobuf() + bytes(1 << 20)), "a header of 1,073,741,824 bytes")


def test_a_7z_whose_list_of_members_is_a_bomb_is_refused(tmp_path: Path) -> None:
    packed = sevened({f"{number:0240d}": b"" for number in range(2500)} | {"a": b"1"})
    assert len(packed) < 100_000
    assert_refused(tmp_path, packed, "list of members", "it looks like a bomb")


@each_format
def test_limits_are_those_of_the_caller(tmp_path: Path, kind: str) -> None:
    assert_refused(tmp_path, PACKERS[kind](GOOD), "expected at most 3 members", limits=Limits(members=3))
    assert_refused(tmp_path, PACKERS[kind](GOOD), "expected at most 2,000", limits=Limits(unpacked=2000))
    archive = tmp_path / "fits"
    archive.write_bytes(PACKERS[kind](GOOD))
    unpack(archive, tmp_path / "out", Limits(members=4, unpacked=20_000))


def test_the_ratio_holds_from_64_mib_on() -> None:
    limits = Limits(unpacked=10**12, ratio=100)
    allowed = [limits.allowed(packed) for packed in (0, 1000, 10**6, 10**9, 10**11)]
    assert allowed == [64 << 20, 64 << 20, 10**8, 10**11, 10**12]


@every_kind
def test_an_archive_that_is_cut_short_is_told_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    packed = PACKERS[kind]({"a.png": random.Random(0).randbytes(9000), "b.png": random.Random(1).randbytes(9000)})
    for share in (0.3, 0.6, 0.9 if kind != "tar" else 0.8):
        assert_refused(tmp_path, packed[: int(len(packed) * share)])


def test_a_damaged_header_amid_a_tar_is_not_taken_for_its_end(tmp_path: Path) -> None:
    packed = bytearray(tarred({"a": b"1", "b": b"2", "c": b"3"}))
    packed[1024 + 148] ^= 1  # the checksum of the second header
    assert_refused(tmp_path, bytes(packed), "a damaged header before byte 1,536")


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


def mutated(packed: bytes, rng: random.Random) -> bytes:
    """The archive with some bytes changed, moved, cut or doubled; the checksums of a tar's and a 7z's headers mended
    so that the damage gets past them."""
    data = bytearray(packed)
    is_7z, is_tar = packed.startswith(b"7z"), packed[257:262] == b"ustar"
    start, size = struct.unpack("<QQ", packed[12:28]) if is_7z else (0, 0)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        low = 32 + start if is_7z and rng.random() < 0.8 else 0
        at = rng.randrange(min(low, len(data) - 1), len(data))
        match rng.randrange(5):
            case 0 | 1:
                data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            case 2:
                data[at : at + 4] = rng.randbytes(4)
            case 3:
                data[at : at + rng.randrange(9)] = data[low : low + rng.randrange(9)]
            case 4 if rng.random() < 0.3:
                del data[max(at, 40) :]
    if is_7z and len(data) > 32 + start:
        header = bytes(data[32 + start : 32 + start + size])
        data[12:32] = struct.pack("<QQI", start, len(header), zlib.crc32(header))
        data[8:12] = struct.pack("<I", zlib.crc32(bytes(data[12:32])))
    if is_tar:
        for at in range(0, len(data) - 511, 512):
            if data[at + 257 : at + 262] == b"ustar":
                data[at + 148 : at + 156] = b" " * 8
                data[at + 148 : at + 155] = b"%06o\0" % sum(data[at : at + 512])
    return bytes(data)


def seeds() -> list[bytes]:
    evil = {"../evil": b"1", "/tmp/evil": b"2"}
    link = tarfile.TarInfo("set/link")
    link.type, link.linkname = tarfile.SYMTYPE, "../../evil"
    kinds = [PACKERS[kind](GOOD) for kind in PACKERS]
    plain = [sevened(GOOD, [{"id": py7zr.FILTER_LZMA2, "preset": 1}], encoded=False), sevened(evil, encoded=False)]
    return [*kinds, *plain, *plain, zipped(evil), tarred(evil), tarred(GOOD, link), tarred(GOOD | {"n" * 200: b"1"})]


def survive(tmp_path: Path, packed: bytes) -> bool:
    """Whether an archive is taken; if not, the refusal names it and leaves nothing; either way nothing gets out."""
    place = tmp_path / "place"
    place.mkdir(exist_ok=True)
    archive, out = place / "mutated.bin", place / "out"
    archive.write_bytes(packed)
    try:
        unpack(archive, out)
    except DataError as error:
        assert str(archive) in str(error)
        assert os.listdir(place) == ["mutated.bin"] and os.listdir(tmp_path) == ["place"]
        return False
    assert sorted(os.listdir(place)) == ["mutated.bin", "out"] and os.listdir(tmp_path) == ["place"]
    for path in sorted(out.rglob("*"), reverse=True):
        assert stat.S_IFMT(path.lstat().st_mode) in (stat.S_IFREG, stat.S_IFDIR)
        path.rmdir() if path.is_dir() else path.unlink()
    out.rmdir()
    return True


def test_mutated_archives_are_taken_or_refused_by_name_and_never_get_out(tmp_path: Path) -> None:
    rng, originals = random.Random(0), seeds()
    taken = [survive(tmp_path, mutated(packed, rng)) for _ in range(12) for packed in originals]
    assert len(taken) >= 200 and 0.02 < sum(taken) / len(taken) < 0.9  # the damage neither always nor never matters
