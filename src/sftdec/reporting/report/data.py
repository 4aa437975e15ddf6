"""What the network learned from and was judged on, as far as a reader of the results needs it."""

from typing import Any

from sftdec.datasets import INDEX, read_index
from sftdec.reporting.data_figures import (
    choose_scenes,
    colour_stops,
    histograms,
    patch_distributions,
    pixel_distribution,
)
from sftdec.reporting.data_tables import patch_table, read_patches, read_triple, records, row_of, split_table
from sftdec.reporting.embedding import jpeg_uri, png_uri
from sftdec.reporting.report.material import Material
from sftdec.reporting.style import png_bytes

SAMPLED = 240  # scenes whose pixels the histogram of sigma is made of
SHOWN = 6  # scenes, small
SIDE, QUALITY = 260, 78  # px, of JPEG


def data_part(material: Material) -> dict[str, Any] | None:
    """Splits, patches, how blur is spread, and a few scenes; None where the scenes or patches aren't given.

    Raises:
        DataError: an index, a map or a picture of them can't be read.
    """
    if material.scenes is None or material.patches is None:
        return None
    index, kept = read_index(material.scenes), read_patches(material.patches / INDEX)
    pixels = pixel_distribution(material.scenes, index, choose_scenes(index, SAMPLED))
    charts = [pixels, next(iter(patch_distributions(kept, pixels.edges)))]
    triples = [read_triple(material.scenes, row, SIDE) for row in records(choose_scenes(index, SHOWN))]
    return {
        "total": row_of("all", index),
        "datasets": split_table(index),
        "patches": patch_table(kept, sorted(index["dataset"].unique())),
        "charts": [png_uri(png_bytes(histograms(charts, width))) for width in (9.6, 4.4)],
        "triples": [
            {
                "row": triple.row,
                **{part: jpeg_uri(getattr(triple, part), QUALITY) for part in ("blurred", "sharp", "defocus")},
            }
            for triple in triples
        ],
    }


def map_scale(sigma_max: float) -> dict[str, Any]:
    """The colours of maps from 0 to `sigma_max` px, and the numbers beside them."""
    return {"stops": colour_stops(), "ticks": [f"{sigma_max * part:g}" for part in (0, 0.25, 0.5, 0.75, 1)]}
