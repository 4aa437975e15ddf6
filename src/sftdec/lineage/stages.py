"""The stages of dvc.yaml files, as DVC itself reads them."""

from collections.abc import Iterator
from contextlib import contextmanager
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

MAIN = "dvc.yaml"


def stage_order(root: Path, file: str = MAIN) -> list[str]:
    """The stages of a dvc.yaml file, after those of the project's own that make what they read, and so on.

    Each stands after the stages whose outs it reads, else as the files have them, by the address that DVC knows it by,
    a matrix item by item. No other file of the project is read: that would take seconds.

    Args:
        root: the DVC project.
        file: from the root.

    Raises:
        ValueError: DVC can't read the project or the files, or the file has no stages.
    """
    from dvc.repo.index import Index

    with _opened(root) as repo:
        found = {each: repo.stage.load_all(str(root / each)) for each in dict.fromkeys((MAIN, file))}
        graph = Index(repo, stages=[stage for stages in found.values() for stage in stages]).graph
    if not found[file]:
        raise ValueError(f"{root / file}: found no stages")
    prefix = {each: "" if each == MAIN else f"{each}:" for each in found}
    address = {stage: prefix[each] + stage.name for each, stages in found.items() for stage in stages}
    makers = {address[stage]: {address[maker] for maker in graph[stage]} for stage in address}
    order = list(TopologicalSorter(makers).static_order())
    depth, needed = dict[str, int](), {address[stage] for stage in found[file]}
    for name in order:
        depth[name] = 1 + max((depth[maker] for maker in makers[name]), default=0)
    for name in reversed(order):
        if name in needed:
            needed |= makers[name]
    return sorted((name for name in makers if name in needed), key=depth.__getitem__)


def stage_outs(root: Path) -> dict[str, list[str]]:
    """The outs of each stage of dvc.yaml, from the root; metrics and plots are none.

    Raises:
        ValueError: DVC can't read the project or the file.
    """
    with _opened(root) as repo:
        stages = repo.stage.load_all(str(root / MAIN))
    return {stage.name: [out.def_path for out in stage.outs if not out.metric and not out.plot] for stage in stages}


@contextmanager
def _opened(root: Path) -> Iterator[Any]:
    """The DVC project, to be read."""
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo(str(root)) as repo:
            yield repo
    except DvcException as error:
        raise ValueError(f"{root}: DVC can't read its stages: {error}") from error
