"""The model that ships with the package; MODEL_CARD.md beside it says what it was trained on and what it can't do."""

from importlib.resources import files
from pathlib import Path

NAME = "builtin"


def builtin_weights() -> Path:
    """Where the weights file of the model that ships lies."""
    return Path(str(files("sftdec.builtin"))) / "small.safetensors"
