"""Pictures before and after, as the template needs them."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sftdec.reporting.data_figures import levels, thumbnail
from sftdec.reporting.embedding import file_uri, jpeg_uri
from sftdec.reporting.figures import reduced
from sftdec.reporting.gallery import Comparison, file_name
from sftdec.reporting.plots import map_calibration
from sftdec.reporting.report.making import charts
from sftdec.reporting.report.material import Fidelity, Material
from sftdec.reporting.report.result import Rows, photos_of

SHOWN = 12  # photos with a slider; all pictures stand in the table
MAP_WIDTH = 300  # px


class Shown(NamedTuple):
    """A comparison as data URIs: its pictures, its panel ("" without one), size in px, the picture's row of numbers."""

    row: dict[str, Any]
    blurred: str
    deblurred: str
    defocus: str
    estimate: str
    panel: str
    width: int
    height: int


def shown_comparisons(material: Material, rows: Rows, fidelity: Fidelity) -> list[Shown]:
    """The first comparison of each photo, 12 at most, encoded at one fidelity."""
    photos, first = photos_of(material), dict[tuple[str, str], Comparison]()
    for pair in material.comparisons:
        first.setdefault((pair.dataset, photos.get((pair.dataset, pair.scene), pair.scene)), pair)
    return [
        _shown(pair, rows[pair.dataset, pair.scene], material.figures, fidelity) for pair in [*first.values()][:SHOWN]
    ]


def _shown(pair: Comparison, row: dict[str, Any], figures: Path | None, fidelity: Fidelity) -> Shown:
    panel = figures / f"{file_name(pair.scene)}.png" if figures else None
    return Shown(
        row,
        jpeg_uri(reduced(pair.blurred, fidelity.slider), fidelity.quality),
        jpeg_uri(reduced(pair.deblurred, fidelity.slider), fidelity.quality),
        jpeg_uri(thumbnail(pair.defocus, MAP_WIDTH), fidelity.quality),
        jpeg_uri(thumbnail(pair.estimate, MAP_WIDTH), fidelity.quality),
        file_uri(panel, fidelity.panel, fidelity.quality) if panel and panel.is_file() else "",
        pair.blurred.shape[1],
        pair.blurred.shape[0],
    )


def calibration(material: Material, sigma_max: float) -> list[str]:
    """The chart of true against estimated sigma, over all comparisons' maps; none without them or a unit."""
    if not material.comparisons or not sigma_max:
        return []
    pairs = [[sigma_max * levels(each) for each in (pair.defocus, pair.estimate)] for pair in material.comparisons]
    truth, estimate = (np.concatenate(each) for each in zip(*pairs, strict=True))
    return charts(lambda width: map_calibration(truth, estimate, width))


def typical(shown: list[Shown]) -> Shown | None:
    """The picture of median gain (the lower one of two): neither the best nor the worst stands at the top of a page."""
    ordered = sorted(shown, key=lambda picture: picture.row["gain"])
    return ordered[(len(ordered) - 1) // 2] if ordered else None


def figure_files(folder: Path | None, pattern: str, fidelity: Fidelity) -> list[tuple[str, str]]:
    """Picture files of a folder in the order of their names: a caption made of the name, and the data URI."""
    paths = sorted(folder.glob(pattern)) if folder and folder.is_dir() else []
    return [(path.stem.replace("__", "/").replace("_", " "), _uri(path, fidelity)) for path in paths]


def _uri(path: Path, fidelity: Fidelity) -> str:
    return file_uri(path, fidelity.panel, fidelity.quality)
