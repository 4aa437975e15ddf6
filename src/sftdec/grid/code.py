"""Which source decides a cell's figures."""

import hashlib
from pathlib import Path

import sftdec
from sftdec.grid.models import Kind
from sftdec.tracking.lineage import checksum

_MEASURING = (
    "datasets/images.py",
    "datasets/scene.py",
    "devices.py",
    "evaluation/evaluate.py",
    "evaluation/metrics.py",
    "inference/deblur.py",
)
_OF_KIND: dict[Kind, tuple[str, ...]] = {
    "sft_dec": ("networks/*.py",),
    "peer": ("networks/*.py", "networks/peers/*.py"),
    "method": ("classical/*.py", "evaluation/classical.py", "optics/colour.py", "optics/psf.py"),
}


def code_checksum(kind: Kind, package: Path | None = None) -> str:
    """SHA-256 over the names and contents of the files that a model of this kind is measured by.

    ``package``: where they are looked for; left out, the one that runs.
    """
    package = package or Path(sftdec.__file__).parent
    names = sorted(
        file.relative_to(package).as_posix()
        for pattern in (*_MEASURING, *_OF_KIND[kind])
        for file in package.glob(pattern)
    )
    lines = "".join(f"{name}\0{checksum(package / name)}\n" for name in names)
    return hashlib.sha256(lines.encode()).hexdigest()
