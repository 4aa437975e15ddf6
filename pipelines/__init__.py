"""Orchestration: the DVC stages' scripts and the Prefect flows over them."""

import sys
from importlib.util import find_spec
from pathlib import Path


def other_checkout(project: Path) -> str:
    """In words, that `sftdec` comes from elsewhere than `pipelines`, which lies in ``project``; empty where it doesn't.

    A second clone, a worktree or a folder of `dvc exp run --temp`, with the environment of the checkout that was
    installed: what DVC and the lineage take checksums of would not be what runs.
    """
    own, found = project / "src" / "sftdec", find_spec("sftdec")
    places = [Path(place) for place in (found.submodule_search_locations or ())] if found else []
    if not own.is_dir() or any(place.is_dir() and place.samefile(own) for place in places):
        return ""
    there = f"of {places[0]}" if places else "not installed"
    return (
        f"{project}: its pipelines would run with other code than its own: `sftdec` is {there}, expected {own}; "
        "set PYTHONPATH=src (`PYTHONPATH=src dvc repro`), or `pip install -e .` in this folder"
    )


# Before a stage or a flow imports anything of sftdec: another release may not even have it.
if refusal := other_checkout(Path(__file__).resolve().parents[1]):
    sys.exit(f"error: {refusal}")
