"""The model as MLflow serves it (models-from-code): base64 photos in, deblurred photos and defocus maps out.

MLflow copies this file beside the weights and runs it when the model is loaded; nothing is pickled.
"""

import base64
import binascii
import hashlib
import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import torch
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext
from PIL import Image, ImageOps, UnidentifiedImageError

from sftdec.inference.deblur import deblur_array
from sftdec.networks import load_weights

MAX_MEGAPIXELS = 25.0
SMALLEST_SIDE = 16  # px
READ_FORMATS = ("PNG", "JPEG", "MPO")  # MPO: the JPEG of phones that store a second picture in it
KNOWN_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP")  # told apart to say what is wrong


class DefocusDeblurring(PythonModel):
    """Takes a column ``image`` (base64 PNG or JPEG) and returns a row a photo.

    ``deblurred`` is a base64 PNG, ``defocus`` a base64 16-bit grey PNG whose 65535 means ``sigma_max`` px of
    blur (Gaussian standard deviation). The parameter ``max_megapixels`` limits what is accepted.
    """

    def load_context(self, context: PythonModelContext) -> None:
        """Load the weights file; the argument's name is MLflow's.

        Raises ``ValueError`` where the file is not the one that was packed.
        """
        path = Path(context.artifacts["weights"])
        expected = (context.model_config or {}).get("weights_sha256")  # models of older releases have none
        if expected is not None:
            with path.open("rb") as opened:
                found = hashlib.file_digest(opened, "sha256").hexdigest()
            if found != expected:
                raise ValueError(
                    f"{path} is not what was registered: SHA-256 {found[:16]}…, expected {expected[:16]}…; restore "
                    "the file, or serve another version"
                )
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.network = load_weights(path).to(self.device)

    def predict(
        self, context: PythonModelContext, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Deblur every row; an unusable photo raises INVALID_PARAMETER_VALUE (HTTP 400) naming its row."""
        limit = float((params or {}).get("max_megapixels", MAX_MEGAPIXELS))
        # every photo is checked before the first is deblurred: a bad last row should not cost minutes
        photos = [decode_photo(text, row, limit) for row, text in enumerate(_images(model_input))]
        rows = [self._deblur(photo) for photo in photos]
        return pd.DataFrame(rows, columns=["deblurred", "defocus", "sigma_max"])

    def _deblur(self, photo: np.ndarray) -> dict[str, Any]:
        deblurred, defocus = deblur_array(self.network, photo, self.device)
        levels = np.rint(np.clip(deblurred, 0, 1) * 255).astype(np.uint8)
        map_levels = np.rint(np.clip(defocus, 0, 1) * 65535).astype(np.uint16)
        return {
            "deblurred": encode_png(levels),
            "defocus": encode_png(map_levels),
            "sigma_max": float(self.network.config.sigma_max),
        }


def encode_png(levels: np.ndarray) -> str:
    """Levels (uint8 H×W×3 or uint16 H×W) as a base64 PNG."""
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, format="PNG", compress_level=1)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def decode_photo(text: object, row: int, max_megapixels: float) -> np.ndarray:
    """A base64 PNG or JPEG (also as a data: URL) as uint8 H×W×3, turned upright as its EXIF data says.

    Raises ``MlflowException`` (INVALID_PARAMETER_VALUE) naming the row for anything else, before a picture
    above the limit is decoded.
    """
    where = f"row {row} of column 'image'"
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
            image: Image.Image = Image.open(io.BytesIO(content), formats=KNOWN_FORMATS)
    except UnidentifiedImageError as error:
        raise _refusal(f"{where} is not an image ({len(content)} bytes); expected a PNG or JPEG") from error
    except Image.DecompressionBombError as error:
        raise _refusal(f"{where}: {error}; the limit is {max_megapixels:g} megapixels") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise _refusal(f"{where} is a damaged image ({error}); send the file again") from error
    _check_kind(image, where, max_megapixels)
    try:
        image.load()
    except (OSError, ValueError, SyntaxError) as error:
        raise _refusal(f"{where} is a truncated {image.format} ({error}); send the file again") from error
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):  # 16-bit grey, which PIL would clip instead of scaling
        grey = (np.asarray(upright).astype(np.float64) / 257).round().astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    return np.asarray(upright.convert("RGB"))


def _check_kind(image: Image.Image, where: str, max_megapixels: float) -> None:
    frames = getattr(image, "n_frames", 1)
    if image.format not in READ_FORMATS or (frames > 1 and image.format != "MPO"):
        moving = f", animated with {frames} frames" if frames > 1 else ""
        raise _refusal(f"{where} is a {image.format}{moving}; expected a PNG or JPEG with one picture")
    megapixels = image.width * image.height / 1e6
    if megapixels > max_megapixels:
        raise _refusal(
            f"{where} has {image.width}×{image.height} px ({megapixels:.1f} megapixels), the limit is "
            f"{max_megapixels:g}; send a smaller picture or raise the parameter max_megapixels"
        )
    if min(image.size) < SMALLEST_SIDE:
        raise _refusal(f"{where} has {image.width}×{image.height} px, expected at least {SMALLEST_SIDE} each way")


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


def _refusal(message: str) -> MlflowException:
    return MlflowException(message, error_code=INVALID_PARAMETER_VALUE)


mlflow.models.set_model(DefocusDeblurring())
