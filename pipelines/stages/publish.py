"""Copies of what an experiment made, where Git keeps them."""

from collections.abc import Iterable
from pathlib import Path

from sftdec.runtime import atomic_path

REPORTS = Path("reports")


def publish(files: Iterable[Path], folder: Path = REPORTS) -> None:
    """Copy files, whole or not at all, into the folder whose tables are committed.

    They are no outs of DVC's there: the main pipeline's page shows them, and were they outs of an experiment, a plain
    ``dvc repro`` would run its trainings first.
    """
    for file in files:
        with atomic_path(folder / file.name) as temporary:
            temporary.write_bytes(file.read_bytes())
