"""What a stage of dvc.yaml and those before it are made by: command, code, parameters and data, as they lie there."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from sftdec.lineage.commits import read_flat_params, source_checksums
from sftdec.runtime import checksum, read_yaml


def stage_definitions(root: Path, stage: str) -> dict[str, str]:
    """SHA-256 by stage of what makes the outs of a stage, and of all whose outs it reads; empty where none is named so.

    The same for as long as DVC takes a stage for up to date by what it isn't told by another one.
    """
    try:
        stages = read_yaml(root / "dvc.yaml")["stages"]
        params = read_flat_params(root)
        return {name: _definition(root, stages[name], params) for name in _before(stages, stage)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # not a pipeline that DVC would run


def declared_outs(stage: Mapping[str, Any]) -> list[str]:
    """The outs of a stage as dvc.yaml has it, metrics and plots too."""
    listed = [out for kind in ("outs", "metrics", "plots") for out in stage.get(kind, [])]
    return [str(out if isinstance(out, str) else next(iter(out))) for out in listed]


def _before(stages: Mapping[str, Any], stage: str) -> Iterator[str]:
    """The stage, and those that make what it reads, and so on."""
    found = [stage] if stage in stages else []
    for name in found:  # which grows
        yield name
        deps = stages[name].get("deps", [])
        makers = (
            each for each in stages if any(_touch(out, dep) for out in declared_outs(stages[each]) for dep in deps)
        )
        found += [each for each in makers if each not in found]


def _touch(out: str, dep: str) -> bool:
    made, read = PurePosixPath(out), PurePosixPath(dep)
    return made.is_relative_to(read) or read.is_relative_to(made)


def _definition(root: Path, stage: Mapping[str, Any], params: Mapping[str, str]) -> str:
    deps = stage.get("deps", [])
    files = [root / f"{dep}.dvc" for dep in deps]
    data = {file.name: checksum(file) for file in files if file.is_file()}
    sections = [f"{section}." for section in stage.get("params", [])]
    own = {key: value for key, value in params.items() if any(f"{key}.".startswith(each) for each in sections)}
    whole = [stage["cmd"], source_checksums(root, deps), data, own]
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()
