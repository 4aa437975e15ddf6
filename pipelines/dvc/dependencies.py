"""The code that each stage of each dvc.yaml depends on: found by its imports, less what is known to change no result.

`python -m pipelines.dvc.dependencies --write` writes it into the files; without `--write` it says what is missing
there, and what is too much. Data and parameters, comments and order stay as they are.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from sftdec.runtime import Imports, below

ROOT = Path(__file__).parents[2]
PACKAGES = {"sftdec": "src", "pipelines": "."}  # ours, and where they lie
FILES = ("dvc.yaml", "experiments/*/dvc.yaml")
RECORDER = "pipelines/stages/made_from.py"  # takes a checksum of all code of an experiment, or of each of them
SCHEMA = "src/sftdec/params/schema.py"
SECTIONS = {  # files that only tell what may stand in a section → the section
    "src/sftdec/params/gate.py": "gate",
    "src/sftdec/params/network.py": "network",
    "src/sftdec/params/train.py": "train",
}
MEND = "python -m pipelines.dvc.dependencies --write"


@dataclass(frozen=True)
class Exempt:
    """Code that a stage runs and that changes no result of it. ``stages``: of which; by default of all."""

    pattern: str
    reason: str
    stages: tuple[str, ...] = ("*",)


_JUDGED = "experiments/comparison/dvc.yaml:judge"
_TRAINED = ("train_*", "*:train", "*:s[123]", "*_s[123]", "*:s3_only", "*:end_to_end")
_ON_SCENES = ("patches", "train_*", "evaluate", "report", "*:*")  # whose pictures are those that fetch wrote
_OTHER_PICTURES = "how other pictures lie in their files than those of fetch, PNGs and JPEGs of pixels as they lie"
EXEMPT = (
    *(
        Exempt(f"src/sftdec/{name}.py", _OTHER_PICTURES, _ON_SCENES)
        for name in (
            "photos/attached",
            "photos/formats",
            "photos/jpeg_segments",
            "photos/orientation",
            "runtime/extras",
        )
    ),
    Exempt("src/sftdec/photos/tiff_*.py", _OTHER_PICTURES, _ON_SCENES),
    Exempt("pipelines/__init__.py", "refuses the code of another checkout; who goes on runs the code beside it"),
    Exempt("pipelines/stages/entry.py", "where a stage is tracked, and how one ends that doesn't end well"),
    Exempt("src/sftdec/*/errors.py", "names of errors"),
    Exempt("src/sftdec/runtime/atomic.py", "writes the same bytes, whole or not at all"),
    Exempt("src/sftdec/runtime/waiting.py", "how threads wait for one another"),
    Exempt("src/sftdec/runtime/memory.py", "how much memory is held, and whether an error says it was too little"),
    Exempt("src/sftdec/runtime/parallel.py", "where work is done; its results come back in the order of the work"),
    Exempt(
        "src/sftdec/datasets/kept.py", "gives back the bytes that the same sources, parameters and code gave before"
    ),
    Exempt("src/sftdec/tracking/*", "records what a stage does, and gives it nothing to go by"),
    Exempt("src/sftdec/registry/names.py", "finds initial weights, which are checked by their SHA-256", ("train_*",)),
    Exempt(
        "src/sftdec/datasets/importers/cuhk.py",
        "its photos have no sharp picture, so that no scene comes of it: each is refused, and listed as such",
        ("fetch",),
    ),
    Exempt("src/sftdec/inference/*", "the tables read what was judged; they measure nothing anew", ("*:tables",)),
    Exempt("src/sftdec/classical/*", "no classical method takes part in judging a network", (_JUDGED,)),
    Exempt("src/sftdec/evaluation/classical.py", "no classical method takes part in judging a network", (_JUDGED,)),
    Exempt("src/sftdec/networks/*", "a classical method has no network; names of results", ("*:classical",)),
    Exempt("src/sftdec/peers/*", "a classical method has no network", ("*:classical",)),
    Exempt(
        "src/sftdec/runtime/checksums.py",
        "names data and code: for the tracking, and in a checkpoint's key",
        (*_TRAINED, "evaluate"),
    ),
    Exempt("src/sftdec/runtime/imports.py", "finds the code that a checkpoint's key names", _TRAINED),
)


@dataclass(frozen=True)
class Difference:
    """What a stage's list of code lacks, and what it has too much."""

    stage: str
    missing: list[str]
    superfluous: list[str]


def imports_of(root: Path) -> Imports:
    """The imports of the project at ``root``."""
    return Imports({name: root / place for name, place in PACKAGES.items()})


def code_of(root: Path, imports: Imports, stage: str, body: Mapping[str, Any]) -> list[str]:
    """The code that decides a stage's results, sorted; a folder stands for all that lies in it.

    A stage that notes what code an experiment's results come from, or compares with it, depends on all that code.

    Raises:
        ValueError: the stage's command runs no module of ours.
    """
    files = _decisive(root, imports, stage, body)
    if root / RECORDER in files:
        own = stage.rpartition(":")[0]
        for file in [own] if own else stage_files(root)[1:]:
            files = files.union(*(_decisive(root, imports, name, each) for name, each in _stages(root, file).items()))
    return _folded(root, files)


def differences(root: Path) -> Iterator[Difference]:
    """The stages of all dvc.yaml whose list of code isn't ``code_of``."""
    root, imports = root.resolve(), imports_of(root)
    for file in stage_files(root):
        for stage, body in _stages(root, file).items():
            needed = code_of(root, imports, stage, body)
            given = [dep for dep in map(_path, body["deps"]) if _is_code(dep)]
            missing, superfluous = sorted({*needed} - {*given}), sorted({*given} - {*needed})
            if missing or superfluous:
                yield Difference(stage, missing, superfluous)


def write(root: Path) -> None:
    """Give each stage of all dvc.yaml its list of code, after its data."""
    root, imports = root.resolve(), imports_of(root)
    for file in stage_files(root):
        text = (root / file).read_text("utf-8")
        for stage, body in _stages(root, file).items():
            text = _with_code(text, stage.rpartition(":")[2], code_of(root, imports, stage, body))
        if text != (root / file).read_text("utf-8"):
            (root / file).write_text(text, "utf-8", newline="\n")


def stage_files(root: Path) -> list[str]:
    """The paths of all dvc.yaml below ``root``."""
    return [path.relative_to(root).as_posix() for pattern in FILES for path in sorted(root.glob(pattern))]


def _decisive(root: Path, imports: Imports, stage: str, body: Mapping[str, Any]) -> set[Path]:
    """The files that a stage's imports lead to and that may change its results."""
    module = re.search(rf"python -m ({'|'.join(PACKAGES)})(\.\w+)+", body["cmd"])
    if not module:
        raise ValueError(f"{stage}: cmd: found {body['cmd']!r}, expected python -m with a module of ours")
    sections = set(_sections(body.get("params", [])))

    def counts(importer: Path, imported: Path) -> bool:
        one, other = (path.relative_to(root).as_posix() for path in (importer, imported))
        if one == SCHEMA and other in SECTIONS:
            return SECTIONS[other] in sections
        return not exempt(other)

    def exempt(name: str) -> bool:
        return any(fnmatchcase(name, each.pattern) and _of_stage(each, stage) for each in EXEMPT)

    found = imports.closure(module[0].split()[-1], counts)  # with the packages that the module lies in
    return {path for path in found if not exempt(path.relative_to(root).as_posix())}


def _stages(root: Path, file: str) -> dict[str, Any]:
    """The stages of a file by the addresses that DVC has for them."""
    stages = YAML(typ="safe", pure=True).load((root / file).read_text("utf-8"))["stages"]
    return {name if file == "dvc.yaml" else f"{file}:{name}": body for name, body in stages.items()}


def _path(dep: str | Mapping[str, Any]) -> str:
    return dep if isinstance(dep, str) else str(next(iter(dep)))


def _is_code(dep: str) -> bool:
    return dep.split("/")[0] in {"src", "pipelines"}


def _sections(params: Iterable[str | Mapping[str, Any]]) -> Iterator[str]:
    """The sections of params.yaml that a stage names."""
    for entry in params:
        keys = [entry] if isinstance(entry, str) else entry.get("params.yaml", ())
        yield from (key.split(".")[0] for key in keys)


def _of_stage(exempt: Exempt, stage: str) -> bool:
    return any(fnmatchcase(stage, pattern) for pattern in exempt.stages)


def _folded(root: Path, files: set[Path]) -> list[str]:
    """Files below ``root``; where all of a folder of a room are among them, that folder instead."""
    names: set[str] = set()
    rooms = root / PACKAGES["sftdec"] / "sftdec"
    for file in files:
        folders = [folder for folder in file.parents if rooms in folder.parents]
        whole = [folder for folder in folders if files.issuperset(below(folder))]
        names.add((whole[-1] if whole else file).relative_to(root).as_posix())
    return sorted(names)


def _with_code(text: str, stage: str, code: list[str]) -> str:
    """The text of a dvc.yaml with other code among a stage's dependencies, a line each."""
    head = rf"^  {re.escape(stage)}:.*\n(?:    .*\n)*?    deps:\n"
    found = re.search(rf"({head})((?:      .*\n)*)", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"{stage}: deps: found no list with a line for each; write it as one")
    kept = [line for line in found[2].splitlines(keepends=True) if not _is_code(line.strip().removeprefix("- "))]
    lines = "".join([*kept, *(f"      - {path}\n" for path in code)])
    return text[: found.start()] + found[1] + lines + text[found.end() :]


def main() -> None:
    """Write the lists, or say what is wrong with them."""
    parser = argparse.ArgumentParser(description="The code that stages depend on, by their imports.")
    parser.add_argument("--write", action="store_true", help="write it into dvc.yaml and experiments/*/dvc.yaml")
    if parser.parse_args().write:
        write(ROOT)
        return
    found = list(differences(ROOT))
    for each in found:
        for word, names in (("lacks", each.missing), ("needn't have", each.superfluous)):
            print(*(f"{each.stage} {word} {name}" for name in names), sep="\n", end="\n" if names else "")
    sys.exit(f"dvc.yaml isn't what the imports say; {MEND}" if found else 0)


if __name__ == "__main__":
    main()
