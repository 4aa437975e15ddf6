"""What the network learned from and was judged on: counts, refusals, how blur is spread, and scenes to look at."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from sftdec.datasets import INDEX, REFUSED, load_scene, read_index
from sftdec.evaluation import Picture
from sftdec.photos import coloured
from sftdec.reporting.data_figures import (
    choose_scenes,
    colour_stops,
    histograms,
    patch_distributions,
    pixel_distributions,
    thumbnail,
)
from sftdec.reporting.embedding import jpeg_uri, png_uri
from sftdec.reporting.report.data_tables import (
    patch_table,
    read_columns,
    records,
    refused_by_check,
    row_of,
    size_table,
    split_table,
)
from sftdec.reporting.report.material import FIDELITIES, Fidelity, Material
from sftdec.reporting.style import png_bytes
from sftdec.runtime import DataError

SAMPLED = 240  # scenes whose pixels the histogram of sigma is made of
SHOWN = 48  # scenes, small
UNFOLDED = 6  # of them
QUALITY = 76  # of their JPEGs at most
REFUSAL = ["dataset", "scene", "check", "reason"]
PATCH = ["scene", "dataset", "sigma_mean", "sharpness", "brightness"]


class Example(NamedTuple):
    """A scene: its row of the index, and its pictures and map small, uint8 h×w×3."""

    row: dict[str, Any]
    blurred: Picture
    sharp: Picture
    defocus: Picture


def data_part(material: Material) -> dict[str, Any] | None:
    """Splits, sizes, patches, refusals, histograms and examples; None where the scenes or patches aren't given.

    Of ``scenes`` are read ``index.parquet``, ``refused.parquet`` (none: nothing was refused), the maps of at most 240
    scenes and the pictures of at most 48; of ``patches`` only ``index.parquet``. However many there are, the part
    stays small.

    Raises:
        DataError: an index is missing, empty or can't be read, or a picture or map that it names.
    """
    if material.scenes is None or material.patches is None:
        return None
    scenes, patches = material.scenes, material.patches
    index, kept = read_index(scenes), read_columns(patches / INDEX, PATCH, "patches")
    if index.empty:
        raise DataError(f"{scenes / INDEX}: the index holds no scene; bring photos and run dvc repro fetch")
    if kept.empty:
        raise DataError(f"{patches / INDEX}: the index holds no patch; run dvc repro -f patches")
    there = (scenes / REFUSED).exists()
    found = read_columns(scenes / REFUSED, REFUSAL, "fetch") if there else pd.DataFrame(columns=REFUSAL)
    refused = found[found["check"] != "extra"]
    sample = choose_scenes(index, SAMPLED)
    pixels = list(pixel_distributions(scenes, index, sample))
    charts = [*pixels, *patch_distributions(kept, pixels[0].edges)]
    return {
        "total": row_of("all", index),
        "datasets": split_table(index),
        "sizes": size_table(index),
        "patches": patch_table(kept, sorted(index["dataset"].unique())),
        "refused": refused_by_check(refused),
        "refusals": len(refused[["dataset", "scene"]].drop_duplicates()),
        "extras": refused_by_check(found[found["check"] == "extra"]),
        "sampled": len(sample),
        "scale": map_scale(float(index["sigma_max"].max())),
        "charts": [png_uri(png_bytes(histograms(charts, width))) for width in (9.6, 4.4)],
        "examples": [_example(scenes, row) for row in records(choose_scenes(index, SHOWN))],
    }


def _example(scenes: Path, row: dict[str, Any]) -> Example:
    """A scene, its pictures as large as a page may need them."""
    scene = load_scene(scenes, row)
    pictures = scene.blurred, scene.sharp, coloured(scene.defocus)
    return Example(row, *(thumbnail(picture, FIDELITIES[0].thumbnail) for picture in pictures))


def map_scale(sigma_max: float) -> dict[str, Any]:
    """The colours of maps from 0 to `sigma_max` px, and the numbers beside them."""
    return {"stops": colour_stops(), "ticks": [f"{sigma_max * part:g}" for part in (0, 0.25, 0.5, 0.75, 1)]}


def example_groups(examples: Sequence[Example], fidelity: Fidelity) -> list[tuple[str, list[dict[str, Any]]]]:
    """The examples as data URIs: first, without a name, six that stand for all; then the others, a group a split."""
    seen = set(range(0, len(examples), -(-len(examples) // UNFOLDED)))
    groups: dict[str, list[dict[str, Any]]] = {"": []}
    for number, example in enumerate(examples):
        name = "" if number in seen else f"{example.row['dataset']}, {example.row['split']}"
        small = {part: thumbnail(getattr(example, part), fidelity.thumbnail) for part in Example._fields[1:]}
        uris = {part: jpeg_uri(picture, min(fidelity.quality, QUALITY)) for part, picture in small.items()}
        groups.setdefault(name, []).append({"row": example.row, **uris})
    return list(groups.items())
