"""The command ``sftdec``: photos in, all-in-focus photos out; a model's figures; and data sets, known and checked."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sftdec.commands.datasets import add_datasets
from sftdec.commands.deblur import add_deblur
from sftdec.commands.demo import add_demo
from sftdec.commands.drift import add_drift
from sftdec.commands.models import add_models
from sftdec.commands.reproduce import add_reproduce
from sftdec.inference.models import CHAMPION, DEFAULT_MODEL, load_model

__all__ = ["CHAMPION", "load_model", "main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sftdec", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    model: dict[str, Any] = {
        "metavar": "MODEL",
        "help": f"a weights file, models:/… or builtin (default: {DEFAULT_MODEL})",
    }
    device: dict[str, Any] = {"default": "auto", "help": "auto, cpu or cuda[:n] (default: %(default)s)"}

    add_deblur(commands, model, device)
    evaluate = commands.add_parser(
        "evaluate", help="a model's figures", description="Print a model's figures on a data set."
    )
    evaluate.add_argument("--dataset", required=True, help="a data set that dvc repro has fetched, such as sample")
    evaluate.add_argument("--split", default="test", choices=("train", "validation", "test"))
    evaluate.add_argument(
        "--scenes", type=Path, default=Path("build/scenes"), help="folder of scenes (default: %(default)s)"
    )
    evaluate.add_argument("--model", **model)
    evaluate.add_argument("--device", **device)
    evaluate.add_argument(
        "--local-pooling", type=int, metavar="PX", help="window of the figures with local pooling (default: training's)"
    )
    evaluate.set_defaults(run=_evaluate)

    add_datasets(commands)
    add_models(commands)
    add_demo(commands)
    add_reproduce(commands)
    add_drift(commands, model, device)
    return parser


def _evaluate(arguments: argparse.Namespace) -> int:
    from sftdec.datasets import load_scenes
    from sftdec.evaluation.evaluate import evaluate_network, summarise, training_window

    network, device = load_model(arguments.model, arguments.device)
    scenes = load_scenes(arguments.scenes, arguments.split, arguments.dataset)
    window = training_window(network) if arguments.local_pooling is None else arguments.local_pooling
    per_image = evaluate_network(network, scenes, str(device), local_pooling=window)
    print(json.dumps(summarise(per_image), indent=2, sort_keys=True))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. What is wrong with the input is one sentence, not a traceback."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except (ValueError, OSError) as error:
        print(f"sftdec: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
