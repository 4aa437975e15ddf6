"""Files that are written whole or not at all."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sftdec.runtime import atomic_path
from sftdec.runtime.atomic import NAME_BYTES


def test_a_file_takes_the_place_of_the_one_before_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "figures.json"
    for content in ("first", "second"):
        with atomic_path(path) as temporary:
            assert temporary.parent == path.parent
            temporary.write_text(content)
        assert path.read_text() == content
    assert list(path.parent.iterdir()) == [path]


def test_a_block_that_fails_leaves_the_old_file_as_it_was(tmp_path: Path) -> None:
    (path := tmp_path / "figures.json").write_text("old")
    with pytest.raises(KeyError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise KeyError("psnr")
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_a_block_that_writes_nothing_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with (
        pytest.raises(FileNotFoundError, match=r"weights could not be written \(No such file"),
        atomic_path(tmp_path / "weights"),
    ):
        pass


def test_a_file_that_the_system_refuses_leaves_the_old_one_whole(tmp_path):
    target = tmp_path / "weights.bin"
    target.write_bytes(b"old")
    script = (
        "import resource, signal, sys; from pathlib import Path; from sftdec.runtime.atomic import atomic_path\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "with atomic_path(Path(sys.argv[1])) as temporary: temporary.write_bytes(bytes(5000))"
    )
    done = subprocess.run([sys.executable, "-c", script, str(target)], capture_output=True, text=True)
    assert done.returncode != 0 and "weights.bin could not be written" in done.stderr
    assert target.read_bytes() == b"old" and list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(("written", "needed"), [(b"x" * 1500, "more than 1,500 bytes"), (b"", "it needs more in")])
def test_a_full_disk_is_told_with_what_the_file_needs_and_what_is_free(
    tmp_path: Path, written: bytes, needed: str
) -> None:
    with (
        pytest.raises(OSError, match=f"{needed}.* bytes are free; make room") as told,
        atomic_path(tmp_path / "weights") as temporary,
    ):
        temporary.write_bytes(written)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert told.value.errno == errno.ENOSPC and not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["n" * NAME_BYTES, "я" * (NAME_BYTES // 2), "n" * (NAME_BYTES - 4)])
def test_a_name_that_leaves_no_room_for_an_ending_can_be_written(tmp_path: Path, name: str) -> None:
    other = name[:-1] + "b"
    with atomic_path(tmp_path / name) as first, atomic_path(tmp_path / other) as second:
        assert first != second and len(os.fsencode(first.name)) <= NAME_BYTES
        first.write_text("first")
        second.write_text("second")
    assert (tmp_path / name).read_text() == "first" and (tmp_path / other).read_text() == "second"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with a name")
def test_a_pipe_gets_the_bytes_and_stays_one(tmp_path: Path) -> None:
    os.mkfifo(pipe := tmp_path / "pipe")
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with atomic_path(pipe) as temporary:
        temporary.write_text("figures")
    assert os.read(reader, 100) == b"figures" and pipe.is_fifo()
    os.close(reader)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="only Linux has /proc")
def test_a_stream_of_the_process_is_written_to_and_its_name_stays(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    (tmp_path / "stdout").symlink_to(f"/proc/self/fd/{writer}")  # as /dev/stdout is
    with atomic_path(tmp_path / "stdout") as temporary:
        temporary.write_text("figures")
    assert os.read(reader, 100) == b"figures" and (tmp_path / "stdout").is_symlink()
    os.close(reader)
    os.close(writer)
