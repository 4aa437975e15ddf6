"""Which source decides a cell's figures."""

from pathlib import Path

from sftdec.experiments.grid.models import Kind
from sftdec.runtime import Imports, checksum, together

_MEASURING = ("sftdec.datasets.pairs", "sftdec.datasets.scene", "sftdec.evaluation.evaluate")
_OF_KIND: dict[Kind, tuple[str, ...]] = {
    "sft_dec": ("sftdec.networks.weights",),
    "peer": ("sftdec.peers.weights", "sftdec.peers.published"),
    "method": ("sftdec.evaluation.classical",),
}
_NO_RESULT = ("runtime/atomic.py", "runtime/errors.py", "photos/errors.py")
_NETWORKS = ("networks/", "params/")  # a classical method has none


def code_checksum(kind: Kind, package: Path | None = None, measuring: tuple[str, ...] = _MEASURING) -> str:
    """SHA-256 over the names and contents of the files that a model of this kind is measured by.

    ``package``: where they are looked for; left out, the one that runs. ``measuring``: the modules that measure.
    """
    package = (package or Path(__file__).parents[2]).resolve()
    left_out = (*_NO_RESULT, *(_NETWORKS if kind == "method" else ()))

    def counts(_: Path, imported: Path) -> bool:
        return not imported.relative_to(package).as_posix().startswith(left_out)

    imports = Imports({"sftdec": package.parent})
    files = {file for module in (*measuring, *_OF_KIND[kind]) for file in imports.closure(module, counts)}
    names = sorted(file.relative_to(package).as_posix() for file in files)
    return together((name, checksum(package / name)) for name in names)
