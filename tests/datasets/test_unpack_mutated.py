"""Archives with damage at random."""

import os
import random
import stat
import tarfile
from pathlib import Path

from sftdec.datasets.unpack import unpack
from sftdec.runtime.errors import DataError
from tests.datasets.archives import GOOD, PACKERS, tarred, zipped


def mutated(packed: bytes, rng: random.Random) -> bytes:
    """The archive with some bytes changed, moved, cut or doubled; the checksums of a tar's headers mended so that the
    damage gets past them."""
    data = bytearray(packed)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(len(data))
        match rng.randrange(5):
            case 0 | 1:
                data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            case 2:
                data[at : at + 4] = rng.randbytes(4)
            case 3:
                data[at : at + rng.randrange(9)] = data[: rng.randrange(9)]
            case 4 if rng.random() < 0.3:
                del data[max(at, 40) :]
    if packed[257:262] == b"ustar":
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
    return [*kinds, zipped(evil), tarred(evil), tarred(GOOD, link), tarred(GOOD | {"n" * 200: b"1"})]


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
    taken = [survive(tmp_path, mutated(packed, rng)) for _ in range(20) for packed in originals]
    assert len(taken) >= 200 and 0.02 < sum(taken) / len(taken) < 0.9  # the damage neither always nor never matters
