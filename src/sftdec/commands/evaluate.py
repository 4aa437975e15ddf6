"""``sftdec evaluate``: the figures of a network, or of a classical method, on a data set."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sftdec.commands.evaluate_all import add_grid, evaluate_all
from sftdec.commands.printing import say_model, say_wait

if TYPE_CHECKING:
    import pandas as pd

    from sftdec.networks import SFTDec
    from sftdec.peers import AnyNetwork

PROTOCOLS = ("dpdd", "dpdd8", "realdof", "lfdof", "sftdec")  # evaluation's names, likewise
CLASSICAL = ("karaali_jung", "oracle", "zhuo_sim")  # MAP_SOURCES' names: not imported for a line of help


def add_evaluate(commands: Any, model: dict[str, Any], device: dict[str, Any]) -> None:
    """Add the command to ``argparse``'s sub-parsers; ``model``, ``device``: how these arguments are everywhere."""
    evaluate = commands.add_parser(
        "evaluate",
        help="measure a model on photos whose sharp original is known",
        description=f"Print a model's figures on a data set. Models besides weights: {', '.join(CLASSICAL)} "
        "(a defocus map, by the method of that name or the true one, and deconvolution with it). With --all, the "
        "figures of every model on every data set at hand; what was measured before is remembered. With --data and "
        "--protocol, the figures that papers print of a published data set, on each pair of a folder. Exit code: 0 all "
        "is measured, 1 a model of --all could not be, 2 nothing was begun.",
    )
    what = evaluate.add_mutually_exclusive_group(required=True)
    what.add_argument("--data", type=Path, metavar="FOLDER", help="a published data set as it lies, with --protocol")
    evaluate.add_argument(
        "--protocol", choices=PROTOCOLS, help="with --data, whose script's figures: " + ", ".join(PROTOCOLS)
    )
    evaluate.add_argument("--out", type=Path, metavar="FILE", help="with --data, also a row a pair (CSV)")
    add_grid(evaluate, what)
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
        return evaluate_all(arguments)
    if arguments.pairs or arguments.published:
        raise ValueError("--pairs and --published say what --all measures; give --all instead of --dataset")
    if arguments.data:
        return _published(arguments)
    if arguments.protocol or arguments.out:
        raise ValueError("--protocol and --out are for a folder; give --data FOLDER instead of --dataset")
    say_wait("reading the model and the photos")
    from sftdec.evaluation import summarise

    measure = _deconvolved if arguments.model in CLASSICAL or arguments.deconvolve else _restored
    print(json.dumps(summarise(measure(arguments)), indent=2, sort_keys=True))
    return 0


def _published(arguments: argparse.Namespace) -> int:
    """The figures of a paper's protocol."""
    say_wait("reading the model and the photos")
    from sftdec.evaluation import PROTOCOLS as SCRIPTS
    from sftdec.experiments import measure_published
    from sftdec.registry import choose_model, load_any_model, released
    from sftdec.runtime import atomic_path, checksum, choose_device

    if arguments.protocol is None:
        raise ValueError(f"--data {arguments.data}: say by which --protocol: {', '.join(PROTOCOLS)}")
    if arguments.model in CLASSICAL or arguments.deconvolve or arguments.local_pooling is not None:
        raise ValueError(
            "--data takes networks as they are; leave out --deconvolve, --local-pooling and classical methods"
        )
    name, file = released(arguments.model)
    if file is None:
        chosen = choose_model(arguments.model)
        say_model(chosen)
        name, file = "", chosen.weights
    if not file.is_file():
        raise ValueError(f"--model {arguments.model}: there is no file {file}")

    device, shown = str(choose_device(arguments.device)), arguments.model or file.stem

    def load() -> "AnyNetwork":
        return load_any_model(arguments.model if name else file, device)[0]

    weights = f"{name} {checksum(file)}"
    table = measure_published(load, device, shown, weights, arguments.data, arguments.protocol, Path.cwd())
    if arguments.out is not None:
        with atomic_path(arguments.out) as temporary:
            table.to_csv(temporary, index=False)
    means = {str(measure): round(float(value), 6) for measure, value in table.mean(numeric_only=True).items()}
    script = SCRIPTS[arguments.protocol]
    told = {"protocol": f"{script.says} ({script.source})", "images": len(table), **means}
    print(json.dumps(told, indent=2, ensure_ascii=False))
    return 0


def _restored(arguments: argparse.Namespace) -> "pd.DataFrame":
    """The figures of a network's own pictures."""
    from sftdec.datasets import load_scenes
    from sftdec.evaluation import evaluate_network, training_window
    from sftdec.registry import choose_model, load_any_model

    chosen = choose_model(arguments.model)
    network, device = load_any_model(chosen.weights, arguments.device)
    say_model(chosen)
    scenes = load_scenes(arguments.scenes, arguments.split, arguments.dataset)
    window = training_window(network) if arguments.local_pooling is None else arguments.local_pooling
    return evaluate_network(network, scenes, str(device), local_pooling=window)


def _with_map(arguments: argparse.Namespace) -> "tuple[SFTDec, str]":
    """The network whose map is to be deconvolved with, and its device; a peer that has a map will do."""
    from sftdec.networks import SFTDec
    from sftdec.registry import choose_model, load_any_model

    chosen = choose_model(arguments.model)
    network, device = load_any_model(chosen.weights, arguments.device)
    say_model(chosen)
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
    from sftdec.evaluation import MAP_SOURCES, evaluate_deconvolution, map_of_network

    sigma_of = MAP_SOURCES.get(arguments.model)
    if sigma_of is None:
        sigma_of = map_of_network(*_with_map(arguments))
    elif arguments.local_pooling is not None:
        raise ValueError(f"--local-pooling is for networks; {arguments.model} has nothing to pool, leave it out")
    scenes = load_scenes(arguments.scenes, arguments.split, arguments.dataset)
    return evaluate_deconvolution(sigma_of, scenes, arguments.psf)
