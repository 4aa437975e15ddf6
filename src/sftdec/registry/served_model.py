"""The model as MLflow serves it (models-from-code): base64 photos in, deblurred photos and defocus maps out.

MLflow copies this file beside the weights and runs it when the model is loaded; nothing is pickled.
"""

import base64
import binascii
import hashlib
import io
import threading
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from PIL import Image, UnidentifiedImageError

from sftdec.inference import Engine
from sftdec.photos import MAP_LEVELS, orientation_of, upright

MAX_MEGAPIXELS = 25.0
SETTINGS = ("precision", "tile", "memory")  # ``EngineSettings``'s, that the model's configuration may set
SMALLEST_SIDE = 16  # px
READ_FORMATS = ("PNG", "JPEG", "MPO")  # MPO: the JPEG of phones that store a second picture in it
RGB_PLACE = slice(16, 20)  # where an ICC profile says what it is of
KNOWN_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP")  # told apart to say what is wrong


class DefocusDeblurring(PythonModel):
    """Takes a column ``image`` (base64 PNG or JPEG) and returns a row a photo.

    ``deblurred`` is a base64 PNG (with the profile of a photo in colours), ``defocus`` a base64 16-bit grey PNG whose
    65535 means ``sigma_max`` px of blur (Gaussian standard deviation). The parameter ``max_megapixels`` limits what is
    accepted; it can't exceed the operator's limit, which is the ``max_megapixels`` of the model's configuration
    (``load_model(model_config=…)``, or the environment variable ``SERVING_MODEL_CONFIG`` of ``mlflow models serve``).
    ``precision``, ``tile`` and ``memory`` there are those of ``EngineSettings``.
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
        texts = _images(model_input)
        # every photo is decoded before the first is deblurred: a bad last row should not cost minutes; none is kept,
        # and one request at a time goes on, so that memory doesn't grow with the rows or with who asks
        for row, text in enumerate(texts):
            decode_photo(text, row, limit)
        rows = []
        for row, text in enumerate(texts):
            with self.turn:
                rows.append(self._deblur(*_read_photo(text, row, limit)))
        return pd.DataFrame(rows, columns=["deblurred", "defocus", "sigma_max"])

    def _deblur(self, photo: np.ndarray, profile: bytes | None) -> dict[str, Any]:
        image, defocus = self.engine(photo)
        levels = np.empty(defocus.shape, np.uint16)
        for line, values in zip(levels, defocus, strict=True):  # by lines: a whole copy would be as large as the map
            line[:] = np.rint(values * MAP_LEVELS)
        return {
            "deblurred": encode_png(image, profile),
            "defocus": encode_png(levels),
            "sigma_max": float(self.engine.sigma_max),
        }


def encode_png(levels: np.ndarray, profile: bytes | None = None) -> str:
    """Levels (uint8 H×W×3 or uint16 H×W) as a base64 PNG, with an ICC profile where there is one."""
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, format="PNG", compress_level=1, icc_profile=profile)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def decode_photo(text: object, row: int, max_megapixels: float) -> np.ndarray:
    """A base64 PNG or JPEG (also as a data: URL) as uint8 H×W×3, turned upright as its EXIF data says.

    Raises ``MlflowException`` (INVALID_PARAMETER_VALUE) naming the row for anything else, before a picture
    above the limit is decoded.
    """
    return _read_photo(text, row, max_megapixels)[0]


def _read_photo(text: object, row: int, max_megapixels: float) -> tuple[np.ndarray, bytes | None]:
    """``decode_photo``'s levels, and the ICC profile that says which colours they are."""
    where = f"row {row} of column 'image'"
    image = _open(text, where, max_megapixels)
    _check_kind(image, where, max_megapixels)
    try:
        image.load()
    except (OSError, ValueError, SyntaxError) as error:
        raise _refusal(f"{where} is a truncated {image.format} ({error}); send the file again") from error
    if image.mode.startswith("I"):  # 16-bit grey, which PIL would clip instead of scaling
        grey = (np.asarray(image).astype(np.float64) / 257).round().astype(np.uint8)
        levels = np.repeat(grey[:, :, None], 3, axis=2)
    else:
        levels = np.asarray(image.convert("RGB"))
    profile = image.info.get("icc_profile") or b""
    kept = profile if profile[RGB_PLACE] == b"RGB " else None  # a grey photo's says nothing of what becomes RGB
    return np.ascontiguousarray(upright(levels, orientation_of(image))), kept


def _open(text: object, where: str, max_megapixels: float) -> Image.Image:
    """The picture, not decoded yet."""
    if not isinstance(text, str):
        raise _refusal(f"{where} is {type(text).__name__}, expected a base64 string of a PNG or JPEG")
    try:
        encoded = text.partition(",")[2] if text.startswith("data:") else text
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _refusal(f"{where} is not base64 ({error}); encode the file's bytes") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit counts
            return Image.open(io.BytesIO(content), formats=KNOWN_FORMATS)
    except UnidentifiedImageError as error:
        raise _refusal(f"{where} is not an image ({len(content)} bytes); expected a PNG or JPEG") from error
    except Image.DecompressionBombError as error:
        raise _refusal(
            f"{where} is a decompression bomb or far too large ({error}); the limit is {max_megapixels:g} megapixels"
        ) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise _refusal(f"{where} is a damaged image ({error}); send the file again") from error


def _check_kind(image: Image.Image, where: str, max_megapixels: float) -> None:
    frames = _frames(image, where)
    if image.format not in READ_FORMATS or (frames > 1 and image.format != "MPO"):
        moving = f", animated with {frames} frames" if frames > 1 else ""
        raise _refusal(f"{where} is a {image.format}{moving}; expected a PNG or JPEG with one picture")
    if image.mode == "CMYK":
        raise _refusal(
            f"{where} has colours of the kind CMYK (a print's inks, whose colours hang on its profile); expected grey "
            "or RGB; convert it first"
        )
    megapixels = image.width * image.height / 1e6
    if megapixels > max_megapixels:
        raise _refusal(
            f"{where} has {image.width}×{image.height} px ({megapixels:.1f} megapixels), the limit is "
            f"{max_megapixels:g}; send a smaller picture, or have the service started with a higher limit"
        )
    if min(image.size) < SMALLEST_SIDE:
        raise _refusal(f"{where} has {image.width}×{image.height} px, expected at least {SMALLEST_SIDE} each way")


def _frames(image: Image.Image, where: str) -> int:
    """How many pictures there are; 1 in a file that is refused anyway and too damaged to say."""
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception as error:  # whatever a decoder can fail with at a damaged file
        if image.format not in READ_FORMATS:
            return 1
        raise _refusal(f"{where} is a damaged {image.format} ({error}); send the file again") from error


def _images(model_input: object) -> list[object]:
    """The column ``image`` of a table, of a list of records, or a plain list of strings."""
    if isinstance(model_input, list) and all(isinstance(item, str) for item in model_input):
        return list(model_input)
    if isinstance(model_input, Mapping | list):
        model_input = pd.DataFrame(model_input)
    if not isinstance(model_input, pd.DataFrame) or "image" not in model_input.columns:
        found = list(model_input.columns) if isinstance(model_input, pd.DataFrame) else type(model_input).__name__
        raise _refusal(f"the input has no column 'image' (found {found}); send base64 photos under that name")
    return list(model_input["image"])


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
