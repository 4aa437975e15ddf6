"""From data sets as they lie on disk to a folder of scenes, checked."""

import os
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from sftdec.datasets.agreement import Disagreement, told_made
from sftdec.datasets.checked import Brought, write_checked
from sftdec.datasets.checks import CheckLimits, Refusal
from sftdec.datasets.download import missing_dataset, obtain
from sftdec.datasets.duplicates import duplicates_across_splits
from sftdec.datasets.importers import IMPORTERS
from sftdec.datasets.kept import PARTS, Kept, code_checksum, key_of
from sftdec.datasets.listing import Entry, Importer, Listing
from sftdec.datasets.recipe_cells import SPLITS
from sftdec.datasets.recognise import deeper, recognise
from sftdec.datasets.scene import REFUSED, write_index
from sftdec.datasets.schema import validate_index
from sftdec.params import FetchParams
from sftdec.runtime import DataError, Run, atomic_path, run_here

_COLUMNS = ("dataset", "scene", "check", "reason")
_WRITES = "sftdec.datasets.checked"
_SHOWN = 5  # refusals that an error names


def fetch(
    params: FetchParams, data: Path, out: Path, run: Run = run_here, kept: Kept | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Bring each data set ``data/<name>`` into ``out`` as scenes, downloading it first where ``sources`` says so.

    ``run`` says where scenes are read and rendered; what is ``kept`` of an earlier fetch is taken from there, the same
    bytes. Scenes that fail a check are left out, or with ``strict`` end it.

    Returns:
        The index, a row a scene, and the refusals: data set, scene, check and reason. Both also lie in ``out``.

    Raises:
        DataError: a data set that isn't there or can't be used; a refusal, if ``strict``; a split without a scene.
    """
    limits = CheckLimits(**params.check.model_dump())
    jobs: list[tuple[Any, ...]] = []
    started = time.time()
    refusals: list[Refusal] = []
    for name in params.datasets:
        listing, importer = list_dataset(name, params, data)
        print(listing.table(), *listing.about.beyond(params.sigma_max), sep="\n", flush=True)
        place = None if kept is None else (kept, code_checksum(IMPORTERS[importer].read.__module__, _WRITES))
        jobs += [(name, importer, entry, params.sigma_max, out, limits, place) for entry in listing.entries]
        refusals += [Refusal(name, item.path.name, item.check, item.reason) for item in listing.left_out]
    refuse_if_strict(refusals, params.strict)  # before hours of reading and rendering
    _refuse_few([job[2].split for job in jobs], params.datasets, data)
    rows, made, known = [], [], 0
    for brought in tqdm(run(_bring, jobs), total=len(jobs), desc="fetch", unit="scene", disable=None):
        row, known = brought.row, known + brought.known
        refusals += brought.refused
        rows += [row] if row else []
        made += [f"{row['scene']}: {brought.made}"] if row and brought.made else []
    print(*told_made(made), sep="\n", end="\n" if made else "", flush=True)
    if kept is not None:
        print(f"{known:,} of {len(jobs):,} scenes were kept from before in {kept.folder}", flush=True)
        kept.trim(since=started)
    refuse_if_strict(refusals, params.strict)
    rows, twice = _without_duplicates(rows, limits, out)
    refuse_if_strict(twice, params.strict)
    refused_table = pd.DataFrame([asdict(each) for each in refusals + twice], columns=_COLUMNS).astype(str)
    return _finish(rows, refused_table, params.datasets, data, out), refused_table


def list_dataset(name: str, params: FetchParams, data: Path) -> tuple[Listing, str]:
    """What ``data/<name>`` holds, and the name of the importer that reads it.

    An importer's own data set is read by it; a folder of another name by the one whose layout it has.

    Raises:
        DataError: the data set isn't there, folders of it are links, or no importer knows its layout.
    """
    folder = data / name
    if name in params.sources:
        obtain(name, params.sources[name].url, params.sources[name].sha256, data)
    elif not folder.is_dir():
        if name in IMPORTERS:
            raise missing_dataset(IMPORTERS[name].ABOUT, folder)
        there = sorted(path.name for path in data.iterdir() if path.is_dir()) if data.is_dir() else []
        held = ", ".join(there) or "nothing"
        raise DataError(f"{folder}: there is no such data set (fetch.datasets); {data} holds: {held}")
    _refuse_links(folder)
    importer = _importer_of(name, folder)
    return importer.find(folder), importer.ABOUT.name


def _refuse_few(splits: list[str], names: list[str], data: Path, refused: str = "") -> None:
    """Refuse data sets that leave a split empty, whatever the checks will find, or have found: ``refused``."""
    counts = {split: splits.count(split) for split in SPLITS}
    empty = [split for split in SPLITS if not counts[split]]
    if not empty:
        return
    if any(name in IMPORTERS and IMPORTERS[name].ABOUT.page for name in names):
        mend = (
            "their authors fix the splits: bring the parts that are missing, or add a data set that has them to "
            "fetch.datasets; to measure a model on one alone: sftdec evaluate --data FOLDER --protocol NAME"
        )
    else:
        mend = (
            "names draw the splits, one photo in ten each: bring more photos, or choose yourself: put them into "
            "train/, val/ and test/ (each with its blurred/ and sharp/), or list them in pairs.csv with a split"
        )
    found = ", ".join(f"{split} {count}" for split, count in counts.items())
    raise DataError(
        f"{data}: no photo is for {' and '.join(empty)} in {', '.join(names)} (found {found}{refused}); {mend}"
    )


def _refuse_links(folder: Path) -> None:
    """Refuse what DVC, which follows no link to a folder, sees neither coming nor changing."""
    folders = (Path(root, name) for root, names, _ in os.walk(folder) for name in names)
    link = next((path for path in (folder, *folders) if path.is_symlink()), None)
    if link is not None:
        raise DataError(
            f"{link}: a link to the folder {link.resolve()}, which DVC doesn't follow: it would see no change there; "
            "move or copy the folder itself here, or mount it here (mount --bind)"
        )


def _importer_of(name: str, folder: Path) -> Importer:
    if name in IMPORTERS:
        return IMPORTERS[name]
    fitting = recognise(folder)
    if not fitting:
        known = ", ".join(IMPORTERS)
        found = next(deeper(folder), None)
        below = f"; {found[0]} has the layout of {found[1][0].ABOUT.name}: bring that folder up here" if found else ""
        raise DataError(
            f"{folder}: no data set's layout (known: {known}){below}; bring its photos into blurred/, sharp/ and, if "
            "there is one, defocus/, or list them in pairs.csv; `sftdec datasets` shows every layout"
        )
    return fitting[0]


def _bring(
    dataset: str,
    importer: str,
    entry: Any,
    sigma_max: float,
    out: Path,
    limits: CheckLimits,
    kept: tuple[Kept, str] | None = None,
) -> Brought:
    """One scene, from what was kept of it, or from its files; ``kept``: where, and the checksum of the code."""
    scene = f"{dataset}/{entry.name}"
    key = key_of(entry, kept[1], f"{sigma_max} {limits}") if kept else None
    if kept and key:
        photo = {"photo": entry.photo} if isinstance(entry, Entry) else {}
        told = kept[0].take(key, out, {"scene": scene, "dataset": dataset, "split": entry.split} | photo)
        if told:
            refused = [Refusal(dataset, scene, *each) for each in told["refused"]]
            return Brought(told["row"], refused, told["made"], known=True)
    try:
        found = IMPORTERS[importer].read(entry, sigma_max)
    except DataError as error:
        if importer == "sample":
            raise  # a recipe that can't be met is a mistake of its writer, not a bad photo
        check = error.check if isinstance(error, Disagreement) else "unreadable"
        return Brought(None, [Refusal(dataset, entry.name, check, str(error))])
    # data/dpdd_small, read as DPDD is laid out, is the data set "dpdd_small"
    sources = {"blurred": entry.blurred} if isinstance(entry, Entry) else {}
    if isinstance(entry, Entry) and entry.sharp is not None:
        sources["sharp"] = entry.sharp
    brought = write_checked(replace(found, dataset=dataset, name=scene), out, limits, sources)
    if kept and key:
        reasons = [(each.check, each.reason) for each in brought.refused]
        kept[0].keep(key, out, {"row": brought.row, "refused": reasons, "made": brought.made})
    return brought


def refuse_if_strict(refusals: list[Refusal], strict: bool) -> None:
    """Stop at refused scenes; files that belong to none are let be."""
    faults = [each for each in refusals if each.check != "extra"]
    if strict and faults:
        told = "\n".join(f"{_named(each)} ({each.check}): {each.reason}" for each in faults[:_SHOWN])
        more = f"\nand {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
        raise DataError(
            f"{len(faults)} scenes or files can't be used, and fetch.strict is set; mend or remove them, or leave "
            f"them out with fetch.strict: false\n{told}{more}"
        )


def _named(refusal: Refusal) -> str:
    """The scene or file of a refusal, with its data set's name before it once."""
    own = f"{refusal.dataset}/"
    return refusal.scene if refusal.scene.startswith(own) else own + refusal.scene


def _without_duplicates(
    rows: list[dict[str, Any]], limits: CheckLimits, out: Path
) -> tuple[list[dict[str, Any]], list[Refusal]]:
    """The rows without scenes whose photo another split has too; their files are removed."""
    twice = duplicates_across_splits(pd.DataFrame(rows), limits) if rows else []
    names = {each.scene for each in twice}
    for row in rows:
        if row["scene"] in names:
            for part in PARTS:
                (out / row[part]).unlink()
    return [row for row in rows if row["scene"] not in names], twice


def _finish(rows: list[dict[str, Any]], refused: pd.DataFrame, names: list[str], data: Path, out: Path) -> pd.DataFrame:
    """Write index and refusals."""
    told = "" if refused.empty else f"; refused {len(refused)}, first {'; '.join(refused.iloc[0])}"
    _refuse_few([row["split"] for row in rows], names, data, told)
    index = validate_index(write_index(out, rows))
    with atomic_path(out / REFUSED) as temporary:
        refused.to_parquet(temporary, index=False)
    return index
