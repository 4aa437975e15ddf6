"""YAML 1.2, as DVC reads it: 1e-4 is a number, `on` a word, a key that stands twice an error."""

import io
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError


def read_yaml(path: Path) -> Any:
    """What a YAML file holds, as plain values; None if it is empty.

    Raises:
        OSError: it can't be read.
        ValueError: it is no YAML.
    """
    return parse_yaml(path.read_bytes(), str(path))


def parse_yaml(text: str | bytes, source: str) -> Any:
    """What a YAML text (bytes: UTF-8) holds, as plain values; ``source`` is where it is from, for errors.

    Raises:
        ValueError: it is no YAML.
    """
    try:
        return YAML(typ="safe", pure=True).load(text if isinstance(text, str) else text.decode("utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{source}: not YAML ({error})") from error


def dump_yaml(values: Any) -> str:
    """Plain values as a YAML text, a line a value, in their order."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    text = io.StringIO()
    yaml.dump(values, text)
    return text.getvalue()
