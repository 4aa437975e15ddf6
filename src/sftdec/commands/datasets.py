"""``sftdec datasets``: which data sets are known; ``check PATH``: what is wrong with one; ``kept``: what is stored."""

import argparse
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

from sftdec.commands.printing import say_wait

_PARAMS = Path("params.yaml")
_SIGMA_MAX = 6.0  # px, where there are no parameters
_WIDTH = 108  # of a value


def add_datasets(commands: Any) -> None:
    """Add the command to ``argparse``'s sub-parsers."""
    datasets = commands.add_parser(
        "datasets", help="list the layouts that are read; check a folder", description="List the layouts that are read."
    )
    datasets.set_defaults(run=_list)
    actions = datasets.add_subparsers(dest="action")
    check = actions.add_parser(
        "check",
        help="what is wrong with a data set",
        description="Recognise a data set and say what is wrong with it. "
        "Exit code: 0 nothing is, 1 something is, 2 it isn't one that is known.",
    )
    check.add_argument("path", type=Path, metavar="PATH", help="its folder, its archive (zip, tar), or a picture")
    check.add_argument(
        "--sigma-max", type=float, metavar="PX", help="a map's 1.0 (default: fetch.sigma_max of params.yaml, or 6)"
    )
    check.add_argument(
        "--max-shift",
        type=float,
        metavar="PX",
        help="between the photos (default: fetch.check.max_shift, or 1)",
    )
    check.add_argument("--processes", type=int, default=1, metavar="N", help="default: %(default)s")
    check.set_defaults(run=_check)
    kept = actions.add_parser(
        "kept",
        help="what fetch keeps of photos for the next time",
        description="Say what is kept of photos, so that the next fetch need not make it anew. Deleting it is safe.",
    )
    kept.add_argument("--trim", type=float, metavar="GB", help="first remove what wasn't used for longest; 0: all")
    kept.set_defaults(run=_kept)


def _list(arguments: argparse.Namespace) -> int:
    from sftdec.datasets import IMPORTERS

    print("\n\n".join(_block(importer.ABOUT) for importer in IMPORTERS.values()))
    print("\nput one into data/NAME and NAME into fetch.datasets; first see: sftdec datasets check data/NAME")
    return 0


def _block(about: Any) -> str:
    """A data set's lines, aligned."""
    unit = about.map_unit or ("none: estimated from each pair" if about.has_sharp else "none, and no sharp pictures")
    rows = {"layout": about.layout, "map": unit, "licence": about.licence, "page": about.page or "none"}
    lines = [f"{about.name:<10} {about.title}"]
    for key, value in rows.items():
        wrapped = [part for line in value.splitlines() for part in textwrap.wrap(line, _WIDTH, break_long_words=False)]
        lines += [f"  {label:<8} {line}" for label, line in zip([key, *[""] * len(wrapped)], wrapped, strict=False)]
    return "\n".join(lines)


def _check(arguments: argparse.Namespace) -> int:
    say_wait("looking for pairs")
    from sftdec.datasets import CheckLimits, check_folder

    sigma_max, limits = _SIGMA_MAX, CheckLimits()
    if _PARAMS.is_file():
        from sftdec.params import load_params

        fetch = load_params(_PARAMS).fetch
        sigma_max, limits = fetch.sigma_max, CheckLimits(**fetch.check.model_dump())
    if arguments.sigma_max is not None:
        sigma_max = arguments.sigma_max
    if arguments.max_shift is not None:
        limits = replace(limits, max_shift=arguments.max_shift)
    if not sigma_max > 0 or arguments.processes < 1:
        raise ValueError("found a --sigma-max or --processes that makes no sense, expected above 0 and at least 1")
    report = check_folder(arguments.path, sigma_max, limits, arguments.processes)
    print(report.text())
    return report.exit_code


def _kept(arguments: argparse.Namespace) -> int:
    from sftdec.datasets import Kept, users_folder

    folder = users_folder()
    if folder is None:
        print("nothing is kept: SFTDEC_PHOTOS is empty; leave it out, or let it name a folder")
        return 0
    kept = Kept(folder)
    if arguments.trim is not None:
        if not 0 <= arguments.trim < float("inf"):
            raise ValueError(f"found --trim {arguments.trim}, expected GB that are to be left, 0 or more")
        print(f"{kept.trim(round(arguments.trim * 1e9)):,} photos removed")
    entries = kept.entries()
    print(f"{folder}: {len(entries):,} photos, {sum(size for _, size, _ in entries) / 1e9:.2f} GB")
    return 0
