"""The models of the grid: every one that is registered, shipped, trained here or downloaded, and classical methods."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sftdec.builtin import NAME as BUILTIN
from sftdec.builtin import builtin_weights
from sftdec.experiments.judging import measure_method, measure_network
from sftdec.runtime import checksum

if TYPE_CHECKING:
    import pandas as pd

    from sftdec.datasets import Scene
    from sftdec.tracking import TrackingSettings

Kind = Literal["sft_dec", "peer", "method"]
Measure = Callable[["Iterable[Scene]"], "pd.DataFrame"]
Load = Callable[[str], Measure]
PUBLISHED = Path("published")
_OURS = Path("build/models/s3.safetensors")
_COMPARED = "build/comparison/*/equal_time.safetensors"
_ENDINGS = (".pth", ".pt", ".pth.tar", ".pkl", ".pytorch", ".ckpt", ".npz", ".h5", ".hdf5")
_METHODS = ("karaali_jung", "oracle", "zhuo_sim")


@dataclass(frozen=True)
class GridModel:
    """A model by its content.

    ``names``: all that it is called by, the first one for good; ``sources``: where it lies. ``digest``: SHA-256 of its
    weights file, or of a method's name; None where it can't be had, ``problem`` then says why. ``loads``: ways to load
    it on a device, of which the first one that works is taken. ``wants_map``: it measures nothing without the true map.
    """

    kind: Kind
    names: tuple[str, ...]
    sources: tuple[str, ...]
    digest: str | None
    loads: tuple[Load, ...] = ()
    problem: str = ""
    wants_map: bool = False

    @property
    def name(self) -> str:
        """All names in one."""
        return " = ".join(self.names)

    def load(self, device: str) -> Measure:
        """What measures the model on scenes; raises what the first way to load it raises, if none works."""
        failures = []
        for load in self.loads:
            try:
                return load(device)
            except Exception as error:  # whatever it is, the next way may do
                failures.append(error)
        raise failures[0]


def models_at_hand(
    root: Path, published: Sequence[str] = (), settings: "TrackingSettings | None" = None
) -> list[GridModel]:
    """Every model there is, each content once, under all of its names.

    In this order: the model that ships, the registry's versions, ``build/models/s3.safetensors``, the comparison's,
    published weights, classical methods. ``published``: folders, or NAME=FILE; left out: ``published/`` where it is.

    Raises:
        ValueError: what ``published`` names isn't there, or a NAME that is no network's.
    """
    found = [
        _of_file("sft_dec", BUILTIN, builtin_weights(), source="the package"),
        *_registered(root, settings),
        *([_of_file("sft_dec", "s3", root / _OURS, root)] if (root / _OURS).is_file() else []),
        *(_of_file(_kind_of(path.parent.name), path.parent.name, path, root) for path in sorted(root.glob(_COMPARED))),
        *_published(root, published),
        *(_method(name) for name in _METHODS),
    ]
    merged: dict[object, GridModel] = {}
    for model in _told_apart(found):
        identity = _identity(model)
        merged[identity] = _joined(merged[identity], model) if identity in merged else model
    return list(merged.values())


def _identity(model: GridModel) -> object:
    return (model.kind, model.names, model.sources) if model.digest is None else (model.kind, model.digest)


def _told_apart(found: Iterable[GridModel]) -> Iterator[GridModel]:
    """The models, of one source each; a name that stands for two contents gets its source behind it."""
    found, contents = list(found), defaultdict(set)
    for model in found:
        for name in model.names:
            contents[name].add(_identity(model))
    for model in found:
        source = ", ".join(model.sources)
        names = (f"{name} ({source})" if len(contents[name]) > 1 else name for name in model.names)
        yield replace(model, names=tuple(names))


def _joined(first: GridModel, other: GridModel) -> GridModel:
    def both(one: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one + more))

    names, sources = both(first.names, other.names), both(first.sources, other.sources)
    return replace(first, names=names, sources=sources, loads=first.loads + other.loads)


def _kind_of(trained: str) -> Kind:
    return "sft_dec" if trained == "sft_dec" else "peer"


def _of_file(kind: Kind, name: str, path: Path, root: Path | None = None, source: str = "") -> GridModel:
    """A weights file of ours."""
    place = source or _shown(path, root)
    try:
        return GridModel(kind, (name,), (place,), checksum(path), (partial(_load, lambda: path),))
    except OSError as error:
        return GridModel(kind, (name,), (place,), None, problem=str(error))


def _registered(root: Path, settings: "TrackingSettings | None") -> Iterator[GridModel]:
    """The registry's versions; a registry that doesn't answer is one model that can't be had."""
    from sftdec.registry import MODEL, RegistryError, resolve_weights, versions

    try:
        listed = versions(root, settings)
    except RegistryError as error:
        yield GridModel("sft_dec", (MODEL,), ("the registry",), None, problem=str(error))
        return
    for version in listed:
        names = (f"{MODEL}/{version.number}", *(f"{MODEL}@{alias}" for alias in version.aliases))
        digest = version.tags.get("weights_sha256")
        problem = "" if digest else f"{version.uri} has no tag weights_sha256 to know its file by; register it anew"
        load = partial(_load, partial(resolve_weights, version.uri, root, settings))
        yield GridModel("sft_dec", names, (version.uri,), digest, (load,), problem)


def _published(root: Path, given: Sequence[str]) -> list[GridModel]:
    """Weights that were downloaded.

    Raises:
        ValueError: no such folder or file, or an unknown network.
    """
    if not given:
        given = [str(PUBLISHED)] if (root / PUBLISHED).is_dir() else []
    found = []
    for each in given:
        name, equals, file = each.partition("=")
        if equals:
            found.append(_named(root, name, Path(file)))
        elif (root / each).is_dir():
            found += [_found_in_folder(root, path) for path in sorted((root / each).iterdir()) if _is_weights(path)]
        else:
            raise ValueError(f"--published {each}: there is no such folder; expected one, or NAME=FILE")
    return found


def _named(root: Path, name: str, file: Path) -> GridModel:
    from sftdec.peers import PEERS

    if name not in PEERS:
        raise ValueError(f"--published {name}={file}: found {name!r}, expected one of {', '.join(PEERS)}")
    if not (root / file).is_file():
        raise ValueError(f"--published {name}={file}: there is no such file")
    return _of_release(root, name, root / file, f"published {name}")


def _found_in_folder(root: Path, path: Path) -> GridModel:
    """A file by its name: that of its network, and what follows it after a hyphen or a dot."""
    from sftdec.peers import PEERS

    ending = max((each for each in _ENDINGS if path.name.lower().endswith(each)), key=len)
    stem = path.name[: -len(ending)]
    name = re.split("[-.]", stem)[0]
    if name in PEERS:
        return _of_release(root, name, path, f"published {stem}")
    problem = (
        f"{_shown(path, root)}: found the name {name!r}, expected that of a network ({', '.join(PEERS)}): rename the "
        "file, as mprnet.pth or nafnet64-gopro.pth, or give --published NAME=FILE"
    )
    return GridModel("peer", (path.name,), (_shown(path, root),), None, problem=problem)


def _of_release(root: Path, name: str, path: Path, shown: str) -> GridModel:
    digest = hashlib.sha256(f"{name} {checksum(path)}".encode()).hexdigest()  # one file might fit two networks
    return GridModel("peer", (shown,), (_shown(path, root),), digest, (partial(_load, lambda: f"{name}={path}"),))


def _method(name: str) -> GridModel:
    digest = hashlib.sha256(f"method {name}".encode()).hexdigest()
    loads = (lambda device: partial(measure_method, name),)
    return GridModel("method", (name,), ("classical",), digest, loads, wants_map=name == "oracle")


def _is_weights(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and path.name.lower().endswith(_ENDINGS)


def _shown(path: Path, root: Path | None) -> str:
    return path.relative_to(root).as_posix() if root is not None and path.is_relative_to(root) else str(path)


def _load(address: Callable[[], Path | str], device: str) -> Measure:
    """``address`` is asked when the model is wanted: a version's file is then fetched."""
    from sftdec.registry import load_any_model

    return partial(measure_network, load_any_model(address(), device)[0], device=device)
