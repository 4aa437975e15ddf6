"""The importers: a module a data set, or a row of ``layouts``; a module is imported when it is asked for."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import cast

from sftdec.datasets.listing import Importer

_LAYOUTS = "sftdec.datasets.importers.layouts"
_MODULES = {  # the more particular a layout, the earlier: an import takes the first that fits
    "sample": "sftdec.datasets.sample",
    "pairs_csv": "sftdec.datasets.importers.pairs_csv",
    "realistic": "sftdec.datasets.importers.realistic",
    "ded": "sftdec.datasets.importers.ded",
    "syndof": "sftdec.datasets.importers.syndof",
    "dpdd": _LAYOUTS,
    "lfdof": _LAYOUTS,
    "realdof": _LAYOUTS,
    "stereo": "sftdec.datasets.importers.stereo",
    "folder": _LAYOUTS,
    "flat": _LAYOUTS,
    "cuhk": "sftdec.datasets.importers.cuhk",
}


class _Importers(Mapping[str, Importer]):
    def __getitem__(self, name: str) -> Importer:
        module = import_module(_MODULES[name])
        return cast(Importer, getattr(module, "LAYOUTS", {}).get(name, module))

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


IMPORTERS: Mapping[str, Importer] = _Importers()

__all__ = ["IMPORTERS"]
