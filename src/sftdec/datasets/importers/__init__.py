"""The importers: a module a data set, or a row of ``layouts``; a module is imported when it is asked for."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import cast

from sftdec.datasets.listing import Importer

_FIRST = {  # the more particular a layout, the earlier: an import takes the first that fits
    "sample": "sftdec.datasets.sample",
    "pairs_csv": "sftdec.datasets.importers.pairs_csv",
    "realistic": "sftdec.datasets.importers.realistic",
    "ded": "sftdec.datasets.importers.ded",
    "syndof": "sftdec.datasets.importers.syndof",
    "stereo": "sftdec.datasets.importers.stereo",
}
_LAST = {"cuhk": "sftdec.datasets.importers.cuhk"}  # after the rows of layouts


def _rows() -> dict[str, Importer]:
    return cast(dict[str, Importer], import_module("sftdec.datasets.importers.layouts").LAYOUTS)


class _Importers(Mapping[str, Importer]):
    def __getitem__(self, name: str) -> Importer:
        module = _FIRST.get(name) or _LAST.get(name)
        return cast(Importer, import_module(module)) if module else _rows()[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*_FIRST, *_rows(), *_LAST])

    def __len__(self) -> int:
        return len(_FIRST) + len(_rows()) + len(_LAST)


IMPORTERS: Mapping[str, Importer] = _Importers()

__all__ = ["IMPORTERS"]
