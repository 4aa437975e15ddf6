"""Reading 7z archives that strangers made: py7zr's decoders, kept to those that can be stopped."""

import io
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

from sftdec.datasets.unpack_target import Target, TargetFile

SMALL_HEADER = 1 << 20  # bytes of a list of members; py7zr takes up to 250 bytes of memory for each


def _check_coders(folder: Any, target: Target) -> None:
    """Take one stoppable decoder a 7z block and filters after it; py7zr's others give a whole bomb at one call."""
    from py7zr.properties import COMPRESSION_METHOD as METHOD

    methods = [coder["method"] for coder in folder.coders]
    if METHOD.CRYPT_AES256_SHA256 in methods:
        raise target.refusal("it is encrypted", "pack it anew without a password")
    stoppable = (METHOD.COPY, METHOD.LZMA, METHOD.LZMA2, METHOD.MISC_BZIP2)
    if methods[0] not in stoppable or any(method not in (METHOD.P7Z_BCJ, METHOD.DELTA) for method in methods[1:]):
        found = " + ".join(method.hex() for method in methods)
        raise target.refusal(f"compressed by method {found}", "expected LZMA, LZMA2 or bzip2: pack it anew")


def _check_7z_header(file: BinaryIO, target: Target) -> None:
    """Refuse a list of members that is a bomb itself, before py7zr reads it."""
    from py7zr.archiveinfo import HeaderStreamsInfo, SignatureHeader
    from py7zr.properties import PROPERTY

    allowed = SMALL_HEADER + target.packed // 64
    start = SignatureHeader.retrieve(file)
    size = start.nextheadersize
    if size <= allowed:
        file.seek(start.nextheaderofs, os.SEEK_CUR)
        header = io.BytesIO(file.read(size))
        if header.read(1) == PROPERTY.ENCODED_HEADER:
            folders = HeaderStreamsInfo.retrieve(header).unpackinfo.folders
            for folder in folders:
                _check_coders(folder, target)
            size = sum(folder.unpacksizes[-1] for folder in folders)
    if size > allowed:
        found, limit = f"{size:,} bytes unpacked", f"expected at most {allowed:,}"
        raise target.refusal(found, f"{limit}: it looks like a bomb; if you trust it, unpack it by hand")


def read_7z(file: BinaryIO, target: Target) -> None:
    """Unpack a 7z into the target.

    Raises:
        DataError: the archive is refused; the target says by which member and why.
    """
    import py7zr

    kinds = (None, 0, stat.S_IFREG, stat.S_IFDIR)
    _check_7z_header(file, target)
    file.seek(0)
    opened: list[TargetFile] = []

    class Files(py7zr.WriterFactory):
        def create(self, filename: str) -> Any:
            opened[:] = [TargetFile(target, Path(filename).relative_to(target.folder).as_posix())]
            return opened[0]

    # from a file object py7zr unpacks block by block; from a path it would take a thread and 128 MB for each at once
    with py7zr.SevenZipFile(file) as archive:
        for member in archive.files:
            target.admit(member.filename, member.uncompressed, member.is_directory)
            if member.st_fmt not in kinds or member.is_symlink or member.is_junction:
                raise target.refusal("a link or a device")
            if member.folder is not None:
                _check_coders(member.folder, target)
        for member in archive.files:
            if member.is_directory:
                target.make_folder(member.filename)
        try:
            archive.extractall(target.folder, factory=Files())
        finally:
            for out in opened:
                out.close()
