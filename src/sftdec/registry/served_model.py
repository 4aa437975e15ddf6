"""The model as MLflow serves it (models-from-code): base64 photos in, deblurred photos and defocus maps out.

MLflow copies this file beside the weights and runs it when the model is loaded; nothing is pickled.
"""

import base64
import hashlib
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext

from sftdec.inference import Blend, Engine
from sftdec.photos import Limits, Photo, PhotoError, decode, decode_mask, defocus_levels, integers, png_bytes

MAX_MEGAPIXELS = 25.0
SETTINGS = ("precision", "tile", "memory", "max_blur", "everywhere")  # ``EngineSettings``'s, for a configuration
FORMATS = ("png", "jpeg", "tiff", "webp")
LARGER = "send a smaller picture, or have the service started with a higher limit"
RGB_PLACE = slice(16, 20)  # where an ICC profile says what it is of


class DefocusDeblurring(PythonModel):
    """Takes a column ``image`` (base64 PNG, JPEG, TIFF or WebP), maybe one ``mask`` (of them); returns a row a photo.

    ``deblurred`` is a base64 PNG, RGB or RGBA as the photo has alpha, of 16 bits a channel where the photo has more
    than 8, with the profile of a photo in colours; ``defocus`` a base64 16-bit grey PNG whose
    65535 means ``sigma_max`` px of blur (Gaussian standard deviation). The parameter ``max_megapixels`` limits what is
    accepted; it can't exceed the operator's limit, which is the ``max_megapixels`` of the model's configuration
    (``load_model(model_config=…)``, or the environment variable ``SERVING_MODEL_CONFIG`` of ``mlflow models serve``).
    The parameters ``strength`` and ``only`` (empty: everywhere) are those of ``inference.Blend``, as masks are.
    ``precision``, ``tile``, ``memory``, ``max_blur`` and ``everywhere`` there are those of ``EngineSettings``.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Load the weights file; the argument's name is MLflow's.

        Raises ``ValueError`` where the file is not the one that was packed.
        """
        path, config = Path(context.artifacts["weights"]), context.model_config or {}
        expected = config.get("weights_sha256")  # models of older releases have none
        if expected is not None:
            with path.open("rb") as opened:
                found = hashlib.file_digest(opened, "sha256").hexdigest()
            if found != expected:
                raise ValueError(
                    f"{path} is not what was registered: SHA-256 {found[:16]}…, expected {expected[:16]}…; restore "
                    "the file, or serve another version"
                )
        self.limit = _megapixels(config.get("max_megapixels", MAX_MEGAPIXELS))
        chosen = {key: config[key] for key in SETTINGS if config.get(key) is not None}
        self.engine = Engine.of_file(path, **chosen)
        self.turn = threading.Lock()

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Deblur every row; an unusable photo raises INVALID_PARAMETER_VALUE (HTTP 400) naming its row."""
        limit = min(_megapixels((params or {}).get("max_megapixels", self.limit)), self.limit)
        strength, only = (params or {}).get("strength", 1.0), (params or {}).get("only") or None
        asked = _rows(model_input)

        def given(row: int) -> tuple[Photo, Blend]:
            image, mask = asked[row]
            photo = decode_photo(image, row, limit)
            blend = Blend(strength, _mask(mask, row, limit), only)
            try:
                blend.check(photo.levels.shape[:2])
            except PhotoError as error:
                raise _refusal(f"row {row}: {error}") from error
            return photo, blend

        # every photo is decoded before the first is deblurred: a bad last row should not cost minutes; none is kept,
        # and one request at a time goes on, so that memory doesn't grow with the rows or with who asks
        for row in range(len(asked)):
            given(row)
        rows = []
        for row in range(len(asked)):
            with self.turn:
                rows.append(self._deblur(*given(row), row))
        return pd.DataFrame(rows, columns=["deblurred", "defocus", "sigma_max"])

    def _deblur(self, photo: Photo, blend: Blend, row: int) -> dict[str, Any]:
        try:
            image, defocus = self.engine(photo.colour, strength=blend.strength, mask=blend.mask, only=blend.only)
        except ValueError as error:  # what only the map shows, no front and no back, or too little memory for the photo
            raise _refusal(f"row {row}: {error}") from error
        profile = photo.attachments.profile
        if profile and profile[RGB_PLACE] != b"RGB ":  # a grey photo's says nothing of what becomes RGB
            profile = None
        levels = integers(image)
        if photo.has_alpha:
            levels = np.concatenate([levels, integers(photo.levels[..., -1:])], axis=2)
        return {
            "deblurred": encode_png(levels, profile),
            "defocus": encode_png(defocus_levels(defocus)),
            "sigma_max": float(self.engine.sigma_max),
        }


def encode_png(levels: np.ndarray, profile: bytes | None = None) -> str:
    """Levels (uint8 or uint16, H×W(×C)) as a base64 PNG, with an ICC profile where there is one."""
    return base64.b64encode(png_bytes(levels, profile, effort=1)).decode("ascii")


def decode_photo(text: object, row: int, max_megapixels: float) -> Photo:
    """The photo of a base64 PNG, JPEG, TIFF or WebP (also as a data: URL).

    Raises ``MlflowException`` (INVALID_PARAMETER_VALUE) naming the row for anything else, before a picture
    above the limit is decoded.
    """
    where = f"row {row} of column 'image'"
    if not isinstance(text, str):
        raise _refusal(f"{where} is {type(text).__name__}, expected a base64 string of a PNG, JPEG, TIFF or WebP")
    content = _bytes(text, where)
    try:
        return decode(content, where, Limits(max_megapixels, LARGER, FORMATS)).straight()
    except PhotoError as error:
        raise _refusal(str(error)) from error


def _mask(text: object, row: int, max_megapixels: float) -> np.ndarray | None:
    """A row's mask, H×W; None where it has none."""
    where = f"row {row} of column 'mask'"
    if not isinstance(text, str):
        if text is None or text != text:  # as a table has what isn't there: NaN
            return None
        raise _refusal(f"{where} is {type(text).__name__}, expected a base64 string of a grey picture, or nothing")
    try:
        return decode_mask(_bytes(text, where), where, max_megapixels) if text else None
    except PhotoError as error:
        raise _refusal(str(error)) from error


def _bytes(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text, validate=True)
    except ValueError as error:
        raise _refusal(f"{where} is not base64 ({error}); encode the file's bytes") from error


def _rows(model_input: object) -> list[tuple[object, object]]:
    """Image and mask (None where there is none) of a table's rows, of a list of records, or of a list of strings."""
    if isinstance(model_input, list) and all(isinstance(item, str) for item in model_input):
        return [(item, None) for item in model_input]
    if isinstance(model_input, Mapping | list):
        model_input = pd.DataFrame(model_input)
    if not isinstance(model_input, pd.DataFrame) or "image" not in model_input.columns:
        found = list(model_input.columns) if isinstance(model_input, pd.DataFrame) else type(model_input).__name__
        raise _refusal(f"the input has no column 'image' (found {found}); send base64 photos under that name")
    masks = model_input["mask"] if "mask" in model_input.columns else [None] * len(model_input)
    return list(zip(model_input["image"], masks, strict=True))


def _megapixels(found: object) -> float:
    """A limit in megapixels; NaN would let everything pass."""
    if not isinstance(found, int | float | np.number) or not 0 < float(found) < np.inf:
        raise _refusal(f"max_megapixels is {found!r}, expected a number above 0")
    return float(found)


class _Refusal(MlflowException):
    """One sentence. MLflow's server would put the data that it refuses, the whole picture at worst, before it."""

    _sentence: str | None = None

    @property
    def message(self) -> str:
        """What was wrong, as it was said first."""
        return self._sentence or ""

    @message.setter
    def message(self, message: str) -> None:
        if self._sentence is None:
            self._sentence = message


def _refusal(message: str) -> MlflowException:
    return _Refusal(message, error_code=INVALID_PARAMETER_VALUE)


mlflow.models.set_model(DefocusDeblurring())
