"""Which files of ours a module's run leads to: its imports wherever they stand, and the files that it names.

Nothing is imported to find out: files are parsed. A room's door, an ``__init__.py`` that loads a name when it is asked
for, leads by each name to the module that its stub says it comes from, and decides nothing itself.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

_OURS = Path(__file__).parents[2]
_ADDRESS = re.compile(r"[\w.]*\.[\w.]*\w", re.ASCII)  # of a module, or a file beside the one that names it
TEMPLATES = "templates"  # the folder beside a package from which jinja's PackageLoader takes pages


class Imports:
    """The imports of some packages, each given with the folder that it lies in; by default this one's own."""

    def __init__(self, places: Mapping[str, Path] | None = None) -> None:
        self.places = {name: place.resolve() for name, place in (places or {"sftdec": _OURS}).items()}
        self.of_file = cache(self._of_file)

    def closure(self, module: str, counts: Callable[[Path, Path], bool] = lambda importer, imported: True) -> set[Path]:
        """The files that decide what ``python -m module`` does, the module's own among them.

        ``counts``: whether an import, given by the importing and the imported file, is to be followed.

        Raises:
            ValueError: there is no such module of ours.
        """
        waiting = list(self.of_name(module))
        if not waiting:
            raise ValueError(f"{module}: found no such module in {', '.join(self.places)}; mend the name")
        found: set[Path] = set()
        while waiting:
            file = waiting.pop()
            if file not in found:
                found.add(file)
                waiting += [each for each in self.of_file(file) if counts(file, each)]
        return found

    def of_name(self, module: str, name: str | None = None) -> Iterator[Path]:
        """The files that ``import module``, or ``from module import name``, leads to directly."""
        package, *parts = module.split(".")
        if package not in self.places:
            return
        place = self.places[package] / package
        for part in parts:
            if not _is_door(place):
                yield from _own(place)
            place /= part
        if place.with_suffix(".py").is_file():
            yield place.with_suffix(".py")
        elif name is None or not _is_door(place):
            if not _is_door(place):
                yield from _own(place)
            if name and _exists(place / name):
                yield from self.of_name(f"{module}.{name}")
        elif name in (names := _stub(place)):
            yield from self.of_name(f"{module}.{names[name][0]}", names[name][1])
        elif _exists(place / name):
            yield from self.of_name(f"{module}.{name}")
        else:
            yield place / "__init__.py"  # it makes the name itself

    def _of_file(self, file: Path) -> frozenset[Path]:
        """The files that a file leads to directly."""
        if file.suffix != ".py":
            return frozenset()
        found: set[Path] = set()
        state = file.stat()
        for node in _leading(file, state.st_mtime_ns, state.st_size):
            if isinstance(node, ast.Import):
                found.update(*(self._imported(alias.name) for alias in node.names))
            elif isinstance(node, ast.ImportFrom):
                found.update(*(self._imported(self._absolute(file, node), alias.name) for alias in node.names))
            elif isinstance(node, ast.Constant):
                found.update(self._named(file, str(node.value)))
            elif isinstance(node, ast.Call):
                found.update(self._pages(node))
        return frozenset(found - {file})

    def _imported(self, module: str, name: str | None = None) -> Iterator[Path]:
        """The files that an import leads to; a door that is imported whole leads to all of its names."""
        yield from self.of_name(module, name)
        whole = module if name in (None, "*") else f"{module}.{name}"
        package, *parts = whole.split(".")
        if package in self.places and _is_door(place := self.places[package].joinpath(package, *parts)):
            for each in _stub(place):
                yield from self.of_name(whole, each)

    def _named(self, file: Path, text: str) -> Iterator[Path]:
        """What a text in a file stands for: a module that is imported later, or a file beside it."""
        yield from self.of_name(text)
        if (file.parent / text).is_file() and not text.startswith("__init__."):
            yield file.parent / text

    def _pages(self, call: ast.Call) -> Iterator[Path]:
        package = call.args[0]
        assert isinstance(package, ast.Constant), ast.unparse(call)
        root, *parts = str(package.value).split(".")
        folder = self.places[root].joinpath(root, *parts, TEMPLATES)
        yield from (path for path in folder.rglob("*") if path.is_file())

    def _absolute(self, file: Path, node: ast.ImportFrom) -> str:
        """The module that ``from … import`` names."""
        if not node.level:
            return node.module or ""
        place = next(place for name, place in self.places.items() if place / name in file.parents)
        parts = file.relative_to(place).parts
        return ".".join([*parts[: len(parts) - node.level], *filter(None, [node.module])])


@cache
def _leading(file: Path, changed: int, size: int) -> tuple[ast.AST, ...]:
    """What in a file may lead to another one: read once a process while it stays as it is."""
    return tuple(node for node in _nodes(ast.parse(file.read_text("utf-8"))) if _leads(node))


def _leads(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and bool(_ADDRESS.fullmatch(node.value))
    if isinstance(node, ast.Call):
        return getattr(node.func, "id", None) == "PackageLoader"
    return isinstance(node, ast.Import | ast.ImportFrom)


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those that only a type checker sees."""
    yield tree
    seen_by_python = ast.iter_child_nodes(tree)
    if isinstance(tree, ast.If) and getattr(tree.test, "id", None) == "TYPE_CHECKING":
        seen_by_python = iter(tree.orelse)
    for child in seen_by_python:
        yield from _nodes(child)


def _exists(place: Path) -> bool:
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def _own(package: Path) -> Iterator[Path]:
    """A package's ``__init__.py``, if it does more than say what the package is."""
    file = package / "__init__.py"
    if file.is_file() and any(not _is_text(statement) for statement in _parsed(file).body):
        yield file


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_door(package: Path) -> bool:
    """Whether a package loads its names when they are asked for (PEP 562)."""
    file = package / "__init__.py"
    if not file.is_file():
        return False
    for statement in _parsed(file).body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__getattr__":
            return True
        if isinstance(statement, ast.Assign) and "__getattr__" in ast.unparse(statement.targets[0]):
            return True
    return False


@cache
def _stub(package: Path) -> dict[str, tuple[str, str]]:
    """Each name of a door, with the module below the package and the name there that it comes from."""
    file = package / "__init__.pyi"
    if not file.is_file():
        return {}
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in _parsed(file).body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }


@cache
def _parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


def below(folder: Path) -> Iterator[Path]:
    """The source files of a folder, doors and what Python leaves beside them left out."""
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyi":
            is_init = path.name == "__init__.py"
            if not is_init or (not _is_door(path.parent) and any(_own(path.parent))):
                yield path
