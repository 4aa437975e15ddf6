"""Checkpoints outside the stages' outs, keyed by what they were trained from, written whole or not at all."""

import hashlib
import io
import json
import warnings
from pathlib import Path
from typing import Any

import torch

from sftdec.runtime import atomic_path, checksum

DONE = "done"  # beside the last checkpoint of a training that has ended: the MD5 of its result, as DVC will note it
_KEPT = 2  # the newest, and the one before it should the newest turn out to be cut short


def checkpoint_key(**inputs: Any) -> str:
    """A key of everything that decides the result: the same inputs and parameters may go on from one another."""
    text = json.dumps(inputs, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below the folder, by its name from there."""
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: checksum(files[name]) for name in sorted(files)}


class Checkpoints:
    """The checkpoints of one training: ``root/<stage>-<key>/step-<n>.pt``.

    ``inputs``: what the key was made of; each checkpoint says what it belongs to.
    """

    def __init__(self, root: Path, stage: str, key: str, inputs: dict[str, Any] | None = None) -> None:
        self.inputs = json.dumps(inputs or {}, sort_keys=True, default=str)
        self.folder = root / f"{stage}-{key}"
        (self.folder / DONE).unlink(missing_ok=True)
        others = [path for path in sorted(root.glob(f"{stage}-*")) if not (path / DONE).exists()]
        if others and not self.folder.exists():
            warnings.warn(
                f"{', '.join(map(str, others))}: a checkpoint of other parameters, inputs or code; "
                f"stage {stage} starts afresh and leaves it there",
                stacklevel=2,
            )

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write the state after ``step`` steps, then drop what is older than the one before.

        Raises:
            OSError: the disk is full; the checkpoints that were there stay whole.
        """
        buffer = io.BytesIO()  # torch hides a full disk behind errors of its own
        torch.save({**state, "inputs": self.inputs}, buffer)
        with atomic_path(self.folder / f"step-{step:09d}.pt") as temporary:
            temporary.write_bytes(buffer.getbuffer())
        for old in self._newest_first()[_KEPT:]:
            old.unlink(missing_ok=True)

    def newest(self) -> dict[str, Any] | None:
        """The newest state that can be read, or None; one that is cut short is passed over with a warning."""
        for path in self._newest_first():
            try:
                return dict(torch.load(path, map_location="cpu", weights_only=True))
            except Exception as error:
                warnings.warn(
                    f"{path}: the checkpoint can't be read ({error}); going on from the one before",
                    stacklevel=2,
                )
        return None

    def finish(self, result: Path) -> None:
        """The result is written: the last one stays until DVC has noted it, as a kill would cost all of it till then.

        Stages remove it as they begin (`pipelines.stages.entry`).
        """
        for old in self._newest_first()[1:]:
            old.unlink(missing_ok=True)
        with result.open("rb") as opened, atomic_path(self.folder / DONE) as temporary:
            temporary.write_text(hashlib.file_digest(opened, "md5").hexdigest(), "utf-8")

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.pt"), reverse=True)
