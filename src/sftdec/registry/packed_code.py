"""The code that a version is served by, for a machine where ``sftdec`` isn't installed or is another release."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from sftdec.runtime import Imports

SERVED = "sftdec.registry.served_model"
PACKAGE = Path(__file__).parents[1]


def pack_code(folder: Path) -> Path:
    """Copy what the served model's code leads to, with its packages' doors, into ``folder``; the copied package."""
    for file in {found for module in Imports().closure(SERVED) for found in (module, *_doors(module))}:
        copy = folder / file.relative_to(PACKAGE.parent)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    return folder / PACKAGE.name


def _doors(module: Path) -> Iterator[Path]:
    """The ``__init__`` files, and the stubs that some load names by, of the packages that a module lies in."""
    for package in module.parents:
        yield from (file for file in (package / "__init__.py", package / "__init__.pyi") if file.is_file())
        if package == PACKAGE:
            return
