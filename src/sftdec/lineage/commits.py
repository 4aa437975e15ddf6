"""Content-addressed lineage: what a run read, wrote and was made from, as checksums."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sftdec.lineage.git_command import WorktreeError, git
from sftdec.runtime import checksum, read_yaml

CODE_FOLDERS = ("src", "pipelines")
DEFINING_FILES = ("params.yaml", "data.dvc", "dvc.yaml")


@dataclass(frozen=True)
class Lineage:
    """One state of the project. Hashes are SHA-256; None where the file (or Git) is missing."""

    tag: str
    commit: str | None
    dirty: bool
    params: str | None
    data: str | None
    pipeline: str | None
    lock: str | None
    code: str

    def tags(self) -> dict[str, str]:
        """The lineage as the tags of a run or a model version; missing parts are left out."""
        parts = {
            "sftdec.lineage": self.tag,
            "git.commit": self.commit,
            "git.dirty": str(self.dirty).lower() if self.commit else None,
            "hash.params": self.params,
            "hash.data_dvc": self.data,
            "hash.dvc_yaml": self.pipeline,
            "hash.dvc_lock": self.lock,
            "hash.code": self.code,
        }
        return {key: value for key, value in parts.items() if value is not None}


def lineage(root: Path) -> Lineage:
    """The lineage of the project at ``root``.

    ``tag`` is a hash of params.yaml, data.dvc, dvc.yaml and all source under src/ and pipelines/: the same
    from the first stage of an execution to the last, and different as soon as one of them changes. ``dirty``
    says that the commit alone does not give that state; what the stages write (dvc.lock, reports) does not
    count.
    """
    commit = (_git(root, "rev-parse", "HEAD") or "").strip() or None
    status = _git(root, "status", "--porcelain", "--", *DEFINING_FILES, *CODE_FOLDERS) if commit else None
    params, data, pipeline = (_file_hash(root / name) for name in DEFINING_FILES)
    code = _code_hash(root)
    return Lineage(
        tag=_text_hash("\n".join(part or "-" for part in (params, data, pipeline, code))),
        commit=commit,
        dirty=bool(status),
        params=params,
        data=data,
        pipeline=pipeline,
        lock=_file_hash(root / "dvc.lock"),
        code=code,
    )


def flatten(parameters: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested parameters as ``section.key: text``, the form in which a run shows them."""
    flat: dict[str, str] = {}
    for key, value in parameters.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat


def read_flat_params(root: Path) -> dict[str, str]:
    """params.yaml as ``section.key: text``; empty where there is no such file."""
    path = root / "params.yaml"
    loaded = read_yaml(path) if path.is_file() else None
    return flatten(loaded) if isinstance(loaded, Mapping) else {}


def _code_hash(root: Path) -> str:
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *CODE_FOLDERS)
    if listed:
        names = {name for name in listed.split("\0") if name}
    else:  # outside Git
        files = (file for folder in CODE_FOLDERS for file in (root / folder).rglob("*"))
        names = {file.relative_to(root).as_posix() for file in files}
    derived = ("__pycache__", ".egg-info/")  # what Python leaves beside the source is not source
    source = (name for name in names if not any(part in name for part in derived))
    kept = sorted(name for name in source if (root / name).is_file())
    return _text_hash("".join(f"{name}\0{checksum(root / name)}\n" for name in kept))


def _git(root: Path, *arguments: str) -> str | None:
    """What Git prints, or None where there is no Git, no repository or no commit."""
    try:
        return git(root, *arguments, patience=60)
    except WorktreeError:
        return None


def _file_hash(path: Path) -> str | None:
    return checksum(path) if path.is_file() else None


def _text_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
