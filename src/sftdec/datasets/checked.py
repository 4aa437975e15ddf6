"""One scene, measured, checked and written: what a fetch does with each, after an importer has read it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from sftdec.datasets.checks import CheckLimits, Refusal, check_scene, measure_pair
from sftdec.datasets.duplicates import photo_hash
from sftdec.datasets.scene import Scene, write_scene


class Brought(NamedTuple):
    """A scene's row of the index, or why there is none; what made its photos agree; whether it was kept from before."""

    row: dict[str, Any] | None
    refused: list[Refusal]
    made: str = ""
    known: bool = False


def write_checked(scene: Scene, out: Path, limits: CheckLimits, sources: Mapping[str, Path]) -> Brought:
    """Write a scene that passes the checks below ``out``; ``sources``: the files that its photos were read from."""
    measured = measure_pair(scene.blurred, scene.sharp)
    refused = check_scene(scene, limits, measured)
    if refused:
        return Brought(None, refused)
    figures = {"shift": measured.shift, "sharpening": measured.sharpening, "photo_hash": photo_hash(scene.sharp)}
    return Brought(write_scene(out, scene, sources) | figures, [], scene.made)
