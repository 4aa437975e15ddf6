"""Archives that grow, and sizes that lie."""

import gzip
import os
import struct
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path

import pytest

from sftdec.datasets.unpack import Limits, unpack
from tests.datasets.archives import GOOD, PACKERS, assert_refused, each_format, tarred, zipped


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "tar.bz2", "tar.xz"])
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
    assert_refused(tmp_path, larger, "'zeros'", "found 3,000 bytes, expected 5,000")


def test_zeros_without_end_behind_a_tar_are_a_bomb_too(tmp_path: Path) -> None:
    packed = gzip.compress(tarred(GOOD) + bytes(3 << 20))
    assert_refused(tmp_path, packed, "it looks like a bomb", limits=Limits(small=2_500_000))


def test_the_checksum_behind_a_tar_is_looked_at(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(tarred(GOOD)))
    packed[-8] ^= 1
    assert_refused(tmp_path, bytes(packed), "corrupt", "CRC")


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_file_without_a_name_and_a_folder_with_content_are_refused(tmp_path: Path, kind: str) -> None:
    assert_refused(tmp_path, PACKERS[kind](GOOD | {".": b"1"}), "a file of 1 bytes, 0 parts in its name")
    if kind == "zip":
        assert_refused(tmp_path, zipped({"set/": b"content"}), "'set/'", "a folder of 7 bytes")


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
