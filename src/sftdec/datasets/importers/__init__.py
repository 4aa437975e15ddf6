"""The importers, one module a data set; a module is imported when it is asked for."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import cast

from sftdec.datasets.listing import Importer

_MODULES = {  # the more particular a layout, the earlier: an import takes the first that fits
    "sample": "sftdec.datasets.sample",
    "realistic": "sftdec.datasets.importers.realistic",
    "ded": "sftdec.datasets.importers.ded",
    "syndof": "sftdec.datasets.importers.syndof",
    "dpdd": "sftdec.datasets.importers.dpdd",
    "lfdof": "sftdec.datasets.importers.lfdof",
    "realdof": "sftdec.datasets.importers.realdof",
    "stereo": "sftdec.datasets.importers.stereo",
    "folder": "sftdec.datasets.importers.folder",
    "cuhk": "sftdec.datasets.importers.cuhk",
}


class _Importers(Mapping[str, Importer]):
    def __getitem__(self, name: str) -> Importer:
        return cast(Importer, import_module(_MODULES[name]))

    def __iter__(self) -> Iterator[str]:
        return iter(_MODULES)

    def __len__(self) -> int:
        return len(_MODULES)


IMPORTERS: Mapping[str, Importer] = _Importers()

__all__ = ["IMPORTERS"]
