"""Which source decides a cell's figures."""

import hashlib
from pathlib import Path

from sftdec.experiments.grid.models import Kind
from sftdec.runtime import checksum

_MEASURING = (
    "datasets/scene.py",
    "evaluation/evaluate.py",
    "evaluation/metrics.py",
    "inference/deblur.py",
    "photos/images.py",
    "runtime/devices.py",
)
_OF_KIND: dict[Kind, tuple[str, ...]] = {
    "sft_dec": ("networks/*.py", "params/network.py"),
    "peer": ("networks/*.py", "params/network.py", "peers/*.py"),
    "method": ("classical/*.py", "evaluation/classical.py", "optics/colour.py", "optics/psf.py"),
}


def code_checksum(kind: Kind, package: Path | None = None) -> str:
    """SHA-256 over the names and contents of the files that a model of this kind is measured by.

    ``package``: where they are looked for; left out, the one that runs.
    """
    package = package or Path(__file__).parents[2]
    names = sorted(
        file.relative_to(package).as_posix()
        for pattern in (*_MEASURING, *_OF_KIND[kind])
        for file in package.glob(pattern)
    )
    lines = "".join(f"{name}\0{checksum(package / name)}\n" for name in names)
    return hashlib.sha256(lines.encode()).hexdigest()
