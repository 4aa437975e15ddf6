"""``sftdec evaluate --all``: every model on every data set at hand."""

import argparse
import sys
from pathlib import Path
from typing import Any

from sftdec.commands.printing import say_wait


def add_grid(evaluate: argparse.ArgumentParser, what: Any) -> None:
    """Add what chooses the grid to the command; ``what``: the group of which one is to be given."""
    what.add_argument("--dataset", help="a data set that dvc repro has fetched, such as sample")
    what.add_argument("--all", action="store_true", help="every model on every data set, into reports/grid.md and .csv")
    evaluate.add_argument(
        "--pairs",
        nargs="+",
        default=[],
        metavar="NAME=FOLDER",
        help="with --all, photographed pairs: FOLDER/input/, FOLDER/ground_truth/, or as `sftdec datasets` shows",
    )
    evaluate.add_argument(
        "--published",
        nargs="+",
        default=[],
        metavar="DIR|NAME=FILE",
        help="with --all, downloaded weights of networks (default: published/, files named NAME.pth, NAME-more.npz, …)",
    )


def evaluate_all(arguments: argparse.Namespace) -> int:
    """The grid; refuses what chooses one model or another way of measuring."""
    single = {
        "--model": arguments.model is not None,
        "--deconvolve": arguments.deconvolve,
        "--local-pooling": arguments.local_pooling is not None,
        "--psf": arguments.psf != "gaussian",
    }
    if given := [option for option, is_given in single.items() if is_given]:
        raise ValueError(f"--all measures every model as it is; leave out {', '.join(given)}, or name a --dataset")
    say_wait("looking for models and data sets")
    from sftdec.experiments import data_at_hand, fill_grid, grid_rows, grid_text, models_at_hand, write_grid
    from sftdec.runtime import choose_device

    pairs = _named_folders(arguments.pairs)
    device, root = str(choose_device(arguments.device)), Path.cwd()
    data = data_at_hand(arguments.scenes, arguments.split, pairs)
    models = models_at_hand(root, arguments.published)
    grid = fill_grid(models, data, root, device, lambda model, on: print(f"{model.name} on {on.name}", file=sys.stderr))
    rows = grid_rows(grid)
    print(grid_text(rows))
    places = " and ".join(str(path.relative_to(root)) for path in reversed(write_grid(rows, root / "reports")))
    print(f"\n{len(grid.cells)} cells, {grid.measured} of them measured now; {places}")
    return 1 if grid.failures else 0


def _named_folders(given: list[str]) -> dict[str, Path]:
    """``NAME=FOLDER`` of each."""
    folders: dict[str, Path] = {}
    for each in given:
        name, equals, folder = each.partition("=")
        if not (name and equals and folder) or name in folders:
            raise ValueError(f"--pairs {each}: expected NAME=FOLDER, each NAME once")
        folders[name] = Path(folder)
    return folders
