"""The schema of the scene index: what each column of ``build/scenes/index.parquet`` may hold."""

import re
from collections.abc import Callable, Hashable
from typing import Any

import pandas as pd
import pandera.pandas as pa

from sftdec.datasets.scene import INDEX
from sftdec.photos import PHOTO_ENDINGS
from sftdec.runtime import DataError

_SHOWN = 5  # faults that a message tells
_ROUNDING = 1e-4  # px of sigma
_BLAMED = ": "
_NAME = r"[^\x00-\x1f]+", "a name"
_INSIDE = r"(?!/)(?!.*(?:^|/)\.\.(?:/|$))(?!.*\\)[^\x00-\x1f]+"
_PATH = f"{_INSIDE}(?:{'|'.join(map(re.escape, PHOTO_ENDINGS))})", "the path of a picture inside the folder"
_CHECKSUM = r"[0-9a-f]{64}", "64 hexadecimal digits"
_HASH = r"([0-9a-f]{16})?", "16 hexadecimal digits or none"


def _text(pattern: str, expected: str, unique: bool = False) -> pa.Column:
    return pa.Column(str, pa.Check.str_matches(f"^{pattern}$", error=expected), unique=unique)


def _pixels() -> pa.Column:
    return pa.Column("int64", pa.Check.ge(1, error="1 px or more"))


def _sigma() -> pa.Column:
    return pa.Column("float64", pa.Check.in_range(0, float("inf"), include_max=False, error="0 or more, finite"))


def _rows(column: str, expected: str, check: Callable[[pd.DataFrame], "pd.Series[bool]"]) -> pa.Check:
    """A check of a column against others; its error says which column, since pandera blames them all."""
    return pa.Check(check, error=f"{column}{_BLAMED}{expected}")


def _one_split(index: pd.DataFrame) -> "pd.Series[bool]":
    return index.groupby(["dataset", "photo"])["split"].transform("nunique") == 1


SCENE_INDEX = pa.DataFrameSchema(
    {
        "scene": _text(*_NAME, unique=True),
        "dataset": _text(*_NAME),
        "split": pa.Column(str, pa.Check.isin(("train", "validation", "test"), error="train, validation or test")),
        "photo": _text(*_NAME),
        "height": _pixels(),
        "width": _pixels(),
        "sigma_max": pa.Column("float64", pa.Check.gt(0, error="above 0")),
        "sigma_mean": _sigma(),
        "sigma_peak": _sigma(),
        "blurred": _text(*_PATH),
        "blurred_sha256": _text(*_CHECKSUM),
        "sharp": _text(*_PATH),
        "sharp_sha256": _text(*_CHECKSUM),
        "defocus": _text(*_PATH),
        "defocus_sha256": _text(*_CHECKSUM),
        "photo_hash": _text(*_HASH),
        "shift": pa.Column("float64", pa.Check.ge(0, error="0 px or more"), nullable=True),  # NaN: no texture
        "sharpening": pa.Column("float64", nullable=True),
    },
    checks=[
        _rows("sigma_mean", "at most sigma_peak", lambda index: index["sigma_mean"] <= index["sigma_peak"] + _ROUNDING),
        _rows("sigma_peak", "at most sigma_max", lambda index: index["sigma_peak"] <= index["sigma_max"] + _ROUNDING),
        _rows("split", "one split for all scenes of a photo", _one_split),
    ],
    name="scene index",
)


def validate_index(index: pd.DataFrame) -> pd.DataFrame:
    """The index, a row a scene, if it is what ``SCENE_INDEX`` says; columns beyond those are let be.

    Raises:
        DataError: the message names each fault's row, column, what was found and what was expected.
    """
    numbered = index.reset_index(drop=True)
    try:
        SCENE_INDEX.validate(numbered, lazy=True)
    except pa.errors.SchemaErrors as error:
        cases = error.failure_cases.to_dict("records")
        faults = list(dict.fromkeys(fault for case in cases if (fault := _fault(case, numbered))))
        more = f"; and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        told = "; ".join(faults[:_SHOWN])
        raise DataError(f"{INDEX}: {told}{more}: mend the importer, or make it anew: dvc repro -f fetch") from error
    return index


def _fault(case: dict[Hashable, Any], index: pd.DataFrame) -> str:
    """One of pandera's cases in words; empty where it repeats another."""
    column, check = case["column"], str(case["check"])
    if check == "column_in_dataframe":
        return f"{case['failure_case']}: there is no such column, expected it"
    if check.startswith("dtype("):
        return f"{column}: found values of type {index[column].dtype}, expected {check[7:-2]}"
    if case["schema_context"] == "DataFrameSchema":
        blamed, _, check = check.partition(_BLAMED)
        if blamed != column:
            return ""
    if case["index"] is None:  # the check failed over values of a wrong type or a missing column, told by then
        return ""
    expected = {"not_nullable": "a value", "field_uniqueness": "each once"}.get(check, check)
    row = int(case["index"])
    name = f" ({index['scene'][row]})" if "scene" in index else ""
    found = index[column][row]
    return f"row {row}{name}, {column}: found {repr(found) if isinstance(found, str) else found}, expected {expected}"
