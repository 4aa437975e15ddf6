"""Results in reports/, which Git keeps, and what they were made from: a few lines of made_from.yaml beside them."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from sftdec.lineage import lineage
from sftdec.runtime import atomic_path, below, checksum, together

NAME = "made_from.yaml"
SCENES, PARAMS, REPORTS = Path("build/scenes"), Path("params.yaml"), Path("reports")
HEAD = """\
# What each experiment's results in this folder were made from. Written by the stage that publishes them.
# code: of all source that its stages in experiments/NAME/dvc.yaml depend on; changed: it wasn't all committed.
# null: not known. md5: as dvc.lock had it, of results from before this file.
"""


def publish(experiment: str, files: Iterable[Path]) -> None:
    """Note what an experiment's results were made from, and copy its pages to where Git keeps them.

    They are no outs of DVC's there: the main pipeline's page shows them, and were they outs of an experiment, a plain
    ``dvc repro`` would run its trainings first.
    """
    record(experiment, Path("build", experiment).rglob("*.safetensors"), REPORTS)
    for path in copies(files, REPORTS):
        print(path)


def copies(files: Iterable[Path], folder: Path) -> list[Path]:
    """Copy files, whole or not at all, and return where they lie."""
    copied = []
    for file in files:
        with atomic_path(folder / file.name) as temporary:
            temporary.write_bytes(file.read_bytes())
        copied.append(folder / file.name)
    return copied


def record(experiment: str, weights: Iterable[Path], reports: Path) -> None:
    """Note what the results that were just published in ``reports`` were made from."""
    state, root = lineage(Path.cwd()), Path.cwd()
    scenes = next((folder for folder in (Path("build", experiment, "scenes"), SCENES) if folder.is_dir()), None)
    found = [(path.as_posix(), checksum(path)) for path in sorted(weights)]
    own = Path("experiments", experiment, "params.yaml")
    made = {
        "commit": state.commit,
        "changed": state.dirty,
        "code": code_checksum(root, experiment),
        "scenes": f"sha256:{checksum(scenes)}" if scenes else None,
        "parameters": {each.as_posix(): f"sha256:{checksum(each)}" for each in (PARAMS, own) if each.is_file()},
        "weights": {"files": len(found), "checksum": f"sha256:{together(found)}"},
    }
    known = {**read(reports), experiment: made}
    with atomic_path(reports / NAME) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(HEAD)
        _yaml().dump(dict(sorted(known.items())), file)


def read(reports: Path) -> dict[str, dict[str, Any]]:
    """By experiment what its results were made from; empty where nothing is noted."""
    path = reports / NAME
    return (_yaml().load(path.read_text("utf-8")) if path.is_file() else None) or {}


def outdated(root: Path, reports: Path) -> dict[str, str]:
    """By experiment a sentence, where its results are older than the code that makes them."""
    return {
        name: f"Older than the code: made at commit {(made['commit'] or 'unknown')[:7]}, and what makes it has changed "
        f"since. python -m pipelines.dvc.experiments {name} && dvc repro experiments/{name}/dvc.yaml makes it anew."
        for name, made in read(reports).items()
        if made["code"] is None or made["code"] != code_checksum(root, name)
    }


def code_checksum(root: Path, experiment: str) -> str | None:
    """A checksum of all code that an experiment's stages depend on; None where it has no stages."""
    file = root / "experiments" / experiment / "dvc.yaml"
    if not file.is_file():
        return None
    stages = _yaml().load(file.read_text("utf-8"))["stages"].values()
    deps = {dep for stage in stages for dep in stage["deps"] if dep.startswith(("src/", "pipelines/"))}
    files = {each for dep in deps for each in (below(root / dep) if (root / dep).is_dir() else [root / dep])}
    return f"sha256:{together(sorted((each.relative_to(root).as_posix(), checksum(each)) for each in files))}"


def _yaml() -> YAML:
    """YAML of plain values, a line each, in their order."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.width = False, 200
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    return yaml
