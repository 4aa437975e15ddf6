"""Where a stage of training finds and leaves its files."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sftdec.training.schedule import Stage


def weights_path(build: Path, stage: str) -> Path:
    """Where a stage's weights lie."""
    return build / "models" / f"{stage}.safetensors"


def stage_inputs(build: Path, stage: "Stage") -> list[Path]:
    """What a stage reads: scenes (for validation), patches, and the weights of the stage before."""
    before = [] if stage.after is None else [weights_path(build, stage.after)]
    return [build / "scenes", build / "patches", *before]
