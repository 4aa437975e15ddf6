"""One HTML page that shows what networks learn from and are judged on, complete in itself: it draws without a network.

It shows the scenes that were kept, what was refused, and the patches that were cut from them.
"""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from sftdec.datasets import INDEX, REFUSED, read_index
from sftdec.reporting.data_figures import (
    choose_scenes,
    colour_stops,
    histograms,
    patch_distributions,
    pixel_distribution,
    thumbnail,
)
from sftdec.reporting.data_tables import (
    Triple,
    patch_table,
    read_patches,
    read_table,
    read_triple,
    records,
    row_of,
    size_table,
    split_table,
    with_columns,
)
from sftdec.reporting.embedding import jpeg_uri, page_environment, page_style, png_uri
from sftdec.reporting.style import png_bytes
from sftdec.runtime import DataError, atomic_path

TEMPLATE = "data_report.html.jinja"
PAGE_LIMIT = 3_000_000  # bytes
SHOWN = 48  # scenes on the contact sheet
SAMPLED = 240  # scenes whose pixels the histogram of sigma is made of
LISTED = 100  # refused scenes of one check that are named
CHECKS = {  # what a picture that failed one is
    "unreadable": "can’t be read",
    "size": "of unequal size",
    "pair": "without a partner",
    "aligned": "not aligned",
    "sharper": "not sharper",
    "map": "with an impossible map",
    "duplicate": "in two splits",
}
REASON = 400  # letters of a reason


class Fidelity(NamedTuple):
    """How closely thumbnails are embedded: greatest width in px, JPEG quality."""

    side: int
    quality: int


FIDELITIES = (
    Fidelity(320, 82),
    Fidelity(280, 78),
    Fidelity(240, 74),
    Fidelity(200, 68),
    Fidelity(160, 60),
    Fidelity(96, 45),
)


def write_data_report(scenes: Path, patches: Path, out: Path, title: str = "SFT-Dec: the data") -> None:
    """Write the page ``out`` on the scenes and patches of two folders, whole or not at all.

    Of ``scenes`` it reads ``index.parquet``, ``refused.parquet`` (none: nothing was refused), the pictures of at most
    48 scenes and the maps of at most 240; of ``patches`` only ``index.parquet``. Equal folders give equal bytes,
    wherever they lie. Thumbnails are embedded as JPEG, as closely as keeps the page under 3 MB.

    Raises:
        DataError: an index is missing, empty or can't be read, or a picture that it names.
        OSError: the page can't be written.
    """
    index = read_index(scenes)
    if index.empty:
        raise DataError(f"{scenes / INDEX}: the index holds no scene; bring photos and run dvc repro fetch")
    everything, kept = read_refused(scenes), read_patches(patches / INDEX)
    extra = everything["check"] == "extra"
    refused = everything[~extra]
    triples = [read_triple(scenes, row, FIDELITIES[0].side) for row in records(choose_scenes(index, SHOWN))]
    sample = choose_scenes(index, SAMPLED)
    pixels = pixel_distribution(scenes, index, sample)
    charts = [pixels, *patch_distributions(kept, pixels.edges)]
    content: dict[str, Any] = {
        "title": title,
        "style": page_style(),
        "total": row_of("all", index),
        "datasets": split_table(index),
        "sizes": size_table(index),
        "patches": patch_table(kept, sorted(index["dataset"].unique())),
        "refused": _refused_by_check(refused),
        "extras": _refused_by_check(everything[extra]),
        "refusals": len(refused[["dataset", "scene"]].drop_duplicates()),
        "charts": [png_uri(png_bytes(histograms(charts, width))) for width in (9.6, 4.4)],
        "sampled": len(sample),
        "stops": colour_stops(),
        "sigma_max": float(index["sigma_max"].max()),
    }
    page = b""
    for fidelity in FIDELITIES:
        page = _render({**content, "sheet": list(_sheet(triples, index, fidelity))})
        if len(page) <= PAGE_LIMIT:
            break
    with atomic_path(out) as temporary:
        temporary.write_bytes(page)


def read_refused(scenes: Path) -> pd.DataFrame:
    """What fetch refused: a row a refusal with dataset, scene, check and reason; no row where there is no such file.

    Raises:
        DataError: the file can't be read or lacks a column.
    """
    columns = ["dataset", "scene", "check", "reason"]
    path = scenes / REFUSED
    if not path.exists():
        return pd.DataFrame(columns=columns)
    table = read_table(path, "fetch")
    if table.empty:
        return pd.DataFrame(columns=columns)
    return with_columns(path, table, columns)


def _refused_by_check(refused: pd.DataFrame) -> list[tuple[str, int, list[dict[str, str]]]]:
    """Per check, the most frequent first: what its scenes are, how many it refused, and the first 100 of them."""
    groups = [(str(check), rows) for check, rows in refused.groupby("check", sort=True, dropna=False)]
    groups.sort(key=lambda group: -len(group[1]))
    return [
        (CHECKS.get(check, check), len(rows), [_refusal(row) for row in records(rows.head(LISTED))])
        for check, rows in groups
    ]


def _refusal(row: dict[str, Any]) -> dict[str, str]:
    """A refused scene's name, its data set's before it unless it begins so, and the reason, cut if it is very long."""
    dataset, scene, reason = str(row["dataset"]), str(row["scene"]), str(row["reason"])
    name = scene if scene.startswith(f"{dataset}/") else f"{dataset}: {scene}"
    return {"name": name, "reason": reason if len(reason) <= REASON else f"{reason[: REASON - 1]}…"}


def _sheet(triples: Sequence[Triple], index: pd.DataFrame, fidelity: Fidelity) -> Iterator[dict[str, Any]]:
    """The contact sheet as the template needs it: a group a split of a data set, its thumbnails as data URIs."""
    there = index.groupby(["dataset", "split"]).size()
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for triple in triples:
        parts = {
            part: jpeg_uri(thumbnail(getattr(triple, part), fidelity.side), fidelity.quality)
            for part in ("blurred", "sharp", "defocus")
        }
        groups.setdefault((triple.row["dataset"], triple.row["split"]), []).append({"row": triple.row, **parts})
    for (dataset, split), members in groups.items():
        yield {"dataset": dataset, "split": split, "there": int(there[dataset, split]), "scenes": members}


def _render(content: dict[str, Any]) -> bytes:
    """The template filled in; whatever a file or a reason is called, it is text."""
    source = files("sftdec.reporting").joinpath(TEMPLATE).read_text("utf-8")
    return page_environment().from_string(source).render(content).encode()
