"""Content-addressed lineage: what a run read, wrote and was made from, as checksums."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sftdec.lineage.git_command import WorktreeError
from sftdec.lineage.uncommitted import head, is_source, uncommitted
from sftdec.runtime import checksum, read_yaml, together

CODE_FOLDERS = ("src", "pipelines")
DEFINING_FILES = ("params.yaml", "data.dvc", "dvc.yaml")
LONGEST_DOUBT = 1000  # characters, of a tag


@dataclass(frozen=True)
class Lineage:
    """One state of the project. Hashes are SHA-256; None where the file (or Git) is missing.

    ``doubt`` says why no commit stands for it, in Git's own words where Git refuses; empty where one does.
    """

    tag: str
    commit: str | None
    doubt: str
    params: str | None
    data: str | None
    pipeline: str | None
    lock: str | None
    code: str

    @property
    def dirty(self) -> bool:
        """Whether the commit alone may not give that state."""
        return bool(self.doubt)

    def tags(self) -> dict[str, str]:
        """The lineage as the tags of a run or a model version; missing parts are left out."""
        parts = {
            "sftdec.lineage": self.tag,
            "git.commit": self.commit,
            "git.dirty": str(self.dirty).lower() if self.commit else None,
            "git.doubt": self.doubt[:LONGEST_DOUBT] or None,
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
    from the first stage of an execution to the last, and different as soon as one of them changes. ``doubt``
    says why the commit alone does not give that state, or why that can't be known; what the stages write
    (dvc.lock, reports) does not count.
    """
    commit: str | None = None
    try:
        commit = head(root)
        doubt = uncommitted(root, [*DEFINING_FILES, *CODE_FOLDERS])
    except WorktreeError as error:
        doubt = str(error)
    params, data, pipeline = (_file_hash(root / name) for name in DEFINING_FILES)
    code = _code_hash(root)
    return Lineage(
        tag=_text_hash("\n".join(part or "-" for part in (params, data, pipeline, code))),
        commit=commit,
        doubt=doubt.encode(errors="backslashreplace").decode(),  # of names that are no UTF-8
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


def code_checksums(root: Path, stage: str | None = None) -> dict[str, str]:
    """SHA-256 by name of the source as it lies there, whatever Git knows of it.

    Of a stage of dvc.yaml only what it depends on, if it names that.
    """
    try:
        return source_checksums(root, read_yaml(root / "dvc.yaml")["stages"][stage]["deps"])
    except (OSError, ValueError, KeyError, TypeError):
        return source_checksums(root, [])


def source_checksums(root: Path, deps: Iterable[object]) -> dict[str, str]:
    """The same of the source among a stage's deps, of all source where none is."""
    below = tuple(f"{each}/" for each in CODE_FOLDERS)
    named = [dep for dep in deps if isinstance(dep, str) and dep.startswith(below)]
    places = [root / name for name in named or CODE_FOLDERS]
    files = (file for place in places for file in ([place] if place.is_file() else place.rglob("*")) if file.is_file())
    names = (file.relative_to(root).as_posix() for file in files)
    return {name: checksum(root / name) for name in sorted(names) if is_source(name)}


def _code_hash(root: Path) -> str:
    return together(code_checksums(root).items())


def _file_hash(path: Path) -> str | None:
    return checksum(path) if path.is_file() else None


def _text_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
