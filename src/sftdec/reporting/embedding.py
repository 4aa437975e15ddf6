"""What a page that carries everything it shows needs: pictures as data URIs, and text that can't become markup."""

import base64
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sftdec.evaluation import Picture
from sftdec.reporting.figures import reduced

if TYPE_CHECKING:
    from jinja2 import BaseLoader, Environment
    from markupsafe import Markup


def jpeg_uri(picture: Picture, quality: int) -> str:
    """A uint8 picture h×w×3 as a JPEG data URI, colours at full resolution."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="JPEG", quality=quality, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def png_uri(content: bytes) -> str:
    """A PNG as a data URI, with a palette: a plot has few colours."""
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(content)) as image:
        image.convert("RGB").quantize(128, dither=Image.Dither.NONE).save(buffer, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def file_uri(path: Path, width: int, quality: int) -> str:
    """A picture file, made at most `width` px wide, as a JPEG data URI.

    Raises:
        OSError: the file can't be read as a picture.
    """
    from PIL import Image

    with Image.open(path) as image:
        picture = np.asarray(image.convert("RGB"))
    return jpeg_uri(reduced(picture, width), quality)


def page_environment(loader: "BaseLoader | None" = None) -> "Environment":
    """Jinja for a page: what is filled in is text unless it is marked safe, and a name that isn't given is an error.

    Filters: `fixed` and `signed` (a number with decimals, a true minus), `count` (thousands apart, in one line), `s`
    (the plural's letter), `verdict` (better, worse or equal, by a gain's sign), `prose` (a document's text).
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["signed"] = lambda value, digits=2: f"{value:+.{digits}f}".replace("-", "−")
    environment.filters["fixed"] = lambda value, digits=2: f"{value:.{digits}f}".replace("-", "−")
    environment.filters["count"] = lambda value: f"{value:,}".replace(",", "\u202f")
    environment.filters["s"] = lambda value: "" if value == 1 else "s"
    environment.filters["verdict"] = lambda gain: "better" if gain > 0 else "worse" if gain < 0 else "equal"
    environment.filters["prose"] = _prose
    return environment


def _prose(text: str) -> "Markup":
    """A document's text: what stands between two stars is strong, between backticks code."""
    from markupsafe import Markup, escape

    strong = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", str(escape(text)))
    return Markup(re.sub("`(.+?)`", r"<code>\1</code>", strong))
