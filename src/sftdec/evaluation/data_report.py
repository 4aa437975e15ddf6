"""One HTML page that shows what networks learn from and are judged on, complete in itself: it draws without a network.

It shows the scenes that were kept, what was refused, and the patches that were cut from them.
"""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from sftdec.atomic import atomic_path
from sftdec.datasets.errors import DataError
from sftdec.datasets.images import read_defocus, read_photo
from sftdec.datasets.scene import INDEX, REFUSED, read_index
from sftdec.evaluation import report
from sftdec.evaluation.data_figures import (
    choose_scenes,
    colour_stops,
    coloured,
    histograms,
    mean_sigma,
    patch_distributions,
    pixel_distribution,
    thumbnail,
)
from sftdec.evaluation.metrics import Picture
from sftdec.evaluation.style import png_bytes

TEMPLATE = "data_report.html.jinja"
SPLITS = ("train", "validation", "test")
SHOWN = 48  # scenes on the contact sheet
SAMPLED = 240  # scenes whose pixels the histogram of sigma is made of
SIZES = 8  # rows of the table of sizes
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


class Triple(NamedTuple):
    """A scene on the contact sheet: its row of the index and three thumbnails, uint8 h×w×3."""

    row: dict[str, Any]
    blurred: Picture
    sharp: Picture
    defocus: Picture


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
    everything, kept = read_refused(scenes), _read_patches(patches / INDEX)
    extra = everything["check"] == "extra"
    refused = everything[~extra]
    triples = [_read_triple(scenes, row) for row in _records(choose_scenes(index, SHOWN))]
    sample = choose_scenes(index, SAMPLED)
    pixels = pixel_distribution(scenes, index, sample)
    charts = [pixels, *patch_distributions(kept, pixels.edges)]
    content: dict[str, Any] = {
        "title": title,
        "style": report.page_style(),
        "total": _row_of("all", index),
        "datasets": _split_table(index),
        "sizes": _size_table(index),
        "patches": _patch_table(kept, sorted(index["dataset"].unique())),
        "refused": _refused_by_check(refused),
        "extras": _refused_by_check(everything[extra]),
        "refusals": len(refused[["dataset", "scene"]].drop_duplicates()),
        "charts": [report.png_uri(png_bytes(histograms(charts, width))) for width in (9.6, 4.4)],
        "sampled": len(sample),
        "stops": colour_stops(),
        "sigma_max": float(index["sigma_max"].max()),
    }
    page = b""
    for fidelity in FIDELITIES:
        page = _render({**content, "sheet": list(_sheet(triples, index, fidelity))})
        if len(page) <= report.PAGE_LIMIT:
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
    table = _read_table(path, "fetch")
    if table.empty:
        return pd.DataFrame(columns=columns)
    return _with_columns(path, table, columns)


def _read_patches(path: Path) -> pd.DataFrame:
    """The index of the patches, a row a patch."""
    if not path.exists():
        raise DataError(f"{path}: there are no patches yet; run the stage before: dvc repro patches")
    table = _with_columns(
        path, _read_table(path, "patches"), ["scene", "dataset", "sigma_mean", "sharpness", "brightness"]
    )
    if table.empty:
        raise DataError(f"{path}: the index holds no patch; run dvc repro -f patches")
    return table


def _read_table(path: Path, stage: str) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a table that can be read ({error}); run dvc repro -f {stage}") from error


def _with_columns(path: Path, table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    missing = [column for column in columns if column not in table]
    if missing:
        raise DataError(f"{path}: lacks {', '.join(missing)}; found {', '.join(map(str, table.columns)) or 'nothing'}")
    return table


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in rows.to_dict("records")]


def _row_of(name: str, rows: pd.DataFrame) -> dict[str, Any]:
    """What the split table says of some scenes; a measure that no check took is None."""

    def measured(column: str) -> "pd.Series[float]":
        return pd.to_numeric(rows[column], errors="coerce").dropna() if column in rows else pd.Series(dtype=float)

    shift, sharpening = measured("shift"), measured("sharpening")
    return {
        "name": name,
        "scenes": len(rows),
        "photos": len(rows[["dataset", "photo"]].drop_duplicates()),
        "pixels": int((rows["height"] * rows["width"]).sum()),
        "sigma_mean": mean_sigma(rows),
        "sigma_peak": float(rows["sigma_peak"].max()),
        "shift": float(shift.max()) if len(shift) else None,
        "sharpening": float(sharpening.min()) if len(sharpening) else None,
    }


def _split_table(index: pd.DataFrame) -> list[tuple[str, list[dict[str, Any]]]]:
    """Per data set a row for each split that it has, and one for all where it has several."""
    table = []
    for dataset, rows in index.groupby("dataset", sort=True):
        lines = [_row_of(split, rows[rows["split"] == split]) for split in SPLITS if (rows["split"] == split).any()]
        table.append((str(dataset), [*lines, _row_of("all", rows)] if len(lines) > 1 else lines))
    return table


def _size_table(index: pd.DataFrame) -> list[dict[str, Any]]:
    """How many scenes have which size, the most frequent first; the rest in one row."""
    counts = index.groupby(["width", "height"]).size().reset_index(name="scenes")
    counts = counts.sort_values(["scenes", "width", "height"], ascending=[False, True, True])
    rows = [
        {"name": f"{width} × {height}", "scenes": scenes}
        for width, height, scenes in counts.head(SIZES).itertuples(index=False)
    ]
    rest = counts.iloc[SIZES:]
    if len(rest):
        rows.append({"name": f"{len(rest)} other sizes", "scenes": int(rest["scenes"].sum())})
    largest = max(row["scenes"] for row in rows)
    return [{**row, "bar": row["scenes"] / largest * 100} for row in rows]


def _patch_table(kept: pd.DataFrame, datasets: Sequence[str]) -> list[dict[str, Any]]:
    """Per data set: patches, the scenes that they are of, and their means; one without patches says 0."""
    table = []
    for dataset in sorted({*datasets, *kept["dataset"]}):
        rows = kept[kept["dataset"] == dataset]
        means = {key: float(rows[key].mean()) for key in ("sigma_mean", "sharpness", "brightness")} if len(rows) else {}
        table.append({"name": dataset, "patches": len(rows), "scenes": rows["scene"].nunique(), **means})
    return table


def _refused_by_check(refused: pd.DataFrame) -> list[tuple[str, int, list[dict[str, str]]]]:
    """Per check, the most frequent first: what its scenes are, how many it refused, and the first 100 of them."""
    groups = [(str(check), rows) for check, rows in refused.groupby("check", sort=True, dropna=False)]
    groups.sort(key=lambda group: -len(group[1]))
    return [
        (CHECKS.get(check, check), len(rows), [_refusal(row) for row in _records(rows.head(LISTED))])
        for check, rows in groups
    ]


def _refusal(row: dict[str, Any]) -> dict[str, str]:
    """A refused scene's name, its data set's before it unless it begins so, and the reason, cut if it is very long."""
    dataset, scene, reason = str(row["dataset"]), str(row["scene"]), str(row["reason"])
    name = scene if scene.startswith(f"{dataset}/") else f"{dataset}: {scene}"
    return {"name": name, "reason": reason if len(reason) <= REASON else f"{reason[: REASON - 1]}…"}


def _read_triple(scenes: Path, row: dict[str, Any]) -> Triple:
    """A scene of the contact sheet, reduced."""
    defocus = coloured(read_defocus(scenes / row["defocus"]))
    pictures = (read_photo(scenes / row["blurred"]), read_photo(scenes / row["sharp"]), defocus)
    return Triple(row, *(thumbnail(picture, FIDELITIES[0].side) for picture in pictures))


def _sheet(triples: Sequence[Triple], index: pd.DataFrame, fidelity: Fidelity) -> Iterator[dict[str, Any]]:
    """The contact sheet as the template needs it: a group a split of a data set, its thumbnails as data URIs."""
    there = index.groupby(["dataset", "split"]).size()
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for triple in triples:
        parts = {
            part: report.jpeg_uri(thumbnail(getattr(triple, part), fidelity.side), fidelity.quality)
            for part in ("blurred", "sharp", "defocus")
        }
        groups.setdefault((triple.row["dataset"], triple.row["split"]), []).append({"row": triple.row, **parts})
    for (dataset, split), members in groups.items():
        yield {"dataset": dataset, "split": split, "there": int(there[dataset, split]), "scenes": members}


def _render(content: dict[str, Any]) -> bytes:
    """The template filled in; whatever a file or a reason is called, it is text."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["fixed"] = lambda value, digits=2: f"{value:.{digits}f}".replace("-", "−")
    environment.filters["count"] = lambda value: f"{value:,}".replace(",", "\u2009")
    environment.filters["s"] = lambda value: "" if value == 1 else "s"
    source = files("sftdec.evaluation").joinpath(TEMPLATE).read_text("utf-8")
    return environment.from_string(source).render(content).encode()
