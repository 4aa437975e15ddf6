"""``sftdec evaluate``: the figures of a network, or of a classical method, on a data set."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import pandas as pd

    from sftdec.networks import SFTDec

CLASSICAL = ("karaali_jung", "oracle", "zhuo_sim")  # MAP_SOURCES' names: not imported for a line of help


def add_evaluate(commands: Any, model: dict[str, Any], device: dict[str, Any]) -> None:
    """Add the command to ``argparse``'s sub-parsers; ``model``, ``device``: how these arguments are everywhere."""
    evaluate = commands.add_parser(
        "evaluate",
        help="a model's figures",
        description=f"Print a model's figures on a data set. Models besides weights: {', '.join(CLASSICAL)} "
        "(a defocus map, by the method of that name or the true one, and deconvolution with it). With --all, the "
        "figures of every model on every data set at hand; what was measured before is remembered. Exit code: 0 all "
        "is measured, 1 a model of --all could not be, 2 nothing was begun.",
    )
    what = evaluate.add_mutually_exclusive_group(required=True)
    what.add_argument("--dataset", help="a data set that dvc repro has fetched, such as sample")
    what.add_argument("--all", action="store_true", help="every model on every data set, into reports/grid.md and .csv")
    evaluate.add_argument(
        "--pairs",
        nargs="+",
        default=[],
        metavar="NAME=FOLDER",
        help="with --all, photographed pairs: FOLDER/input/, FOLDER/ground_truth/",
    )
    evaluate.add_argument(
        "--published",
        nargs="+",
        default=[],
        metavar="DIR|NAME=FILE",
        help="with --all, downloaded weights of networks (default: published/, files named NAME.pth, NAME-more.npz, …)",
    )
    evaluate.add_argument("--split", default="test", choices=("train", "validation", "test"))
    evaluate.add_argument(
        "--scenes", type=Path, default=Path("build/scenes"), help="folder of scenes (default: %(default)s)"
    )
    evaluate.add_argument("--model", **model)
    evaluate.add_argument("--device", **device)
    evaluate.add_argument(
        "--local-pooling", type=int, metavar="PX", help="window of the figures with local pooling (default: training's)"
    )
    evaluate.add_argument("--deconvolve", action="store_true", help="take a network's map only, and deconvolve with it")
    evaluate.add_argument(
        "--psf",
        default="gaussian",
        choices=("gaussian", "disc"),
        help="blur that is deconvolved (default: %(default)s)",
    )
    evaluate.set_defaults(run=_evaluate)


def _evaluate(arguments: argparse.Namespace) -> int:
    if arguments.all:
        return _evaluate_all(arguments)
    if arguments.pairs or arguments.published:
        raise ValueError("--pairs and --published say what --all measures; give --all instead of --dataset")
    from sftdec.evaluation.evaluate import summarise

    measure = _deconvolved if arguments.model in CLASSICAL or arguments.deconvolve else _restored
    print(json.dumps(summarise(measure(arguments)), indent=2, sort_keys=True))
    return 0


def _evaluate_all(arguments: argparse.Namespace) -> int:
    """The grid; refuses what chooses one model or another way of measuring."""
    single = {
        "--model": arguments.model is not None,
        "--deconvolve": arguments.deconvolve,
        "--local-pooling": arguments.local_pooling is not None,
        "--psf": arguments.psf != "gaussian",
    }
    if given := [option for option, is_given in single.items() if is_given]:
        raise ValueError(f"--all measures every model as it is; leave out {', '.join(given)}, or name a --dataset")
    from sftdec.devices import choose_device
    from sftdec.grid import data_at_hand, fill_grid, grid_text, models_at_hand, write_grid

    pairs = _named_folders(arguments.pairs)
    device, root = str(choose_device(arguments.device)), Path.cwd()
    data = data_at_hand(arguments.scenes, arguments.split, pairs)
    models = models_at_hand(root, arguments.published)
    grid = fill_grid(models, data, root, device, lambda model, on: print(f"{model.name} on {on.name}", file=sys.stderr))
    print(grid_text(grid))
    places = " and ".join(str(path.relative_to(root)) for path in write_grid(grid, root / "reports"))
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


def _restored(arguments: argparse.Namespace) -> "pd.DataFrame":
    """The figures of a network's own pictures."""
    from sftdec.datasets import load_scenes
    from sftdec.evaluation.evaluate import evaluate_network, training_window
    from sftdec.inference.models import load_any_model

    network, device = load_any_model(arguments.model, arguments.device)
    scenes = load_scenes(arguments.scenes, arguments.split, arguments.dataset)
    window = training_window(network) if arguments.local_pooling is None else arguments.local_pooling
    return evaluate_network(network, scenes, str(device), local_pooling=window)


def _with_map(arguments: argparse.Namespace) -> "tuple[SFTDec, str]":
    """The network whose map is to be deconvolved with, and its device; a peer that has a map will do."""
    from sftdec.inference.models import load_any_model
    from sftdec.networks import SFTDec

    network, device = load_any_model(arguments.model, arguments.device)
    if not getattr(network, "estimates_map", True):
        raise ValueError(f"--deconvolve takes a network's map, and {arguments.model} estimates none; leave it out")
    if isinstance(network, SFTDec):
        network.set_local_pooling(arguments.local_pooling)
    elif arguments.local_pooling is not None:
        raise ValueError(f"--local-pooling is for SFT-Dec; {arguments.model} has no channel part, leave it out")
    return cast("SFTDec", network), str(device)


def _deconvolved(arguments: argparse.Namespace) -> "pd.DataFrame":
    """The figures of what deconvolution makes, with a method's map or a network's."""
    from sftdec.datasets import load_scenes
    from sftdec.evaluation.classical import MAP_SOURCES, evaluate_deconvolution, map_of_network

    sigma_of = MAP_SOURCES.get(arguments.model)
    if sigma_of is None:
        sigma_of = map_of_network(*_with_map(arguments))
    elif arguments.local_pooling is not None:
        raise ValueError(f"--local-pooling is for networks; {arguments.model} has nothing to pool, leave it out")
    scenes = load_scenes(arguments.scenes, arguments.split, arguments.dataset)
    return evaluate_deconvolution(sigma_of, scenes, arguments.psf)
